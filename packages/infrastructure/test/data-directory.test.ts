import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDataDirectory, signingSecret } from '@todo-backend/infrastructure';
import test from 'ava';

async function newPath(): Promise<string> {
  return join(await mkdtemp(join(tmpdir(), 'todo-data-')), 'deep', 'data');
}

/** Holds the directory in another process until it is killed. */
async function holdElsewhere(path: string) {
  const script = `import { openDataDirectory } from '@todo-backend/infrastructure';
    await openDataDirectory(${JSON.stringify(path)}); console.log('held'); setInterval(() => {}, 1000);`;
  const holder = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(holder.stdout, 'data');
  return holder;
}

test('a directory is held by one process at a time, and can be taken again when it is released', async (t) => {
  const path = await newPath();
  const first = await openDataDirectory(path);
  await t.throwsAsync(openDataDirectory(path), {
    name: 'DataDirectoryError',
    message: /in use by another server/,
  });
  await first.release();
  await (await openDataDirectory(path)).release();
});

test('the database is readable for its user alone, whatever the mode of what it lies in', async (t) => {
  const path = await newPath();
  await mkdir(join(path, 'postgres'), { recursive: true, mode: 0o755 });
  await chmod(path, 0o755);
  const { databasePath, release } = await openDataDirectory(path);
  t.is((await stat(databasePath)).mode & 0o777, 0o700);
  await release();
});

test('another process locks the directory while it lives, and no longer once it is killed', async (t) => {
  const path = await newPath();
  const holder = await holdElsewhere(path);
  await t.throwsAsync(openDataDirectory(path), { name: 'DataDirectoryError' });
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  await (await openDataDirectory(path)).release();
  t.deepEqual(await readdir(path), ['lock', 'postgres']);
});

test('the secret is generated once, is long, and only the owner can read it', async (t) => {
  const path = await newPath();
  const secrets = await Promise.all([1, 2, 3].map(() => signingSecret(path)));
  t.is(new Set(secrets).size, 1);
  t.regex(secrets[0] ?? '', /^[\w-]{43}$/);
  t.is((await stat(join(path, 'secret'))).mode & 0o777, 0o600);
  t.is((await stat(path)).mode & 0o777, 0o700);
  t.not(await signingSecret(await newPath()), secrets[0]);
});

test('a damaged secret and an invalid directory are reported', async (t) => {
  const path = await newPath();
  await signingSecret(path);
  await writeFile(join(path, 'secret'), 'short');
  await t.throwsAsync(signingSecret(path), { name: 'DataDirectoryError', message: /is damaged\. Delete the file/ });
  await t.throwsAsync(openDataDirectory(join(path, 'secret')), { name: 'DataDirectoryError', message: /see DATA_DIR/ });
});
