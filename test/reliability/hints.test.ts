import { setTimeout as sleep } from 'node:timers/promises';
import { issueToken } from '@todo-backend/infrastructure';
import test, { type ExecutionContext } from 'ava';
import pg from 'pg';
import { type EventStream, openStream } from '../../packages/http/test/event-streams.ts';
import { createApiLogin } from '../pgbouncer.ts';
import { databases, execute, postgresTest, startPrivatePostgres } from '../postgres.ts';
import { Client } from './clients.ts';
import { follow, positionOf, todoClient } from './followers.ts';
import { FULL, type Program, runProgram, SECRET, startProgram, until } from './program.ts';

const serverTest = await postgresTest(test);
const newDatabase = databases(test);

/** Milliseconds in which a server looks several times for changes of others. */
const OUTAGE = FULL ? 30_000 : 5_000;
const TASK = { title: 't', priority: 'low', category: 'work' };
const PATIENT = { DATABASE_CONNECT_TIMEOUT_MS: '60000', DATABASE_STATEMENT_TIMEOUT_MS: '60000' };

async function clientOf(t: ExecutionContext, userId: string): Promise<Client> {
  const client = await Client.of(userId);
  t.teardown(() => client.close());
  return client;
}

async function streamOf(t: ExecutionContext, { url }: Program, id: string): Promise<EventStream> {
  const stream = await openStream(url, { id, token: await issueToken({ secret: SECRET, userId: id, lifetime: 7200 }) });
  t.teardown(stream.close);
  return stream;
}

/** The connection on which the server that logs in as the owner listens. It listens before it sends. */
async function listener(databaseUrl: string): Promise<number | undefined> {
  const [found] = await execute(
    databaseUrl,
    `select pid from pg_stat_activity where application_name = 'todo-backend' and usename = current_user
       and query ~ '^listen todo_changes|pg_notify'`,
  );
  return found && Number(found.pid);
}

/** How often a server has said that it does not hear of others. */
function complaints(program: Program): number {
  return program.log().split('could not look for changes').length - 1;
}

serverTest.serial('a change arrives without notifications, and these come back', async (t) => {
  const databaseUrl = await newDatabase();
  t.is((await runProgram(['migrate'], { DATABASE_URL: databaseUrl })).code, 0);
  const env = { ...PATIENT, DATABASE_POOL_SIZE: '6' };
  const [here, there] = await Promise.all([
    startProgram(t, { ...env, DATABASE_URL: databaseUrl }),
    startProgram(t, { ...env, DATABASE_URL: await createApiLogin(databaseUrl) }),
  ]);
  const [alice, bob, carol] = await Promise.all(['alice', 'bob', 'carol'].map((id) => clientOf(t, id)));
  if (!alice || !bob || !carol) return t.fail();
  for (const one of [bob, carol]) {
    t.is((await one.call(there.url, 'POST', '~/tasks', TASK)).status, 201);
  }
  const stream = await streamOf(t, here, 'alice');
  let made = 0;
  const arrives = async () => {
    t.is((await alice.call(there.url, 'POST', '~/tasks', TASK)).status, 201);
    await stream.until(++made);
  };

  /** Creates a task on the other server while this one cannot look: it has no connection left for a transaction. */
  const arrivesByNotification = async () => {
    const blocker = new pg.Client({ connectionString: databaseUrl });
    await blocker.connect();
    try {
      await blocker.query(`begin; select from task_ledgers where "userId" in ('bob', 'carol') for update`);
      const batch = { operations: Array.from({ length: 2 }, () => ({ op: 'create', task: TASK })) };
      const blocked = [bob, carol].map((one) => one.call(here.url, 'POST', '~/tasks/batch', batch));
      await until(async () => {
        const waiting = await execute(
          databaseUrl,
          `select from pg_stat_activity where application_name = 'todo-backend' and wait_event_type = 'Lock'`,
        );
        return waiting.length === 2;
      });
      // A look that had begun before is over.
      await sleep(500);
      await arrives();
      await blocker.query('rollback');
      for (const { status } of await Promise.all(blocked)) t.is(status, 200);
    } finally {
      await blocker.end();
    }
  };

  await until(async () => (await listener(databaseUrl)) !== undefined);
  await arrivesByNotification();
  const rounds = FULL ? 10 : 2;
  for (let round = 0; round < rounds; round++) {
    const before = await listener(databaseUrl);
    await execute(databaseUrl, 'select pg_terminate_backend($1)', [before]);
    await arrives();
    await until(async () => ![undefined, before].includes(await listener(databaseUrl)));
    await arrivesByNotification();
  }
  t.true(complaints(here) <= rounds, here.log());
  t.is(complaints(there), 0);
  stream.close();
  for (const server of [here, there]) t.is(await server.end('SIGTERM'), 0);
});

for (const { name, pooler } of [
  { name: 'with notifications', pooler: {} },
  { name: 'behind a transaction pooler', pooler: { DATABASE_POOLER: 'transaction' } },
]) {
  serverTest(`${name}: an outage of the database is told of once, and then changes arrive again`, async (t) => {
    const postgres = await startPrivatePostgres();
    t.teardown(() => postgres.stop());
    const databaseUrl = await postgres.createDatabase();
    t.is((await runProgram(['migrate'], { DATABASE_URL: databaseUrl })).code, 0);
    const env = {
      DATABASE_URL: await createApiLogin(databaseUrl),
      DATABASE_CONNECT_TIMEOUT_MS: '1000',
      DATABASE_STATEMENT_TIMEOUT_MS: '1000',
      ...pooler,
    };
    const [here, there] = await Promise.all([startProgram(t, env), startProgram(t, env)]);
    const alice = await clientOf(t, 'alice');
    const copy = follow(t, todoClient(here.url, alice), alice);
    const arrives = async () => {
      await until(async () => (await alice.call(there.url, 'POST', '~/tasks', TASK)).status === 201);
      const end = await positionOf(alice, there.url);
      await until(() => copy.position === end);
    };
    /** Makes the database unavailable for a while; says how often it was told of. */
    const without = async (begin: () => Promise<void>, end: () => Promise<void>) => {
      const before = complaints(here);
      await begin();
      await until(() => complaints(here) > before);
      await sleep(OUTAGE);
      const count = complaints(here) - before;
      await end();
      await arrives();
      return count;
    };
    await arrives();
    t.is(await without(postgres.kill, postgres.restart), 1, 'killed');
    const [stop, go] = (['SIGSTOP', 'SIGCONT'] as const).map((signal) => () => postgres.signal(signal));
    if (stop && go) t.is(await without(stop, go), 1, 'frozen');
    t.deepEqual(copy.problems, []);
    for (const server of [here, there]) t.is(await server.end('SIGTERM'), 0);
  });
}
