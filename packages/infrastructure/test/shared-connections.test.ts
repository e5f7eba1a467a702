import { randomUUID } from 'node:crypto';
import { taskUseCases } from '@todo-backend/application';
import { Database, SqlTaskRepository } from '@todo-backend/infrastructure';
import test from 'ava';
import { type RawBuilder, sql } from 'kysely';
import pg from 'pg';
import { databases, execute, postgresTest } from '../../../test/postgres.ts';

const serverTest = await postgresTest(test);
const newDatabase = databases(test);

/** Of three connections, one is shared by reads and one by writes. */
async function open(options: { connectTimeout?: number; statementTimeout?: number } = {}) {
  const url = await newDatabase();
  const database = await Database.postgres({ url, poolSize: 3, ...options });
  const read = <Row extends readonly unknown[]>(statement: RawBuilder<Row>) =>
    database.read<Row>(statement.compile(database.builder));
  return { url, database, read };
}

const number = (n: number) => sql<[number]>`select ${n}::int as n`;

serverTest('each of many statements on one connection gets its own result or error', async (t) => {
  const { database, read } = await open();
  const share = (i: number) => sql<[number]>`select ${i}::int / (${i}::int % 5) as n`;
  const answers = await Promise.allSettled(
    Array.from({ length: 1_000 }, (_, i) => {
      if (i % 3 === 0) return read(number(i));
      if (i % 3 === 1) return read(share(i));
      return read(sql<[number]>`select n::int from generate_series(1, ${i}::int) as n`);
    }),
  );
  for (const [i, answer] of answers.entries()) {
    if (i % 3 === 1 && i % 5 === 0) t.like(answer, { reason: { code: '22012' } }, `${i} divided by zero`);
    else if (i % 3 === 2) t.is(answer.status === 'fulfilled' && answer.value.length, i);
    else t.like(answer, { value: [[i % 3 === 0 ? i : Math.trunc(i / (i % 5))]] });
  }
  t.deepEqual(await read(sql<[number]>`select 7 as n`), [[7]], 'without a value, too');
  t.is(database.pool?.().size, 1, 'all of that on one connection');
  await database.close();
});

serverTest('a setting of one statement does not apply to the next', async (t) => {
  const { database, read } = await open();
  const setting = sql<string>`current_setting('app.user_id', true)`;
  const seen = await Promise.all(
    Array.from({ length: 200 }, (_, i) =>
      i % 2 === 0
        ? read(sql<[string]>`select set_config('app.user_id', ${`user ${i}`}, true) as now`)
        : read(sql<[string]>`select ${setting} as now where ${i}::int > 0`),
    ),
  );
  t.deepEqual(
    seen.map(([row]) => row?.[0] || null),
    seen.map((_, i) => (i % 2 === 0 ? `user ${i}` : null)),
  );
  await database.close();
});

serverTest('a statement that waits too long or exceeds the queue is unavailable', async (t) => {
  const { url, database, read } = await open({ connectTimeout: 200, statementTimeout: 500 });
  await execute(url, 'create table locked (n int); grant select on locked to public');
  const look = () => read(sql<[number]>`select ${1}::int from locked`);
  // Prepare it first: otherwise a failure to prepare would fail all statements.
  await look();
  const lock = execute(url, 'begin; lock table locked; select pg_sleep(5); commit');
  await new Promise((resolve) => setTimeout(resolve, 200));
  const start = performance.now();
  const attempts = Array.from({ length: 50 }, look);
  t.like(database.pool?.(), { size: 1, idle: 0, waiting: 49 }, 'all but the one that runs');
  for (const attempt of await Promise.allSettled(attempts)) t.like(attempt, { reason: { code: 'UNAVAILABLE' } });
  t.true(performance.now() - start < 4_500, 'none waited for the time limits of all those before it');
  t.deepEqual(await read(number(7)), [[7]]);
  await lock;
  t.deepEqual(await look(), []);
  t.like(database.pool?.(), { waiting: 0 });
  await database.close();
});

serverTest('a lost connection fails its pending statements, and is replaced', async (t) => {
  const { url, database, read } = await open();
  for (let round = 0; round < 10; round++) {
    await read(number(0));
    const attempts = Array.from({ length: 30 }, (_, i) =>
      read(sql<[number, unknown]>`select ${i}::int as n, pg_sleep(0.01)`),
    );
    await execute(
      url,
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'todo-backend'
       and datname = current_database()`,
    );
    for (const [i, attempt] of (await Promise.allSettled(attempts)).entries()) {
      if (attempt.status === 'fulfilled') t.is(attempt.value[0]?.[0], i);
      else t.like(attempt, { reason: { code: 'UNAVAILABLE' } });
    }
    t.deepEqual(await read(number(round)), [[round]]);
  }
  t.is(database.pool?.().size, 1);
  await database.close();
});

/** Use cases on a new database, with a user each. */
async function openTasks() {
  const { url, database } = await open();
  await database.migrate({ standaloneUsers: true });
  const repository = new SqlTaskRepository(database, { standaloneUsers: true });
  const tasks = taskUseCases({ tasks: repository, clock: () => new Date().toISOString(), newId: randomUUID });
  return { url, database, tasks };
}

const content = { title: 'Buy milk', priority: 'low', category: 'home' } as const;

serverTest('a user with locked rows does not hold up other users', async (t) => {
  const { url, database, tasks } = await openTasks();
  await tasks.create('alice', content);
  const other = new pg.Client({ connectionString: url });
  await other.connect();
  await other.query(`begin; select from task_ledgers where "userId" = 'alice' for update`);
  let done = 0;
  const hers = Array.from({ length: 5 }, async () => {
    await tasks.create('alice', content);
    done++;
  });
  await tasks.create('bob', content);
  t.is(done, 0, 'alice waits');
  await other.query('rollback');
  await other.end();
  await Promise.all(hers);
  t.like(await tasks.count('alice'), { total: 6 });
  t.like(await tasks.count('bob'), { total: 1 });
  await database.close();
});

for (const state of ['40001', '40P01']) {
  serverTest(`a single statement with a conflict (${state}) is retried`, async (t) => {
    const { url, database, tasks } = await openTasks();
    await execute(
      url,
      `create sequence tries;
       grant usage on tries to public;
       create function get_in_the_way() returns trigger language plpgsql as $$ begin
         if nextval('tries') % 2 = 1 then raise exception 'on purpose' using errcode = '${state}'; end if;
         return new;
       end $$;
       create trigger in_the_way before insert on task_events for each row execute function get_in_the_way()`,
    );
    const { id } = await tasks.create('alice', content);
    t.like(await tasks.update('alice', id, { title: 'Buy bread' }), { title: 'Buy bread' });
    t.deepEqual(await execute(url, 'select last_value::int as tries from tries'), [{ tries: 4 }]);
    const { total, position } = await tasks.count('alice');
    t.is(total, 1);
    t.regex(position, /^2/, 'two events, and none twice');
    await database.close();
  });
}
