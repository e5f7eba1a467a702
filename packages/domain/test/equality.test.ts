import { createTask, editTask, revision, TASK_EVENTS, type Task } from '@todo-backend/domain';
import test from 'ava';
import fc from 'fast-check';

const origin = {
  id: 'event',
  time: '2026-03-02T12:00:00.000Z',
  actor: { type: 'user', id: 'alice' } as const,
  correlationId: null,
};
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
  { id: 'task', userId: 'alice', now: '2026-03-01T12:00:00.000Z' },
);

/** A task with a non-primitive field, as a later version may have. */
const withTags = (tags: unknown): Task => ({ ...task, tags }) as Task;

test('fields are compared by content', (t) => {
  t.is(revision(withTags(['a', 'b']), withTags(['a', 'b']), origin).event, undefined);
  t.is(revision(withTags({ x: [1] }), withTags({ x: [1] }), origin).event, undefined);
  for (const other of [['b', 'a'], ['a'], ['a', 'b', 'c'], [], null, { 0: 'a', 1: 'b' }, 'a,b']) {
    const { event } = revision(withTags(['a', 'b']), withTags(other), origin);
    t.deepEqual(event && 'changes' in event && event.changes, { tags: { before: ['a', 'b'], after: other } } as object);
  }
});

test('equal copies never differ', (t) => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      t.is(revision(withTags(value), withTags(structuredClone(value)), origin).event, undefined);
    }),
  );
});

test('each transition has an event of a listed type, with the listed payload', (t) => {
  const edited = editTask(task, { title: 'another' }, origin.time);
  const { event } = revision(task, edited, origin);
  t.is(event?.type, 'todo.task.updated.v1');
  for (const [type, payload] of Object.entries(TASK_EVENTS)) {
    t.regex(type, /^todo\.task\.[a-z-]+\.v\d+$/);
    t.true(['task', 'changes', 'nothing'].includes(payload));
  }
});
