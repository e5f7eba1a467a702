import assert from 'node:assert/strict';
import {
  type Journal,
  type JournalEntry,
  journalPosition,
  type TaskListing,
  type TaskQuery,
  type TaskRepository,
} from '@todo-backend/application';
import {
  createTask,
  type DueDate,
  type EventOrigin,
  parseDueDate,
  type Task,
  type TaskContent,
  type TaskId,
} from '@todo-backend/domain';
import { type TaskWriter, taskWriter } from './task-writer.js';

/** What the contract needs besides the port. */
export interface TaskRepositoryHarness {
  readonly tasks: TaskRepository;
  /** The same tasks, in a repository in which a user may have only so many; `undefined` when that is not limited. */
  readonly withMaxTasks?: (maxTasks: number) => TaskRepository;
  /** The journal of the same tasks. */
  readonly journal: Journal;
  /** A new task id: the adapter may have been used before. */
  newId(): string;
  /** Creates a user. */
  newUser(): Promise<string>;
  /** Deletes a user as the owner of the `user` table does; `undefined` when users are not checked. */
  readonly deleteUser?: (user: string) => Promise<void>;
}

/** A test of one behaviour that every {@link TaskRepository} must have; throws on failure. */
export interface ContractCase {
  readonly name: string;
  verify(harness: TaskRepositoryHarness): Promise<void>;
}

export const later = '2026-06-01T00:00:00.000Z';
/** The content of a task with nothing special about it. */
export const plain: TaskContent = {
  title: 'a task',
  description: null,
  priority: 'low',
  category: 'work',
  dueDate: null,
  tags: [],
  recurrence: null,
  remindAt: null,
};
export const newestFirst: TaskQuery = { sortBy: 'createdAt', sortOrder: 'desc' };

/** What a case works with. */
export interface Context extends Omit<TaskRepositoryHarness, 'tasks'> {
  readonly tasks: TaskRepository & TaskWriter;
  readonly owner: string;
  /** A new task of the owner, not stored yet, created a second after the previous one. */
  newTask(content: Partial<TaskContent>): Task;
}

/** A case of a contract. Afterwards the journal must tell all that happened. */
export function contract(name: string, verify: (context: Context) => Promise<void>): ContractCase {
  return {
    name,
    async verify(harness) {
      const owner = await harness.newUser();
      let moment = Date.parse('2026-03-01T12:00:00.000Z');
      const newTask = (content: Partial<TaskContent>) => {
        moment += 1000;
        return createTask(
          { ...plain, ...content },
          { id: harness.newId(), userId: owner, now: new Date(moment).toISOString() },
        );
      };
      const { tasks } = harness;
      const context: Context = {
        ...harness,
        tasks: {
          list: (owner, query) => tasks.list(owner, query),
          find: (owner, id) => tasks.find(owner, id),
          count: (owner) => tasks.count(owner),
          tags: (owner) => tasks.tags(owner),
          change: (...change) => tasks.change(...change),
          ...taskWriter(tasks),
        },
        owner,
        newTask,
      };
      await verify(context);
      await assertJournalTellsAll(context);
    },
  };
}

/** The journal has no gaps, replaying it gives the stored tasks, and the counts agree with both. */
async function assertJournalTellsAll({ tasks, journal, owner }: Context): Promise<void> {
  const entries = (await journal.entries(owner, { limit: 1000 })).toReversed();
  assert.deepEqual(
    entries.map(({ sequence }) => sequence),
    entries.map((_, i) => i + 1),
  );
  const replayed = entries.reduce(replay, new Map());
  const { tasks: stored, position } = await tasks.list(owner, newestFirst);
  assert.equal(position, journalPosition(entries.length, entries.at(-1)?.id));
  assert.deepEqual(new Map(stored.map((task) => [task.id, task])), replayed);
  const completed = stored.filter(({ status }) => status === 'completed').length;
  const total = stored.length;
  assert.deepEqual(await tasks.count(owner), { total, pending: total - completed, completed, position });
}

function replay(tasks: Map<TaskId, Task>, entry: JournalEntry): Map<TaskId, Task> {
  if ('changes' in entry) {
    const before = tasks.get(entry.taskId) ?? assert.fail('changed before it was created');
    const changes = Object.entries(entry.changes);
    for (const [field, change] of changes) assert.deepEqual(before[field as keyof Task], change.before, field);
    const after = Object.fromEntries(changes.map(([field, change]) => [field, change.after]));
    return tasks.set(entry.taskId, { ...before, ...after });
  }
  if (entry.type === 'todo.task.erased.v1') {
    assert.equal(tasks.has(entry.taskId), false, 'only what was deleted is erased');
    return tasks;
  }
  if (entry.type !== 'todo.task.deleted.v1') return tasks.set(entry.taskId, entry.task);
  assert.deepEqual(tasks.get(entry.taskId), entry.task, 'deleted as it last was');
  tasks.delete(entry.taskId);
  return tasks;
}

export async function whole({ tasks, rest }: TaskListing): Promise<Task[]> {
  const all = [...tasks];
  if (rest !== undefined) for await (const part of rest) all.push(...part.tasks);
  return all;
}

export async function listIds(
  { tasks, owner }: { readonly tasks: TaskRepository; readonly owner: string },
  query: TaskQuery,
): Promise<string[]> {
  return (await tasks.list(owner, query)).tasks.map(({ id }) => id);
}

export function due(text: string): DueDate {
  return parseDueDate(text) ?? assert.fail(`${text} is no due date`);
}

export function originOf(user: string, id: string): EventOrigin {
  return { id, time: later, actor: { type: 'user', id: user }, correlationId: null };
}

export function tasksOfEveryKind(newTask: (content: Partial<TaskContent>) => Task): Task[] {
  return [
    newTask({ title: 'plain' }),
    newTask({ title: 'all', description: 'd', priority: 'high', category: 'home', dueDate: due('2026-03-10') }),
    newTask({ title: 'empty description', description: '' }),
    newTask({ title: 'instant', dueDate: due('2026-03-10T09:30:00+05:00') }),
    newTask({ title: 'milliseconds', dueDate: due('2026-03-10T09:30:00.120') }),
    newTask({ title: 'first year', dueDate: due('0001-01-01') }),
    newTask({ title: 'last moment', dueDate: due('9999-12-31T23:59:59.999Z') }),
    newTask({ title: `'"\\%_ \u0001\t\u{1f600}\ufeff\u202e x`, description: "'; drop table tasks; --\r\n$1" }),
    newTask({ title: 'one tag', tags: ['next'] }),
    newTask({ title: 'reminder', remindAt: '0001-01-01T00:00:00.001Z' }),
    newTask({
      title: 'repeats',
      dueDate: due('9999-12-31T23:59:59.999Z'),
      recurrence: { rule: 'freq=yearly;bymonth=2;bymonthday=-1', anchor: 'completion', timeZone: 'Etc/GMT+12' },
      remindAt: '9999-12-31T23:59:59.999Z',
    }),
    newTask({
      title: 'tags of every kind',
      dueDate: due('2026-03-10'),
      tags: [
        'b',
        'a',
        '[",\\{}\'%',
        'NULL',

        ',',
        '\ufeffx\u0001y',
        '\u{1f600}'.repeat(50),
        'straße',
        'e\u0301',
      ],
    }),
    newTask({ title: 'byte order mark, and commas,', description: '\ufeff,{"a":null}' }),
    newTask({ title: '\u{1f600}'.repeat(255), description: '\u{1f600}'.repeat(1000) }),
  ];
}
