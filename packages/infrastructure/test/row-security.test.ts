import { randomUUID } from 'node:crypto';
import { recoveryUseCases } from '@todo-backend/application';
import { taskWriter } from '@todo-backend/application/testing';
import { createTask, editTask, reminder, type Task } from '@todo-backend/domain';
import { Database, SqlJournal, SqlReminders, SqlTaskRepository } from '@todo-backend/infrastructure';
import test, { type ExecutionContext } from 'ava';
import { sql } from 'kysely';
import { createApiLogin, startPgBouncer } from '../../../test/pgbouncer.ts';
import { databases, execute, postgresTest } from '../../../test/postgres.ts';

const serverTest = await postgresTest(test);
const STANDALONE = { standaloneUsers: true };
const newest = { sortBy: 'createdAt', sortOrder: 'desc' } as const;

const newDatabase = databases(test);

function taskOf(userId: string, title = 'a task'): Task {
  return createTask(
    {
      title,
      description: null,
      priority: 'low',
      category: 'work',
      dueDate: null,
      tags: [],
      recurrence: null,
      remindAt: null,
    },
    { id: randomUUID(), userId, now: '2026-03-01T12:00:00.000Z' },
  );
}

/** A repository without the owner predicate, so that only row level security isolates users. */
class WithoutOwnerPredicate extends SqlTaskRepository {
  protected override ownedBy() {
    return sql<boolean>`true`;
  }
}

class JournalWithoutOwnerPredicate extends SqlJournal {
  protected override ownedBy() {
    return sql<boolean>`true`;
  }
}

class RemindersWithoutOwnerPredicate extends SqlReminders {
  protected override ownedBy() {
    return sql<boolean>`true`;
  }
}

async function assertRowSecurity(t: ExecutionContext, database: Database): Promise<void> {
  t.deepEqual(await database.check(), { rowSecurity: true });
  const tasks = new WithoutOwnerPredicate(database, STANDALONE);
  const journal = new JournalWithoutOwnerPredicate(database);
  const [alice, bob] = [randomUUID(), randomUUID()];
  const [hers, his] = [taskOf(alice), taskOf(bob)];
  const writer = taskWriter(tasks);
  await writer.add(hers);
  await writer.add(his);

  t.deepEqual((await tasks.list(alice, newest)).tasks, [hers], 'the wall shows what is hers, and nothing else');
  t.deepEqual((await tasks.list(bob, newest)).tasks, [his]);
  const { position, ...counts } = await tasks.count(alice);
  t.deepEqual(counts, { total: 1, pending: 1, completed: 0 });
  t.regex(position, /^1/, 'after one event');
  t.is(await tasks.find(alice, his.id), undefined);
  t.deepEqual(await tasks.find(bob, his.id), his);
  t.is(await writer.update(alice, his.id, () => t.fail() as never), undefined);
  t.false(await writer.delete(alice, his.id));
  t.is((await journal.entries(alice, { limit: 10 })).length, 1);
  t.is((await journal.entries(bob, { limit: 10 }))[0]?.userId, bob);
  await t.throwsAsync(
    database.transaction({ user: alice }, (db) => db.updateTable('tasks').set({ userId: bob }).execute()),
    { message: /row-level security/ },
  );
  await t.throwsAsync(
    database.transaction({ user: alice }, (db) =>
      sql`insert into tasks ("id", "title", "priority", "category", "status", "dueDateIsFloating", "createdAt", "updatedAt", "userId")
          values (${randomUUID()}, 'planted', 'low', 'work', 'pending', false, now(), now(), ${bob})`.execute(db),
    ),
    { message: /row-level security/ },
  );
  await assertErasureIsWalledIn(t, database, { alice, bob });
  await assertRemindersAreWalledIn(t, database, { alice, bob });
  const unset = await database.query((db) => db.selectFrom('tasks').select('id').execute());
  t.deepEqual(unset, [], 'who does not say whose tasks gets none');
  t.deepEqual(await tasks.find(bob, his.id), his);
}

/** Reading changes and the trash, undoing, and erasing, with no wall but the database's. */
async function assertErasureIsWalledIn(
  t: ExecutionContext,
  database: Database,
  { alice, bob }: { readonly alice: string; readonly bob: string },
): Promise<void> {
  const tasks = new WithoutOwnerPredicate(database, STANDALONE);
  const journal = new JournalWithoutOwnerPredicate(database);
  const ports = { tasks, journal, clock: () => new Date().toISOString(), newId: randomUUID, retentionDays: 90 };
  const recovery = recoveryUseCases(ports);
  const writer = taskWriter(tasks);
  const [hers, his] = [taskOf(alice, 'her secret'), taskOf(bob, 'his secret')];
  for (const task of [hers, his]) {
    await writer.add(task);
    await writer.delete(task.userId, task.id);
  }
  const trashOf = async (user: string) => (await recovery.trash(user)).tasks.map(({ task }) => task.id);
  t.deepEqual([await trashOf(alice), await trashOf(bob)], [[hers.id], [his.id]]);
  const changed = await journal.changes(alice, { after: 0, limit: 10 });
  t.false(changed.changes.some(({ taskId }) => taskId === his.id));
  t.true(changed.changes.some(({ taskId }) => taskId === hers.id));
  const [deletion] = await journal.entries(bob, { limit: 1 });
  t.deepEqual(await journal.select(alice, { ids: [deletion?.id ?? ''] }, 10), []);
  t.not(await journal.idAt(alice, deletion?.sequence ?? 0), deletion?.id);
  await t.throwsAsync(recovery.undo(alice, { events: [deletion?.id ?? ''] }), { code: 'EVENT_NOT_FOUND' });
  await t.throwsAsync(recovery.restore(alice, his.id), { code: 'TASK_NOT_FOUND' });
  await t.throwsAsync(recovery.erase(alice, his.id), { code: 'TASK_NOT_FOUND' });
  t.is(await recovery.emptyTrash(alice), 1);
  t.deepEqual([await trashOf(alice), await trashOf(bob)], [[], [his.id]]);
  t.regex(JSON.stringify(await journal.entries(bob, { limit: 10 })), /his secret/);
  t.notRegex(JSON.stringify(await journal.entries(alice, { limit: 10 })), /her secret/);

  const update = (what: string, erased?: string) =>
    database.transaction({ user: alice }, async (db) => {
      if (erased !== undefined) await sql`select set_config('app.erased_tasks', ${erased}, true)`.execute(db);
      const { numAffectedRows } =
        await sql`update task_events set ${sql.raw(what)} where "type" <> 'todo.task.erased.v1'`.execute(db);
      return Number(numAffectedRows);
    });
  t.is(await update(`"data" = '{}'`), 0, 'only what the transaction erases');
  t.is(await update(`"data" = '{}'`, his.id), 0, "only the user's own");
  t.is(await update(`"data" = "data"`, hers.id), 2, 'that can be, and nothing else');
  for (const forged of ['{"task": {"title": "forged"}, "erased": true}', '{"task": {"title": ""}}', '{}']) {
    await t.throwsAsync(update(`"data" = '${forged}'`, hers.id), { message: /row-level security/ }, forged);
  }
  for (const column of [
    '"userId" = \'x\'',
    '"sequence" = 99',
    '"time" = now()',
    '"actorId" = \'x\'',
    '"type" = \'x\'',
  ]) {
    await t.throwsAsync(update(column, hers.id), { message: /permission denied/ }, column);
  }
  await t.throwsAsync(
    database.transaction({ user: alice }, (db) => sql`delete from task_events`.execute(db)),
    { message: /permission denied/ },
  );
}

/** Finding whom to remind, and reminding, with no wall but the database's. */
async function assertRemindersAreWalledIn(
  t: ExecutionContext,
  database: Database,
  { alice, bob }: { readonly alice: string; readonly bob: string },
): Promise<void> {
  const writer = taskWriter(new SqlTaskRepository(database, STANDALONE));
  const [hers, his, plain] = [taskOf(alice), taskOf(bob), taskOf(bob)];
  for (const task of [hers, his]) await writer.add({ ...task, remindAt: '2026-03-01T13:00:00.000Z' });
  await writer.add(plain);
  const forDelivery = await database.transaction({ task: 'delivery' }, (db) =>
    db.selectFrom('tasks').select('id').where('userId', 'in', [alice, bob]).execute(),
  );
  t.deepEqual(forDelivery.map(({ id }) => id).sort(), [hers.id, his.id].sort(), 'only tasks with reminders to come');
  for (const change of ['update tasks set "remindedUntil" = "remindAt"', 'delete from tasks']) {
    const { numAffectedRows } = await database.transaction({ task: 'delivery' }, (db) => sql.raw(change).execute(db));
    t.is(numAffectedRows, 0n, change);
  }
  const origin = (userId: string, time: string) =>
    ({ id: randomUUID(), time, actor: { type: 'user', id: userId }, correlationId: null }) as const;
  const record = (reminders: SqlReminders, userId: string, tasks: string[]) =>
    reminders.record({ userId, tasks }, (task, now) => reminder(task, origin(userId, now)));
  const walls = [new RemindersWithoutOwnerPredicate(database), new SqlReminders(database)];
  for (const reminders of walls) t.is((await record(reminders, alice, [his.id])).come, 0);
  t.is((await record(new RemindersWithoutOwnerPredicate(database), alice, [hers.id, his.id])).come, 1);
  t.is((await record(new RemindersWithoutOwnerPredicate(database), bob, [hers.id, his.id])).come, 1, 'his is to come');
  for (const { id } of [his, plain]) await writer.delete(bob, id);
  await writer.delete(alice, hers.id);
}

/** Many concurrent users on few connections: no one gets the setting of the connection's previous user. */
async function assertInterleaved(t: ExecutionContext, database: Database, requests = 1000): Promise<void> {
  const tasks = new WithoutOwnerPredicate(database, STANDALONE);
  const users = Array.from({ length: 20 }, (): string => randomUUID());
  const stored = new Map(users.map((user) => [user, taskOf(user, `of ${user}`)]));
  const writer = taskWriter(tasks);
  for (const task of stored.values()) await writer.add(task);
  const seen = await Promise.all(
    Array.from({ length: requests }, async (_, i) => {
      const user = users[(i * 7) % users.length] ?? '';
      const own = stored.get(user) as Task;
      const foreign = stored.get(users[(i * 7 + 1) % users.length] ?? '') as Task;
      if (i % 4 === 0) return (await tasks.count(user)).total === 1;
      if (i % 4 === 1) return (await tasks.find(user, foreign.id)) === undefined;
      if (i % 4 === 2)
        return (
          (await writer.update(user, own.id, (task) => editTask(task, { description: `${i}` }, task.updatedAt)))
            ?.userId === user
        );
      return (await tasks.list(user, newest)).tasks.map(({ id }) => id).join() === own.id;
    }),
  );
  t.deepEqual(
    seen.filter((isRight) => !isRight),
    [],
  );
}

test('PGlite: row level security alone isolates users', async (t) => {
  const database = await Database.embedded();
  await database.migrate(STANDALONE);
  await assertRowSecurity(t, database);
  await assertInterleaved(t, database, 200);
  await database.close();
});

serverTest('a superuser becomes todo_api: row level security alone isolates users', async (t) => {
  const url = await newDatabase();
  const database = await Database.postgres({ url, poolSize: 5, connectTimeout: 30_000 });
  await database.migrate(STANDALONE);
  await assertRowSecurity(t, database);
  await assertInterleaved(t, database);
  await database.close();
});

serverTest('an ordinary login role needs no other: row level security alone isolates users', async (t) => {
  const url = await newDatabase();
  const owner = await Database.postgres({ url });
  await owner.migrate(STANDALONE);
  const api = await Database.postgres({ url: await createApiLogin(url), poolSize: 5, connectTimeout: 30_000 });
  t.deepEqual(await api.migrate(STANDALONE), [], 'it starts where there is nothing to migrate');
  await assertRowSecurity(t, api);
  await owner.close();
  await api.close();
});

serverTest('through PgBouncer in transaction mode: row level security alone isolates users', async (t) => {
  const url = await newDatabase();
  const owner = await Database.postgres({ url });
  await owner.migrate(STANDALONE);
  await owner.close();
  const pooler = await startPgBouncer(await createApiLogin(url));
  const database = await Database.postgres({
    url: pooler.url,
    poolSize: 20,
    transactionPooler: true,
    connectTimeout: 30_000,
  });
  t.deepEqual(await database.migrate(STANDALONE), []);
  await assertRowSecurity(t, database);
  await assertInterleaved(t, database);
  await database.close();
  await pooler.stop();
});

serverTest('a login that bypasses row level security is detected', async (t) => {
  const url = await newDatabase();
  const owner = await Database.postgres({ url });
  await owner.migrate(STANDALONE);
  await owner.close();
  const pooled = await Database.postgres({ url, transactionPooler: true });
  t.deepEqual(await pooled.check(), { rowSecurity: false }, 'a superuser behind a pooler stays one');
  await pooled.close();
});

serverTest('a missing privilege is not reported as a missing migration', async (t) => {
  const url = await newDatabase();
  const owner = await Database.postgres({ url });
  await owner.migrate(STANDALONE);
  const login = new URL(url);
  const name = login.pathname.slice(1);
  login.username = `login_${name}`;
  await execute(url, `create role ${login.username} login`);

  const refusal = async (open: string, problem: string, remedy: string | RegExp) => {
    const database = await Database.postgres({ url: open });
    const error = await t.throwsAsync(database.check(), { code: 'UNAVAILABLE', message: problem });
    const cause = error?.cause as Error;
    t.is(cause.name, 'DatabaseSetupError');
    if (typeof remedy === 'string') t.is(cause.message, remedy);
    else t.regex(cause.message, remedy);
    await t.throwsAsync(database.migrate({ standaloneUsers: false }), { name: 'DatabaseSetupError' });
    await database.close();
  };
  await refusal(
    login.href,
    'The role of the server may not read its tables.',
    `As the owner of the tables, run the migrations, then \`grant todo_api to ${login.username}\``,
  );
  await execute(url, 'revoke select on "mikro_orm_migrations" from todo_api');
  await t.throwsAsync(owner.check(), { message: 'The role of the server may not read its tables.' });
  await owner.migrate(STANDALONE);
  t.deepEqual(await owner.check(), { rowSecurity: true }, 'which a migration mends');
  await execute(url, 'revoke usage on schema public from public');
  await refusal(
    login.href,
    'The role of the server may not use the schema of its tables.',
    `As the owner of the schema, run \`grant usage on schema public to ${login.username}\``,
  );
  await execute(url, `revoke connect on database ${name} from public`);
  await refusal(
    login.href,
    'The login of the server may not connect to its database. Grant it CONNECT on the database.',
    /^PostgreSQL says: /,
  );
  await owner.close();
});

serverTest('the API role has only the privileges that queries need', async (t) => {
  const url = await newDatabase();
  await execute(
    url,
    `create table "jwks" ("id" text, "publicKey" text, "privateKey" text, "alg" text, "expiresAt" timestamptz)`,
  );
  const database = await Database.postgres({ url });
  await database.migrate(STANDALONE);
  const attempts = [
    'select "privateKey" from jwks',
    'select email from "user"',
    'update "user" set name = $$x$$',
    'delete from "user"',
    'truncate tasks',
    'alter table tasks disable row level security',
    'create table t ()',
    'delete from mikro_orm_migrations',
    'update task_events set type = $$x$$',
    'delete from task_events',
    'truncate task_events',
    'delete from task_ledgers',
  ];
  for (const attempt of attempts) {
    const run = database.query((db) => sql.raw(attempt).execute(db));
    await t.throwsAsync(run, { code: '42501' }, attempt);
  }
  await t.notThrowsAsync(database.query((db) => sql`select id, "publicKey" from jwks`.execute(db)));
  await database.close();
});

serverTest('deleting a user also deletes the tasks and their journal, despite row level security', async (t) => {
  const url = await newDatabase();
  const database = await Database.postgres({ url });
  await database.migrate(STANDALONE);
  const tasks = taskWriter(new SqlTaskRepository(database, STANDALONE));
  await tasks.add(taskOf('alice'));
  await tasks.add(taskOf('bob'));
  await execute(url, `delete from "user" where id = 'alice'`);
  for (const table of ['tasks', 'task_events', 'task_ledgers']) {
    t.deepEqual(await execute(url, `select "userId" from ${table}`), [{ userId: 'bob' }], table);
  }
  await database.close();
});
