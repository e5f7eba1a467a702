import { execFile } from 'node:child_process';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { startProgram } from '../reliability/program.ts';
import { personOf, task } from './people.ts';

const run = promisify(execFile);

/** A disk of its own. */
async function newDisk(t: ExecutionContext, megabytes: number): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'todo-disk-'));
  await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path]);
  t.teardown(() => run('umount', ['-l', path]));
  return path;
}

const canMount = await mkdtemp(join(tmpdir(), 'todo-disk-')).then((path) =>
  run('mount', ['-t', 'tmpfs', 'tmpfs', path]).then(
    () => run('umount', [path]).then(() => true),
    () => false,
  ),
);
const diskTest = canMount ? test : test.skip;

diskTest('the embedded database refuses changes before the disk is full, and nothing is lost', async (t) => {
  const DATA_DIR = await newDisk(t, 220);
  const program = await startProgram(t, { DATA_DIR });
  const person = await personOf(program, 'alice');
  let acknowledged = 0;
  const body = {
    tasks: Array.from({ length: 5_000 }, (_, i) => ({ ...task(`task ${i}`), description: 'd'.repeat(500) })),
  };
  const refusal = await (async () => {
    for (;;) {
      const answer = await person.call('POST', '/tasks/import', body);
      if (answer.status !== 201) return answer;
      acknowledged += body.tasks.length;
    }
  })();
  t.is(refusal.status, 503, refusal.text);
  t.regex(JSON.parse(refusal.text).detail, /disk of the server is almost full/);
  t.true(acknowledged > 0);
  t.is((await person.call('POST', '/tasks', task('one more'))).status, 503);
  t.is(JSON.parse((await person.call('GET', '/stats')).text).total, acknowledged, 'it can be read');
  t.true((await fetch(`${program.url}/health`)).ok);
  t.is(await program.end('SIGTERM'), 0);

  const again = await startProgram(t, { DATA_DIR });
  const back = await personOf(again, 'alice');
  t.is(JSON.parse((await back.call('GET', '/stats')).text).total, acknowledged);
  t.is(await again.end('SIGTERM'), 0);
});

diskTest('a disk that others fill ends in an error, and never in a server that hangs', async (t) => {
  const DATA_DIR = await newDisk(t, 220);
  const program = await startProgram(t, { DATA_DIR });
  const person = await personOf(program, 'alice');
  t.is((await person.call('POST', '/tasks', task('first'))).status, 201);
  await writeFile(join(DATA_DIR, 'of-somebody-else'), Buffer.alloc(300 * 1024 * 1024)).catch((error) =>
    t.is(error.code, 'ENOSPC'),
  );
  t.is((await person.call('POST', '/tasks', task('second'))).status, 503);
  t.true((await fetch(`${program.url}/health`)).ok);
  t.is(JSON.parse((await person.call('GET', '/stats')).text).total, 1);
  const code = await program.end('SIGTERM');
  t.true(code === 0 || program.process.signalCode !== null, `exit code ${code}`);
});
