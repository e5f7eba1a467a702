import { Agent, request } from 'node:http';
import { type Journal, journalUseCases, type TaskRepository, taskUseCases } from '@todo-backend/application';
import { fixedClock, InMemoryTaskRepository, sequentialIds } from '@todo-backend/application/testing';
import type { Task } from '@todo-backend/domain';
import { Database, SqlJournal, SqlTaskRepository } from '@todo-backend/infrastructure';
import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import { ORIGIN, onMemory, person } from './hosts.ts';

const ABSENT = '00000000-0000-7000-8000-000000000000';

/** A repository in which every call fails with the same error. */
function failing(error: Error): InMemoryTaskRepository {
  const fail = () => Promise.reject(error);
  return Object.assign(new InMemoryTaskRepository(), {
    list: fail,
    find: fail,
    count: fail,
    change: fail,
    entries: fail,
  });
}

function useCases(repository: TaskRepository, journal: Journal) {
  return {
    tasks: taskUseCases({ tasks: repository, clock: fixedClock(), newId: sequentialIds() }),
    journal: journalUseCases({ journal }),
  };
}

const json = { title: 't', priority: 'low', category: 'work' };
const routes = [
  ['GET', '/tasks', {}],
  ['POST', '/tasks', { json }],
  ['GET', `/tasks/${ABSENT}`, {}],
  ['PUT', `/tasks/${ABSENT}`, { json }],
  ['DELETE', `/tasks/${ABSENT}`, {}],
  ['PATCH', `/tasks/${ABSENT}/complete`, {}],
  ['GET', '/stats', {}],
  ['GET', '/audit', {}],
] as const;

function assertRetryLater(t: ExecutionContext, { status, headers }: { status: number; headers: Headers }): void {
  t.is(status, 503);
  t.is(headers.get('Retry-After'), '1');
  t.is(headers.get('Content-Type'), 'application/problem+json');
}

test('an unavailable database: 503 with Retry-After on every route and on /ready, but not on /health', async (t) => {
  const database = await Database.postgres({ url: 'postgres://nobody@127.0.0.1:9/none' });
  const repository = new SqlTaskRepository(database, { standaloneUsers: false });
  const host = await onMemory({ ...useCases(repository, new SqlJournal(database)), readiness: database });
  const alice = await person(host);
  for (const [method, path, call] of routes) {
    const answer = await alice.call(method, path, call);
    assertRetryLater(t, answer);
    t.is(answer.body.detail, 'The database cannot be reached right now. Please try again in a moment.');
    t.notRegex(answer.text, /ECONNREFUSED|127\.0\.0\.1/);
  }
  assertRetryLater(t, await host.call('GET', '/ready'));
  t.is((await host.call('GET', '/health')).status, 200);
  await host.close();
  await database.close();
});

test('/ready reports that row level security is not active', async (t) => {
  const host = await onMemory({ readiness: { check: async () => ({ rowSecurity: true }) } });
  t.like((await host.call('GET', '/ready')).body, { status: 'ready', rowSecurity: true });
  await host.close();
});

test('a bug: 500 without details, logged under the request id', async (t) => {
  const lines: string[] = [];
  const logger = pino({ level: 'error' }, { write: (line: string) => lines.push(line) });
  const repository = failing(new Error('insert into secret_table'));
  const host = await onMemory({ ...useCases(repository, repository), logger });
  const alice = await person(host);
  for (const [method, path, call] of routes) {
    const headers = { Origin: ORIGIN, ...('json' in call && { 'Content-Type': 'application/json' }) };
    const { status, text, body, headers: answered } = await alice.call(method, path, { ...call, headers });
    t.is(status, 500);
    t.notRegex(text, /secret_table|\.ts|\.js|at /);
    t.is(answered.get('Access-Control-Allow-Origin'), ORIGIN);
    const logged = lines.map((line) => JSON.parse(line)).find(({ requestId }) => requestId === body.requestId);
    t.is(logged.err.message, 'insert into secret_table');
  }
  await host.close();
});

test('a rejected request never reaches the repository', async (t) => {
  const untouchable = new Proxy({} as InMemoryTaskRepository, {
    get: () => () => t.fail('the repository was asked') as never as Promise<Task>,
  });
  const host = await onMemory(useCases(untouchable, untouchable));
  const [alice, bob] = [await person(host), await person(host)];
  for (const [method, path, call] of routes) {
    t.is((await host.call(method, `/api/${alice.id}${path}`, call)).status, 401);
    t.is((await host.call(method, `/api/${alice.id}${path}`, { ...call, token: bob.token })).status, 403);
  }
  t.is((await alice.call('POST', '/tasks', { json: {} })).status, 422);
  t.is((await alice.call('GET', '/tasks/x')).status, 422);
  await host.close();
});

test('a closing server completes every request in progress, and closes keep-alive connections', async (t) => {
  const host = await onMemory();
  const { port } = new URL(host.url);
  const agent = new Agent({ keepAlive: true, maxSockets: 50 });
  const outcomes = new Set<string>();
  /** Sends one request; returns whether the connection is kept. */
  const ask = () =>
    new Promise<boolean>((resolve) => {
      request({ port, host: '127.0.0.1', path: '/health', agent }, (response) => {
        outcomes.add(String(response.statusCode));
        response.resume().on('end', () => resolve(response.headers.connection !== 'close'));
      })
        .on('error', (error: NodeJS.ErrnoException) => {
          outcomes.add(error.code ?? error.message);
          resolve(false);
        })
        .end();
    });
  const client = async () => {
    while (await ask());
  };
  const clients = Promise.all(Array.from({ length: 50 }, client));
  await new Promise((resolve) => setTimeout(resolve, 300));
  const start = performance.now();
  await host.close();
  const took = performance.now() - start;
  await clients;
  t.deepEqual([...outcomes], ['200']);
  t.true(took < 8_000, `closed by itself, not by force: ${took} ms`);
  agent.destroy();
});
