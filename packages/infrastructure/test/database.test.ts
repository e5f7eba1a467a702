import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PGlite } from '@electric-sql/pglite';
import { journalPosition } from '@todo-backend/application';
import { taskWriter } from '@todo-backend/application/testing';
import { createTask } from '@todo-backend/domain';
import { Database, parseDatabaseUrl, SqlTaskRepository } from '@todo-backend/infrastructure';
import test from 'ava';
import { sql } from 'kysely';
import { databases, execute, postgresTest, startPrivatePostgres } from '../../../test/postgres.ts';

const serverTest = await postgresTest(test);
const MIGRATIONS = [
  'Migration20261123Tasks',
  'Migration20261123RowSecurity',
  'Migration20261123RateLimits',
  'Migration20261123Journal',
  'Migration20261123Idempotency',
  'Migration20261124SettingReadOnce',
  'Migration20261124RequeuedAttempts',
  'Migration20261126IdempotencyExpiry',
  'Migration20261126JournalPositions',
  'Migration20261126TitleOrder',
  'Migration20261126Recovery',
  'Migration20261126Tags',
  'Migration20261126Recurrence',
];
const SHARED = { standaloneUsers: false };
const STANDALONE = { standaloneUsers: true };

const newDatabase = databases(test);

function tablesOf(url: string): Promise<Record<string, unknown>[]> {
  return execute(
    url,
    `select table_name as name, string_agg(column_name || ' ' || data_type, ', ' order by ordinal_position) as columns
     from information_schema.columns where table_schema = 'public' group by table_name order by table_name`,
  );
}

/** Migrates with longer limits than those under test. */
async function migrated(url: string): Promise<void> {
  const database = await Database.postgres({ url });
  await database.migrate(STANDALONE);
  await database.close();
}

const task = createTask(
  {
    title: 't',
    description: null,
    priority: 'low',
    category: 'work',
    dueDate: null,
    tags: [],
    recurrence: null,
    remindAt: null,
  },
  { id: '00000000-0000-7000-8000-000000000001', userId: 'alice', now: '2026-03-01T12:00:00.000Z' },
);

serverTest('without a user table the migration fails with instructions, and leaves nothing behind', async (t) => {
  const url = await newDatabase();
  const database = await Database.postgres({ url });
  const expected = { name: 'DatabaseSetupError', message: /Run Better Auth's migrations on it first/ };
  await t.throwsAsync(database.migrate(SHARED), expected);
  t.deepEqual(await tablesOf(url), []);
  await t.throwsAsync(database.check(), { code: 'UNAVAILABLE' });
  await database.close();
});

serverTest('a user table whose ids are of a type that Better Auth does not make is refused', async (t) => {
  const url = await newDatabase();
  await execute(url, `create table "user" ("id" date primary key)`);
  const database = await Database.postgres({ url });
  await t.throwsAsync(database.migrate(SHARED), {
    name: 'DatabaseSetupError',
    message: /of type date; this backend knows text, character varying, uuid, integer, bigint\.$/,
  });
  await database.close();
});

serverTest('a migration runs once, and touches no table but its own', async (t) => {
  const url = await newDatabase();
  const foreign = ['user', 'session', 'account', 'verification', 'jwks'];
  for (const name of foreign) await execute(url, `create table "${name}" ("id" text primary key, "odd" point)`);
  const before = await tablesOf(url);
  const database = await Database.postgres({ url });
  t.deepEqual(await database.migrate(SHARED), MIGRATIONS);
  await database.check();
  t.deepEqual(await database.migrate(SHARED), []);
  const after = await tablesOf(url);
  t.deepEqual(
    after.filter(({ name }) => foreign.includes(String(name))),
    before,
  );
  t.deepEqual(
    after.map(({ name }) => name).filter((name) => !foreign.includes(String(name))),
    ['dead_letters', 'idempotency_keys', 'mikro_orm_migrations', 'rate_limits', 'task_events', 'task_ledgers', 'tasks'],
  );
  await database.close();
});

serverTest('tasks from before there was a journal are counted', async (t) => {
  const url = await newDatabase();
  const role = `owner_${new URL(url).pathname.slice(1)}`;
  await execute(url, `create role ${role} login`);
  await execute(url, `grant all on schema public to ${role}`);
  const owned = new URL(url);
  owned.username = role;
  // Row level security applies to this owner too, and must not hide rows from the count.
  const database = await Database.postgres({ url: owned.href });
  await database.migrate(STANDALONE);
  const tasks = new SqlTaskRepository(database, STANDALONE);
  await taskWriter(tasks).add(task);
  await taskWriter(tasks).add({ ...task, id: task.id.replace('1', '2'), status: 'completed' });
  await execute(url, 'drop table dead_letters, task_events, task_ledgers');
  await execute(
    url,
    `delete from mikro_orm_migrations where name in ('Migration20261123Journal', 'Migration20261126JournalPositions')`,
  );
  await t.throwsAsync(database.check(), { code: 'UNAVAILABLE' });
  t.deepEqual(await database.migrate(STANDALONE), ['Migration20261123Journal', 'Migration20261126JournalPositions']);
  t.deepEqual(await tasks.count('alice'), { total: 2, pending: 1, completed: 1, position: journalPosition(0) });
  t.is(await taskWriter(tasks).delete('alice', task.id), true);
  t.like(await tasks.count('alice'), { total: 1, pending: 0, completed: 1 });
  await database.close();
});

serverTest('of many processes that start at once, only one migrates', async (t) => {
  const url = await newDatabase();
  const databases = await Promise.all(Array.from({ length: 5 }, () => Database.postgres({ url, poolSize: 2 })));
  const done = await Promise.all(databases.map((database) => database.migrate(STANDALONE)));
  t.deepEqual(
    done.filter(({ length }) => length > 0),
    [MIGRATIONS],
  );
  await Promise.all(databases.map((database) => database.check()));
  await Promise.all(databases.map((database) => database.close()));
});

serverTest('completed follows from status, and cannot be written', async (t) => {
  const url = await newDatabase();
  const database = await Database.postgres({ url });
  await database.migrate(STANDALONE);
  const tasks = taskWriter(new SqlTaskRepository(database, STANDALONE));
  await tasks.add(task);
  const completed = async () => (await execute(url, 'select status, completed from tasks'))[0];
  t.deepEqual(await completed(), { status: 'pending', completed: false });
  await tasks.update('alice', task.id, (current) => ({ ...current, status: 'completed' }));
  t.deepEqual(await completed(), { status: 'completed', completed: true });
  await t.throwsAsync(execute(url, 'update tasks set completed = false'), { code: '428C9' });
  await database.close();
});

test('a stand-in user table has the columns of Better Auth, and inserts users on first use', async (t) => {
  const pglite = await PGlite.create();
  const database = await Database.onPGlite(pglite);
  await database.migrate(STANDALONE);
  t.deepEqual(await database.migrate(STANDALONE), []);
  const { rows: columns } = await pglite.query<{ column_name: string }>(
    `select column_name from information_schema.columns where table_name = 'user' order by ordinal_position`,
  );
  t.deepEqual(
    columns.map(({ column_name }) => column_name),
    ['id', 'name', 'email', 'emailVerified', 'image', 'createdAt', 'updatedAt'],
  );
  const tasks = taskWriter(new SqlTaskRepository(database, STANDALONE));
  await tasks.add(task);
  await tasks.add({ ...task, id: task.id.replace('1', '2') });
  t.deepEqual((await pglite.query('select id from "user"')).rows, [{ id: 'alice' }]);
  await database.close();
  await pglite.close();
});

serverTest('the stand-in refuses an existing user table of another system', async (t) => {
  const url = await newDatabase();
  await execute(url, `create table "user" ("id" text primary key)`);
  const database = await Database.postgres({ url });
  await t.throwsAsync(database.migrate(STANDALONE), {
    name: 'DatabaseSetupError',
    message: /turn STANDALONE_USERS off/,
  });
  t.deepEqual(
    (await tablesOf(url)).map(({ name }) => name),
    ['user'],
  );
  await database.close();
});

serverTest('an unreachable or slow database is unavailable, and the pool recovers', async (t) => {
  const away = await Database.postgres({ url: 'postgres://nobody@127.0.0.1:9/none' });
  await t.throwsAsync(away.check(), { code: 'UNAVAILABLE' });
  await away.close();

  const url = await newDatabase();
  await migrated(url);
  const database = await Database.postgres({ url, poolSize: 2, connectTimeout: 300, statementTimeout: 300 });
  const tasks = new SqlTaskRepository(database, STANDALONE);
  const writer = taskWriter(tasks);
  await writer.add(task);
  const lock = execute(url, 'begin; lock table tasks; select pg_sleep(1); commit');
  await new Promise((resolve) => setTimeout(resolve, 200));
  const attempts = await Promise.allSettled(
    [1, 2, 3, 4].map(() => writer.update('alice', task.id, (current) => current)),
  );
  for (const attempt of attempts) t.like(attempt, { status: 'rejected', reason: { code: 'UNAVAILABLE' } });
  await lock;
  t.deepEqual(await tasks.find('alice', task.id), task);
  await database.close();
});

serverTest(
  'a hanging database is unavailable within the time limit, and the pool is complete afterwards',
  async (t) => {
    const server = await startPrivatePostgres();
    const url = await server.createDatabase();
    await migrated(url);
    const database = await Database.postgres({ url, poolSize: 2, connectTimeout: 500, statementTimeout: 500 });
    const tasks = new SqlTaskRepository(database, STANDALONE);
    const writer = taskWriter(tasks);
    await writer.add(task);
    await server.signal('SIGSTOP');
    const attempts = [1, 2, 3, 4, 5, 6].map((i) =>
      i % 2 ? tasks.count('alice') : writer.update('alice', task.id, (current) => ({ ...current, title: 'lost' })),
    );
    for (const attempt of await Promise.allSettled(attempts)) {
      t.like(attempt, { status: 'rejected', reason: { code: 'UNAVAILABLE' } });
    }
    await server.signal('SIGCONT');
    for (let i = 0; i < 10; i++) t.like(await tasks.count('alice'), { total: 1 });
    t.deepEqual(await tasks.find('alice', task.id), task);
    await database.close();
    await server.stop();
  },
);

serverTest('a transaction with a conflict is tried three times', async (t) => {
  const url = await newDatabase();
  const database = await Database.postgres({ url });
  let attempts = 0;
  const conflict = (state: string, failures: number) => {
    attempts = 0;
    return database.transaction({ user: 'alice' }, async (db) => {
      attempts++;
      const raise = `do $$ begin raise exception 'on purpose' using errcode = '${state}'; end $$`;
      if (attempts <= failures) await sql.raw(raise).execute(db);
      return 'done';
    });
  };
  for (const state of ['40001', '40P01']) {
    t.is(await conflict(state, 2), 'done');
    t.is(attempts, 3);
    await t.throwsAsync(conflict(state, 9), { code: 'UNAVAILABLE' });
    t.is(attempts, 3);
  }
  await t.throwsAsync(conflict('57014', 9), { code: 'UNAVAILABLE' });
  t.is(attempts, 1, 'trying again would only take as long again');
  await database.close();
});

test('the TLS settings of a database URL are respected, and never without verification', (t) => {
  const parse = (query: string) => parseDatabaseUrl(`postgres://me:p%40ss@db.example:6543/todo${query}`);
  t.like(parse(''), { host: 'db.example', port: '6543', user: 'me', password: 'p@ss', database: 'todo' });
  t.falsy(parse('').ssl);
  t.falsy(parse('?sslmode=disable').ssl);
  for (const mode of ['require', 'verify-ca', 'verify-full']) {
    const { ssl } = parse(`?sslmode=${mode}&channel_binding=require`);
    t.truthy(ssl);
    t.not((ssl as { rejectUnauthorized?: boolean }).rejectUnauthorized, false);
  }
  const refused = [
    '?sslmode=no-verify',
    '?sslmode=prefer',
    '?sslmode=allow',
    '?sslmode=',
    '?ssl=true',
    '?uselibpqcompat=true&sslmode=require',
  ];
  for (const query of refused) t.throws(() => parse(query), { message: /sslmode/ });
  for (const url of ['', 'mysql://x/y', 'db.example/todo', 'postgres://db.example', 'postgres://db.example/']) {
    const error = t.throws(() => parseDatabaseUrl(url));
    t.regex(error?.message ?? '', /postgres:\/\/user:password@host/);
  }
});

serverTest('TLS: an unverifiable certificate is refused, one of the given authority is accepted', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'todo-tls-'));
  const [key, certificate] = [join(directory, 'key.pem'), join(directory, 'certificate.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  await promisify(execFile)('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-keyout',
    key,
    '-out',
    certificate,
    ...subject,
  ]);
  const files = { 'server.key': await readFile(key, 'utf8'), 'server.crt': await readFile(certificate, 'utf8') };
  const server = await startPrivatePostgres({ ssl: 'on' }, files);
  const url = new URL(await server.createDatabase());
  const migrate = async (host: string, query: string) => {
    url.hostname = host;
    url.search = query;
    const database = await Database.postgres({ url: url.href });
    try {
      return await database.migrate(STANDALONE);
    } finally {
      await database.close();
    }
  };
  await t.throwsAsync(migrate('localhost', 'sslmode=require'), { code: 'UNAVAILABLE' });
  await t.throwsAsync(migrate('127.0.0.1', `sslmode=require&sslrootcert=${certificate}`), { code: 'UNAVAILABLE' });
  t.deepEqual(await migrate('localhost', `sslmode=verify-full&sslrootcert=${certificate}`), MIGRATIONS);
  await server.stop();
  await rm(directory, { recursive: true });
});

serverTest('a database that was restored and went on is at no position of before', async (t) => {
  const url = await newDatabase();
  const copy = new URL(url);
  copy.pathname += '_copy';
  const at = async (url: string) => {
    const database = await Database.postgres({ url });
    await database.migrate(STANDALONE);
    const tasks = new SqlTaskRepository(database, STANDALONE);
    return { close: () => database.close(), tasks, position: async () => (await tasks.count('alice')).position };
  };
  const original = await at(url);
  t.is(await original.position(), journalPosition(0));
  await taskWriter(original.tasks).add(task);
  await original.close();
  await execute(
    url.replace(/[^/]+$/, 'postgres'),
    `create database "${copy.pathname.slice(1)}" template "${new URL(url).pathname.slice(1)}"`,
  );
  t.teardown(() =>
    execute(url.replace(/[^/]+$/, 'postgres'), `drop database "${copy.pathname.slice(1)}" with (force)`),
  );

  const [before, restored] = [await at(url), await at(copy.href)];
  t.teardown(() => Promise.all([before.close(), restored.close()]));
  t.is(await before.position(), await restored.position());
  const [a, b] = ['2', '3'].map((digit) => ({ ...task, id: task.id.replace('1', digit) }));
  await taskWriter(before.tasks).add(a ?? task);
  await taskWriter(restored.tasks).add(b ?? task);
  t.not(await before.position(), await restored.position());
  t.is((await before.tasks.list('alice', { sortBy: 'createdAt', sortOrder: 'asc' })).position, await before.position());
});

serverTest('a database that can only be read is not ready, and says so', async (t) => {
  const url = await newDatabase();
  const database = await Database.postgres({ url });
  await database.migrate(STANDALONE);
  await database.check();
  await database.close();
  await execute(url, `alter database "${new URL(url).pathname.slice(1)}" set default_transaction_read_only = on`);
  const readOnly = await Database.postgres({ url });
  t.teardown(() => readOnly.close());
  await t.throwsAsync(readOnly.check(), { code: 'UNAVAILABLE', message: /can only be read/ });
});
