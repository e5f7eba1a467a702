import {
  createTask,
  creation,
  deletion,
  type EventOrigin,
  editTask,
  revision,
  setCompleted,
} from '@todo-backend/domain';
import test from 'ava';
import fc from 'fast-check';

const later = '2026-03-02T12:00:00.000Z';
const origin: EventOrigin = {
  id: 'event',
  time: later,
  actor: { type: 'agent', id: 'helper' },
  correlationId: 'request',
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

test('creation and deletion carry the whole task', (t) => {
  const common = { ...origin, userId: 'alice', taskId: 'task', task };
  const created = { type: 'todo.task.created.v1', ...common } as const;
  const deleted = { type: 'todo.task.deleted.v1', ...common } as const;
  t.deepEqual(creation(task, origin), { before: undefined, after: task, event: created });
  t.deepEqual(deletion(task, origin), { before: task, after: undefined, event: deleted });
});

test('a revision carries each changed field, before and after', (t) => {
  const edited = editTask(task, { title: 'another', priority: 'low' }, later);
  t.deepEqual(revision(task, edited, origin), {
    before: task,
    after: edited,
    event: {
      ...origin,
      type: 'todo.task.updated.v1',
      userId: 'alice',
      taskId: 'task',
      changes: {
        title: { before: 'a task', after: 'another' },
        updatedAt: { before: task.updatedAt, after: later },
      },
    },
  });
  const done = setCompleted(task, true, later);
  t.is(revision(task, done, origin).event?.type, 'todo.task.completed.v1');
  t.is(revision(done, setCompleted(done, false, later), origin).event?.type, 'todo.task.reopened.v1');
});

test('there is no event when nothing differs', (t) => {
  t.deepEqual(revision(task, editTask(task, { title: 'a task' }, later), origin), {
    before: task,
    after: task,
    event: undefined,
  });
});

test('the changes applied to the state before give the state after', (t) => {
  const changes = fc.record(
    {
      title: fc.string({ minLength: 1, maxLength: 20 }).filter((title) => title.trim() !== '' && !title.includes('\0')),
      description: fc.option(fc.constantFrom('', 'x', 'y')),
      priority: fc.constantFrom('low' as const, 'medium' as const, 'high' as const),
      category: fc.constantFrom('work' as const, 'home' as const),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(changes, fc.boolean(), (content, isEdit) => {
      const after = isEdit ? editTask(task, content, later) : setCompleted(task, true, later);
      const { event } = revision(task, after, origin);
      const fields = event && 'changes' in event ? Object.entries(event.changes) : [];
      t.deepEqual({ ...task, ...Object.fromEntries(fields.map(([field, change]) => [field, change.after])) }, after);
      for (const [, change] of fields) t.notDeepEqual(change.before, change.after);
    }),
  );
});
