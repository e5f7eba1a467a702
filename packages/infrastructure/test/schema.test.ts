import { PGlite } from '@electric-sql/pglite';
import { EntityCaseNamingStrategy } from '@mikro-orm/core';
import { PgliteDriver } from '@mikro-orm/pglite';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { MikroORM } from '@mikro-orm/sql';
import { taskWriter } from '@todo-backend/application/testing';
import { createTask } from '@todo-backend/domain';
import { Database, SqlTaskRepository } from '@todo-backend/infrastructure';
import test, { type ExecutionContext } from 'ava';
import { databases, postgresTest } from '../../../test/postgres.ts';
import { entities, UNMANAGED_TABLES } from '../dist/schema/index.js';
import { TaskRow } from '../dist/schema/tasks.js';

const serverTest = await postgresTest(test);
const newDatabase = databases(test);
const STANDALONE = { standaloneUsers: true };
const common = {
  entities,
  namingStrategy: EntityCaseNamingStrategy,
  schemaGenerator: { skipTables: [...UNMANAGED_TABLES] },
};

/** The entities match the schema that the migrations create, including the policies. */
async function assertPresentSchema(t: ExecutionContext, database: Database, orm: MikroORM): Promise<void> {
  t.is((await orm.schema.getUpdateSchemaSQL({ wrap: false })).trim(), '');

  const task = createTask(
    {
      title: 'a task',
      description: null,
      priority: 'low',
      category: 'work',
      dueDate: null,
      tags: [],
      recurrence: null,
      remindAt: null,
    },
    { id: '00000000-0000-7000-8000-000000000001', userId: 'alice', now: '2026-03-01T12:00:00.000Z' },
  );
  await taskWriter(new SqlTaskRepository(database, STANDALONE)).add(task);
  const row = await orm.em.fork().transactional(async (em) => {
    await em.execute(`select set_config('app.user_id', 'alice', true)`);
    return em.findOne(TaskRow, { id: task.id });
  });
  t.is(row?.title, 'a task');
  t.is(typeof row?.createdAt, 'string', 'types read as declared');
  t.is(row?.userId, 'alice');
}

test('PGlite: the entities match the migrations', async (t) => {
  const pglite = await PGlite.create();
  const database = await Database.onPGlite(pglite);
  await database.migrate(STANDALONE);
  const orm = await MikroORM.init({ ...common, driver: PgliteDriver, dbName: 'postgres', driverOptions: { pglite } });
  await assertPresentSchema(t, database, orm as MikroORM);
  await orm.close();
  await pglite.close();
});

serverTest('PostgreSQL: the entities match the migrations', async (t) => {
  const url = await newDatabase();
  const database = await Database.postgres({ url });
  await database.migrate(STANDALONE);
  const orm = await MikroORM.init({ ...common, driver: PostgreSqlDriver, clientUrl: url });
  await assertPresentSchema(t, database, orm as MikroORM);
  await orm.close();
  await database.close();
});
