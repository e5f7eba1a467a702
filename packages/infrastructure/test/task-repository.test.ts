import { randomUUID } from 'node:crypto';
import { PGlite } from '@electric-sql/pglite';
import { journalContract, taskRepositoryContract } from '@todo-backend/application/testing';
import { Database, SqlJournal, SqlTaskRepository } from '@todo-backend/infrastructure';
import test from 'ava';
import { execute, type PostgresServer, postgresTest, startPostgres } from '../../../test/postgres.ts';

/** The columns of Better Auth's table that matter here. */
const USER_TABLE = `create table "user" ("id" text primary key, "name" text)`;

interface Adapter {
  readonly tasks: SqlTaskRepository;
  withMaxTasks(maxTasks: number): SqlTaskRepository;
  readonly journal: SqlJournal;
  execute(text: string, values?: unknown[]): Promise<unknown>;
  close(): Promise<void>;
}

async function onPGlite(): Promise<Adapter> {
  const pglite = await PGlite.create();
  await pglite.exec(USER_TABLE);
  const database = await Database.onPGlite(pglite);
  await database.migrate({ standaloneUsers: false });
  return {
    tasks: new SqlTaskRepository(database, { standaloneUsers: false }),
    withMaxTasks: (maxTasks) => new SqlTaskRepository(database, { standaloneUsers: false, maxTasks }),
    journal: new SqlJournal(database),
    execute: (text, values) => pglite.query(text, values),
    async close() {
      await database.close();
      await pglite.close();
    },
  };
}

let server: PostgresServer | undefined;

async function onServer(): Promise<Adapter> {
  server = await startPostgres();
  const url = await server.createDatabase();
  await execute(url, USER_TABLE);
  const database = await Database.postgres({ url, connectTimeout: 30_000 });
  await database.migrate({ standaloneUsers: false });
  return {
    tasks: new SqlTaskRepository(database, { standaloneUsers: false }),
    withMaxTasks: (maxTasks) => new SqlTaskRepository(database, { standaloneUsers: false, maxTasks }),
    journal: new SqlJournal(database),
    execute: (text, values) => execute(url, text, values),
    close: () => database.close(),
  };
}

const adapters = [
  { name: 'PGlite', open: onPGlite, declare: test },
  { name: 'PostgreSQL', open: onServer, declare: await postgresTest(test) },
];

for (const { name, open, declare } of adapters) {
  let opening: Promise<Adapter> | undefined;
  const adapter = () => {
    opening ??= open();
    return opening;
  };
  test.after.always(async () => {
    await (await opening)?.close();
  });

  for (const { name: behaviour, verify } of [...taskRepositoryContract, ...journalContract]) {
    declare(`${name}: ${behaviour}`, async (t) => {
      const { tasks, withMaxTasks, journal, execute } = await adapter();
      await verify({
        tasks,
        withMaxTasks,
        journal,
        newId: randomUUID,
        newUser: async () => {
          const user = randomUUID();
          await execute(`insert into "user" ("id") values ($1)`, [user]);
          return user;
        },
        deleteUser: async (user) => {
          await execute(`delete from "user" where "id" = $1`, [user]);
        },
      });
      t.pass();
    });
  }
}

test.after.always(async () => {
  await server?.stop();
});
