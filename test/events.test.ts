import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { issueToken } from '@todo-backend/infrastructure';
import test, { type ExecutionContext } from 'ava';
import { Webhook } from 'standardwebhooks';
import { documentedFetch } from '../packages/http/test/conformance.ts';
import { databases, execute, freePort, postgresTest } from './postgres.ts';

const serverTest = await postgresTest(test);
const newDatabase = databases(test);
const MAIN = join(import.meta.dirname, '..', 'packages', 'http', 'bin', 'todo-backend.js');
const SECRET = 'a secret for tests, long enough to be one';

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

function environment(databaseUrl: string, sinkPort: number): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '',
    DATABASE_URL: databaseUrl,
    BETTER_AUTH_SECRET: SECRET,
    STANDALONE_USERS: 'true',
    API_PORT: '0',
    EVENTS_SINK_URL: `http://127.0.0.1:${sinkPort}/`,
  };
}

/** Starts the program, and returns its log and a function that creates tasks of alice. */
async function startServer(t: ExecutionContext, env: Record<string, string>, cwd: string) {
  const server = spawn(process.execPath, [MAIN], { cwd, env });
  t.teardown(() => server.kill('SIGKILL'));
  let log = '';
  server.stdout.on('data', (chunk) => {
    log += chunk;
  });
  await until(() => log.includes('"listening"') || server.exitCode !== null);
  const port = /"port":(\d+)/.exec(log)?.[1];
  const token = await issueToken({ secret: SECRET, userId: 'alice', lifetime: 3600 });
  return {
    log: () => log,
    create: (title: string) =>
      documentedFetch(`http://127.0.0.1:${port}/api/alice/tasks`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
        body: JSON.stringify({ title, priority: 'low', category: 'work' }),
      }),
    async stop(): Promise<number | null> {
      const exit = once(server, 'exit');
      server.kill('SIGTERM');
      return (await exit)[0];
    },
  };
}

serverTest('an operator connects a sink, finds a dead letter, requeues it, and prunes the journal', async (t) => {
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
  const env = environment(url, (sink.address() as AddressInfo).port);
  const command = (...args: string[]) => promisify(execFile)(process.execPath, [MAIN, ...args], { cwd, env });
  const { create, log, stop } = await startServer(t, env, cwd);

  t.is((await create('planted-title')).status, 201);
  await until(() => taken.length === 1);
  t.like(taken[0], { type: 'todo.task.created.v1', data: { task: { title: 'planted-title' } } });

  t.is((await command('dead-letters')).stdout, 'There are no dead letters.\n');
  refuses = true;
  t.is((await create('refused')).status, 201);
  await until(() => log().includes('dead letter'));
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
  t.regex(
    (await command('prune')).stdout,
    /^Deleted 1 events from before \S+Z\.\nDeleted \d+ expired idempotency keys\.\n$/,
  );
  t.regex((await command('prune')).stdout, /^Deleted 0 events/);

  t.is(await stop(), 0);
  t.notRegex(log(), /planted-title/);
  sink.close();
});

serverTest('with a secret, the program signs events, and the secret is in no log', async (t) => {
  const [old, next] = [0, 1].map(() => `whsec_${randomBytes(32).toString('base64')}`) as [string, string];
  const verified: number[] = [];
  const sink = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const isFrom = (secret: string) => {
      try {
        new Webhook(secret).verify(Buffer.concat(chunks), request.headers as Record<string, string>);
        return true;
      } catch {
        return false;
      }
    };
    verified.push([old, next].filter(isFrom).length);
    // Refused once, so that the log has something to say.
    response.writeHead(verified.length === 1 ? 401 : 204).end();
  }).listen(0, '127.0.0.1');
  await once(sink, 'listening');

  const cwd = await mkdtemp(join(tmpdir(), 'todo-events-'));
  const file = join(cwd, 'secrets');
  await writeFile(file, `${old}\n${next}\n`);
  const env = environment(await newDatabase(), (sink.address() as AddressInfo).port);
  const more = { EVENTS_SINK_SECRET_FILE: file, LOG_LEVEL: 'trace' };
  const { create, log, stop } = await startServer(t, { ...env, ...more }, cwd);
  t.is((await create('signed')).status, 201);
  await until(() => verified.length === 2);
  t.deepEqual(verified, [2, 2], 'by both secrets, each time');
  t.is(await stop(), 0);
  t.regex(log(), /The sink answered 401/);
  for (const secret of [old, next]) t.false(log().includes(secret.slice('whsec_'.length)));
  sink.close();
});

serverTest('the log distinguishes an unreachable sink from an unreachable database', async (t) => {
  const url = await newDatabase();
  const port = await freePort();
  const cwd = await mkdtemp(join(tmpdir(), 'todo-events-'));
  const { create, log, stop } = await startServer(t, environment(url, port), cwd);
  const said = () =>
    [...log().matchAll(/"msg":"((?:[^"]*event sink|could not relay|events can)[^"]*)"/g)].map(([, message]) => message);

  t.is((await create('one')).status, 201);
  const away = ['the event sink cannot be reached'];
  await until(() => said().length === 1);
  t.deepEqual(said(), away);
  // A relay that fails, and a sink that is unreachable.
  await execute(url, 'alter table dead_letters rename to hidden');
  const broken = [...away, 'could not relay events'];
  await until(() => said().length === 2);
  t.deepEqual(said(), broken);
  t.regex(log(), /relation \\"dead_letters\\" does not exist/);
  await execute(url, 'alter table hidden rename to dead_letters');
  const mended = [...broken, 'events can be relayed again'];
  await until(() => said().length === 3);
  t.deepEqual(said(), mended, 'which says nothing of the sink');

  let taken = 0;
  let status = 503;
  const sink = createServer((_, response) => {
    if (status === 200) taken++;
    response.writeHead(status).end();
  }).listen(port, '127.0.0.1');
  const failing = [...mended, 'the event sink fails'];
  await until(() => said().length === 4);
  t.deepEqual(said(), failing);
  status = 200;
  await until(() => said().length === 5);
  t.deepEqual(said(), [...failing, 'the event sink takes events again']);
  t.is(taken, 1);
  t.is(await stop(), 0);
  sink.close();
});
