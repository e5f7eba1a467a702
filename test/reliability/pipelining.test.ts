import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { type Program, startProgram } from './program.ts';

/** As many requests as fit into one read: 66 KB that request 2 GB. */
const REQUESTS = 1_300;

/** MB that the server may grow: some concurrent responses, and data in transit. */
const GROWTH = 150;

const onLinux = process.platform === 'linux' ? test.serial : test.skip;

async function start(t: ExecutionContext): Promise<Program> {
  const directory = await mkdtemp(join(tmpdir(), 'todo-pipelining-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return startProgram(t, { DATA_DIR: directory });
}

/** The peak memory of a process so far, in MB. */
async function peak({ process: { pid } }: Program): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

async function assertHealthy(t: ExecutionContext, { url }: Program): Promise<void> {
  t.is((await fetch(`${url}/health`, { signal: AbortSignal.timeout(10_000) })).status, 200);
}

function askForFiles({ port }: Program) {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  socket.write('GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: api\r\n\r\n'.repeat(REQUESTS));
  return socket;
}

onLinux('many large files requested at once by a client that disconnects take no memory and no time', async (t) => {
  const program = await start(t);
  const before = await peak(program);
  const socket = askForFiles(program);
  await new Promise((resolve) => socket.once('readable', resolve));
  socket.destroy();
  await assertHealthy(t, program);
  await sleep(1_000);
  await assertHealthy(t, program);
  const growth = (await peak(program)) - before;
  t.true(growth < GROWTH, `the memory grew by ${Math.round(growth)} MB`);
  t.is(await program.end('SIGTERM'), 0);
});

onLinux('many large files requested at once by clients that do not read take no memory and no time', async (t) => {
  const program = await start(t);
  const before = await peak(program);
  const sockets = Array.from({ length: 5 }, () => askForFiles(program).pause());
  for (let i = 0; i < 5; i++) {
    await sleep(300);
    await assertHealthy(t, program);
  }
  const growth = (await peak(program)) - before;
  t.true(growth < GROWTH, `the memory grew by ${Math.round(growth)} MB`);
  for (const socket of sockets) socket.destroy();
  t.is(await program.end('SIGTERM'), 0);
});
