import { journalUseCases, SORT_KEYS, SORT_ORDERS, taskUseCases, unchecked } from '@todo-backend/application';
import { fixedClock, InMemoryTaskRepository, sequentialIds } from '@todo-backend/application/testing';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';

const ABSENT = '00000000-0000-7000-8000-00000000ffff';
const milk = { title: 'Buy milk', priority: 'high', category: 'home' } as const;

function setUp() {
  const clock = fixedClock();
  const repository = new InMemoryTaskRepository();
  const tasks = taskUseCases({ tasks: repository, clock, newId: sequentialIds() });
  return { clock, tasks, journal: journalUseCases({ journal: repository }) };
}

/** The fields in an error's problems. */
async function fieldsOf(t: ExecutionContext, attempt: Promise<unknown>): Promise<string[]> {
  const error = await t.throwsAsync<Error & { problems: { field: string }[] }>(attempt, { code: 'INVALID_INPUT' });
  return error.problems.map(({ field }) => field);
}

test('a batch runs in order, each operation on the results of the previous ones', async (t) => {
  const { tasks, journal } = setUp();
  const { id } = await tasks.create('alice', milk);
  const results = await tasks.batch('alice', {
    operations: [
      { op: 'update', id, changes: { title: 'once' } },
      { op: 'complete', id },
      { op: 'complete', id },
      { op: 'create', task: { ...milk, title: 'another' } },
      { op: 'delete', id },
    ],
  });
  t.deepEqual(
    results.map((result) => 'task' in result && result.task?.status),
    ['pending', 'completed', 'pending', 'pending', undefined],
  );
  t.deepEqual(
    (await tasks.list('alice')).tasks.map(({ title }) => title),
    ['another'],
  );
  t.is((await journal.list('alice')).entries.length, 6);
});

test('an atomic batch reports every problem and changes nothing; a non-atomic one does what it can', async (t) => {
  const { tasks, journal } = setUp();
  const { id } = await tasks.create('alice', milk);
  const operations = unchecked<never[]>([
    { op: 'update', id, changes: { title: 'changed' } },
    { op: 'update', id: ABSENT, changes: {} },
    { op: 'create', task: { title: '' } },
    { op: 'nonsense' },
  ]);
  const fields = ['operations.1.id', 'operations.2.task.title', 'operations.2.task.priority'];
  t.deepEqual(await fieldsOf(t, tasks.batch('alice', { operations })), [
    ...fields,
    'operations.2.task.category',
    'operations.3.op',
  ]);
  t.is((await journal.list('alice')).entries.length, 1);
  const results = await tasks.batch('alice', { operations, atomic: false });
  t.deepEqual(
    results.map((result) => ('code' in result ? result.code : result.op)),
    ['update', 'TASK_NOT_FOUND', 'INVALID_INPUT', 'INVALID_INPUT'],
  );
  t.is((await tasks.get('alice', id)).title, 'changed');
  t.deepEqual(await fieldsOf(t, tasks.batch('alice', { operations: [] })), ['operations']);
});

test('an import keeps status and past times, or creates nothing', async (t) => {
  const { tasks, clock } = setUp();
  const past = { createdAt: '2020-01-01T00:00:00Z', updatedAt: '2020-02-01T00:00:00Z', status: 'completed' } as const;
  const future = { createdAt: '2999-01-01T00:00:00Z' };
  t.is(
    await tasks.import('alice', {
      tasks: [
        { ...milk, ...past },
        { ...milk, ...future },
      ],
    }),
    2,
  );
  const [later, earlier] = (await tasks.list('alice')).tasks;
  t.like(earlier, {
    createdAt: '2020-01-01T00:00:00.000Z',
    updatedAt: '2020-02-01T00:00:00.000Z',
    status: 'completed',
  });
  t.like(later, { createdAt: clock(), updatedAt: clock(), status: 'pending' });
  const wrong = unchecked<never[]>([milk, { ...milk, title: '' }, { ...milk, createdAt: 'yesterday' }]);
  t.deepEqual(await fieldsOf(t, tasks.import('alice', { tasks: wrong })), ['tasks.1.title', 'tasks.2.createdAt']);
  t.is((await tasks.count('alice')).total, 2);
});

test('a change may require a certain version', async (t) => {
  const { tasks, clock } = setUp();
  const { id, updatedAt } = await tasks.create('alice', milk);
  clock.tick();
  const changed = await tasks.update('alice', id, { title: 'x' }, { ifUpdatedAt: [updatedAt] });
  const late = { ifUpdatedAt: [updatedAt] };
  await t.throwsAsync(tasks.update('alice', id, { title: 'y' }, late), { code: 'TASK_CHANGED' });
  await t.throwsAsync(tasks.complete('alice', id, {}, late), { code: 'TASK_CHANGED' });
  await t.throwsAsync(tasks.delete('alice', id, late), { code: 'TASK_CHANGED' });
  t.deepEqual(await tasks.get('alice', id), changed);
  await tasks.delete('alice', id, { ifUpdatedAt: ['2020-01-01T00:00:00.000Z', changed.updatedAt] });
});

test('a request with a key runs once, and another request with that key is refused', async (t) => {
  const { tasks } = setUp();
  const once = { key: 'k', fingerprint: 'f' };
  const first = await tasks.create('alice', milk, { once });
  t.deepEqual(await tasks.create('alice', milk, { once }), first);
  t.is((await tasks.count('alice')).total, 1);
  const other = tasks.create('alice', milk, { once: { ...once, fingerprint: 'another' } });
  await t.throwsAsync(other, { code: 'IDEMPOTENCY_KEY_REUSED' });
  await tasks.create('bob', milk, { once });
  t.is((await tasks.count('bob')).total, 1);
});

test('the journal shows who did what, filtered and in pages', async (t) => {
  const { tasks, journal, clock } = setUp();
  const agent = { type: 'agent', id: 'helper' } as const;
  const { id } = await tasks.create('alice', milk, { actor: agent, correlationId: 'request' });
  clock.tick();
  await tasks.complete('alice', id);
  await tasks.create('alice', milk);
  const { entries } = await journal.list('alice');
  t.deepEqual(
    entries.map(({ sequence }) => sequence),
    [3, 2, 1],
  );
  t.like(entries[2], { actor: agent, correlationId: 'request' });
  t.like(entries[1], { actor: { type: 'user', id: 'alice' }, type: 'todo.task.completed.v1' });
  t.is((await journal.list('alice', { taskId: id.toUpperCase() })).entries.length, 2);
  t.is((await journal.list('alice', { type: 'todo.task.created.v1', since: clock() })).entries.length, 1);
  t.is((await journal.list('alice', { until: clock() })).entries.length, 1);

  const first = await journal.list('alice', { limit: 2 });
  const second = await journal.list('alice', { limit: 2, ...(first.next && { cursor: first.next }) });
  t.deepEqual([...first.entries, ...second.entries], entries);
  t.is(second.next, undefined);
  const wrong = unchecked<object>({ taskId: 'x', type: 'y', since: '2026', limit: 0, cursor: 'z' });
  t.deepEqual(await fieldsOf(t, journal.list('alice', wrong)), ['taskId', 'type', 'since', 'cursor', 'limit']);
  t.deepEqual((await journal.list('bob')).entries, []);
});

test('the pages together are the whole list, in every order', async (t) => {
  const task = fc.record({
    title: fc.constantFrom('a', 'B', 'ä', 'Z', 'To Z', '10'),
    priority: fc.constantFrom('low' as const, 'medium' as const, 'high' as const),
    dueDate: fc.constantFrom(null, '2026-03-10', '2026-03-10T00:00:00Z', '2025-01-01T10:00:00+02:00'),
  });
  const order = fc.record({ sortBy: fc.constantFrom(...SORT_KEYS), sortOrder: fc.constantFrom(...SORT_ORDERS) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(task, { maxLength: 12 }),
      order,
      fc.integer({ min: 1, max: 5 }),
      async (all, order, limit) => {
        const { tasks, clock } = setUp();
        for (const [i, content] of all.entries()) {
          if (i % 3 === 0) clock.tick();
          await tasks.create('alice', { ...content, category: 'home' });
        }
        const whole = (await tasks.list('alice', order)).tasks;
        const pages = [];
        let cursor: string | undefined;
        do {
          const { tasks: page, next } = await tasks.list('alice', { ...order, limit, cursor });
          pages.push(...page);
          cursor = next;
        } while (cursor !== undefined);
        t.deepEqual(pages, [...whole]);
      },
    ),
  );
});

/** Never run: type tests of invalid input. */
export function refusedByTypes({ tasks, journal }: ReturnType<typeof setUp>) {
  return [
    tasks.list('alice', { limit: 5 }),
    // @ts-expect-error a name of the query string
    tasks.list('alice', { sort_by: 'title' }),
    // @ts-expect-error a number as a text
    tasks.list('alice', { limit: '5' }),
    // @ts-expect-error an unknown field
    tasks.create('alice', { ...milk, tag: 'x' }),
    // @ts-expect-error an unknown priority
    tasks.create('alice', { ...milk, priority: 'urgent' }),
    // @ts-expect-error a name of the query string
    journal.list('alice', { task_id: ABSENT }),
  ];
}
