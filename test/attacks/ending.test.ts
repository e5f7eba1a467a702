import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { startProgram } from '../reliability/program.ts';

/** Starts the program with a module of its own, on the embedded database. */
async function programWith(t: Parameters<typeof startProgram>[0], module: string) {
  const DATA_DIR = await mkdtemp(join(tmpdir(), 'todo-data-'));
  const nodeOptions = ['--import', `data:text/javascript,${encodeURIComponent(module)}`];
  return startProgram(t, { DATA_DIR }, { nodeOptions });
}

test('a server whose event loop stands still is killed, though it hears no signal', async (t) => {
  const program = await programWith(t, `process.on('SIGUSR2', () => { for (;;); });`);
  program.process.kill('SIGUSR2');
  await sleep(100);
  t.is(await program.end('SIGTERM'), null, 'ended by a signal that it cannot ignore');
  t.is(program.process.signalCode, 'SIGKILL');
  t.regex(program.errors(), /event loop stands still/);
});

test('a server that does not end in time is killed', async (t) => {
  // Whatever is wrong: here the process does not end although it wants to.
  const program = await programWith(
    t,
    `const exit = process.exit; process.exit = () => {}; setInterval(() => {}, 1000);`,
  );
  t.is(await program.end('SIGTERM'), null);
  t.is(program.process.signalCode, 'SIGKILL');
  t.regex(program.errors(), /did not end in time/);
});

test('a server that was suspended goes on', async (t) => {
  const program = await programWith(t, '');
  program.process.kill('SIGSTOP');
  await sleep(12_000);
  program.process.kill('SIGCONT');
  await sleep(1_500);
  t.true((await fetch(`${program.url}/health`)).ok);
  t.is(await program.end('SIGTERM'), 0);
});
