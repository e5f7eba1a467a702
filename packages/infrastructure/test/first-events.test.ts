import { randomUUID } from 'node:crypto';
import { PGlite } from '@electric-sql/pglite';
import { recoveryUseCases, taskUseCases } from '@todo-backend/application';
import { Database, SqlJournal, SqlTaskRepository } from '@todo-backend/infrastructure';
import test from 'ava';

const STANDALONE = { standaloneUsers: true };

test('events from before there were tags say that there were none, and can be undone', async (t) => {
  const pglite = await PGlite.create();
  const database = await Database.onPGlite(pglite);
  await database.migrate(STANDALONE);
  const journal = new SqlJournal(database);
  const ports = { tasks: new SqlTaskRepository(database, STANDALONE), journal, newId: randomUUID, retentionDays: 90 };
  const withClock = { ...ports, clock: () => new Date().toISOString() };
  const [tasks, recovery] = [taskUseCases(withClock), recoveryUseCases(withClock)];
  const milk = { title: 'Buy milk', priority: 'high', category: 'home' } as const;
  const [kept, deleted] = [await tasks.create('alice', milk), await tasks.create('alice', milk)];
  await tasks.delete('alice', deleted.id);
  // As a server of before has written them.
  await pglite.exec(`update task_events set data = (data::jsonb #- '{task,tags}')::json`);
  const { rows } = await pglite.query(`select from task_events where data::text like '%tags%'`);
  t.is(rows.length, 0);

  const entries = await journal.entries('alice', { limit: 10 });
  t.deepEqual(
    entries.map((entry) => 'task' in entry && entry.task.tags),
    [[], [], []],
  );
  t.deepEqual((await recovery.trash('alice')).tasks[0]?.task.tags, []);
  t.deepEqual((await recovery.restore('alice', deleted.id)).tags, []);
  await tasks.delete('alice', deleted.id);
  await recovery.erase('alice', deleted.id);
  t.deepEqual((await journal.entries('alice', { taskId: deleted.id, limit: 10 })).at(-1)?.erased, true);
  await tasks.update('alice', kept.id, { tags: ['a'] });
  const [creation] = await journal.entries('alice', { after: 0, limit: 1 });
  const undo = () => recovery.undo('alice', { events: [creation?.id ?? ''] });
  const error = await t.throwsAsync<Error & { problems: { field: string }[] }>(undo, { code: 'CHANGED_SINCE' });
  t.deepEqual(
    error?.problems.map(({ field }) => field.split('.').at(-1)),
    ['tags'],
    'the task has some since',
  );
  await tasks.update('alice', kept.id, { tags: [] });
  t.is((await undo())[0]?.outcome, 'undone');
  await pglite.close();
});
