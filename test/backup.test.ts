import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { issueToken } from '@todo-backend/infrastructure';
import test, { type ExecutionContext } from 'ava';
import { betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import { jwt } from 'better-auth/plugins';
import pg from 'pg';
import { documentedFetch } from '../packages/http/test/conformance.ts';
import { platformTest, startPackagedPostgres } from '../platforms/platforms.ts';
import { execute, findBinaries, type PrivatePostgres, postgresTest, startPrivatePostgres } from './postgres.ts';
import { startProgram, until } from './reliability/program.ts';

const serverTest = await postgresTest(test);
/** A newer version to restore into. */
const hasNewest = platformTest(test, 'postgresql-18') === test;
const MAIN = join(import.meta.dirname, '..', 'packages', 'http', 'bin', 'todo-backend.js');
const APP_URL = 'https://app.example.com';
const TASK = { title: 'kept', priority: 'low', category: 'work' };

/** With Better Auth's tables and keys, and no separate secret. */
const SETTINGS = { BETTER_AUTH_URL: APP_URL, BETTER_AUTH_SECRET: '', STANDALONE_USERS: 'false' };

const FILLED = [
  'tasks',
  'task_events',
  'task_ledgers',
  'dead_letters',
  'idempotency_keys',
  'rate_limits',
  'mikro_orm_migrations',
  'user',
  'session',
  'account',
  'jwks',
];
const BEHIND_ROW_SECURITY = FILLED.slice(0, 5);

const [createBackupRole, backup, createRoles, restore, copyDirectory] = await documentedCommands();

/** The commands of `docs/operations.md`, in order. */
async function documentedCommands(): Promise<[string, string, string, string, string]> {
  const page = await readFile(join(import.meta.dirname, '..', 'docs', 'operations.md'), 'utf8');
  const [section = ''] = /^## Backups$.*?(?=^## )/ms.exec(page) ?? [];
  const blocks = [...section.matchAll(/^```(?:sql|sh)\n(.*?)^```$/gms)].map(([, block]) => block);
  if (blocks.length !== 5) throw new Error(`${blocks.length} blocks of commands in docs/operations.md, and not 5`);
  return blocks as [string, string, string, string, string];
}

async function newDirectory(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'todo-backup-'));
  t.teardown(() => rm(directory, { recursive: true }));
  return directory;
}

/** Runs commands as an operator would, up to the first that fails. */
async function shell(commands: string, cwd: string, env: Record<string, string> = {}) {
  // `npm run` would build first, in the directory of the source.
  const script = `npm() { "$NODE" "$MAIN" "$2"; }\n${commands}`;
  const path = [await findBinaries(), process.env.PATH].join(delimiter);
  return promisify(execFile)('bash', ['--norc', '-ec', script], {
    cwd,
    env: { PATH: path, NODE: process.execPath, MAIN, ...SETTINGS, ...env },
  }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }) as { code: number; stdout: string; stderr: string },
  );
}

/** A server and its login. */
interface Cluster {
  url(role: string, database: string): string;
}

const started: PrivatePostgres[] = [];
test.after.always(() => Promise.all(started.map((postgres) => postgres.stop())));

async function startCluster(start: () => Promise<PrivatePostgres> = startPrivatePostgres): Promise<Cluster> {
  const postgres = await start();
  started.push(postgres);
  const given = await postgres.createDatabase();
  return {
    url(role, database) {
      const url = new URL(given);
      url.username = role;
      url.pathname = `/${database}`;
      return url.href;
    },
  };
}

interface User {
  readonly id: string;
  readonly token: string;
}

/** Better Auth and this backend on one database, owned by an ordinary role, with rows in every table. */
interface Installation {
  readonly cluster: Cluster;
  readonly alice: User;
  readonly bob: User;
}

let installation: Promise<Installation> | undefined;

/** The installation shared by the tests, which only read it or create other databases. */
function installed(t: ExecutionContext): Promise<Installation> {
  installation ??= install(t);
  return installation;
}

async function install(t: ExecutionContext): Promise<Installation> {
  const cluster = await startCluster();
  const admin = cluster.url('postgres', 'postgres');
  await execute(admin, 'create role todo_owner login createrole');
  await execute(admin, 'create database todo owner todo_owner');
  const owner = cluster.url('todo_owner', 'todo');

  const pool = new pg.Pool({ connectionString: owner });
  const auth = betterAuth({
    database: pool,
    baseURL: APP_URL,
    secret: 'a secret of Better Auth that the API never sees',
    emailAndPassword: { enabled: true },
    plugins: [jwt()],
    telemetry: { enabled: false },
    logger: { disabled: true },
  });
  await (await getMigrations(auth.options)).runMigrations();
  const signUp = async (name: string): Promise<User> => {
    const body = { name, email: `${name}@example.com`, password: 'correct horse battery staple' };
    const { headers, response } = await auth.api.signUpEmail({ body, returnHeaders: true });
    const cookie = headers.getSetCookie().map((line) => line.split(';')[0]);
    const { token } = await auth.api.getToken({ headers: new Headers({ Cookie: cookie.join('; ') }) });
    return { id: response.user.id, token };
  };
  const [alice, bob] = [await signUp('alice'), await signUp('bob')];
  await pool.end();

  // Accepts the events of alice, and rejects those of bob.
  const sink = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    response.writeHead(JSON.parse(Buffer.concat(chunks).toString()).data.userId === bob.id ? 422 : 200).end();
  }).listen(0, '127.0.0.1');
  await once(sink, 'listening');
  t.teardown(() => sink.close());
  const program = await startProgram(t, {
    ...SETTINGS,
    DATABASE_URL: owner,
    RATE_LIMIT_STORE: 'database',
    EVENTS_SINK_URL: `http://127.0.0.1:${(sink.address() as AddressInfo).port}/`,
  });
  for (const user of [alice, alice, bob]) {
    t.is(
      (await call(program.url, user, 'POST', '/tasks', TASK, { 'Idempotency-Key': crypto.randomUUID() })).status,
      201,
    );
  }
  const { body: tasks } = await call(program.url, alice, 'GET', '/tasks');
  t.is((await call(program.url, alice, 'PATCH', `/tasks/${tasks[0].id}/complete`)).status, 200);
  await until(async () => {
    const [waiting] = await execute(
      cluster.url('postgres', 'todo'),
      `select 1 from task_ledgers where "deliveredSequence" < "sequence"`,
    );
    return waiting === undefined;
  });
  t.is(await program.end('SIGTERM'), 0);
  return { cluster, alice, bob };
}

async function call(
  url: string,
  { id, token }: User,
  method: string,
  path: string,
  json?: object,
  headers: Record<string, string> = {},
) {
  const response = await documentedFetch(`${url}/api/${id}${path}`, {
    method,
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json', ...headers },
    ...(json && { body: JSON.stringify(json) }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server answered; the tests say what it should be
  return { status: response.status, body: (await response.json()) as any };
}

/** The number and content of the rows of each table. */
async function contentsOf(url: string): Promise<Record<string, { rows: number; digest: string }>> {
  const tables = await execute(url, `select tablename as name from pg_tables where schemaname = 'public' order by 1`);
  const contents: Record<string, { rows: number; digest: string }> = {};
  for (const { name } of tables) {
    const [found] = await execute(
      url,
      `select count(*)::int as rows, md5(coalesce(string_agg(t::text, ';' order by t::text), '')) as digest
       from ${pg.escapeIdentifier(String(name))} t`,
    );
    contents[String(name)] = found as { rows: number; digest: string };
  }
  return contents;
}

/** What isolates users: row level security, the policies, and the privileges of the API's role. */
async function protectionOf(url: string): Promise<unknown[]> {
  return Promise.all([
    execute(
      url,
      `select relname, relrowsecurity, relforcerowsecurity from pg_class
       where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1`,
    ),
    execute(url, 'select tablename, policyname, cmd, qual, with_check from pg_policies order by 1, 2'),
    execute(
      url,
      `select table_name, null as column_name, privilege_type from information_schema.table_privileges
       where grantee = 'todo_api'
       union select table_name, column_name, privilege_type from information_schema.column_privileges
       where grantee = 'todo_api' order by 1, 2, 3`,
    ),
  ]);
}

serverTest.serial(
  'a backup with the documented commands has every row, and can be restored into any cluster',
  async (t) => {
    const cwd = await newDirectory(t);
    const [{ cluster: source, alice, bob }, fresh, newest] = await Promise.all([
      installed(t),
      startCluster(),
      hasNewest ? startCluster(() => startPackagedPostgres('postgresql-18')) : undefined,
    ]);
    await execute(source.url('postgres', 'todo'), createBackupRole);
    t.like(await shell(backup, cwd, { BACKUP_URL: source.url('todo_backup', 'todo') }), { code: 0, stderr: '' });
    const contents = await contentsOf(source.url('postgres', 'todo'));
    const protection = await protectionOf(source.url('postgres', 'todo'));
    t.deepEqual(
      FILLED.filter((table) => !((contents[table]?.rows ?? 0) > 0)),
      [],
      'there is something in every table',
    );

    const urls = (cluster: Cluster, owner = 'todo_owner', database = 'todo_restored') => ({
      ADMIN_URL: cluster.url('postgres', 'postgres'),
      RESTORE_URL: cluster.url(owner, database),
    });
    const freshAdmin = fresh.url('postgres', 'postgres');
    await execute(freshAdmin, 'create role todo_owner login');
    const { code, stderr } = await shell(restore, cwd, urls(fresh));
    t.not(code, 0);
    t.regex(stderr, /role "todo_api" does not exist/);
    t.deepEqual(await contentsOf(fresh.url('postgres', 'todo_restored')), {}, 'nothing is restored without its roles');
    await execute(freshAdmin, 'drop database todo_restored');
    await execute(freshAdmin, 'drop role todo_owner');

    await execute(freshAdmin, createRoles);
    if (newest) await execute(newest.url('postgres', 'postgres'), createRoles);
    await execute(source.url('postgres', 'postgres'), 'create role todo_login login in role todo_api');
    await execute(source.url('postgres', 'postgres'), 'create role other_owner login');
    const underOtherName = restore
      .replaceAll('todo_owner', 'other_owner')
      .replaceAll('todo_restored', 'todo_other')
      .replace('pg_restore', 'pg_restore --no-owner --no-acl');
    const restored = [
      { cluster: fresh, database: 'todo_restored', commands: restore, env: urls(fresh) },
      ...(newest ? [{ cluster: newest, database: 'todo_restored', commands: restore, env: urls(newest) }] : []),
      { cluster: source, database: 'todo_restored', commands: restore, env: urls(source, 'postgres') },
      {
        cluster: source,
        database: 'todo_other',
        commands: underOtherName,
        env: urls(source, 'other_owner', 'todo_other'),
      },
    ];
    for (const { cluster, database, commands, env } of restored) {
      const result = await shell(commands, cwd, env);
      t.like(result, { code: 0, stdout: 'The database is up to date.\n', stderr: '' });
      t.deepEqual(await contentsOf(cluster.url('postgres', database)), contents);
      t.deepEqual(await protectionOf(cluster.url('postgres', database)), protection);

      const DATABASE_URL = cluster.url('todo_login', database);
      const program = await startProgram(t, { ...SETTINGS, DATABASE_URL, NODE_ENV: 'production' });
      const ready = await documentedFetch(`${program.url}/ready`);
      t.like(await ready.json(), { status: 'ready', rowSecurity: true });
      const { body: tasks } = await call(program.url, bob, 'GET', '/tasks');
      t.is(tasks.length, 1);
      t.deepEqual((await call(program.url, bob, 'GET', `/tasks/${tasks[0].id}`)).body, tasks[0]);
      t.is((await call(program.url, alice, 'GET', `/tasks/${tasks[0].id}`)).status, 404);
      t.deepEqual((await call(program.url, alice, 'GET', '/stats')).body, { total: 2, pending: 1, completed: 1 });
      t.is((await call(program.url, alice, 'POST', '/tasks', TASK)).status, 201);
      t.is(await program.end('SIGTERM'), 0);
    }
  },
);

serverTest.serial('an ordinary owner cannot make a backup: the dump fails, or has no rows', async (t) => {
  const cwd = await newDirectory(t);
  const { cluster } = await installed(t);
  const BACKUP_URL = cluster.url('todo_owner', 'todo');
  const refused = await shell(backup, cwd, { BACKUP_URL });
  t.is(refused.code, 1);
  t.regex(refused.stderr, /query would be affected by row-level security policy/);
  await t.notThrowsAsync(access(join(cwd, 'todo.dump.part')), 'there is a file all the same');
  await t.throwsAsync(access(join(cwd, 'todo.dump')), { code: 'ENOENT' });

  const withoutRows = backup.replace('pg_dump', 'pg_dump --enable-row-security');
  t.like(await shell(withoutRows, cwd, { BACKUP_URL }), { code: 0, stderr: '' });
  const elsewhere = restore.replaceAll('todo_restored', 'todo_without_rows');
  const env = {
    ADMIN_URL: cluster.url('postgres', 'postgres'),
    RESTORE_URL: cluster.url('todo_owner', 'todo_without_rows'),
  };
  t.like(await shell(elsewhere, cwd, env), { code: 0 });
  const contents = await contentsOf(cluster.url('postgres', 'todo_without_rows'));
  t.deepEqual(
    BEHIND_ROW_SECURITY.map((table) => contents[table]?.rows),
    [0, 0, 0, 0, 0],
  );
  t.is(contents.user?.rows, 2);
});

test('a copy of the embedded database with the documented command can replace it', async (t) => {
  const cwd = await newDirectory(t);
  const directory = join(cwd, '.data');
  const env = { BETTER_AUTH_SECRET: '', DATA_DIR: directory };
  const program = await startProgram(t, env);
  const secret = await readFile(join(directory, 'secret'), 'utf8');
  const alice = { id: 'alice', token: await issueToken({ secret, userId: 'alice', lifetime: 3600 }) };
  const { status, body: task } = await call(program.url, alice, 'POST', '/tasks', TASK);
  t.is(status, 201);
  t.is(await program.end('SIGTERM'), 0);

  t.like(await shell(copyDirectory, cwd), { code: 0, stderr: '' });
  await rm(directory, { recursive: true });
  await rename(join(cwd, 'todo-data'), directory);
  const restored = await startProgram(t, env);
  t.deepEqual(await call(restored.url, alice, 'GET', `/tasks/${task.id}`), { status: 200, body: task });
  t.is(await restored.end('SIGTERM'), 0);
});
