import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type DueReminders,
  type Journal,
  type JournalEntry,
  journalPosition,
  type RecordedReminders,
  type Reminders,
  type TaskRepository,
} from '@todo-backend/application';
import {
  createTask,
  creation,
  deletion,
  type EventOrigin,
  editTask,
  isCompleted,
  reminder,
  restoration,
  setCompleted,
  type Task,
  type TaskId,
  type Timestamp,
  takeover,
  type UserId,
} from '@todo-backend/domain';
import { plain } from './contract.js';
import { taskWriter } from './task-writer.js';

/** What the contract needs besides the port. */
export interface RemindersHarness {
  readonly reminders: Reminders;
  /** The tasks that there are reminders of, and their journal. */
  readonly tasks: TaskRepository;
  readonly journal: Journal;
  /** A new id, of a task or an event. */
  newId(): string;
  /** Creates a user. */
  newUser(): Promise<string>;
  /** Deletes a user as the owner of the `user` table does; `undefined` when users are not checked. */
  readonly deleteUser?: ((user: UserId) => Promise<void>) | undefined;
}

/** A test of one behaviour that every {@link Reminders} must have; throws on failure. */
export interface RemindersCase {
  readonly name: string;
  verify(harness: RemindersHarness): Promise<void>;
}

const HOUR = 3_600_000;

/**
 * The behaviour that the use case relies on, for every adapter of {@link Reminders}. Run the cases one after the other:
 * each leaves nothing that is due. The adapter's clock has to be that of this process, to some seconds.
 */
export const remindersContract: readonly RemindersCase[] = [
  contract('lets a reminder come once, with its event, and leaves the task as it is', async (context) => {
    const { add, due, record, reminded, tasks, owner } = context;
    const task = await add({ remindAt: ago(HOUR) });
    const before = await tasks.count(owner);
    assert.deepEqual(await due(), [task.id]);
    assert.deepEqual(await due(), [task.id], 'looking changes nothing');
    const { come, position } = await record([task.id]);
    assert.equal(come, 1);
    const [event, ...more] = await reminded();
    assert.deepEqual([event?.taskId, event?.sequence, more], [task.id, 2, []]);
    assert.deepEqual(event && 'task' in event && event.task, task);
    assert.equal(position, journalPosition(2, event?.id));
    assert.ok((event?.time ?? '') >= ago(60_000), 'late, and dated when it came');
    assert.deepEqual(await tasks.find(owner, task.id), task);
    assert.deepEqual(await tasks.count(owner), { ...before, position });
    assert.deepEqual(await due(), []);
    assert.deepEqual(await record([task.id]), { come: 0, position: undefined }, 'it has come');
    assert.equal((await reminded()).length, 1);
  }),

  contract('says how long the next one takes, where that is soon', async (context) => {
    const { add, due, outlook, record } = context;
    await add({ remindAt: ago(-HOUR) });
    const soon = await add({ remindAt: ago(-500) });
    const { next = Number.NaN } = await outlook();
    assert.ok(next > 0 && next <= 500, String(next));
    assert.deepEqual(await due(), [], 'not yet');
    assert.deepEqual(await record([soon.id]), { come: 0, position: undefined }, 'not even when asked for');
    await sleep(next + 10);
    assert.deepEqual(await due(), [soon.id]);
    await record([soon.id]);
  }),

  contract('gives the oldest first, some at a time, and leaves out whom it is told to', async (context) => {
    const { reminders, owner, newUser, addMany, record } = context;
    const other = await newUser();
    const many = await addMany(owner, 150, (i) => ago(HOUR - i));
    const [one] = await addMany(other, 1, () => ago(1_000));
    const first = await reminders.due([]);
    assert.deepEqual(first.due, [{ userId: owner, tasks: many.slice(0, 100) }]);
    assert.equal(first.more, true);
    const { due, more } = await reminders.due([owner]);
    assert.deepEqual([due, more], [[{ userId: other, tasks: [one] }], false]);
    assert.deepEqual((await reminders.due([owner, other])).due, []);
    assert.equal((await record(many.slice(0, 100))).come, 100);
    const rest = await reminders.due([]);
    assert.deepEqual(rest.due, [
      { userId: owner, tasks: many.slice(100) },
      { userId: other, tasks: [one] },
    ]);
    for (const { userId, tasks } of rest.due) await record(tasks, userId);
    assert.deepEqual((await reminders.due([])).due, []);
  }),

  contract('numbers the events of one transaction in the order of the reminders', async (context) => {
    const { owner, addMany, record, reminded } = context;
    const ids = await addMany(owner, 3, (i) => ago(HOUR + 1_000 * i));
    const { position } = await record(ids);
    const events = await reminded();
    assert.deepEqual(
      events.map(({ taskId, sequence }) => [taskId, sequence]),
      [
        [ids[2], 4],
        [ids[1], 5],
        [ids[0], 6],
      ],
    );
    assert.equal(position, journalPosition(6, events[2]?.id));
  }),

  contract('lets the reminder of a completed task pass, also for later', async (context) => {
    const { add, edit, due, record, reminded } = context;
    const [done, pending] = [await add({ remindAt: ago(HOUR) }), await add({ remindAt: ago(HOUR - 1) })];
    await edit(done.id, (task, now) => setCompleted(task, true, now));
    assert.deepEqual(await due(), [done.id, pending.id]);
    assert.equal((await record([done.id, pending.id])).come, 2, 'together with one that is not');
    const alone = await add({ remindAt: ago(HOUR) });
    await edit(alone.id, (task, now) => setCompleted(task, true, now));
    assert.deepEqual(await record([alone.id]), { come: 1, position: undefined });
    for (const { id } of [done, alone]) await edit(id, (task, now) => setCompleted(task, false, now));
    assert.deepEqual(await due(), [], 'reopened');
    assert.deepEqual(
      (await reminded()).map(({ taskId }) => taskId),
      [pending.id],
    );
  }),

  contract('lets a reminder come that a task was completed and reopened before', async (context) => {
    const { add, edit, due, record, reminded } = context;
    const { id } = await add({ remindAt: ago(HOUR) });
    await edit(id, (task, now) => setCompleted(task, true, now));
    await edit(id, (task, now) => setCompleted(task, false, now));
    assert.deepEqual(await due(), [id]);
    await record([id]);
    assert.equal((await reminded()).length, 1);
  }),

  contract(
    'comes again for a later moment, and not for an earlier one, another title or the same moment',
    async (context) => {
      const { add, edit, due, record, reminded } = context;
      const { id } = await add({ remindAt: ago(2 * HOUR) });
      const set = (remindAt: Timestamp | null) => edit(id, (task, now) => editTask(task, { remindAt }, now));
      await record([id]);
      for (const remindAt of [ago(3 * HOUR), null, ago(2 * HOUR + 60_000)]) {
        await set(remindAt);
        assert.deepEqual(await due(), [], String(remindAt));
      }
      await edit(id, (task, now) => editTask(task, { title: 'another' }, now));
      assert.deepEqual(await due(), []);
      await set(ago(HOUR));
      assert.deepEqual(await due(), [id]);
      await set(ago(-HOUR));
      assert.deepEqual(await record([id]), { come: 0, position: undefined }, 'it was put off');
      await set(ago(HOUR));
      await record([id]);
      assert.equal((await reminded()).length, 2);
    },
  ),

  contract('does not come for a task that was deleted, also when it is restored', async (context) => {
    const { tasks, owner, add, due, record, reminded, originOf } = context;
    const task = await add({ remindAt: ago(HOUR) });
    const ahead = await add({ remindAt: ago(-HOUR) });
    const both = [task, ahead];
    await tasks.change(owner, [task.id, ahead.id], () => ({
      transitions: both.map((task) => deletion(task, originOf())),
      result: null,
    }));
    assert.deepEqual(await due(), []);
    assert.deepEqual(await record([task.id]), { come: 0, position: undefined });
    await tasks.change(owner, [], () => ({
      transitions: both.map((task) => restoration(task, originOf())),
      result: null,
    }));
    assert.deepEqual(await due(), []);
    const again = await tasks.find(owner, ahead.id);
    assert.equal(again?.remindAt, ahead.remindAt, 'that one is still to come');
    const soon = ago(60_000);
    await context.edit(ahead.id, (task, now) => editTask(task, { remindAt: soon }, now));
    assert.deepEqual(await due(), [], 'before it was restored');
    assert.deepEqual(await reminded(), []);
  }),

  contract('does not come for the past of a task that was taken over, and does for its future', async (context) => {
    const { tasks, owner, newTask, due, record, originOf } = context;
    const old = newTask({ remindAt: ago(HOUR) });
    const soon = newTask({ remindAt: ago(-50) });
    for (const transitions of [
      [takeover(old, originOf())],
      [takeover(soon, originOf()), takeover(newTask({ remindAt: ago(HOUR) }), originOf())],
    ]) {
      await tasks.change(owner, [], () => ({ transitions, result: null }));
    }
    await sleep(100);
    assert.deepEqual(await due(), [soon.id]);
    await record([soon.id]);
  }),

  contract('touches nobody else', async (context) => {
    const { add, newUser, record, due, tasks } = context;
    const task = await add({ remindAt: ago(HOUR) });
    const stranger = await newUser();
    assert.deepEqual(await record([task.id], stranger), { come: 0, position: undefined });
    assert.equal((await tasks.count(stranger)).position, journalPosition(0));
    assert.deepEqual(await due(), [task.id]);
    assert.equal((await record([task.id])).come, 1);
  }),

  contract('records all or nothing', async (context) => {
    const { reminders, owner, addMany, due, record, reminded } = context;
    const ids = await addMany(owner, 3, (i) => ago(HOUR - i));
    let asked = 0;
    const broken = reminders.record({ userId: owner, tasks: ids }, (task, now) => {
      if (++asked === 3) throw new Error('on purpose');
      return reminder(task, context.originOf(now));
    });
    await assert.rejects(broken, /on purpose/);
    assert.deepEqual([await due(), await reminded()], [ids, []]);
    assert.equal((await record(ids)).come, 3);
    assert.equal((await reminded()).length, 3);
  }),

  contract('comes once, however many record it at once', async (context) => {
    const { owner, addMany, due, record, reminded } = context;
    const ids = await addMany(owner, 20, (i) => ago(HOUR - i));
    let total = 0;
    while ((await due()).length > 0) {
      const results = await Promise.all(Array.from({ length: 5 }, () => record(ids)));
      total += results.reduce((sum, { come }) => sum + come, 0);
    }
    assert.equal(total, 20);
    assert.deepEqual((await reminded()).map(({ taskId }) => taskId).sort(), [...ids].sort());
  }),

  contract('forgets a deleted user', async (context) => {
    const { add, owner, deleteUser, reminders, record } = context;
    if (deleteUser === undefined) return;
    const task = await add({ remindAt: ago(HOUR) });
    await deleteUser(owner);
    assert.deepEqual((await reminders.due([])).due, []);
    assert.deepEqual(await record([task.id]), { come: 0, position: undefined });
  }),
];

interface Context extends RemindersHarness {
  readonly owner: UserId;
  /** The origin of an event of the owner; now, when no time is given. */
  originOf(time?: Timestamp): EventOrigin;
  newTask(fields: Pick<Task, 'remindAt'>, userId?: UserId): Task;
  /** Stores a new task of the owner. */
  add(fields: Pick<Task, 'remindAt'>): Promise<Task>;
  /** Stores new tasks of a user, in one change. */
  addMany(userId: UserId, count: number, remindAt: (index: number) => Timestamp): Promise<TaskId[]>;
  edit(id: TaskId, edit: (task: Task, now: Timestamp) => Task): Promise<void>;
  outlook(): ReturnType<Reminders['due']>;
  /** The owner's tasks whose reminders have come. */
  due(): Promise<TaskId[]>;
  /** Records reminders as the use case does; of the owner, when no other user is given. */
  record(tasks: readonly TaskId[], userId?: UserId): Promise<RecordedReminders>;
  /** The events of reminders in the owner's journal, oldest first. */
  reminded(): Promise<JournalEntry[]>;
}

function contract(name: string, verify: (context: Context) => Promise<void>): RemindersCase {
  return {
    name,
    async verify(harness) {
      const { reminders, tasks, journal, newId } = harness;
      const owner = await harness.newUser();
      const originOf = (time = ago(0)): EventOrigin => ({
        id: newId(),
        time,
        actor: { type: 'user', id: owner },
        correlationId: null,
      });
      const newTask = ({ remindAt }: Pick<Task, 'remindAt'>, userId = owner) =>
        createTask({ ...plain, tags: ['of a reminder'], remindAt }, { id: newId(), userId, now: ago(4 * HOUR) });
      await verify({
        ...harness,
        owner,
        originOf,
        newTask,
        async add(fields) {
          const task = newTask(fields);
          await taskWriter(tasks).add(task);
          return task;
        },
        async addMany(userId, count, remindAt) {
          const made = Array.from({ length: count }, (_, i) => newTask({ remindAt: remindAt(i) }, userId));
          await tasks.change(userId, [], () => ({
            transitions: made.map((task) => creation(task, originOf())),
            result: null,
          }));
          return made.map(({ id }) => id);
        },
        async edit(id, edit) {
          await taskWriter(tasks).update(owner, id, (task) => edit(task, ago(0)));
        },
        outlook: () => reminders.due([]),
        async due() {
          const { due } = await reminders.due([]);
          return due.flatMap((found): readonly TaskId[] => (found.userId === owner ? found.tasks : []));
        },
        record: (tasks, userId = owner) =>
          reminders.record({ userId, tasks } satisfies DueReminders, (task, now) =>
            isCompleted(task) ? undefined : reminder(task, originOf(now)),
          ),
        async reminded() {
          const type = 'todo.task.reminder-due.v1';
          return (await journal.entries(owner, { type, limit: 1_000 })).toReversed();
        },
      });
    },
  };
}

/** The time this many milliseconds ago. */
function ago(milliseconds: number): Timestamp {
  return new Date(Date.now() - milliseconds).toISOString();
}
