import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { freePort } from '../postgres.ts';
import { MAIN, SECRET, until } from './program.ts';

/** More lines than fit into the log buffer and the pipe buffer. */
const REQUESTS = 12_000;

/** Bytes of a small disk. */
const DISK = 64 * 1024;

const run = promisify(execFile);

/** The program in memory, with its log redirected. */
async function start(t: ExecutionContext, stdout: 'pipe' | number) {
  t.timeout(120_000);
  const [port, metricsPort] = [await freePort(), await freePort()];
  const directory = await mkdtemp(join(tmpdir(), 'todo-log-'));
  const child = spawn(process.execPath, [MAIN], {
    cwd: directory,
    env: {
      PATH: process.env.PATH ?? '',
      API_HOST: '127.0.0.1',
      API_PORT: String(port),
      METRICS_PORT: String(metricsPort),
      BETTER_AUTH_SECRET: SECRET,
      DATA_DIR: directory,
    },
    stdio: ['ignore', stdout, stdout],
  });
  t.teardown(async () => {
    child.kill('SIGKILL');
    await rm(directory, { recursive: true, force: true });
  });
  const text = async (url: string) => (await fetch(url)).text();
  const isReady = () =>
    text(`http://127.0.0.1:${port}/ready`).then(
      (answer) => answer.includes('"ready"'),
      () => false,
    );
  await until(isReady);
  return {
    child,
    /** Sends many requests that are logged. */
    async ask(times: number) {
      const worker = async () => {
        for (let i = 0; i < times / 20; i++) await text(`http://127.0.0.1:${port}/`);
      };
      await Promise.all(Array.from({ length: 20 }, worker));
    },
    async dropped() {
      const metrics = await text(`http://127.0.0.1:${metricsPort}/metrics`);
      return Number(/^todo_log_lines_dropped_total (\d+)$/m.exec(metrics)?.[1]);
    },
    /** Sends SIGTERM; returns the exit code and the milliseconds until the exit. */
    async end() {
      const start = performance.now();
      const exit = once(child, 'exit');
      child.kill('SIGTERM');
      const [code] = await exit;
      return { code, milliseconds: performance.now() - start };
    },
  };
}

async function assertEnds(t: ExecutionContext, program: Awaited<ReturnType<typeof start>>): Promise<void> {
  const { code, milliseconds } = await program.end();
  t.is(code, 0);
  t.true(milliseconds < 10_000, `ended after ${Math.round(milliseconds)} ms`);
}

const onLinux = process.platform === 'linux' ? test.serial : test.skip;
/** Only root may mount a small disk. */
const asRoot = process.getuid?.() === 0 ? onLinux : test.skip;

onLinux('a full disk: the server responds, counts dropped lines, and exits', async (t) => {
  const full = await open('/dev/full', 'w');
  t.teardown(() => full.close());
  const program = await start(t, full.fd);
  await program.ask(REQUESTS);
  t.true((await program.dropped()) > 0);
  await assertEnds(t, program);
});

asRoot(
  'a disk that fills up: complete lines are written, dropped ones are counted, and logged when there is space',
  async (t) => {
    const mount = await mkdtemp(join(tmpdir(), 'todo-disk-'));
    await run('mount', ['-t', 'tmpfs', '-o', `size=${DISK}`, 'tmpfs', mount]);
    t.teardown(async () => {
      await run('umount', ['-l', mount]);
      await rm(mount, { recursive: true });
    });
    const path = join(mount, 'log');
    const log = await open(path, 'a');
    t.teardown(() => log.close());
    const program = await start(t, log.fd);
    await program.ask(REQUESTS);
    const dropped = await program.dropped();
    t.true(dropped > 0);
    t.is((await readFile(path)).length, DISK, 'the disk is full');

    await run('mount', ['-o', 'remount,size=16m', mount]);
    const lines = async () => (await readFile(path, 'utf8')).trimEnd().split('\n');
    await until(async () => (await lines()).some((line) => line.includes('log lines were dropped')));
    const entries = (await lines()).map((line) => JSON.parse(line));
    t.is(entries.find(({ msg }) => msg.startsWith('log lines were dropped'))?.lines, dropped);
    await assertEnds(t, program);
  },
);

for (const kind of ['socket', 'pipe'] as const) {
  onLinux(`a ${kind} without a reader: the server responds, counts dropped lines, and exits`, async (t) => {
    let stdout: 'pipe' | number = 'pipe';
    if (kind === 'pipe') {
      const directory = await mkdtemp(join(tmpdir(), 'todo-pipe-'));
      await run('mkfifo', [join(directory, 'log')]);
      const pipe = await open(join(directory, 'log'), 'r+');
      t.teardown(async () => {
        await pipe.close();
        await rm(directory, { recursive: true });
      });
      stdout = pipe.fd;
    }
    const program = await start(t, stdout);
    await program.ask(REQUESTS);
    t.true((await program.dropped()) > 0);
    await assertEnds(t, program);
  });
}

onLinux('a pipe with a closed reader: the server responds, and exits', async (t) => {
  const program = await start(t, 'pipe');
  program.child.stdout?.destroy();
  program.child.stderr?.destroy();
  await program.ask(1_000);
  await assertEnds(t, program);
});

onLinux('the last lines are written before the exit', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'todo-log-'));
  const path = join(directory, 'log');
  await writeFile(path, '');
  const log = await open(path, 'a');
  t.teardown(async () => {
    await log.close();
    await rm(directory, { recursive: true });
  });
  const program = await start(t, log.fd);
  await program.ask(100);
  await assertEnds(t, program);
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
  t.is(lines.filter((line) => line.includes('"route":"/"')).length, 100);
  t.is(JSON.parse(lines.at(-1) ?? '').msg, 'stopped');
});
