import { Database, issueToken, keysFromTable } from '@todo-backend/infrastructure';
import test, { type ExecutionContext } from 'ava';
import pg from 'pg';
import { type BetterAuthSetup, startBetterAuth } from '../test/better-auth.ts';
import { databases, execute, postgresTest } from '../test/postgres.ts';
import { type Program, runProgram, SECRET, startProgram, until } from '../test/reliability/program.ts';
import { loadBetterAuth, platformTest, report } from './platforms.ts';

const serverTest = await postgresTest(test);
const newDatabase = databases(test);
const done = report(test, 'Better Auth');

const versions = [
  ...[
    { version: '1.3', migrations: '/db' },
    { version: '1.4', migrations: '/db' },
    { version: '1.5', migrations: '/db/migration' },
    { version: '1.6', migrations: '/db/migration' },
  ].map(({ version, migrations }) => ({
    version,
    declare: serverTest === test ? platformTest(test, `better-auth-${version}`) : test.skip,
    load: () => loadBetterAuth(`better-auth-${version}`, migrations),
  })),
  { version: '1.7', declare: serverTest, load: async () => undefined },
];

/** Starts Better Auth on a database, where it makes its tables, or takes those of an older version over. */
async function start(t: ExecutionContext, url: string, setup?: BetterAuthSetup) {
  const pool = new pg.Pool({ connectionString: url });
  t.teardown(() => pool.end());
  const betterAuth = await startBetterAuth(pool, setup);
  t.teardown(betterAuth.close);
  return betterAuth;
}

/** The same, and has somebody sign up. */
async function signUp(t: ExecutionContext, url: string, setup: BetterAuthSetup) {
  const betterAuth = await start(t, url, setup);
  return { betterAuth, ada: await betterAuth.signUp('ada') };
}

type User = Awaited<ReturnType<typeof signUp>>['ada'];

/** Asks the API as a user of Better Auth. */
async function call({ url }: Program, user: Pick<User, 'id' | 'token'>, method: string, path = '', body?: object) {
  const headers = { Authorization: `Bearer ${await user.token()}`, 'Content-Type': 'application/json' };
  const init = { method, headers, ...(body && { body: JSON.stringify(body) }) };
  const response = await fetch(`${url}/api/${user.id}/tasks${path}`, init);
  const text = await response.text();
  return { status: response.status, body: text && JSON.parse(text) };
}

/** A user has tasks, and takes them along when the account is deleted. */
async function assertServes(t: ExecutionContext, program: Program, user: User, databaseUrl: string): Promise<void> {
  t.deepEqual(await call(program, user, 'GET'), { status: 200, body: [] });
  const created = await call(program, user, 'POST', '', { title: 'milk', priority: 'low', category: 'home' });
  t.is(created.status, 201);
  t.is(created.body.userId, user.id);
  t.deepEqual((await call(program, user, 'GET')).body, [created.body]);
  t.like(await (await fetch(`${program.url}/ready`)).json(), { status: 'ready', keys: 'loaded' });
  const token = await user.token();
  await user.deleteAccount();
  const tables = ['tasks', 'task_ledgers', 'task_events'];
  for (const table of tables) t.deepEqual(await execute(databaseUrl, `select 1 from ${table}`), [], table);
  const gone = { id: user.id, token: async () => token };
  t.like(await call(program, gone, 'PUT', `/${created.body.id}`, { title: 'tea' }), { status: 401 });
  t.like(await call(program, gone, 'POST', '', { title: 'tea', priority: 'low', category: 'home' }), { status: 401 });
  t.deepEqual(await call(program, gone, 'GET'), { status: 200, body: [] });
}

const settings = (DATABASE_URL: string, BETTER_AUTH_URL: string) => ({
  DATABASE_URL,
  BETTER_AUTH_URL,
  BETTER_AUTH_SECRET: '',
  STANDALONE_USERS: 'false',
  NODE_ENV: 'production',
});

for (const { version, declare, load } of versions) {
  for (const keys of ['table', 'url']) {
    declare(`Better Auth ${version}, keys by ${keys}: a user from signing up to the end of the account`, async (t) => {
      const url = await newDatabase();
      const loaded = await load();
      const { betterAuth, ada } = await signUp(t, url, loaded ? { version: loaded } : {});
      const program = await startProgram(t, { ...settings(url, betterAuth.url), AUTH_JWKS: keys });
      await assertServes(t, program, ada, url);
      done(`keys by ${keys}, from signing up to the end of the account`, version);
    });
  }
}

serverTest('Better Auth is upgraded from 1.3 while the server reads its keys', async (t) => {
  const url = await newDatabase();
  const { betterAuth, ada } = await signUp(t, url, { version: await loadBetterAuth('better-auth-1.3', '/db') });
  await ada.token();
  const database = await Database.postgres({ url });
  t.teardown(() => database.close());
  await database.migrate({ standaloneUsers: false });
  const keys = keysFromTable(database);
  const algorithms = async () => (await keys()).map(({ alg }) => alg);
  const before = await algorithms();
  t.is(before.length, 1);
  await betterAuth.close();
  await start(t, url);
  t.deepEqual(await algorithms(), before);
  await execute(url, `update "jwks" set "alg" = 'EdDSA'`);
  t.deepEqual(await algorithms(), ['EdDSA']);
  await execute(url, `update "jwks" set "expiresAt" = now() - interval '31 days'`);
  t.deepEqual(await algorithms(), []);
  for (const columns of ['"privateKey"', '*']) {
    const read = database.client().query({ text: `select ${columns} from "jwks"`, values: [] });
    await t.throwsAsync(read, { code: '42501' });
  }
});

const ids: { generateId: 'uuid' | 'serial'; stranger: string; alter?: string }[] = [
  { generateId: 'uuid', stranger: '0199e4a4-0000-7000-8000-000000000000' },
  { generateId: 'serial', stranger: '2147483647' },
  {
    generateId: 'serial',
    stranger: '999999999999999999',
    alter: ['user', 'session', 'account']
      .map((table) => `alter table "${table}" alter column "${table === 'user' ? 'id' : 'userId'}" type bigint`)
      .join(';'),
  },
];

for (const { generateId, stranger, alter } of ids) {
  const type = alter === undefined ? generateId : 'bigint';
  serverTest(
    `ids of users of type ${type}: foreign key, cascade and both walls, and no id is a server error`,
    async (t) => {
      const url = await newDatabase();
      const { betterAuth, ada } = await signUp(t, url, { options: { advanced: { database: { generateId } } } });
      if (alter) await execute(url, alter);
      const bob = await betterAuth.signUp('bob');
      const program = await startProgram(t, {
        ...settings(url, betterAuth.url),
        BETTER_AUTH_SECRET: SECRET,
      });
      const milk = { title: 'milk', priority: 'low', category: 'home' };
      const { body: ofBob } = await call(program, bob, 'POST', '', milk);
      t.is((await call(program, ada, 'GET', `/${ofBob.id}`)).status, 404);
      t.is((await call(program, { id: bob.id, token: ada.token }, 'GET')).status, 403);
      // The second wall, whoever asks.
      const database = await Database.postgres({ url });
      t.teardown(() => database.close());
      const rows = await database.transaction({ user: ada.id }, (db) => db.selectFrom('tasks').select('id').execute());
      t.deepEqual(rows, []);

      const others = [
        stranger,
        'nobody',
        `${bob.id}0`,
        `0${bob.id}`,
        String(bob.id).toUpperCase(),
        '1e3',
        ' ',
        '9'.repeat(40),
      ];
      for (const id of others.filter((id) => id !== String(bob.id))) {
        const token = async () => issueToken({ secret: SECRET, userId: id, lifetime: 600 });
        const user = { id: encodeURIComponent(id), token };
        t.deepEqual(await call(program, user, 'GET'), { status: 200, body: [] }, id);
        t.is((await call(program, user, 'GET', `/${ofBob.id}`)).status, 404, id);
        t.like(await call(program, user, 'POST', '', milk), { status: 401 }, id);
        t.like(await call(program, user, 'PUT', `/${ofBob.id}`, { title: 'tea' }), { status: 401 }, id);
        t.like(await call(program, user, 'DELETE', `/${ofBob.id}`), { status: 401 }, id);
      }
      await call(program, bob, 'DELETE', `/${ofBob.id}`);
      await bob.deleteAccount();
      await assertServes(t, program, ada, url);
      done(`ids of type ${type}`, '1.7');
    },
  );
}

serverTest('a base URL with a path, and another path of the keys', async (t) => {
  const url = await newDatabase();
  const { betterAuth, ada } = await signUp(t, url, { path: '/app/auth', jwt: { jwks: { jwksPath: '/keys' } } });
  const env = { ...settings(url, betterAuth.url), AUTH_JWKS: 'url', AUTH_JWKS_URL: `${betterAuth.url}/keys` };
  await assertServes(t, await startProgram(t, env), ada, url);
  done('base URL with a path, other path of the keys', '1.7');
});

serverTest('another issuer, several audiences and another base path', async (t) => {
  const url = await newDatabase();
  const { betterAuth, ada } = await signUp(t, url, {
    options: { basePath: '/auth' },
    jwt: { jwt: { issuer: 'https://issuer.example', audience: 'todo' } },
  });
  const env = { ...settings(url, `${betterAuth.url}/auth`), AUTH_JWKS: 'url' };
  const refusing = await startProgram(t, { ...env, LOG_LEVEL: 'info' });
  t.is((await call(refusing, ada, 'GET')).status, 401);
  await until(() => refusing.log().includes('"evidence"'));
  t.regex(refusing.log(), /"evidence":"iss is \\"https:\/\/issuer\.example\\", and should be \\"http:/);
  t.false(refusing.log().includes(await ada.token()));
  await refusing.end('SIGTERM');
  const set = { ...env, AUTH_ISSUER: 'https://issuer.example', AUTH_AUDIENCE: 'web,todo' };
  await assertServes(t, await startProgram(t, set), ada, url);
  done('other issuer, audience and base path', '1.7');
});

serverTest('tables and columns under other names, in a schema of their own', async (t) => {
  const url = await newDatabase();
  await execute(url, 'create schema auth');
  const inAuth = `${url}?options=-c%20search_path%3Dauth`;
  const { betterAuth, ada } = await signUp(t, inAuth, {
    options: { user: { modelName: 'users', deleteUser: { enabled: true } } },
    jwt: { schema: { jwks: { modelName: 'keys', fields: { publicKey: 'public_key', expiresAt: 'expires_at' } } } },
  });
  const env = {
    ...settings(`${url}?schema=todo`, betterAuth.url),
    AUTH_USER_TABLE: 'auth.users',
    AUTH_JWKS_TABLE: 'auth.keys',
  };
  const program = await startProgram(t, env);
  const tables = await execute(url, `select schemaname as schema from pg_tables where tablename = 'tasks'`);
  t.deepEqual(tables, [{ schema: 'todo' }]);
  await assertServes(t, program, ada, `${url}?options=-c%20search_path%3Dtodo`);
  await program.end('SIGTERM');
  await execute(url, 'create table auth.others (id text primary key)');
  t.deepEqual(await runProgram(['migrate'], { ...env, AUTH_USER_TABLE: 'auth.others' }), {
    code: 1,
    stdout: '',
    stderr:
      'The tasks refer to the users in auth.users, and AUTH_USER_TABLE names "auth"."others". Set AUTH_USER_TABLE to the first one.\n',
  });
  done('other names of tables and columns, other schemas', '1.7');
});

serverTest('the table of keys is made after the server was started', async (t) => {
  const url = await newDatabase();
  await execute(url, 'create table "user" ("id" text primary key)');
  const program = await startProgram(t, settings(url, 'https://app.example.com'), { upAt: '/health' });
  const ready = async () => {
    const response = await fetch(`${program.url}/ready`);
    return { status: response.status, ...((await response.json()) as object) };
  };
  const detail = 'Sign-in cannot be checked. The database has no table of public keys.';
  t.like(await ready(), { status: 503, detail });
  await until(() => program.log().includes('could not load the keys'));
  t.true(
    program
      .log()
      .includes(
        'It should be \\"jwks\\". Run Better Auth\'s migrations with its jwt() plugin, name the table in AUTH_JWKS_TABLE where ' +
          'it is called otherwise, or have the keys fetched from Better Auth with AUTH_JWKS=url.',
      ),
  );
  await execute(url, 'create table "jwks" ("id" text, "publicKey" text, "privateKey" text)');
  await until(async () => (await ready()).status !== 503);
  t.like(await ready(), { status: 'ready', keys: 'none' });
  done('table of keys made after the start', '1.7');
});

serverTest('a server that may not grant itself the keys of Better Auth says who has to', async (t) => {
  const url = await newDatabase();
  const owner = await Database.postgres({ url });
  t.teardown(() => owner.close());
  await owner.migrate({ standaloneUsers: true });
  const login = new URL(url);
  login.username = `api_${login.pathname.slice(1)}`;
  await execute(url, `create role ${login.username} login; grant todo_api to ${login.username}`);
  const database = await Database.postgres({ url: login.href });
  t.teardown(() => database.close());
  const keys = keysFromTable(database);
  await execute(url, 'create table "jwks" ("id" text, "publicKey" text, "privateKey" text)');
  const message =
    'The server may not read the table of public keys. Run the migrations as the owner of the table "jwks", to grant it. ' +
    'PostgreSQL says: permission denied for table jwks.';
  await t.throwsAsync(keys, { name: 'KeySourceError', message });
  await owner.migrate({ standaloneUsers: true });
  t.deepEqual(await keys(), []);
});
