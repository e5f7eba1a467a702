import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { issueToken } from '@todo-backend/infrastructure';
import test, { type ExecutionContext } from 'ava';
import pg from 'pg';
import { startBetterAuth } from '../test/better-auth.ts';
import { databases, execute, postgresTest } from '../test/postgres.ts';
import { runProgram, SECRET, startProgram } from '../test/reliability/program.ts';
import { loadBetterAuth, platformTest } from './platforms.ts';

const HERE = import.meta.dirname;
const declare = (await postgresTest(test)) === test ? platformTest(test, 'drizzle-kit') : test.skip;
const newDatabase = databases(test);

/** Changes a database into what the schema of the app says, as its developers do. */
async function push(databaseUrl: string, filter = ''): Promise<void> {
  const command = join(HERE, 'node_modules', 'drizzle-kit', 'bin.cjs');
  await promisify(execFile)(process.execPath, [command, 'push', '--force', '--config=drizzle/drizzle.config.ts'], {
    cwd: HERE,
    env: { ...process.env, DATABASE_URL: databaseUrl, TABLES_FILTER: filter },
  });
}

/** Loads what need not be installed for the types to be checked. */
const load = (name: string) => import(name);

const TASKS = { title: 'milk', priority: 'low', category: 'home' };

async function assertServes(t: ExecutionContext, env: Record<string, string>): Promise<void> {
  t.like(await runProgram(['migrate'], env), { code: 0, stdout: 'The database is up to date.\n', stderr: '' });
  const program = await startProgram(t, env);
  const headers = {
    Authorization: `Bearer ${await issueToken({ secret: SECRET, userId: 'ada', lifetime: 600 })}`,
    'Content-Type': 'application/json',
  };
  const tasks = `${program.url}/api/ada/tasks`;
  t.is((await fetch(tasks, { method: 'POST', headers, body: JSON.stringify(TASKS) })).status, 201);
  await program.end('SIGTERM');
}

declare('the schema that Better Auth generates for Drizzle: keys and users in its spelling', async (t) => {
  const url = await newDatabase();
  await push(url);
  const pool = new pg.Pool({ connectionString: url });
  t.teardown(() => pool.end());
  const [{ drizzle }, schema] = await Promise.all([load('drizzle-orm/node-postgres'), load('./drizzle/schema.ts')]);
  // The adapter wants Drizzle beside it.
  const [{ drizzleAdapter }, version] = await Promise.all([
    load('better-auth-1.6/adapters/drizzle'),
    loadBetterAuth('better-auth-1.6', '/db/migration'),
  ]);
  const database = drizzleAdapter(drizzle(pool), { provider: 'pg', schema });
  const betterAuth = await startBetterAuth(database, { version, migrates: false });
  t.teardown(betterAuth.close);
  const ada = await betterAuth.signUp('ada');
  const program = await startProgram(t, {
    DATABASE_URL: url,
    BETTER_AUTH_URL: betterAuth.url,
    BETTER_AUTH_SECRET: '',
    STANDALONE_USERS: 'false',
  });
  const headers = { Authorization: `Bearer ${await ada.token()}`, 'Content-Type': 'application/json' };
  const tasks = `${program.url}/api/${ada.id}/tasks`;
  t.is((await fetch(tasks, { method: 'POST', headers, body: JSON.stringify(TASKS) })).status, 201);
  await ada.deleteAccount();
  t.deepEqual(await execute(url, 'select 1 from tasks'), []);
});

declare(
  'a push of Drizzle keeps its hands off these tables by the filter of the manual, or in a schema of their own',
  async (t) => {
    const manual = await readFile(join(HERE, '..', 'docs', 'platforms.md'), 'utf8');
    const [, list = ''] = /tablesFilter: \[(.*?)\]/s.exec(manual) ?? [];
    const filter = [...list.matchAll(/'(.*?)'/g)].map(([, name]) => name).join(',');
    const plain = await newDatabase();
    await push(plain);
    await execute(plain, `insert into "user" (id, name, email) values ('ada', 'Ada', 'ada@example.com')`);
    const count = async (schema: string) =>
      (await execute(plain, `select count(*)::int as tables from pg_tables where schemaname = '${schema}'`))[0]?.tables;
    for (const { url, schema, filter: given } of [
      { url: plain, schema: 'public', filter },
      { url: `${plain}?schema=todo`, schema: 'todo', filter: '' },
    ]) {
      const env = { DATABASE_URL: url, STANDALONE_USERS: 'false', AUTH_USER_TABLE: 'public.user' };
      t.like(await runProgram(['migrate'], env), { code: 0 });
      const before = await count(schema);
      await push(plain, given);
      t.is(await count(schema), before, schema);
      await assertServes(t, env);
    }
    t.is(await count('todo'), 7);
    t.is(await count('public'), 5, 'without the filter, those beside the tables of the app are dropped');
  },
);
