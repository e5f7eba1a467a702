import { createTodoClient, TodoApiError } from '@todo-backend/client';
import test, { type ExecutionContext } from 'ava';
import { refusal, startStub } from './stub.ts';

const milk = { title: 'Buy milk', priority: 'high', category: 'home' } as const;
const ID = '00000000-0000-7000-8000-000000000001';

async function connected(t: ExecutionContext) {
  const stub = await startStub();
  t.teardown(stub.close);
  const todo = createTodoClient({ baseUrl: stub.url, getToken: () => 'token' });
  /** Answers a request with this, and the link to the next part. */
  const answer = (request: string, status: number, body?: unknown, next?: string) => {
    stub.answers[request] ??= [];
    stub.answers[request].push((response) => {
      response.writeHead(status, {
        'Content-Type': 'application/json',
        ...(next !== undefined && { Link: `<?limit=1&${next}>; rel="next"` }),
      });
      response.end(body === undefined ? undefined : JSON.stringify(body));
    });
  };
  return { stub, todo, answer };
}

test('what has changed since a position, in parts', async (t) => {
  const { stub, todo } = await connected(t);
  t.deepEqual(await todo.changes('alice'), { changes: [], position: '0', more: false });
  const first = stub.put('a');
  stub.put('b');
  stub.put('c');
  stub.drop('b');
  const { changes, ...rest } = await todo.changes('alice', { since: '0', limit: 1 });
  t.deepEqual(changes, [{ taskId: 'a', task: first.task, position: '1' }]);
  t.deepEqual(rest, { position: '1', more: true });
  const { changes: later } = await todo.changes('alice', { since: rest.position });
  t.deepEqual(
    later.map(({ taskId, task }) => [taskId, task?.id]),
    [
      ['c', 'c'],
      ['b', undefined],
    ],
  );
  stub.settings.pruned = 1;
  t.like(await t.throwsAsync(todo.changes('alice', { since: '0' }), { instanceOf: TodoApiError }), { status: 410 });
});

test('a list and a change tell their position, where the server does', async (t) => {
  const { stub, todo, answer } = await connected(t);
  stub.put('a');
  const told: string[] = [];
  const onPosition = (position: string) => void told.push(position);
  t.is((await todo.listTasks('alice', {}, { onPosition })).length, 1);
  const task = await todo.createTask('alice', milk, { onPosition });
  await todo.updateTask('alice', task.id, { title: 'Buy bread' }, { onPosition });
  await todo.deleteTask('alice', task.id, { onPosition });
  for await (const _ of todo.iterateTasks('alice', {}, { onPosition })) break;
  t.deepEqual(told, ['1', '2', '3', '4', '4']);
  await t.throwsAsync(todo.getTask('alice', 'none', { onPosition }));
  answer('GET /tasks', 200, []);
  await todo.listTasks('alice', {}, { onPosition });
  t.is(told.length, 5, 'an error and an older server tell none');
});

test('a change has the id that it is given, for all of its attempts and parts', async (t) => {
  const { stub, todo, answer } = await connected(t);
  const options = { requestId: ID };
  stub.answers['POST /tasks'] = [refusal(503, 'unavailable', { 'Retry-After': '0' })];
  const task = await todo.createTask('alice', milk, options);
  t.is(stub.log.at(-1)?.correlationId, ID);
  await todo.updateTask('alice', task.id, { title: 'Buy bread' }, options);
  await todo.deleteTask('alice', task.id, options);
  answer('POST /tasks/import', 200, { imported: 10_000 });
  answer('POST /tasks/import', 200, { imported: 1 });
  await todo.importTasks('alice', { tasks: Array(10_001).fill(milk) }, options);
  t.deepEqual(
    stub.asked.map(({ headers }) => headers['x-request-id']),
    Array(6).fill(ID),
  );
  await todo.createTask('alice', milk);
  t.is(stub.asked.at(-1)?.headers['x-request-id'], undefined);
});

test('events are taken back, by their ids or by that of the request', async (t) => {
  const { stub, todo, answer } = await connected(t);
  const results = [{ eventId: 'e', taskId: 't', outcome: 'undone' as const, fields: ['title'], task: null }];
  const undoes = [{ events: ['e'] }, { correlationId: ID, dryRun: true, atomic: false }];
  for (const body of undoes) {
    answer('POST /undo', 200, { results });
    t.deepEqual(await todo.undo('alice', body, { idempotencyKey: 'k', requestId: ID }), results);
  }
  t.deepEqual(
    stub.asked.map(({ body }) => body),
    undoes,
  );
  t.like(stub.asked[0]?.headers, { 'idempotency-key': 'k', 'x-request-id': ID });
  stub.answers['POST /undo'] = [refusal(409, 'changed-since')];
  t.like(await t.throwsAsync(todo.undo('alice', { events: ['e'] }), { instanceOf: TodoApiError }), {
    status: 409,
    type: '/problems/changed-since',
  });
});

test('deleted tasks are listed, restored and erased', async (t) => {
  const { stub, todo, answer } = await connected(t);
  const [a, b] = ['a', 'b'].map((eventId) => ({
    eventId,
    task: stub.put(eventId).task,
    deletedAt: '2026-11-23T09:36:17.301Z',
    deletedBy: { type: 'user', id: 'alice' },
    restorableUntil: '2026-12-23T09:36:17.301Z',
  }));
  const part = () => {
    answer('GET /trash', 200, [b], 'cursor=x1');
    answer('GET /trash', 200, [a]);
  };
  part();
  t.deepEqual(await todo.trash('alice', { limit: 1 }), [b] as never);
  t.deepEqual(await todo.trash('alice'), [a] as never);
  part();
  t.deepEqual(await todo.listTrashPage('alice'), { tasks: [b], next: 'x1' } as never);
  t.deepEqual(await todo.listTrashPage('alice', { cursor: 'x1', limit: 5 }), { tasks: [a], next: undefined } as never);
  part();
  const ids = [];
  for await (const { eventId } of todo.iterateTrash('alice', { limit: 1 })) ids.push(eventId);
  t.deepEqual(ids, ['b', 'a']);
  t.deepEqual(
    stub.asked.map(({ query }) => query),
    [{ limit: '1' }, {}, { limit: '100' }, { limit: '5', cursor: 'x1' }, { limit: '1' }, { limit: '1', cursor: 'x1' }],
  );

  answer('POST /tasks/a%2Fb/restore', 200, a?.task);
  t.deepEqual(await todo.restore('alice', 'a/b', { idempotencyKey: 'k' }), a?.task as never);
  t.is(stub.asked.at(-1)?.headers['idempotency-key'], 'k');
  answer('DELETE /trash/a%2Fb', 204);
  await todo.erase('alice', 'a/b');
  answer('DELETE /trash', 200, { erased: 2 });
  t.deepEqual(await todo.emptyTrash('alice', { requestId: ID }), { erased: 2 });
  t.is(stub.asked.at(-1)?.headers['x-request-id'], ID);
});

test('the journal after a position, page by page', async (t) => {
  const { stub, todo, answer } = await connected(t);
  const part = () => {
    answer('GET /audit', 200, [{ sequence: 1 }], 'after=p1');
    answer('GET /audit', 200, [{ sequence: 2 }]);
  };
  part();
  const page = await todo.listJournalPage('alice', { after: 'p0', limit: 1 });
  t.deepEqual(page, { entries: [{ sequence: 1 }], next: 'p1' } as never);
  await todo.listJournalPage('alice', { after: page.next ?? '' });
  part();
  const seen = [];
  for await (const { sequence } of todo.iterateJournal('alice', { after: 'p0', limit: 1 })) seen.push(sequence);
  t.deepEqual(seen, [1, 2]);
  t.deepEqual(
    stub.asked.map(({ query }) => query.after),
    ['p0', 'p1', 'p0', 'p1'],
  );
  t.true(stub.asked.every(({ query }) => query.cursor === undefined));
});
