import { randomUUID } from 'node:crypto';
import { outboxContract } from '@todo-backend/application/testing';
import { Database, SqlOutbox, SqlTaskRepository } from '@todo-backend/infrastructure';
import test, { type TestFn } from 'ava';
import { databases, postgresTest } from '../../../test/postgres.ts';

const serverTest = await postgresTest(test);
const newDatabase = databases(test);
const STANDALONE = { standaloneUsers: true };

const adapters: { name: string; declare: TestFn; open(): Promise<Database> }[] = [
  { name: 'PGlite', declare: test, open: () => Database.embedded() },
  {
    name: 'PostgreSQL',
    declare: serverTest,
    open: async () => Database.postgres({ url: await newDatabase(), connectTimeout: 30_000 }),
  },
];

for (const { name, declare, open } of adapters) {
  declare(`${name}: the outbox keeps its contract`, async (t) => {
    const database = await open();
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
        }),
        name,
      );
    }
    await database.close();
  });
}
