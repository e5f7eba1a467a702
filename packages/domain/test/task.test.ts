import { createTask, editTask, isCompleted, setCompleted, type TaskContent } from '@todo-backend/domain';
import test from 'ava';
import fc from 'fast-check';

const content: TaskContent = { title: 'Buy milk', description: null, priority: 'low', category: 'home', dueDate: null };
const origin = { id: '00000000-0000-7000-8000-000000000001', userId: 'alice', now: '2026-03-01T12:00:00.000Z' };
const task = createTask(content, origin);

test('a new task is pending, with updatedAt equal to createdAt', (t) => {
  t.deepEqual(task, {
    ...content,
    id: origin.id,
    userId: 'alice',
    status: 'pending',
    createdAt: origin.now,
    updatedAt: origin.now,
  });
});

test('a title is trimmed, and has 1 to 255 characters', (t) => {
  t.is(createTask({ ...content, title: ' \n x y\t' }, origin).title, 'x y');
  t.is(createTask({ ...content, title: '\u{1f600}'.repeat(255) }, origin).title.length, 510);
  for (const title of ['', '   ', 'x'.repeat(256), '\u{1f600}'.repeat(256)]) {
    t.like(
      t.throws(() => createTask({ ...content, title }, origin)),
      {
        code: 'INVALID_INPUT',
        problems: [{ field: 'title', message: 'Title must have 1 to 255 characters.' }],
      },
    );
  }
});

test('a description has up to 1000 characters, and may be empty', (t) => {
  t.is(createTask({ ...content, description: '' }, origin).description, '');
  t.is(createTask({ ...content, description: 'x'.repeat(1000) }, origin).description?.length, 1000);
  t.like(
    t.throws(() => createTask({ ...content, description: 'x'.repeat(1001) }, origin)),
    { code: 'INVALID_INPUT' },
  );
});

test('a text that cannot be stored exactly is refused, and every problem is reported', (t) => {
  const bad = { ...content, title: 'a\0b', description: 'half \ud83d of a pair' };
  for (const attempt of [() => createTask(bad, origin), () => editTask(task, bad, origin.now)]) {
    t.like(t.throws(attempt), {
      code: 'INVALID_INPUT',
      problems: [
        { field: 'title', message: 'Title must not contain the NUL character.' },
        {
          field: 'description',
          message: 'Description must be well-formed Unicode (it contains half of a surrogate pair).',
        },
      ],
    });
  }
});

test('an edit changes the given fields and leaves the rest', (t) => {
  const now = '2026-03-02T00:00:00.000Z';
  t.deepEqual(editTask(task, { title: ' New ', description: 'why' }, now), {
    ...task,
    title: 'New',
    description: 'why',
    updatedAt: now,
  });
});

test('an edit or a completion that changes nothing returns the same object', (t) => {
  const now = '2026-03-02T00:00:00.000Z';
  t.is(editTask(task, {}, now), task);
  t.is(editTask(task, { ...content, title: ' Buy milk ' }, now), task);
  t.is(editTask(task, { title: undefined }, now), task);
  t.is(setCompleted(task, false, now), task);
});

test('completing and reopening', (t) => {
  const now = '2026-03-02T00:00:00.000Z';
  const done = setCompleted(task, true, now);
  t.deepEqual(done, { ...task, status: 'completed', updatedAt: now });
  t.true(isCompleted(done));
  t.false(isCompleted(setCompleted(done, false, now)));
});

test('updatedAt grows with every change, even when the clock stands still or goes back', (t) => {
  const moments = fc.array(fc.constantFrom('2025-01-01T00:00:00.000Z', origin.now, '2026-03-01T12:00:00.001Z'));
  fc.assert(
    fc.property(moments, (clock) => {
      let current = task;
      for (const [i, now] of clock.entries()) {
        const next = editTask(current, { title: `title ${i}` }, now);
        t.true(next.updatedAt > current.updatedAt);
        current = next;
      }
    }),
  );
});
