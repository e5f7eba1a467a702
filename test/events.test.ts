import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { issueToken } from '@todo-backend/infrastructure';
import test from 'ava';
import { documentedFetch } from '../packages/http/test/conformance.ts';
import { databases, execute, postgresTest } from './postgres.ts';

const serverTest = await postgresTest(test);
const newDatabase = databases(test);
const MAIN = join(import.meta.dirname, '..', 'packages', 'http', 'bin', 'todo-backend.js');
const SECRET = 'a secret for tests, long enough to be one';

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

serverTest('an operator connects a sink, meets a dead letter, requeues it, and prunes the journal', async (t) => {
  const taken: { type: string; data: { task?: { title: string } } }[] = [];
  let refuses = false;
  const sink = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    if (!refuses) taken.push(JSON.parse(Buffer.concat(chunks).toString()));
    response.writeHead(refuses ? 422 : 200).end();
  }).listen(0, '127.0.0.1');
  await once(sink, 'listening');

  const url = await newDatabase();
  const cwd = await mkdtemp(join(tmpdir(), 'todo-events-'));
  const env = {
    PATH: process.env.PATH ?? '',
    DATABASE_URL: url,
    BETTER_AUTH_SECRET: SECRET,
    STANDALONE_USERS: 'true',
    API_PORT: '0',
    EVENTS_SINK_URL: `http://127.0.0.1:${(sink.address() as AddressInfo).port}/`,
  };
  const command = (...args: string[]) => promisify(execFile)(process.execPath, [MAIN, ...args], { cwd, env });
  const server = spawn(process.execPath, [MAIN], { cwd, env });
  let log = '';
  server.stdout.on('data', (chunk) => {
    log += chunk;
  });
  await until(() => log.includes('"listening"') || server.exitCode !== null);
  const port = /"port":(\d+)/.exec(log)?.[1];
  const token = await issueToken({ secret: SECRET, userId: 'alice', lifetime: 3600 });
  const create = (title: string) =>
    documentedFetch(`http://127.0.0.1:${port}/api/alice/tasks`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ title, priority: 'low', category: 'work' }),
    });

  t.is((await create('planted-title')).status, 201);
  await until(() => taken.length === 1);
  t.like(taken[0], { type: 'todo.task.created.v1', data: { task: { title: 'planted-title' } } });

  t.is((await command('dead-letters')).stdout, 'There are no dead letters.\n');
  refuses = true;
  t.is((await create('refused')).status, 201);
  await until(() => log.includes('dead letter'));
  const { stdout } = await command('dead-letters');
  t.regex(
    stdout,
    /^[\da-f-]{36} {2}\S+Z {2}todo\.task\.created\.v1 {2}"alice" 2 {2}The sink answered 422\.\n1 dead letters\.\n$/,
  );
  refuses = false;
  t.regex((await command('requeue', '--event', stdout.slice(0, 36))).stdout, /^Requeued 1/);
  await until(() => taken.length === 2);
  t.is((await command('requeue', '--all')).stdout, 'There is no such dead letter.\n');
  await t.throwsAsync(command('requeue'), { message: /Say which/ });
  await t.throwsAsync(command('requeue', '--event', 'x'), { message: /must be a UUID/ });

  await execute(url, `update task_events set "time" = now() - interval '91 days' where "sequence" = 1`);
  t.regex((await command('prune')).stdout, /^Deleted 1 events from before \S+Z\.\n$/);
  t.regex((await command('prune')).stdout, /^Deleted 0 events/);

  const exit = once(server, 'exit');
  server.kill('SIGTERM');
  t.deepEqual((await exit)[0], 0);
  t.notRegex(log, /planted-title/);
  sink.close();
});
