import { Database, keysFromTable } from '@todo-backend/infrastructure';
import test from 'ava';
import pg from 'pg';
import { type BetterAuth, startBetterAuth } from '../test/better-auth.ts';
import { databases, execute, postgresTest } from '../test/postgres.ts';
import { startProgram } from '../test/reliability/program.ts';
import { platformTest } from './platforms.ts';

const serverTest = await postgresTest(test);
const newDatabase = databases(test);

/** Loads a version of Better Auth from this folder. */
async function load(name: string, migrations: string): Promise<BetterAuth> {
  const [main, db, node, plugins] = await Promise.all(
    ['', migrations, '/node', '/plugins'].map((path) => import(name + path) as Promise<BetterAuth>),
  );
  return { ...main, ...db, ...node, ...plugins } as BetterAuth;
}

const versions = [
  { version: '1.3', migrations: '/db' },
  { version: '1.6', migrations: '/db/migration' },
];

for (const { version, migrations } of versions) {
  const name = `better-auth-${version}`;
  const declare = serverTest === test ? platformTest(test, name) : test.skip;

  declare(`Better Auth ${version}: a user with a real token, and an upgrade while the server runs`, async (t) => {
    const url = await newDatabase();
    const pool = new pg.Pool({ connectionString: url });
    t.teardown(() => pool.end());
    const betterAuth = await startBetterAuth(pool, await load(name, migrations));
    t.teardown(betterAuth.close);
    const ada = await betterAuth.signUp('ada');
    const env = { DATABASE_URL: url, BETTER_AUTH_URL: betterAuth.url, STANDALONE_USERS: 'false' };
    const program = await startProgram(t, env);
    const headers = { Authorization: `Bearer ${await ada.token()}` };
    const answer = await fetch(`${program.url}/api/${ada.id}/tasks`, { headers });
    t.is(answer.status, 200);
    t.deepEqual(await answer.json(), []);
    await program.end('SIGTERM');

    const database = await Database.postgres({ url });
    t.teardown(() => database.close());
    const keys = keysFromTable(database);
    const algorithms = async () => (await keys()).map(({ alg }) => alg);
    const before = await algorithms();
    t.is(before.length, 1);
    const upgraded = await startBetterAuth(pool);
    t.teardown(upgraded.close);
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
}

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
  await t.throwsAsync(keys, { name: 'KeySourceError', message: /Run the migrations as the owner of the table "jwks"/ });
  await owner.migrate({ standaloneUsers: true });
  t.deepEqual(await keys(), []);
});
