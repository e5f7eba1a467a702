import { randomUUID } from 'node:crypto';
import { remindersContract } from '@todo-backend/application/testing';
import { Database, SqlJournal, SqlReminders, SqlTaskRepository } from '@todo-backend/infrastructure';
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
  declare(`${name}: reminders fulfil their contract`, async (t) => {
    const server = await newServer?.();
    const database = server
      ? await Database.postgres({ url: server, connectTimeout: 30_000 })
      : await Database.embedded();
    await database.migrate(STANDALONE);
    for (const { name, verify } of remindersContract) {
      await t.notThrowsAsync(
        verify({
          reminders: new SqlReminders(database),
          tasks: new SqlTaskRepository(database, STANDALONE),
          journal: new SqlJournal(database),
          newId: randomUUID,
          newUser: async () => randomUUID(),
          deleteUser:
            server === undefined
              ? undefined
              : (user) => execute(server, 'delete from "user" where "id" = $1', [user]).then(() => {}),
        }),
        name,
      );
    }
    await database.close();
  });
}
