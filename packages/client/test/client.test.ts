import { readdir, readFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { minifySync } from '@swc/core';
import {
  createTodoClient,
  type Task,
  TodoApiError,
  type TodoClientOptions,
  TodoNetworkError,
} from '@todo-backend/client';
import test, { type ExecutionContext } from 'ava';
import { documentedFetch } from '../../http/test/conformance.ts';
import { ABSENT, onMemory, person } from '../../http/test/hosts.ts';

/** A user with a client, on the test's own server. */
async function connected(t: ExecutionContext, options: Partial<TodoClientOptions> = {}) {
  const host = await onMemory();
  t.teardown(() => host.close());
  const { id, token } = await person(host);
  return {
    id,
    token,
    url: host.url,
    todo: createTodoClient({ baseUrl: `${host.url}/`, getToken: () => token, fetch: documentedFetch, ...options }),
  };
}

/** A `fetch` that mocks the first responses, and records the requests. */
function interrupted(...answers: (Response | Error)[]) {
  const asked: { method: string; key: string | null }[] = [];
  const send: typeof fetch = async (input, init) => {
    asked.push({ method: init?.method ?? '', key: new Headers(init?.headers).get('Idempotency-Key') });
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer ?? documentedFetch(input, init);
  };
  return { send, asked };
}

/** A client of a foreign server. */
async function strange(t: ExecutionContext, answer: RequestListener) {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.teardown(() => server.close());
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return createTodoClient({ baseUrl, getToken: () => 'x' });
}

const busy = (status: number, seconds: string) => new Response(null, { status, headers: { 'Retry-After': seconds } });
const milk = { title: 'Buy milk', priority: 'high', category: 'home' } as const;

test('tasks that repeat, and what a rule gives before it is saved', async (t) => {
  const { id, todo } = await connected(t);
  const recurrence = { rule: 'FREQ=MONTHLY', timeZone: 'Europe/Berlin' };
  const query = { due_date: '2126-01-31', rule: recurrence.rule, time_zone: recurrence.timeZone, limit: 2 };
  const dates = ['2126-02-28T00:00:00', '2126-03-31T00:00:00'];
  t.deepEqual(await todo.previewOccurrences(id, query), dates);
  const remindAt = '2126-01-30T12:00:00.000Z';
  const task = await todo.createTask(id, { ...milk, dueDate: '2126-01-31', recurrence, remindAt });
  t.like(task, { recurrence: { ...recurrence, anchor: 'schedule' }, remindAt, series: { occurrence: 1 } });
  t.deepEqual(await todo.occurrences(id, task.id, { limit: 2 }), dates);
  t.is((await todo.occurrences(id, task.id)).length, 5);
  await todo.completeTask(id, task.id);
  const [next] = await todo.listTasks(id, { status: 'pending' });
  t.is(next?.dueDate, dates[0]);
  const refused = todo.previewOccurrences(id, { ...query, rule: 'FREQ=HOURLY' });
  t.like(await t.throwsAsync<TodoApiError>(refused), { status: 422 });
});

test('every operation, against the real API', async (t) => {
  const { id, todo } = await connected(t);
  const task = await todo.createTask(id, { ...milk, dueDate: '2026-12-24' });
  t.like(task, { title: 'Buy milk', dueDate: '2026-12-24T00:00:00', userId: id });
  t.deepEqual(await todo.getTask(id, task.id), task);
  t.is((await todo.updateTask(id, task.id, { description: 'two litres' })).description, 'two litres');
  t.true((await todo.completeTask(id, task.id)).completed);
  t.false((await todo.completeTask(id, task.id, { completed: false })).completed);
  t.deepEqual(await todo.getStats(id), { total: 1, pending: 1, completed: 0 });
  t.is(
    (await todo.listTasks(id, { status: 'pending', search: 'MILK', sort_by: 'title', sort_order: 'asc' })).length,
    1,
  );
  t.deepEqual(await todo.listTasks(id, { search: 'a&b=c' }), []);
  const results = await todo.batchTasks(id, {
    operations: [
      { op: 'create', task: milk },
      { op: 'delete', id: task.id },
    ],
  });
  t.deepEqual(
    results.map(({ status }) => status),
    [201, 204],
  );
  const exported = await todo.exportTasks(id);
  t.deepEqual(await todo.importTasks(id, exported), { imported: 1 });
  t.is((await todo.exportTasksAsCsv(id)).split('\n').length, 4);
  const [last] = await todo.listTasks(id);
  await todo.deleteTask(id, last?.id ?? '');
  t.is((await todo.listJournal(id, { type: 'todo.task.deleted.v1', limit: 1 }))[0]?.taskId, last?.id);
  const types = [];
  for await (const { type } of todo.iterateJournal(id, { limit: 2 })) types.push(type);
  t.is(types.length, 8);
});

test('tasks page by page', async (t) => {
  const { id, todo } = await connected(t);
  const operations = Array.from({ length: 25 }, (_, i) => ({
    op: 'create' as const,
    task: { ...milk, title: `${i}` },
  }));
  await todo.batchTasks(id, { operations });
  const seen: Task[] = [];
  for await (const task of todo.iterateTasks(id, { sort_by: 'title', limit: 10 })) seen.push(task);
  const all = await todo.listTasks(id, { sort_by: 'title' });
  t.deepEqual(seen, all);

  const first = await todo.listTaskPage(id, { sort_by: 'title', limit: 20 });
  t.deepEqual(first.tasks, all.slice(0, 20));
  const cursor = first.next ?? '';
  const last = await todo.listTaskPage(id, { sort_by: 'title', limit: 20, cursor });
  t.deepEqual(last, { tasks: all.slice(20), next: undefined });

  const newest = await todo.listJournalPage(id, { limit: 20 });
  t.is(newest.entries.length, 20);
  const oldest = await todo.listJournalPage(id, { limit: 20, cursor: newest.next ?? '' });
  t.deepEqual([oldest.entries.at(-1)?.sequence, oldest.next], [1, undefined]);
});

test('a page has a default size, also for an explicit `undefined`', async (t) => {
  const sizes: (string | null)[] = [];
  const { id, todo } = await connected(t, {
    fetch: (input, init) => {
      sizes.push(new URL(String(input)).searchParams.get('limit'));
      return documentedFetch(input, init);
    },
  });
  const unknown = { limit: undefined } as object;
  for await (const _ of todo.iterateTasks(id, unknown)) t.fail();
  for await (const _ of todo.iterateJournal(id, unknown)) t.fail();
  await todo.listTaskPage(id, unknown);
  t.deepEqual(sizes, ['100', '100', '100']);
});

test('an error response becomes an error with all its details', async (t) => {
  const { id, todo } = await connected(t);
  const error = await t.throwsAsync<TodoApiError>(todo.createTask(id, { ...milk, title: '' }), {
    instanceOf: TodoApiError,
    message: 'Title must have 1 to 255 characters.',
  });
  t.like(error, { status: 422, type: '/problems/invalid-input', title: 'Unprocessable Entity' });
  t.deepEqual(error?.errors, [{ field: 'title', message: 'Title must have 1 to 255 characters.' }]);
  t.regex(error?.requestId ?? '', /^[\da-f-]{36}$/);
  await t.throwsAsync(todo.listTasks('somebody else'), { instanceOf: TodoApiError, message: /your own tasks/ });
});

test('a task that was changed in between is not overwritten', async (t) => {
  const { id, todo } = await connected(t);
  const task = await todo.createTask(id, milk);
  const changed = await todo.updateTask(id, task.id, { title: 'first' }, { unchangedSince: task });
  const late = { unchangedSince: task };
  await t.throwsAsync(todo.updateTask(id, task.id, { title: 'lost' }, late), { message: /load it again/ });
  await t.throwsAsync(todo.deleteTask(id, task.id, late), { message: /load it again/ });
  await todo.deleteTask(id, task.id, { unchangedSince: changed });
});

test('a request is retried after 429 and 503, and takes effect once', async (t) => {
  const { send, asked } = interrupted(busy(503, '0'), busy(429, '0'));
  const { id, todo } = await connected(t, { fetch: send });
  const task = await todo.createTask(id, milk);
  t.is(asked.length, 3);
  t.is(new Set(asked.map(({ key }) => key)).size, 1, 'one key for all attempts');
  t.deepEqual(await todo.listTasks(id), [task]);
  await todo.createTask(id, milk);
  t.is(
    new Set(asked.filter(({ method }) => method === 'POST').map(({ key }) => key)).size,
    2,
    'another key for another call',
  );
  const again = { idempotencyKey: 'mine' };
  t.deepEqual(await todo.createTask(id, milk, again), await todo.createTask(id, milk, again));
});

test('a retried deletion that finds no task is a success', async (t) => {
  const { send } = interrupted();
  let isFirst = true;
  const { id, todo } = await connected(t, {
    fetch: async (input, init) => {
      const response = await send(input, init);
      if (init?.method !== 'DELETE' || !isFirst) return response;
      isFirst = false;
      return busy(503, '0');
    },
  });
  const task = await todo.createTask(id, milk);
  await todo.deleteTask(id, task.id);
  t.deepEqual(await todo.listTasks(id), []);
  await t.throwsAsync(todo.deleteTask(id, task.id), { message: 'There is no such task.' });
});

test('a deletion that was refused before it began is not reported as done if the task is gone on retry', async (t) => {
  const { send } = interrupted(busy(429, '0'));
  const { id, token, url, todo } = await connected(t, { fetch: send });
  await t.throwsAsync(todo.deleteTask(id, ABSENT), { instanceOf: TodoApiError, message: 'There is no such task.' });
  const late = createTodoClient({ baseUrl: url, getToken: ({ refresh }) => (refresh ? token : 'stale') });
  await t.throwsAsync(late.deleteTask(id, ABSENT), { message: 'There is no such task.' });
});

test('a refused token is refreshed once', async (t) => {
  const asked: boolean[] = [];
  const sent: (string | null)[] = [];
  const { id, token, url } = await connected(t);
  const tokens = ['stale', token];
  const todo = createTodoClient({
    baseUrl: url,
    getToken: ({ refresh }) => {
      asked.push(refresh);
      return tokens.shift() ?? 'bad';
    },
    fetch: (input, init) => {
      sent.push(new Headers(init?.headers).get('Idempotency-Key'));
      return documentedFetch(input, init);
    },
  });
  t.like(await todo.createTask(id, milk), { title: 'Buy milk' });
  t.deepEqual(asked, [false, true]);
  t.is(new Set(sent).size, 1, 'one key for both');

  tokens.push('stale', 'another', token);
  t.like(await t.throwsAsync(todo.getStats(id), { instanceOf: TodoApiError }), { status: 401 });
  t.deepEqual(asked, [false, true, false, true]);
  t.is(sent.length, 4);

  const only = interrupted();
  const withOne = createTodoClient({ baseUrl: url, getToken: () => 'stale', fetch: only.send });
  t.like(await t.throwsAsync(withOne.getStats(id)), { status: 401 });
  t.is(only.asked.length, 1, 'the same token would be refused again');
});

test('retries end after some attempts, and when the server asks for too long a wait', async (t) => {
  const attempts = interrupted(busy(503, '0'), busy(503, '0'), busy(503, '0'), busy(503, '0'));
  const first = await connected(t, { fetch: attempts.send });
  t.like(await t.throwsAsync(first.todo.getStats(first.id), { instanceOf: TodoApiError }), {
    status: 503,
    retryAfter: 0,
  });
  t.is(attempts.asked.length, 3);
  const long = interrupted(busy(429, '11'));
  const second = await connected(t, { fetch: long.send });
  t.like(await t.throwsAsync(second.todo.getStats(second.id)), { status: 429, retryAfter: 11 });
  t.is(long.asked.length, 1);
});

test('an unreachable server, and one with invalid responses', async (t) => {
  const away = createTodoClient({ baseUrl: 'http://127.0.0.1:9', getToken: () => 'x' });
  const error = await t.throwsAsync(away.getStats('alice'), { instanceOf: TodoNetworkError });
  t.truthy(error?.cause);
  const behind = await strange(t, (_, response) => response.writeHead(502).end('<html>'));
  t.like(await t.throwsAsync(behind.getStats('alice')), {
    status: 502,
    detail: 'The server answered with status 502.',
  });
});

test('a truncated response, and one that is not from the API', async (t) => {
  const cut = await strange(t, (_, response) => {
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': 100 }).write('{"total":', () => {
      response.destroy();
    });
  });
  const page = await strange(t, (_, response) =>
    response.writeHead(200, { 'Content-Type': 'text/html' }).end('<html>'),
  );
  for (const failing of [
    cut.getStats('alice'),
    cut.exportTasksAsCsv('alice'),
    cut.listTasks('alice'),
    cut.iterateTasks('alice').next(),
    page.getStats('alice'),
    page.iterateJournal('alice').next(),
  ]) {
    const error = await t.throwsAsync(failing, {
      instanceOf: TodoNetworkError,
      message: 'The answer of the server cannot be read.',
    });
    t.truthy(error?.cause);
  }
});

test('an aborted call ends at once', async (t) => {
  const { send } = interrupted(busy(503, '9'));
  const { id, todo } = await connected(t, { fetch: send });
  const controller = new AbortController();
  const waiting = todo.getStats(id, { signal: controller.signal });
  setTimeout(() => controller.abort(new Error('enough')), 20);
  await t.throwsAsync(waiting, { message: 'enough' });
  await t.throwsAsync(todo.getStats(id, { signal: AbortSignal.abort() }), { name: 'AbortError' });

  for (const status of [200, 404]) {
    const reading = new AbortController();
    const slow = await strange(t, (_, response) => {
      response.writeHead(status, { 'Content-Type': 'application/problem+json' }).write('{', () => {
        setTimeout(() => reading.abort(new Error('no more')), 20);
      });
    });
    await t.throwsAsync(slow.getStats('alice', { signal: reading.signal }), { message: 'no more' });
  }
});

test('an import of more tasks than one may have is sent in parts, by count and by bytes', async (t) => {
  const host = await onMemory();
  t.teardown(() => host.close());
  const { id, token } = await person(host);
  const bodies: { tasks: number; bytes: number; key: string | null }[] = [];
  const todo = createTodoClient({
    baseUrl: host.url,
    getToken: () => token,
    fetch: (input, init) => {
      if (init?.method === 'GET') return fetch(input, init);
      const text = String(init?.body);
      const { tasks } = JSON.parse(text) as { tasks: unknown[] };
      const key = new Headers(init?.headers).get('Idempotency-Key');
      bodies.push({ tasks: tasks.length, bytes: Buffer.byteLength(text), key });
      return fetch(input, init);
    },
  });
  const task = { title: 'milk', priority: 'low', category: 'home' } as const;
  t.deepEqual(await todo.importTasks(id, { tasks: Array(12_000).fill(task) }, { idempotencyKey: 'k' }), {
    imported: 12_000,
  });
  t.deepEqual(
    bodies.splice(0).map(({ tasks, key }) => [tasks, key]),
    [
      [10_000, 'k'],
      [2_000, 'k.1'],
    ],
  );
  t.is((await todo.getStats(id)).total, 12_000);
  const long = { ...task, title: '😀'.repeat(255), description: '😀'.repeat(1_000) };
  t.deepEqual(await todo.importTasks(id, { tasks: Array(4_000).fill(long) }), { imported: 4_000 });
  t.true(bodies.length > 1);
  t.true(bodies.every(({ bytes }) => bytes < 10 * 1024 * 1024));
});

test('the client is under 4 KB compressed, under 6 KB with the part that watches, and has no dependency', async (t) => {
  const root = new URL('../', import.meta.url);
  const names = (await readdir(new URL('dist/', root))).filter((name) => name.endsWith('.js'));
  const later = ['watch.js', 'event-stream.js'];
  t.deepEqual(
    ['index.js', ...later].filter((name) => !names.includes(name)),
    [],
  );
  const sizes = [];
  for (const part of [names.filter((name) => !later.includes(name)), names]) {
    const files = part.map((name) => readFile(new URL(`dist/${name}`, root), 'utf8'));
    // As a bundler ships it: without comments and with short names.
    const short = (await Promise.all(files)).map((file) => minifySync(file, { module: true, mangle: true }).code);
    if (part !== names) t.notRegex(short.join(''), /from"\.\/(watch|event-stream)\.js"/, 'loaded by those who watch');
    sizes.push(gzipSync(short.join('')).length);
  }
  const [alone = Number.NaN, together = Number.NaN] = sizes;
  t.log(`${alone} bytes, ${together} with the part that watches`);
  t.true(alone < 4_000);
  t.true(together < 6_000);
  const manifest = JSON.parse(await readFile(new URL('package.json', root), 'utf8'));
  t.is(manifest.dependencies, undefined);
});
