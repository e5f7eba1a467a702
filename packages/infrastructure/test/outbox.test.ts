import { randomUUID } from 'node:crypto';
import { outboxContract } from '@todo-backend/application/testing';
import { Database, SqlOutbox, SqlTaskRepository } from '@todo-backend/infrastructure';
import test, { type TestFn } from 'ava';
import { databases, execute, postgresTest } from '../../../test/postgres.ts';

const serverTest = await postgresTest(test);
const newDatabase = databases(test);
const STANDALONE = { standaloneUsers: true };

const adapters: { name: string; declare: TestFn; newServer?: () => Promise<string> }[] = [
  { name: 'PGlite', declare: test },
  { name: 'PostgreSQL', declare: serverTest, newServer: newDatabase },
];

for (const { name, declare, newServer } of adapters) {
  declare(`${name}: the outbox fulfils its contract`, async (t) => {
    const server = await newServer?.();
    const database = server
      ? await Database.postgres({ url: server, connectTimeout: 30_000 })
      : await Database.embedded();
    await database.migrate(STANDALONE);
    const outbox = new SqlOutbox(database);
    const tasks = new SqlTaskRepository(database, STANDALONE);
    for (const { name, verify } of outboxContract) {
      await t.notThrowsAsync(
        verify({
          outbox,
          tasks,
          newId: randomUUID,
          newUser: async () => randomUUID(),
          requeue: () => outbox.requeue(undefined),
          prune: (before) => outbox.prune(before, false, () => {}),
          deleteUser: server === undefined ? undefined : (user) => deleteUser(server, user),
        }),
        name,
      );
    }
    await database.close();
  });
}

async function deleteUser(url: string, user: string): Promise<void> {
  await execute(url, `delete from "user" where "id" = $1`, [user]);
}
