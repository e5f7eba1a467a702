import { randomUUID } from 'node:crypto';
import { issueToken } from '@todo-backend/infrastructure';
import test, { type ExecutionContext } from 'ava';
import { createApiLogin, startPgBouncer } from '../test/pgbouncer.ts';
import { execute, type PrivatePostgres, postgresTest, startPrivatePostgres } from '../test/postgres.ts';
import { type Program, runProgram, SECRET, startProgram, until } from '../test/reliability/program.ts';
import { platformTest, report, startPackagedPostgres } from './platforms.ts';

const serverTest = await postgresTest(test);
const done = report(test, 'PostgreSQL');

const servers = [
  { name: '15', declare: serverTest, start: () => startPrivatePostgres() },
  ...['16', '17', '18'].map((version) => ({
    name: version,
    declare: platformTest(test, `postgresql-${version}`),
    start: () => startPackagedPostgres(`postgresql-${version}`),
  })),
];

type Env = Record<string, string>;

/** A database that is set up in some way, and how to start the program on it. */
interface Installation {
  /** For `migrate`. */
  readonly owner: Env;
  /** For everything else; the same when left out. */
  readonly server?: Env;
  /** The schema that the tables are to be in. */
  readonly schema?: string;
  /** What `migrate` refuses this with, instead of serving. */
  readonly refusal?: string;
}

/** Makes a login with these rights, which owns the database, and the table of Better Auth in it. */
async function createOwner(databaseUrl: string, rights = ''): Promise<{ name: string; url: URL; env: Env }> {
  const url = new URL(databaseUrl);
  const name = `owner_${randomUUID()}`;
  const database = url.pathname.slice(1);
  await execute(databaseUrl, `create role "${name}" login ${rights}; alter database ${database} owner to "${name}"`);
  url.username = name;
  await createUsers(url.href);
  // Others on the same server have made the role. Whoever makes it may grant it, and from 16 on no more.
  const [found] = await execute(
    databaseUrl,
    `select current_setting('server_version_num')::int >= 160000 as "isNew" where to_regrole('todo_api') is not null`,
  );
  if (found && rights.includes('createrole')) {
    const options = found.isNew ? 'with admin true, inherit false, set false' : '';
    await execute(databaseUrl, `grant todo_api to "${name}" ${options}`);
  }
  return { name, url, env: settings(url.href) };
}

function createUsers(url: string, table = '"user"') {
  return execute(url, `create table ${table} ("id" text primary key); insert into ${table} values ('ada')`);
}

function settings(DATABASE_URL: string, more: Env = {}): Env {
  return { DATABASE_URL, NODE_ENV: 'production', STANDALONE_USERS: 'false', ...more };
}

const withSearchPath = (url: string, path: string) => `${url}?options=${encodeURIComponent(`-c search_path=${path}`)}`;

type Situations = Record<string, (databaseUrl: string) => Promise<Installation>>;

/** Logins, whose rights differ from version to version: tried on every one. */
const logins: Situations = {
  async superuser(url) {
    await createUsers(url);
    return { owner: settings(url) };
  },
  async 'owner with CREATEROLE and BYPASSRLS (Neon)'(url) {
    return { owner: (await createOwner(url, 'createrole bypassrls')).env };
  },
  async 'ordinary owner'(url) {
    return { owner: (await createOwner(url)).env };
  },
  async 'ordinary owner, and a login that only serves'(url) {
    const { env } = await createOwner(url, 'createrole');
    await runProgram(['migrate'], env);
    return { owner: env, server: settings(await createApiLogin(url)) };
  },
};

/** What is the same in all versions: tried on the oldest and the newest. */
const places: Situations = {
  async 'schema in the options of the URL'(url) {
    await execute(url, 'create schema todo');
    await createUsers(url);
    return { owner: settings(withSearchPath(url, 'todo,public')), schema: 'todo' };
  },
  async 'schema as Prisma writes it, users in another'(url) {
    const { url: owner } = await createOwner(url, 'createrole bypassrls');
    return { owner: settings(`${owner}?schema=Todo%20list`, { AUTH_USER_TABLE: 'public.user' }), schema: 'Todo list' };
  },
  async 'schema of the login'(url) {
    const { name, env } = await createOwner(url, 'superuser');
    await execute(url, `create schema "${name}"`);
    return { owner: env, schema: name };
  },
  async 'search path of the database'(url) {
    await execute(
      url,
      `create schema todo; alter database ${new URL(url).pathname.slice(1)} set search_path = todo, public`,
    );
    await createUsers(url, 'public."user"');
    return { owner: settings(url), schema: 'todo' };
  },
  async 'rights of PUBLIC revoked'(url) {
    const { env } = await createOwner(url, 'createrole bypassrls');
    await execute(url, 'revoke all on schema public from public');
    return { owner: env };
  },
  async 'users of another owner'(url) {
    const { name, env } = await createOwner(url, 'createrole bypassrls');
    await execute(url, `alter table "user" owner to postgres; grant references, select on "user" to "${name}"`);
    return {
      owner: env,
      refusal:
        'The role todo_api may not read the ids in "user". As the owner of that table, run ' +
        '`grant select ("id") on "user" to todo_api`',
    };
  },
  async 'no right to make tables'(url) {
    const { url: owner } = await createOwner(url);
    owner.username = `guest_${randomUUID()}`;
    await execute(
      url,
      `create role "${owner.username}" login; grant references, select on "user" to "${owner.username}"`,
    );
    return {
      owner: settings(owner.href),
      refusal:
        'The role of the server lacks a right in its database. PostgreSQL says: permission denied for schema public. ' +
        'Grant that right, or run the migrations as the owner of the database.',
    };
  },
  async 'tables of another application by the same name'(url) {
    await createUsers(url);
    await execute(url, 'create table tasks (id int)');
    return {
      owner: settings(url),
      refusal:
        'PostgreSQL says: relation "tasks" already exists. It belongs to something else than this backend. ' +
        'Put these tables into a schema of their own: add ?schema=todo to DATABASE_URL.',
    };
  },
  async 'no schema'(url) {
    await createUsers(url);
    return {
      owner: settings(withSearchPath(url, 'one,two'), { AUTH_USER_TABLE: 'public.user' }),
      refusal:
        'There is no schema for the tables: the search path is one,two, and none of it is there. ' +
        'Make the schema, or name another one in DATABASE_URL (?schema=name).',
    };
  },
};

async function assertServes(t: ExecutionContext, program: Program): Promise<void> {
  const ready = await fetch(`${program.url}/ready`);
  t.like(await ready.json(), { status: 'ready', rowSecurity: true });
  const token = await issueToken({ secret: SECRET, userId: 'ada', lifetime: 600 });
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  const tasks = `${program.url}/api/ada/tasks`;
  const body = JSON.stringify({ title: 'milk', priority: 'low', category: 'home' });
  const created = await fetch(tasks, { method: 'POST', headers, body });
  t.is(created.status, 201);
  const task = (await created.json()) as { id: string };
  t.deepEqual(await (await fetch(`${tasks}/${task.id}`, { headers })).json(), task);
  t.is(await program.end('SIGTERM'), 0);
}

for (const { name, declare, start } of servers) {
  let starting: Promise<PrivatePostgres> | undefined;
  /** One situation after the other: they share the roles of the server. */
  let before: Promise<unknown> = Promise.resolve();
  const onServer = (run: (server: PrivatePostgres) => Promise<void>) => {
    starting ??= start();
    const after = before.then(async () => run((await starting) as PrivatePostgres));
    before = after.catch(() => {});
    return after;
  };
  test.after.always(`PostgreSQL ${name} is stopped`, async () => (await starting)?.stop());

  const situations = ['15', '18'].includes(name) ? { ...logins, ...places } : logins;
  for (const [situation, prepare] of Object.entries(situations)) {
    declare(`PostgreSQL ${name}, ${situation}: migrate, start, write, prune, migrate again`, async (t) => {
      t.timeout(300_000);
      await onServer(async (server) => {
        const databaseUrl = await server.createDatabase();
        const { owner, server: serving = owner, schema = 'public', refusal } = await prepare(databaseUrl);
        if (refusal !== undefined) {
          t.deepEqual(await runProgram(['migrate'], owner), { code: 1, stdout: '', stderr: `${refusal}\n` });
          t.like(await runProgram(['start'], owner), { code: 1, stderr: `${refusal}\n` });
        } else {
          t.like(await runProgram(['migrate'], owner), { code: 0, stderr: '' });
          await assertServes(t, await startProgram(t, serving));
          t.like(await runProgram(['prune'], owner), { code: 0, stderr: '' });
          t.deepEqual(await runProgram(['migrate'], owner), {
            code: 0,
            stdout: 'The database is up to date.\n',
            stderr: '',
          });
          const found = `select schemaname as schema from pg_tables where tablename in ('tasks', 'mikro_orm_migrations')`;
          t.deepEqual(await execute(databaseUrl, found), [{ schema }, { schema }]);
        }
      });
      done(
        situation + (situation in situations && situation.startsWith('no ') ? ' (refused in a sentence)' : ''),
        name,
      );
    });
  }

  declare(`PostgreSQL ${name}: a role that is missing, or belongs to somebody else`, async (t) => {
    t.timeout(300_000);
    await onServer(async (server) => {
      const databaseUrl = await server.createDatabase();
      const owner = await createOwner(databaseUrl, 'createrole bypassrls');
      t.like(await runProgram(['migrate'], owner.env), { code: 0, stderr: '' });

      // As an earlier version left it: the login made the role, and may not become it.
      const grantor = await grantorOf(databaseUrl, owner.name);
      if (grantor !== undefined)
        await execute(databaseUrl, `revoke todo_api from "${owner.name}" granted by ${grantor}`);
      await assertServes(t, await startProgram(t, owner.env));

      // Now the role is there, and was made by somebody else.
      const elsewhere = await server.createDatabase();
      const other = await createOwner(elsewhere, 'bypassrls');
      const message =
        "PostgreSQL does not keep one user's tasks from another itself: the user of DATABASE_URL passes row level security. " +
        `It may not become the role todo_api. As the role that made todo_api, or as a superuser, run \`grant todo_api to "${other.name}"\``;
      t.deepEqual(await runProgram(['start'], other.env), {
        code: 1,
        stdout: '',
        stderr: `${message}, or accept it with ROW_SECURITY=optional.\n`,
      });
      const unprotected = await startProgram(t, { ...other.env, ROW_SECURITY: 'optional' });
      await until(() => unprotected.log().includes('\n'));
      t.is(JSON.parse(unprotected.log()).msg, `${message}.`);
      t.like(await (await fetch(`${unprotected.url}/ready`)).json(), { rowSecurity: false });
      await unprotected.end('SIGTERM');
      await execute(elsewhere, `grant todo_api to "${other.name}"`);
      await assertServes(t, await startProgram(t, other.env));
    });
    done('role todo_api of somebody else (refused in a sentence until it is granted)', name);
  });
}

/** Who granted `todo_api` to a login so that it may become it. */
async function grantorOf(databaseUrl: string, login: string): Promise<string | undefined> {
  const [row] = await execute(
    databaseUrl,
    `select grantor::regrole::text as name from pg_auth_members
     where roleid = 'todo_api'::regrole and member = $1::text::regrole and not admin_option`,
    [`"${login}"`],
  );
  return row && String(row.name);
}

platformTest(test, 'postgresql-14')('PostgreSQL 14 is refused', async (t) => {
  const server = await startPackagedPostgres('postgresql-14');
  t.teardown(() => server.stop());
  const env = settings(await server.createDatabase());
  const stderr = 'This needs PostgreSQL 15 or newer, and the server is PostgreSQL 14.23.\n';
  for (const command of ['migrate', 'start']) t.like(await runProgram([command], env), { code: 1, stderr });
  done('refused in a sentence', '14');
});

serverTest('behind PgBouncer, where the database has another name: no database is created', async (t) => {
  const server = await startPrivatePostgres();
  t.teardown(() => server.stop());
  const databaseUrl = await server.createDatabase();
  const owner = await createOwner(databaseUrl);
  const pooler = await startPgBouncer(owner.url.href, 'alias');
  t.teardown(() => pooler.stop());
  const before = await execute(databaseUrl, 'select datname from pg_database order by 1');
  const env = { ...owner.env, DATABASE_URL: pooler.url };
  const sentence =
    'Between this server and PostgreSQL there is a pooler that keeps no settings of a connection. ' +
    'Set DATABASE_POOLER=transaction, and leave "options" out of DATABASE_URL. ' +
    'The pooler says: unsupported startup parameter: ';
  for (const command of ['start', 'prune']) {
    t.like(await runProgram([command], env), { code: 1, stderr: `${sentence}statement_timeout.\n` });
  }
  const withOptions = { ...env, DATABASE_URL: withSearchPath(pooler.url, 'public'), DATABASE_POOLER: 'transaction' };
  t.like(await runProgram(['start'], withOptions), { code: 1, stderr: `${sentence}options.\n` });
  const withSchema = { ...env, DATABASE_URL: `${pooler.url}?schema=todo`, DATABASE_POOLER: 'transaction' };
  t.like(await runProgram(['start'], withSchema), {
    code: 1,
    stderr:
      'A transaction pooler keeps no schema for a connection. Leave "schema" out of the URL, and set it for the login: ' +
      `\`alter role ${owner.name} in database alias set search_path = todo\`.\n`,
  });
  const pooled = { ...env, DATABASE_POOLER: 'transaction' };
  t.like(await runProgram(['migrate'], pooled), { code: 0, stderr: '' });
  await assertServes(t, await startProgram(t, pooled));
  t.like(await runProgram(['migrate'], pooled), { code: 0, stdout: 'The database is up to date.\n' });
  t.deepEqual(await execute(databaseUrl, 'select datname from pg_database order by 1'), before);
  done('PgBouncer, with another name for the database', '15');
});
