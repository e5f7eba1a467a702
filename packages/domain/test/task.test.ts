import {
  createTask,
  editTask,
  folded,
  type InvalidInputError,
  isCompleted,
  setCompleted,
  type TaskContent,
  tagProblems,
} from '@todo-backend/domain';
import test from 'ava';
import fc from 'fast-check';

const content: TaskContent = {
  title: 'Buy milk',
  description: null,
  priority: 'low',
  category: 'home',
  dueDate: null,
  tags: [],
  recurrence: null,
  remindAt: null,
};
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
    series: null,
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

test('tags are trimmed, and keep their order', (t) => {
  const tags = [' b ', 'a', '\u{1f600}'.repeat(50), '\ta  b\n'];
  const expected = ['b', 'a', '\u{1f600}'.repeat(50), 'a  b'];
  t.deepEqual(createTask({ ...content, tags }, origin).tags, expected);
  t.deepEqual(editTask(task, { tags }, origin.now).tags, expected);
  t.is(createTask({ ...content, tags: Array.from({ length: 20 }, (_, i) => `${i}`) }, origin).tags.length, 20);
});

test('each problem of tags is named by its place', (t) => {
  const problemsOf = (tags: readonly string[]) => {
    const error = t.throws<InvalidInputError>(() => createTask({ ...content, tags }, origin), {
      code: 'INVALID_INPUT',
    });
    t.deepEqual(t.throws<InvalidInputError>(() => editTask(task, { tags }, origin.now))?.problems, error?.problems);
    return error?.problems.map(({ field }) => field);
  };
  t.deepEqual(problemsOf(['', 'a', ' ', 'x'.repeat(51), '\u200b', 'a\0', '\udc00']), [
    'tags.0',
    'tags.2',
    'tags.3',
    'tags.4',
    'tags.5',
    'tags.6',
  ]);
  t.deepEqual(problemsOf(Array.from({ length: 21 }, (_, i) => `${i}`)), ['tags']);
  for (const [one, other] of [
    ['a', 'A '],
    ['straße', 'STRASSE'],
    ['ẞ', 'ss'],
    ['ΟΔΟΣ', 'οδος'],
    ['é', 'E\u0301'],
  ]) {
    t.deepEqual(problemsOf([one ?? '', 'between', other ?? '']), ['tags.2']);
  }
});

test('tags are valid where none is blank, too long or there twice', (t) => {
  const unit = fc.constantFrom('a', 'A', 'ß', 's', 'S', 'e\u0301', 'É', ' ', '\u{1f600}', '\u200b');
  const tags = fc.array(fc.string({ unit, maxLength: 3 }), { maxLength: 22 });
  fc.assert(
    fc.property(tags, (tags) => {
      const blank = tags.filter((tag) => !/[^\s\u200b]/u.test(tag));
      const names = new Set(tags.map((tag) => folded(tag.trim())));
      const isValid = tags.length <= 20 && blank.length === 0 && names.size === tags.length;
      t.is(tagProblems(tags).length === 0, isValid);
    }),
  );
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
