import { randomUUID } from 'node:crypto';
import { recoveryUseCases, taskUseCases } from '@todo-backend/application';
import { Database, SqlJournal, SqlTaskRepository } from '@todo-backend/infrastructure';
import test from 'ava';
import { sql } from 'kysely';
import { databases, execute, postgresTest } from '../../../test/postgres.ts';

const serverTest = await postgresTest(test);
const newDatabase = databases(test);
const STANDALONE = { standaloneUsers: true };
const milk = { title: 'Buy milk', priority: 'high', category: 'home' } as const;

/** Two servers on one database, and a way to have two changes of one user meet. */
async function twoServers() {
  const url = await newDatabase();
  const open = async () => {
    const database = await Database.postgres({ url });
    await database.migrate(STANDALONE);
    const repository = new SqlTaskRepository(database, STANDALONE);
    const journal = new SqlJournal(database);
    const clock = () => new Date().toISOString();
    const ports = { tasks: repository, journal, clock, newId: randomUUID, retentionDays: 90 };
    return { database, tasks: taskUseCases(ports), recovery: recoveryUseCases(ports) };
  };
  const [one, two, third] = [await open(), await open(), await open()];
  const waiting = async (count: number) => {
    const query = `select count(*)::int as waiting from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
    for (;;) {
      const [row] = (await execute(url, query)) as { waiting: number }[];
      if (row !== undefined && row.waiting >= count) return;
    }
  };
  /** The first change gets the ledger of the user first, and the second has begun by then. */
  const meet = (user: string, first: () => Promise<unknown>, second: () => Promise<unknown>) =>
    third.database
      .transaction({ user }, async (db) => {
        await sql`select from task_ledgers where "userId" = ${user} for update`.execute(db);
        const changes = [first()];
        await waiting(1);
        changes.push(second());
        await waiting(2);
        return { results: Promise.allSettled(changes) };
      })
      .then(({ results }) => results)
      .then((results) => results.map((result) => (result.status === 'fulfilled' ? 'done' : result.reason.code)));
  return {
    one,
    two,
    meet,
    async close() {
      for (const { database } of [one, two, third]) await database.close();
    },
  };
}

serverTest('changes of two servers to one deleted task take turns', async (t) => {
  const { one, two, meet, close } = await twoServers();
  const deleted = async () => {
    const user: string = randomUUID();
    const { id } = await one.tasks.create(user, milk);
    await one.tasks.delete(user, id, { correlationId: 'a deletion' });
    return { user, id };
  };
  const undo = { correlationId: 'a deletion' };
  const exists = async (user: string) => (await one.tasks.list(user)).tasks.map(({ title }) => title);

  const a = await deleted();
  const restored = () => one.recovery.restore(a.user, a.id);
  t.deepEqual(await meet(a.user, restored, () => two.recovery.erase(a.user, a.id)), ['done', 'TASK_NOT_FOUND']);
  t.deepEqual(await exists(a.user), ['Buy milk'], 'what is back is not erased');

  const b = await deleted();
  t.deepEqual(
    await meet(
      b.user,
      () => one.recovery.restore(b.user, b.id),
      async () => t.is(await two.recovery.emptyTrash(b.user), 0),
    ),
    ['done', 'done'],
  );
  t.deepEqual(await exists(b.user), ['Buy milk']);

  const c = await deleted();
  const again = () => two.recovery.restore(c.user, c.id);
  t.deepEqual(await meet(c.user, () => one.recovery.restore(c.user, c.id), again), ['done', 'TASK_EXISTS']);

  const d = await deleted();
  const outcomes = async () => {
    const [result] = await two.recovery.undo(d.user, undo);
    t.is(result?.outcome, 'nothing');
  };
  t.deepEqual(await meet(d.user, () => one.recovery.undo(d.user, undo), outcomes), ['done', 'done']);
  t.deepEqual(await one.tasks.count(d.user).then(({ total }) => total), 1);

  const e = await deleted();
  const late = async () => {
    const [result] = await two.recovery.undo(e.user, undo);
    t.is(result?.outcome, 'nothing');
  };
  t.deepEqual(await meet(e.user, () => one.recovery.erase(e.user, e.id), late), ['done', 'done']);
  t.deepEqual(await exists(e.user), []);
  await close();
});
