import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import pg from 'pg';
import { execute, postgresTest, startPrivatePostgres } from '../postgres.ts';
import { Client, Writers } from './clients.ts';
import { FULL, startProgram, until } from './program.ts';

const serverTest = await postgresTest(test);
const TERMINATIONS = FULL ? 200 : 30;
const POOL_SIZE = 5;

/** A backend that is currently inside a transaction: idle, active, or waiting for a lock. */
const TERMINATE = `
  select pg_terminate_backend(pid) as done, state, wait_event_type as waiting from (
    select * from pg_stat_activity
    where application_name = 'todo-backend' and xact_start is not null and backend_type = 'client backend'
    order by random() limit 1) as victim`;

serverTest('backends are terminated inside transactions: the pool is complete afterwards', async (t) => {
  const postgres = await startPrivatePostgres();
  t.teardown(() => postgres.stop());
  const databaseUrl = await postgres.createDatabase();
  const program = await startProgram(t, {
    DATABASE_URL: databaseUrl,
    DATABASE_POOL_SIZE: String(POOL_SIZE),
    // Long enough for the locks below on a busy machine.
    DATABASE_CONNECT_TIMEOUT_MS: '60000',
    DATABASE_STATEMENT_TIMEOUT_MS: '60000',
  });
  const writers = new Writers({ url: () => program.url, clients: 20, users: 5, mayMeet: 'unavailable' });
  writers.start(t);
  const killer = new pg.Client({ connectionString: databaseUrl });
  await killer.connect();
  t.teardown(() => killer.end());
  const states = new Map<string, number>();
  for (let terminated = 0; terminated < TERMINATIONS; await sleep(Math.random() * 20)) {
    const { rows } = await killer.query(TERMINATE);
    for (const { done, state, waiting } of rows) {
      if (!done) continue;
      terminated++;
      const what = waiting === 'Lock' ? 'waiting for a lock' : state;
      states.set(what, (states.get(what) ?? 0) + 1);
    }
  }
  await writers.stop();
  await writers.verify(t);

  // No one can write now: all connections wait for the lock except the shared one for reads.
  await killer.query('begin; lock table tasks in exclusive mode');
  const clients = await Promise.all(Array.from({ length: 2 * POOL_SIZE }, (_, i) => Client.of(`user ${i}`)));
  const task = { title: 't', priority: 'low', category: 'work' };
  const batch = { operations: Array.from({ length: 2 }, () => ({ op: 'create', task })) };
  const answers = Promise.all(
    clients.map((client, i) =>
      i % 2 === 0
        ? client.call(program.url, 'POST', '~/tasks', task)
        : client.call(program.url, 'POST', '~/tasks/batch', batch),
    ),
  );
  const waiting = async () => {
    const [found] = await execute(
      databaseUrl,
      `select count(*)::int as count from pg_stat_activity
       where application_name = 'todo-backend' and xact_start is not null and wait_event_type = 'Lock'`,
    );
    return found?.count;
  };
  await until(async () => (await waiting()) === POOL_SIZE - 1);
  const reader = await Client.of('reader');
  t.is((await reader.call(program.url, 'GET', '~/stats')).status, 200);
  reader.close();
  await killer.query('rollback');
  for (const [i, { status }] of (await answers).entries()) t.is(status, i % 2 === 0 ? 201 : 200);
  for (const client of clients) client.close();
  t.is(await program.end('SIGTERM'), 0);

  const { acknowledged, open } = writers.counts;
  t.log(`${TERMINATIONS} backends terminated: ${[...states].map(([state, count]) => `${count} ${state}`).join(', ')}`);
  t.log(`${acknowledged} writes acknowledged, ${open} answered 503`);
});
