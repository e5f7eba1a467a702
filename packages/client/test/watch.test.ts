import { pipeline } from 'node:stream/promises';
import { setTimeout as after } from 'node:timers/promises';
import {
  createTodoClient,
  type StreamedChange,
  TodoApiError,
  type TodoClientOptions,
  TodoNetworkError,
  type WatchOptions,
} from '@todo-backend/client';
import test, { type ExecutionContext } from 'ava';
import { type Asked, type problem, refusal, startStub } from './stub.ts';

/** A stub with a client. */
async function connected(t: ExecutionContext, options: Partial<TodoClientOptions> = {}) {
  const stub = await startStub();
  t.teardown(stub.close);
  return { stub, todo: createTodoClient({ baseUrl: stub.url, getToken: () => 'token', ...options }) };
}

/** A watch that records what it is told, until the test ends. */
async function watching(t: ExecutionContext, options: WatchOptions = {}, client: Partial<TodoClientOptions> = {}) {
  const { stub, todo } = await connected(t, client);
  const controller = new AbortController();
  const seen: StreamedChange[] = [];
  const onChange = (change: StreamedChange) => void seen.push(change);
  const start = (more: WatchOptions = {}) => {
    const ended = todo.watch('alice', { signal: controller.signal, ...options, ...more, onChange });
    ended.catch(() => {});
    return ended;
  };
  t.teardown(() => controller.abort());
  return {
    stub,
    todo,
    seen,
    start,
    abort: () => controller.abort(),
    titles: () => seen.map(({ task }) => task?.title),
  };
}

/** Waits until it holds. */
async function until(t: ExecutionContext, holds: () => boolean) {
  for (const end = Date.now() + 20_000; !holds(); await after(5)) {
    if (Date.now() > end) return t.fail(`not within 20 s: ${holds}`);
  }
}

const gaps = (asked: readonly Asked[]) => asked.slice(1).map(({ at }, i) => at - (asked[i]?.at ?? 0));

test('the changes since a position, and then those that happen, as they are consumed', async (t) => {
  const { stub, todo } = await connected(t);
  stub.put('a');
  const first = stub.put('b');
  stub.put('a', 'A');
  const seen: StreamedChange[] = [];
  for await (const change of todo.watch('alice', { since: '1' })) {
    if (seen.push(change) === 2) stub.drop('b', 'request');
    if (seen.length === 3) break;
  }
  t.deepEqual(seen, stub.log.slice(1));
  t.deepEqual(seen[0], first);
  t.like(seen[2], { taskId: 'b', task: null, type: 'todo.task.deleted.v1', correlationId: 'request' });
  const [asked] = stub.connections();
  t.like(asked?.headers, { authorization: 'Bearer token', accept: 'text/event-stream' });
  await until(t, () => stub.streams.size === 0);
  t.is(stub.connections().length, 1, 'who leaves the loop closes the connection');
});

test('an aborted watch ends without an error, whatever it is doing', async (t) => {
  const reading = await watching(t);
  const ended = reading.start();
  await until(t, () => reading.stub.streams.size === 1);
  reading.abort();
  t.is(await ended, undefined);
  await until(t, () => reading.stub.streams.size === 0);

  const waiting = await watching(t);
  waiting.stub.answers.STREAM = [refusal(503, 'unavailable', { 'Retry-After': '3000000' })];
  const later = waiting.start();
  await until(t, () => waiting.stub.connections().length === 1);
  await after(50);
  t.is(waiting.stub.connections().length, 1);
  waiting.abort();
  t.is(await later, undefined);

  const stuck = await watching(t, {}, { getToken: () => new Promise(() => {}) });
  const never = stuck.start();
  await after(50);
  stuck.abort();
  t.is(await never, undefined);
  t.is(await stuck.start(), undefined, 'also one that was aborted before');
  t.deepEqual(stuck.stub.asked, []);

  const { stub, todo } = await connected(t);
  const controller = new AbortController();
  const changes = todo.watch('alice', { signal: controller.signal });
  const next = changes.next();
  await until(t, () => stub.streams.size === 1);
  controller.abort();
  t.deepEqual(await next, { done: true, value: undefined });
});

test('after a break it goes on from where it was, with a fresh token', async (t) => {
  let tokens = 0;
  const { stub, start, titles } = await watching(t, { since: '0' }, { getToken: () => `token ${++tokens}` });
  stub.put('a');
  start();
  await until(t, () => titles().length === 1);
  stub.cut();
  stub.put('b');
  await until(t, () => titles().length === 2 && stub.streams.size === 1);
  for (const stream of stub.streams) {
    // The id of a change that does not arrive whole does not count.
    stream.write('id: 99\nevent: change\ndata: {"task', () => stream.destroy());
  }
  await until(t, () => stub.streams.size === 0);
  stub.put('c');
  await until(t, () => titles().length === 3 && stub.streams.size === 1);
  for (const stream of stub.streams) stream.end();
  await until(t, () => stub.connections().length === 4 && stub.streams.size === 1);
  stub.put('d');
  await until(t, () => titles().length === 4);
  t.deepEqual(titles(), ['a', 'b', 'c', 'd']);
  t.deepEqual(
    stub.connections().map(({ query, headers }) => [query.since, headers.authorization]),
    ['0', '1', '2', '3'].map((since, i) => [since, `Bearer token ${i + 1}`]),
  );
});

test('what happens while a watch from now on is away is not missed either', async (t) => {
  const { stub, start, titles } = await watching(t);
  stub.put('before');
  start();
  await until(t, () => stub.streams.size === 1);
  stub.cut();
  stub.put('a');
  await until(t, () => titles().length > 0);
  t.deepEqual(titles(), ['a']);
  t.deepEqual(
    stub.connections().map(({ query }) => query.since),
    [undefined, '1'],
  );
});

test('a stream says the same byte by byte, with any line ends, comments and unknown events', async (t) => {
  for (const end of ['\n', '\r', '\r\n']) {
    const { stub, start, seen } = await watching(t, { since: '0' });
    const change = { ...stub.put('a', '😀 ß'), position: 'p1' };
    const data = JSON.stringify(change, null, 1).split('\n');
    const lines = ['\uFEFFretry: 20', 'id: p0', '', ': hello', 'event: other', 'data: {}', ''];
    lines.push('event: change', 'id: p1', ...data.map((line) => `data:${line}`));
    stub.answers.STREAM = [
      async (response) => {
        response.writeHead(200, { 'Content-Type': 'text/event-stream' });
        response.socket?.setNoDelay();
        for (const byte of Buffer.from([...lines, '', ''].join(end))) {
          response.write(Buffer.of(byte));
          await new Promise(setImmediate);
        }
        response.end();
      },
      refusal(403),
    ];
    await t.throwsAsync(start());
    t.deepEqual(seen, [change]);
    t.is(stub.connections()[1]?.query.since, 'p1');
  }
});

test('a silent connection is given up for another one, also before it has answered', async (t) => {
  const { stub, start, titles } = await watching(t, { since: '0', longestSilence: 1 });
  stub.answers.STREAM = [() => {}];
  start();
  await until(t, () => stub.streams.size === 1);
  await until(t, () => stub.connections().length === 3 && stub.streams.size === 1);
  for (const stream of stub.streams) {
    for (let i = 0; i < 30; i++) {
      stream.write(': still there\n\n');
      await after(50);
    }
  }
  t.is(stub.connections().length, 3, 'a comment is a sign of life');
  stub.put('a');
  await until(t, () => titles().length === 1);
  t.true(gaps(stub.connections()).every((gap) => gap >= 990));
});

test('a consumer may take its time', async (t) => {
  const { stub, todo } = await connected(t);
  stub.put('a');
  stub.put('b');
  const titles = [];
  for await (const { task } of todo.watch('alice', { since: '0', longestSilence: 0.1 })) {
    if (titles.push(task?.title) === 3) break;
    await after(300);
    if (titles.length === 2) stub.put('c');
  }
  t.deepEqual(titles, ['a', 'b', 'c']);
});

test('who has to load everything again does so from a position that is known before', async (t) => {
  const { stub, start, titles } = await watching(t);
  stub.put('a');
  stub.put('b');
  stub.settings.pruned = 2;
  const asked: unknown[] = [];
  start({
    since: '0',
    onResync: async () => {
      asked.push(
        ...stub.asked.map(({ path, query, headers }) => [path, query.since, headers.accept === 'text/event-stream']),
      );
      stub.put('while loading');
      await after(20);
      t.is(stub.connections().length, 1, 'the stream waits for it');
    },
  });
  await until(t, () => titles().length === 1);
  t.deepEqual(asked, [
    ['/changes', '0', true],
    ['/changes', undefined, false],
  ]);
  stub.put('after');
  await until(t, () => titles().length === 2);
  t.deepEqual(titles(), ['while loading', 'after']);
  t.is(stub.connections().at(-1)?.query.since, '2');

  // The same in the middle: the stream ends, and its position is not there any more.
  let again = 0;
  const later = await watching(t, { since: '0', onResync: () => void again++ });
  later.start();
  await until(t, () => later.stub.streams.size === 1);
  // The present position is asked for until it is known.
  later.stub.answers['GET /changes'] = [refusal(500), refusal(502)];
  later.stub.settings.pruned = 1;
  for (const stream of later.stub.streams) stream.end();
  later.stub.log.push(...stub.log.slice(0, 1));
  await until(t, () => again === 1 && later.stub.streams.size === 1);
  t.is(later.stub.connections().at(-1)?.query.since, '1');
});

test('without a way to load everything again it ends', async (t) => {
  const { stub, todo } = await connected(t);
  stub.settings.pruned = 1;
  const gone = { instanceOf: TodoApiError, message: 'resync-required.' };
  t.like(await t.throwsAsync(todo.watch('alice', { since: '0' }).next(), gone), { status: 410 });
  t.like(await t.throwsAsync(todo.watch('alice', { since: '0', onChange: () => {} }), gone), { status: 410 });
  t.is(stub.asked.length, 2);
});

test('a server that always wants everything loaded again is not asked without a pause', async (t) => {
  let loaded = 0;
  const { stub, start } = await watching(t, { since: '0', onResync: () => void loaded++ });
  const gone = refusal(410);
  stub.answers.STREAM = Array(50).fill(gone);
  start();
  await until(t, () => loaded === 1);
  await after(500);
  t.is(loaded, 1, 'the second time only after a second or more');
});

test('what is refused for good ends it', async (t) => {
  for (const status of [400, 403, 404, 422]) {
    const { stub, start } = await watching(t);
    stub.answers.STREAM = [refusal(status, 'no')];
    t.like(await t.throwsAsync(start(), { instanceOf: TodoApiError, message: 'no.' }), { status });
    t.is(stub.asked.length, 1);
  }
});

test('a refused token is fetched again once', async (t) => {
  const refreshed: boolean[] = [];
  const getToken: TodoClientOptions['getToken'] = ({ refresh }) => `${refreshed.push(refresh)}`;
  const { stub, start, titles } = await watching(t, { since: '0' }, { getToken });
  stub.put('a');
  stub.answers.STREAM = [refusal(401)];
  const ended = start();
  await until(t, () => titles().length === 1);
  t.deepEqual(refreshed, [false, true]);
  stub.answers.STREAM = [refusal(401), refusal(401, 'unauthenticated')];
  stub.cut();
  t.like(await t.throwsAsync(ended, { instanceOf: TodoApiError, message: 'unauthenticated.' }), { status: 401 });
  t.deepEqual(refreshed, [false, true, false, true]);
});

test('a server that has no time is asked again when it says', async (t) => {
  const { stub, start, titles } = await watching(t, { since: '0' });
  stub.put('a');
  stub.answers.STREAM = [429, 503].map((status) => refusal(status, 'busy', { 'Retry-After': '2' }));
  start();
  await until(t, () => titles().length === 1);
  t.true(gaps(stub.connections()).every((gap) => gap >= 1_990));
});

test('it waits longer each time, until a stream has worked', async (t) => {
  const { stub, start } = await watching(t);
  stub.settings.retry = 100;
  start();
  await until(t, () => stub.streams.size === 1);
  const broken = [
    refusal(500),
    refusal(502),
    (response: Parameters<ReturnType<typeof refusal>>[0]) => response.destroy(),
  ];
  for (let round = 1; round <= 2; round++) {
    stub.answers.STREAM = [...broken];
    stub.asked.length = 0;
    const before = performance.now();
    stub.cut();
    await until(t, () => stub.connections().length === 4 && stub.streams.size === 1);
    t.true((stub.connections()[0]?.at ?? 0) - before >= 95);
    const waited = gaps(stub.connections());
    [200, 400, 800].forEach((least, i) => {
      t.true((waited[i] ?? 0) >= least - 5, `${waited}`);
    });
  }
});

test('a server that cannot be reached is waited for', async (t) => {
  let isAway = true;
  const { stub, start, titles } = await watching(
    t,
    { since: '0' },
    { fetch: (input, init) => fetch(isAway ? 'http://127.0.0.1:9' : input, init) },
  );
  stub.put('a');
  start();
  await after(50);
  isAway = false;
  await until(t, () => titles().length === 1);
  t.deepEqual(titles(), ['a']);
});

test('a token that cannot be fetched for want of a network is waited for, another failure ends it', async (t) => {
  const failures = [new TypeError('fetch failed'), new TodoNetworkError('away')];
  const { stub, start } = await watching(
    t,
    {},
    {
      getToken: () => {
        const failure = failures.shift();
        if (failure !== undefined) throw failure;
        return 'token';
      },
    },
  );
  const ended = start();
  await until(t, () => stub.streams.size === 1);
  failures.push(new RangeError('signed out') as TypeError);
  stub.cut();
  await t.throwsAsync(ended, { instanceOf: RangeError, message: 'signed out' });
});

test('what a function of the caller throws ends it', async (t) => {
  const { stub, todo } = await connected(t);
  stub.put('a');
  stub.put('b');
  for (const failure of [new TypeError('mine'), new TodoNetworkError('mine')]) {
    const seen: string[] = [];
    const failing = async ({ taskId }: StreamedChange) => {
      seen.push(taskId);
      await after(1);
      throw failure;
    };
    t.is(await t.throwsAsync(todo.watch('alice', { since: '0', onChange: failing })), failure);
    t.deepEqual(seen, ['a']);
    stub.settings.pruned = 1;
    const onResync = () => {
      throw failure;
    };
    t.is(await t.throwsAsync(todo.watch('alice', { since: '0', onChange: () => {}, onResync })), failure);
    stub.settings.pruned = 0;
  }
  await until(t, () => stub.streams.size === 0);
});

test('changes are read as they are consumed, and not stored', async (t) => {
  const { stub, todo } = await connected(t);
  const change = stub.put('a', 'x'.repeat(100_000));
  const text = `id: 1\nevent: change\ndata: ${JSON.stringify(change)}\n\n`;
  const ALL = 1_000;
  let sent = 0;
  function* all() {
    for (; sent < ALL; sent++) yield text;
  }
  stub.answers.STREAM = [
    (response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      pipeline(all(), response).catch(() => {});
    },
  ];
  const changes = todo.watch('alice');
  await changes.next();
  let before = -1;
  while (sent > before) {
    before = sent;
    await after(300);
  }
  t.true(sent < ALL / 2, `${sent} of ${ALL} changes sent for one consumed`);
  for (let i = 1; i < ALL; i++) await changes.next();
  t.is(sent, ALL);
  await changes.return();
});

test('an answer that is no stream of changes ends it', async (t) => {
  const { stub, start } = await watching(t);
  const answers: [string, string, string][] = [
    ['text/html', '<html>', 'The answer of the server is no event stream.'],
    ['text/event-stream', 'event: change\ndata: <html>\n\n', 'The answer of the server cannot be read.'],
  ];
  for (const [type, body, message] of answers) {
    stub.answers.STREAM = [(response) => response.writeHead(200, { 'Content-Type': type }).end(body)];
    await t.throwsAsync(start(), { instanceOf: TodoNetworkError, message });
  }
});

test('an older server has no changes', async (t) => {
  const { stub, todo } = await connected(t);
  const unknown: Parameters<typeof problem>[2] = 'route-not-found';
  stub.answers['GET /changes'] = [refusal(404, unknown)];
  stub.answers.STREAM = [refusal(404, unknown)];
  t.like(await t.throwsAsync(todo.changes('alice'), { instanceOf: TodoApiError }), { status: 404 });
  t.like(await t.throwsAsync(todo.watch('alice').next(), { instanceOf: TodoApiError }), { status: 404 });
});
