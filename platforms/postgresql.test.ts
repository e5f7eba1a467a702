import { randomUUID } from 'node:crypto';
import { issueToken } from '@todo-backend/infrastructure';
import test, { type ExecutionContext } from 'ava';
import { execute, postgresTest, startPrivatePostgres } from '../test/postgres.ts';
import { type Program, runProgram, SECRET, startProgram, until } from '../test/reliability/program.ts';
import { platformTest, startPackagedPostgres } from './platforms.ts';

const servers = [
  { name: 'PostgreSQL of this machine', declare: await postgresTest(test), start: () => startPrivatePostgres() },
  ...['16', '17', '18'].map((version) => ({
    name: `PostgreSQL ${version}`,
    declare: platformTest(test, `postgresql-${version}`),
    start: () => startPackagedPostgres(`postgresql-${version}`),
  })),
];

/** Makes a login with these rights, which owns the database, and the table of Better Auth in it. */
async function createOwner(databaseUrl: string, rights: string) {
  const url = new URL(databaseUrl);
  const name = `owner_${randomUUID()}`;
  const database = url.pathname.slice(1);
  await execute(databaseUrl, `create role "${name}" login ${rights}; alter database ${database} owner to "${name}"`);
  url.username = name;
  await execute(url.href, `create table "user" ("id" text primary key); insert into "user" values ('ada')`);
  return { name, env: { DATABASE_URL: url.href, NODE_ENV: 'production', STANDALONE_USERS: 'false' } };
}

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
  declare(`${name}: a login that passes row level security serves as todo_api, or is told what it lacks`, async (t) => {
    const server = await start();
    t.teardown(() => server.stop());
    const databaseUrl = await server.createDatabase();

    // The default owner of a hosted database: no superuser.
    const owner = await createOwner(databaseUrl, 'createrole bypassrls');
    t.like(await runProgram(['migrate'], owner.env), { code: 0, stderr: '' });
    await assertServes(t, await startProgram(t, owner.env));
    t.like(await runProgram(['prune'], owner.env), { code: 0, stderr: '' });
    t.like(await runProgram(['migrate'], owner.env), { code: 0, stdout: 'The database is up to date.\n' });

    // As an earlier version left it: the login made the role, and may not become it.
    await execute(
      databaseUrl,
      `revoke todo_api from "${owner.name}" granted by ${await grantorOf(databaseUrl, owner.name)}`,
    );
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
}

/** Who granted `todo_api` to a login so that it may become it. */
async function grantorOf(databaseUrl: string, login: string): Promise<string> {
  const [row] = await execute(
    databaseUrl,
    `select grantor::regrole::text as name from pg_auth_members
     where roleid = 'todo_api'::regrole and member = $1::text::regrole and not admin_option`,
    [`"${login}"`],
  );
  return String(row?.name);
}
