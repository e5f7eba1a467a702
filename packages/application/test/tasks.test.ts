import { taskUseCases } from '@todo-backend/application';
import { fixedClock, InMemoryTaskRepository, sequentialIds } from '@todo-backend/application/testing';
import test from 'ava';

const ABSENT = '00000000-0000-7000-8000-00000000ffff';

function setUp() {
  const clock = fixedClock('2026-03-01T12:00:00.000Z');
  const tasks = taskUseCases({ tasks: new InMemoryTaskRepository(), clock, newId: sequentialIds() });
  return { tasks, clock };
}

const input = { title: 'Buy milk', priority: 'high', category: 'home' };

test('creates a pending task with an id, an owner and a time', async (t) => {
  const { tasks } = setUp();
  const task = await tasks.create('alice', { ...input, title: '  Buy milk ', priority: 'HIGH', dueDate: '2026-03-10' });
  t.deepEqual(task as unknown, {
    id: '00000000-0000-7000-8000-000000000001',
    userId: 'alice',
    title: 'Buy milk',
    description: null,
    priority: 'high',
    category: 'home',
    status: 'pending',
    dueDate: '2026-03-10T00:00:00',
    createdAt: '2026-03-01T12:00:00.000Z',
    updatedAt: '2026-03-01T12:00:00.000Z',
  });
  t.deepEqual(await tasks.get('alice', task.id), task);
  t.deepEqual(await tasks.get('alice', task.id.toUpperCase()), task);
});

test('names every problem of the input at once', async (t) => {
  const { tasks } = setUp();
  const problemsOf = async (attempt: Promise<unknown>) => {
    const error = await t.throwsAsync<Error & { problems: { field: string }[] }>(attempt, { code: 'INVALID_INPUT' });
    return error?.problems.map(({ field }) => field);
  };
  t.deepEqual(await problemsOf(tasks.create('alice', {})), ['title', 'priority', 'category']);
  t.deepEqual(
    await problemsOf(tasks.create('alice', { title: ' ', description: 1, priority: 'x', category: null, dueDate: 5 })),
    ['title', 'description', 'priority', 'category', 'dueDate'],
  );
  t.deepEqual(await problemsOf(tasks.update('alice', 'no-uuid', { title: null, priority: '' })), [
    'task_id',
    'title',
    'priority',
  ]);
  t.deepEqual(await problemsOf(tasks.complete('alice', 'no-uuid', { completed: 'yes' })), ['task_id', 'completed']);
  t.deepEqual(await problemsOf(tasks.get('alice', 'no-uuid')), ['task_id']);
  t.deepEqual(await problemsOf(tasks.remove('alice', undefined)), ['task_id']);
  t.deepEqual(
    await problemsOf(
      tasks.list('alice', { status: 'x', priority: ['low', 'low'], search: 'a\0', sort_by: '', sort_order: 'ASC' }),
    ),
    ['status', 'priority', 'search', 'sort_by', 'sort_order'],
  );
  t.deepEqual((await tasks.list('alice')).tasks, []);
});

for (const body of [undefined, null, [], 'text', 5, true]) {
  test(`takes no ${JSON.stringify(body)} for a task`, async (t) => {
    const { tasks } = setUp();
    const { id } = await tasks.create('alice', input);
    const expected = { code: 'INVALID_INPUT', message: 'The body must be a JSON object.' };
    await t.throwsAsync(tasks.create('alice', body), expected);
    await t.throwsAsync(tasks.update('alice', id, body), expected);
    if (body !== undefined) await t.throwsAsync(tasks.complete('alice', id, body), expected);
  });
}

test('merges an update, and ignores what nobody may write', async (t) => {
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

test('keys that mean something to JavaScript mean nothing here', async (t) => {
  const { tasks } = setUp();
  const hostile = JSON.parse(
    '{"title":"x","priority":"low","category":"work","__proto__":{"status":"completed"},"constructor":1}',
  );
  const task = await tasks.create('alice', hostile);
  t.is(task.status, 'pending');
  t.is(({} as { status?: string }).status, undefined);
});

test('completion toggles without a word, and sets when told', async (t) => {
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

test("somebody else's task is as absent as one that never was", async (t) => {
  const { tasks } = setUp();
  const { id } = await tasks.create('alice', input);
  for (const target of [id, ABSENT]) {
    const absent = { code: 'TASK_NOT_FOUND', message: 'There is no such task.' };
    await t.throwsAsync(tasks.get('bob', target), absent);
    await t.throwsAsync(tasks.update('bob', target, { title: 'mine' }), absent);
    await t.throwsAsync(tasks.complete('bob', target), absent);
    await t.throwsAsync(tasks.remove('bob', target), absent);
  }
  t.deepEqual((await tasks.list('bob')).tasks, []);
  t.deepEqual(await tasks.count('bob'), { total: 0, pending: 0, completed: 0, version: 0 });
  t.like(await tasks.get('alice', id), { title: 'Buy milk' });
});

test('lists by filter, search and order; an empty filter is none', async (t) => {
  const { tasks, clock } = setUp();
  for (const [title, priority] of [
    ['b', 'low'],
    ['A', 'high'],
    ['c', 'medium'],
  ]) {
    await tasks.create('alice', { ...input, title, priority });
    clock.tick();
  }
  const titles = async (query?: object) => (await tasks.list('alice', query)).tasks.map(({ title }) => title).join('');
  t.is(await titles(), 'cAb');
  t.is(await titles({ status: '', priority: '', category: '', search: '', unknown: ['1', '2'] }), 'cAb');
  t.is(await titles({ sort_by: 'title', sort_order: 'asc' }), 'Abc');
  t.is(await titles({ sort_by: 'priority' }), 'Acb');
  t.is(await titles({ priority: 'HIGH' }), 'A');
  t.is(await titles({ search: 'B' }), 'b');
  t.is(await titles({ status: 'completed' }), '');
});

test('counts, and removes once', async (t) => {
  const { tasks } = setUp();
  const { id } = await tasks.create('alice', input);
  await tasks.create('alice', input);
  await tasks.complete('alice', id);
  t.deepEqual(await tasks.count('alice'), { total: 2, pending: 1, completed: 1, version: 3 });
  await tasks.remove('alice', id);
  await t.throwsAsync(tasks.remove('alice', id), { code: 'TASK_NOT_FOUND' });
  t.deepEqual(await tasks.count('alice'), { total: 1, pending: 1, completed: 0, version: 4 });
});
