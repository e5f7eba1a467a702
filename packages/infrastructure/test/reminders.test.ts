import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type JournalEntry, reminderRounds } from '@todo-backend/application';
import { remindersContract } from '@todo-backend/application/testing';
import { createTask, creation, reminder, type UserId } from '@todo-backend/domain';
import { Database, SqlJournal, SqlReminders, SqlTaskRepository } from '@todo-backend/infrastructure';
import test, { type ExecutionContext, type TestFn } from 'ava';
import { sql } from 'kysely';
import pg from 'pg';
import { databases, execute, postgresTest } from '../../../test/postgres.ts';

const serverTest = await postgresTest(test);
const newDatabase = databases(test);
const STANDALONE = { standaloneUsers: true };

const adapters: { name: string; declare: TestFn; newServer?: () => Promise<string>; transactionPooler?: true }[] = [
  { name: 'PGlite', declare: test },
  { name: 'PostgreSQL', declare: serverTest, newServer: newDatabase },
  // A superuser behind a pooler stays one.
  {
    name: 'PostgreSQL without row level security',
    declare: serverTest,
    newServer: newDatabase,
    transactionPooler: true,
  },
];

for (const { name, declare, newServer, transactionPooler } of adapters) {
  declare(`${name}: reminders fulfil their contract`, async (t) => {
    const server = await newServer?.();
    const database = server
      ? await Database.postgres({ url: server, connectTimeout: 30_000, transactionPooler })
      : await Database.embedded();
    await database.migrate(STANDALONE);
    for (const { name, verify } of remindersContract) {
      await t.notThrowsAsync(
        verify({
          reminders: new SqlReminders(database),
          tasks: new SqlTaskRepository(database, STANDALONE),
          journal: new SqlJournal(database),
          newId: randomUUID,
          newUser: async () => randomUUID(),
          deleteUser:
            server === undefined
              ? undefined
              : (user) => execute(server, 'delete from "user" where "id" = $1', [user]).then(() => {}),
        }),
        name,
      );
    }
    await database.close();
  });
}

/** Stores tasks whose reminders came a minute ago. */
async function addDue(database: Database, userId: UserId, count: number): Promise<string[]> {
  const now = new Date(Date.now() - 60_000).toISOString();
  const tasks = Array.from({ length: count }, () =>
    createTask(
      {
        title: 'a task',
        description: null,
        priority: 'low',
        category: 'work',
        dueDate: null,
        tags: [],
        recurrence: null,
        remindAt: now,
      },
      { id: randomUUID(), userId, now },
    ),
  );
  await new SqlTaskRepository(database, STANDALONE).change(userId, [], () => ({
    transitions: tasks.map((task) => creation(task, originOf(userId, now))),
    result: null,
  }));
  return tasks.map(({ id }) => id);
}

function originOf(userId: UserId, time: string) {
  return { id: randomUUID(), time, actor: { type: 'user', id: userId }, correlationId: null } as const;
}

const roundsOf = (database: Database) => reminderRounds({ reminders: new SqlReminders(database), newId: randomUUID });

function reminded(database: Database, userId: UserId): Promise<JournalEntry[]> {
  return new SqlJournal(database).entries(userId, { type: 'todo.task.reminder-due.v1', limit: 100_000 });
}

/** Each of the tasks was reminded of once, and the numbers of the journal have no gap. */
async function assertOnce(t: ExecutionContext, database: Database, userId: UserId, ids: readonly string[]) {
  const events = await reminded(database, userId);
  t.deepEqual(events.map(({ taskId }) => taskId).sort(), [...ids].sort());
  const entries = await new SqlJournal(database).entries(userId, { limit: 100_000 });
  t.deepEqual(
    entries.map(({ sequence }) => sequence).reverse(),
    entries.map((_, i) => i + 1),
  );
}

serverTest('two servers at once: each of 1,000 reminders comes once', async (t) => {
  const url = await newDatabase();
  const [one, two] = await Promise.all([Database.postgres({ url }), Database.postgres({ url })]);
  await one.migrate(STANDALONE);
  const users = new Map<UserId, string[]>([['busy', await addDue(one, 'busy', 500)]]);
  for (let i = 0; i < 50; i++) users.set(`user ${i}`, await addDue(one, `user ${i}`, 10));
  const counts = await Promise.all(
    [one, two].map(async (database) => {
      const round = roundsOf(database);
      let count = 0;
      // The other one may hold what is left.
      for (let idle = 0; idle < 5 && count <= 1_000; ) {
        const { delays } = await round();
        count += delays.length;
        idle = delays.length > 0 ? 0 : idle + 1;
        if (delays.length === 0) await sleep(20);
      }
      return count;
    }),
  );
  t.log(`by each: ${counts}`);
  t.is(
    counts.reduce((sum, count) => sum + count),
    1_000,
  );
  for (const [user, ids] of users) await assertOnce(t, one, user, ids);
  await Promise.all([one.close(), two.close()]);
});

serverTest('a server that dies before its commit has done nothing, and another one does it', async (t) => {
  const url = await newDatabase();
  const [dying, other] = await Promise.all([Database.postgres({ url }), Database.postgres({ url })]);
  await other.migrate(STANDALONE);
  const ids = await addDue(other, 'alice', 3);
  const broken = dying.transaction({ user: 'alice' }, async (db) => {
    await sql`update tasks set "remindedUntil" = "remindAt"`.execute(db);
    await sql`select pg_terminate_backend(pg_backend_pid())`.execute(db);
  });
  await t.throwsAsync(broken);
  const late = new SqlReminders(dying).record({ userId: 'alice', tasks: ids }, (task, now) => {
    t.is(task.userId, 'alice');
    return reminder(task, { ...originOf('alice', now), id: 'not an id' });
  });
  await t.throwsAsync(late, undefined, 'the events cannot be appended');
  t.deepEqual(await reminded(other, 'alice'), []);
  t.is((await roundsOf(other)()).delays.length, 3);
  await assertOnce(t, other, 'alice', ids);
  await Promise.all([dying.close(), other.close()]);
});

serverTest('who holds the tasks or the journal of a user does not hold up the reminders of others', async (t) => {
  const url = await newDatabase();
  const database = await Database.postgres({ url });
  await database.migrate(STANDALONE);
  const [hers, his] = [await addDue(database, 'alice', 1), await addDue(database, 'bob', 1)];
  const ids = await addDue(database, 'carol', 1);
  const holder = new pg.Client({ connectionString: url });
  await holder.connect();
  await holder.query('begin');
  await holder.query(`select 1 from tasks where "userId" = 'alice' for update`);
  await holder.query(`select 1 from task_ledgers where "userId" = 'bob' for update`);
  const round = roundsOf(database);
  const { delays, failed } = await round();
  t.is(delays.length, 1);
  t.like(failed, { code: 'UNAVAILABLE' }, 'it does not wait for long');
  await assertOnce(t, database, 'carol', ids);
  await holder.query('rollback');
  await holder.end();
  const later = roundsOf(database);
  await later();
  await assertOnce(t, database, 'alice', hers);
  await assertOnce(t, database, 'bob', his);
  await database.close();
});

serverTest('looking for reminders reads the index of those to come, and nothing else', async (t) => {
  const url = await newDatabase();
  const database = await Database.postgres({ url });
  await database.migrate(STANDALONE);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`insert into "user" ("id", "name", "email", "emailVerified") values ('alice', '', '', false)`);
  await client.query(`
    insert into tasks ("id", "title", "priority", "category", "status", "dueDateIsFloating", "createdAt", "updatedAt", "userId", "remindAt", "remindedUntil")
    select gen_random_uuid(), 't', 'low', 'work', 'pending', false, now(), now(), 'alice',
      case when i % 10 = 0 then now() + i * interval '1 minute' end, null from generate_series(1, 50000) as i`);
  await client.query('analyze tasks');
  const scans = async () => {
    const { rows } = await client.query(
      `select seq_scan::int as whole, (select idx_scan::int from pg_stat_user_indexes where indexrelname = 'tasks_reminders_index') as found
       from pg_stat_user_tables where relname = 'tasks'`,
    );
    return rows[0];
  };
  const before = await scans();
  const reminders = new SqlReminders(database);
  for (let i = 0; i < 20; i++) t.deepEqual((await reminders.due(i % 2 ? ['bob'] : [])).due, []);
  await database.close();
  let after = await scans();
  for (let tries = 0; after.found < before.found + 20 && tries < 100; tries++) {
    await sleep(100);
    after = await scans();
  }
  t.deepEqual(after, { whole: before.whole, found: before.found + 20 });
  await client.end();
});
