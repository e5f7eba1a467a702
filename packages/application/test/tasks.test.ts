import { taskUseCases, unchecked } from '@todo-backend/application';
import { fixedClock, InMemoryTaskRepository, sequentialIds } from '@todo-backend/application/testing';
import type { InvalidInputError } from '@todo-backend/domain';
import test from 'ava';

const ABSENT = '00000000-0000-7000-8000-00000000ffff';

function setUp() {
  const clock = fixedClock('2026-03-01T12:00:00.000Z');
  const tasks = taskUseCases({ tasks: new InMemoryTaskRepository(), clock, newId: sequentialIds() });
  return { tasks, clock };
}

const input = { title: 'Buy milk', priority: 'high', category: 'home' } as const;

test('creates a pending task with an id, an owner and a time', async (t) => {
  const { tasks } = setUp();
  const task = await tasks.create('alice', {
    ...input,
    title: '  Buy milk ',
    priority: unchecked('HIGH'),
    dueDate: '2026-03-10',
  });
  t.deepEqual(task as unknown, {
    id: '00000000-0000-7000-8000-000000000001',
    userId: 'alice',
    title: 'Buy milk',
    description: null,
    priority: 'high',
    category: 'home',
    status: 'pending',
    dueDate: '2026-03-10T00:00:00',
    tags: [],
    recurrence: null,
    remindAt: null,
    series: null,
    createdAt: '2026-03-01T12:00:00.000Z',
    updatedAt: '2026-03-01T12:00:00.000Z',
  });
  t.deepEqual(await tasks.get('alice', task.id), task);
  t.deepEqual(await tasks.get('alice', task.id.toUpperCase()), task);
});

test('reports every problem of the input at once', async (t) => {
  const { tasks } = setUp();
  const problemsOf = async (attempt: Promise<unknown>) => {
    const error = await t.throwsAsync<Error & { problems: { field: string }[] }>(attempt, { code: 'INVALID_INPUT' });
    return error?.problems.map(({ field }) => field);
  };
  t.deepEqual(await problemsOf(tasks.create('alice', unchecked({}))), ['title', 'priority', 'category']);
  t.deepEqual(
    await problemsOf(
      tasks.create('alice', unchecked({ title: ' ', description: 1, priority: 'x', category: null, dueDate: 5 })),
    ),
    ['title', 'description', 'priority', 'category', 'dueDate'],
  );
  t.deepEqual(await problemsOf(tasks.update('alice', 'no-uuid', unchecked({ title: null, priority: '' }))), [
    'taskId',
    'title',
    'priority',
  ]);
  t.deepEqual(await problemsOf(tasks.complete('alice', 'no-uuid', unchecked({ completed: 'yes' }))), [
    'taskId',
    'completed',
  ]);
  t.deepEqual(await problemsOf(tasks.get('alice', 'no-uuid')), ['taskId']);
  t.deepEqual(await problemsOf(tasks.delete('alice', unchecked(undefined))), ['taskId']);
  t.deepEqual(
    await problemsOf(
      tasks.list(
        'alice',
        unchecked({ status: 'x', priority: ['low', 'low'], search: 'a\0', sortBy: '', sortOrder: 'ASC' }),
      ),
    ),
    ['status', 'priority', 'search', 'sortBy', 'sortOrder'],
  );
  t.deepEqual((await tasks.list('alice')).tasks, []);
});

for (const body of [undefined, null, [], 'text', 5, true]) {
  test(`refuses ${JSON.stringify(body)} as a task`, async (t) => {
    const { tasks } = setUp();
    const { id } = await tasks.create('alice', input);
    const expected = { code: 'INVALID_INPUT', message: 'The input must be an object.' };
    await t.throwsAsync(tasks.create('alice', unchecked(body)), expected);
    await t.throwsAsync(tasks.update('alice', id, unchecked(body)), expected);
    if (body !== undefined) await t.throwsAsync(tasks.complete('alice', id, unchecked(body)), expected);
  });
}

test('merges an update, and ignores read-only fields', async (t) => {
  const { tasks, clock } = setUp();
  const task = await tasks.create('alice', { ...input, description: 'two litres', dueDate: '2026-03-10T09:30:00Z' });
  clock.tick();
  const readOnly = {
    id: 'x',
    userId: 'bob',
    status: 'completed',
    completed: true,
    createdAt: 'x',
    updatedAt: 'x',
    extra: 1,
  };
  const expected = { ...task, title: 'Buy oat milk', updatedAt: clock() };
  t.deepEqual(await tasks.update('alice', task.id, { ...readOnly, title: 'Buy oat milk' }), expected);
  clock.tick();
  t.deepEqual(await tasks.update('alice', task.id, { ...expected, ...readOnly }), expected, 'nothing changed');
  t.like(await tasks.update('alice', task.id, { description: null, dueDate: '' }), {
    description: null,
    dueDate: null,
  });
});

test('tags stay when they are left out, are replaced when they are given, and refused with the place of each', async (t) => {
  const { tasks, clock } = setUp();
  const { id } = await tasks.create('alice', { ...input, tags: [' Home ', 'b'] });
  clock.tick();
  t.deepEqual((await tasks.update('alice', id, { title: 'x' })).tags, ['Home', 'b']);
  const same = await tasks.get('alice', id);
  t.deepEqual(await tasks.update('alice', id, { tags: ['Home', 'b '] }), same, 'nothing changed');
  t.deepEqual((await tasks.update('alice', id, { tags: ['b', 'Home'] })).tags, ['b', 'Home'], 'the order counts');
  t.deepEqual((await tasks.update('alice', id, { tags: [] })).tags, []);
  const fieldsOf = async (attempt: Promise<unknown>) => {
    const error = await t.throwsAsync<InvalidInputError>(attempt, { code: 'INVALID_INPUT' });
    return error?.problems.map(({ field }) => field);
  };
  const problemsOf = async (tags: unknown) => {
    const fields = await fieldsOf(tasks.create('alice', unchecked({ ...input, tags })));
    t.deepEqual(await fieldsOf(tasks.update('alice', id, unchecked({ tags }))), fields);
    return fields;
  };
  t.deepEqual(await problemsOf(null), ['tags']);
  t.deepEqual(await problemsOf('a'), ['tags']);
  t.deepEqual(await problemsOf({ 0: 'a' }), ['tags']);
  const bad = ['a', 'b', 'A', 'x'.repeat(51), ' ', 'a\0', '\ud800'];
  t.deepEqual(await problemsOf(bad), ['tags.2', 'tags.3', 'tags.4', 'tags.5', 'tags.6']);
  t.deepEqual(await problemsOf(['a', 1, null]), ['tags.1', 'tags.2']);
  t.deepEqual(await problemsOf(Array(200_000).fill(1)), ['tags'], 'the number first');
  const imported = [
    { ...input, tags: ['a'] },
    { ...input, tags: ['ß', 'SS'] },
  ];
  t.deepEqual(await fieldsOf(tasks.import('alice', { tasks: imported })), ['tasks.1.tags.1']);
  const operation = { op: 'update', id, changes: { tags: ['', 'a'] } } as const;
  t.deepEqual(await fieldsOf(tasks.batch('alice', { operations: [operation] })), ['operations.0.changes.tags.0']);
});

test('no tags are no filter, so nothing is deleted', async (t) => {
  const { tasks } = setUp();
  await tasks.create('alice', input);
  await t.throwsAsync(tasks.deleteSelected('alice', { tags: [] }), { code: 'INVALID_INPUT' });
  t.is((await tasks.list('alice', { tags: [] })).tasks.length, 1);
});

test('keys with a meaning in JavaScript have no effect', async (t) => {
  const { tasks } = setUp();
  const hostile = JSON.parse(
    '{"title":"x","priority":"low","category":"work","__proto__":{"status":"completed"},"constructor":1}',
  );
  const task = await tasks.create('alice', hostile);
  t.is(task.status, 'pending');
  t.is(({} as { status?: string }).status, undefined);
});

test('completion toggles without input, and sets with input', async (t) => {
  const { tasks, clock } = setUp();
  const { id } = await tasks.create('alice', input);
  t.is((await tasks.complete('alice', id)).status, 'completed');
  t.is((await tasks.complete('alice', id, {})).status, 'pending');
  clock.tick();
  const done = await tasks.complete('alice', id, { completed: true });
  t.is(done.status, 'completed');
  clock.tick();
  t.deepEqual(await tasks.complete('alice', id, { completed: true }), done, 'a retry is harmless');
});

test("another user's task is the same as no task", async (t) => {
  const { tasks } = setUp();
  const { id } = await tasks.create('alice', input);
  for (const target of [id, ABSENT]) {
    const absent = { code: 'TASK_NOT_FOUND', message: 'There is no such task.' };
    await t.throwsAsync(tasks.get('bob', target), absent);
    await t.throwsAsync(tasks.update('bob', target, { title: 'mine' }), absent);
    await t.throwsAsync(tasks.complete('bob', target), absent);
    await t.throwsAsync(tasks.delete('bob', target), absent);
  }
  t.deepEqual((await tasks.list('bob')).tasks, []);
  t.like(await tasks.count('bob'), { total: 0, pending: 0, completed: 0 });
  t.like(await tasks.get('alice', id), { title: 'Buy milk' });
});

test('lists by filter, search and order; unknown names are ignored', async (t) => {
  const { tasks, clock } = setUp();
  for (const [title, priority] of [
    ['b', 'low'],
    ['A', 'high'],
    ['c', 'medium'],
  ] as const) {
    await tasks.create('alice', { ...input, title, priority });
    clock.tick();
  }
  const titles = async (query?: object) =>
    (await tasks.list('alice', unchecked(query))).tasks.map(({ title }) => title).join('');
  t.is(await titles(), 'cAb');
  t.is(await titles({ search: '', unknown: ['1', '2'] }), 'cAb');
  t.is(await titles({ limit: 2, sortBy: 'title', sortOrder: 'asc' }), 'Ab');
  t.is(await titles({ sortBy: 'title', sortOrder: 'asc' }), 'Abc');
  t.is(await titles({ sortBy: 'priority' }), 'Acb');
  t.is(await titles({ priority: 'HIGH' }), 'A');
  t.is(await titles({ search: 'B' }), 'b');
  t.is(await titles({ status: 'completed' }), '');
});

test('counts tasks, and removes one only once', async (t) => {
  const { tasks } = setUp();
  const { id } = await tasks.create('alice', input);
  await tasks.create('alice', input);
  await tasks.complete('alice', id);
  t.like(await tasks.count('alice'), { total: 2, pending: 1, completed: 1 });
  await tasks.delete('alice', id);
  await t.throwsAsync(tasks.delete('alice', id), { code: 'TASK_NOT_FOUND' });
  t.like(await tasks.count('alice'), { total: 1, pending: 1, completed: 0 });
});

test('a task that does not match any more when it is locked is not deleted', async (t) => {
  /** Reopens a task between the list and the change. */
  class Busy extends InMemoryTaskRepository {
    meanwhile = async () => {};

    override async list(...query: Parameters<InMemoryTaskRepository['list']>) {
      const listing = await super.list(...query);
      await this.meanwhile();
      return listing;
    }
  }
  const repository = new Busy();
  const tasks = taskUseCases({ tasks: repository, clock: fixedClock(), newId: sequentialIds() });
  const [reopened, done] = [await tasks.create('alice', input), await tasks.create('alice', input)];
  for (const { id } of [reopened, done]) await tasks.complete('alice', id, { completed: true });
  repository.meanwhile = async () => {
    repository.meanwhile = async () => {};
    await tasks.complete('alice', reopened.id, { completed: false });
  };
  t.is(await tasks.deleteSelected('alice', { status: 'completed' }), 1);
  t.deepEqual(
    (await tasks.list('alice')).tasks.map(({ id }) => id),
    [reopened.id],
  );
});

test('more tasks than an undo brings back are not deleted at once', async (t) => {
  const { tasks } = setUp();
  await tasks.import('alice', { tasks: Array.from({ length: 10_000 }, () => input) });
  await tasks.create('alice', { ...input, priority: 'low' });
  await t.throwsAsync(tasks.deleteSelected('alice', { category: 'home' }), {
    code: 'INVALID_INPUT',
  });
  t.is(await tasks.deleteSelected('alice', { priority: 'high' }), 10_000);
  t.is((await tasks.count('alice')).total, 1);
});
