import { randomUUID } from 'node:crypto';
import { type DueReminders, localFeed, type Reminders, reminderRounds } from '@todo-backend/application';
import {
  InMemoryReminders,
  InMemoryTaskRepository,
  remindersContract,
  sequentialIds,
  taskWriter,
} from '@todo-backend/application/testing';
import { createTask, setCompleted, type UserId } from '@todo-backend/domain';
import test from 'ava';

for (const { name, verify } of remindersContract) {
  test(`in memory: reminders: ${name}`, async (t) => {
    const tasks = new InMemoryTaskRepository();
    await verify({
      reminders: new InMemoryReminders(tasks),
      tasks,
      journal: tasks,
      newId: randomUUID,
      newUser: async () => randomUUID(),
      deleteUser: async (user) => tasks.removeUser(user),
    });
    t.pass();
  });
}

const NOON = '2026-03-01T12:00:00.000Z';

/** Rounds over adapters in memory, with a clock that the test moves. */
function setUp(change: (reminders: Reminders) => Partial<Reminders> = () => ({})) {
  let now = Date.parse(NOON);
  const repository = new InMemoryTaskRepository();
  const stored = new InMemoryReminders(repository, () => now);
  const recorded: DueReminders[] = [];
  const reminders: Reminders = {
    due: (except) => stored.due(except),
    async record(due, toReminder) {
      recorded.push(due);
      return stored.record(due, toReminder);
    },
  };
  const newId = sequentialIds();
  const feed = localFeed();
  return {
    repository,
    recorded,
    feed,
    round: reminderRounds({ reminders: { ...reminders, ...change(reminders) }, newId, feed }),
    wait: (milliseconds: number) => {
      now += milliseconds;
    },
    /** Adds tasks with a reminder at noon, and so many milliseconds. */
    async add(userId: UserId, count = 1, after = 0) {
      const ids: string[] = [];
      for (let i = 0; i < count; i++) {
        const content = {
          description: null,
          priority: 'low',
          category: 'work',
          dueDate: null,
          recurrence: null,
        } as const;
        const remindAt = new Date(Date.parse(NOON) + after).toISOString();
        const task = createTask(
          { ...content, title: 'a task', tags: [], remindAt },
          { id: newId(), userId, now: NOON },
        );
        await taskWriter(repository).add(task);
        ids.push(task.id);
      }
      return ids;
    },
    async reminded(userId: UserId) {
      return repository.entries(userId, { type: 'todo.task.reminder-due.v1', limit: 100_000 });
    },
  };
}

test('a reminder that has come is recorded as that of its user, and told of, once', async (t) => {
  const { round, add, wait, feed, reminded, repository } = setUp();
  const told: unknown[] = [];
  feed.subscribe('alice', (position) => told.push(position));
  const [id = ''] = await add('alice', 1, 2_000);
  t.deepEqual(await round(), { delays: [], more: false, next: 2_000 });
  wait(1_999);
  t.deepEqual(await round(), { delays: [], more: false, next: 1 });
  wait(8);
  t.deepEqual(await round(), { delays: [7], more: false, next: undefined });
  t.deepEqual((await round()).delays, []);
  const [event, ...others] = await reminded('alice');
  t.like(event, {
    taskId: id,
    sequence: 2,
    time: '2026-03-01T12:00:02.007Z',
    actor: { type: 'user', id: 'alice' },
    correlationId: null,
  });
  t.deepEqual(event && 'task' in event && event.task, await repository.find('alice', id));
  t.deepEqual(others, []);
  t.deepEqual(told, [await repository.position('alice')]);
});

test('the reminder of a completed task passes, and nobody is told', async (t) => {
  const { round, add, feed, reminded, repository } = setUp();
  feed.subscribe('alice', () => t.fail());
  const [id = ''] = await add('alice');
  const edit = (completed: boolean) =>
    taskWriter(repository).update('alice', id, (task) => setCompleted(task, completed, NOON));
  feed.subscribe('bob', () => t.pass());
  await add('bob');
  await edit(true);
  t.deepEqual(await round(), { delays: [0], more: false, next: undefined });
  await edit(false);
  t.deepEqual((await round()).delays, []);
  t.deepEqual(await reminded('alice'), []);
});

test('after an outage all come, late', async (t) => {
  const { round, add, wait, reminded } = setUp();
  await add('alice', 250);
  wait(86_400_000);
  const rounds = [];
  do rounds.push(await round());
  while (rounds.at(-1)?.more);
  t.is(rounds.flatMap(({ delays }) => delays).filter((delay) => delay === 86_400_000).length, 250);
  t.is((await reminded('alice')).length, 250);
  t.true(
    rounds.every(({ delays }) => delays.length <= 100),
    'some at a time',
  );
});

test('who has many does not hold up others, who came later', async (t) => {
  const { round, add, wait, reminded } = setUp();
  await add('alice', 300);
  for (let i = 0; i < 20; i++) await add(`user ${i}`, 1, 1);
  wait(1_000);
  t.true((await round()).more);
  await round();
  t.is((await reminded('alice')).length, 100);
  for (let i = 0; i < 20; i++) t.is((await reminded(`user ${i}`)).length, 1);
  while ((await round()).more);
  t.is((await reminded('alice')).length, 300);
});

test('reminders that somebody else holds are left to them, and do not hold up others', async (t) => {
  const held = new Set<UserId>(Array.from({ length: 120 }, (_, i) => `held ${i}`));
  const { round, add, wait, reminded, recorded } = setUp(({ record }) => ({
    record: async (due, toReminder) =>
      held.has(due.userId) ? { come: 0, position: undefined } : record(due, toReminder),
  }));
  for (const user of held) await add(user);
  await add('alice', 1, 1);
  wait(10);
  const rounds = [];
  do rounds.push(await round());
  while (rounds.at(-1)?.more && rounds.length < 20);
  t.is((await reminded('alice')).length, 1);
  t.true(rounds.length < 20, 'it waits where nothing can be done');
  t.is(recorded.length, 1);
  held.clear();
  while ((await round()).more);
  t.is((await reminded('held 7')).length, 1);
});

test('a user whose reminders cannot be recorded is left alone for a while', async (t) => {
  let tried = 0;
  const { round, add, reminded } = setUp(({ record }) => ({
    async record(due, toReminder) {
      if (due.userId !== 'mallory') return record(due, toReminder);
      tried++;
      throw new Error('on purpose');
    },
  }));
  await add('mallory');
  await add('alice');
  t.like(await round(), { delays: [0], failed: { message: 'on purpose' } });
  await add('bob');
  t.deepEqual(await round(), { delays: [0], more: false, next: undefined });
  t.is(tried, 1);
  t.is((await reminded('bob')).length, 1);
});

test('where nothing can be recorded, the round fails and does not try everybody', async (t) => {
  let tried = 0;
  const { round, add } = setUp(() => ({
    async record() {
      tried++;
      throw new Error('on purpose');
    },
  }));
  for (let i = 0; i < 50; i++) await add(`user ${i}`);
  await t.throwsAsync(round(), { message: 'on purpose' });
  t.true(tried < 10, `${tried} tried`);
});

test('a round stops early when it is told to, and the next one goes on', async (t) => {
  const { round, add, reminded } = setUp();
  for (let i = 0; i < 10; i++) await add(`user ${i}`);
  let asked = 0;
  t.is((await round(() => ++asked > 3)).delays.length, 3);
  t.is((await round()).delays.length, 7);
  t.is((await reminded('user 9')).length, 1);
});
