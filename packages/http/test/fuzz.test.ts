import assert from 'node:assert/strict';
import { Agent, request as httpRequest } from 'node:http';
import { gzipSync } from 'node:zlib';
import test from 'ava';
import fc from 'fast-check';
import {
  ABSENT,
  type Answer,
  assertProblem,
  explore,
  type Host,
  hosts,
  INSTANT,
  type Person,
  person,
  shared,
  throwing,
  UUID_V7,
} from './hosts.ts';

/** A request as it will be sent; who sends it, and about which task, is decided when the users are there. */
interface Shot {
  readonly method: string;
  /** With `{me}`, `{other}` and `{task}` in it. */
  readonly path: string;
  /** With `{token}` in it. */
  readonly headers: Record<string, string>;
  readonly body: Buffer | undefined;
  readonly statuses: readonly number[];
  /** What a success gives. */
  readonly gives: 'task' | 'tasks' | 'counts' | 'nothing' | 'anything';
}

const problem = { id: [400, 401, 403, 404, 422], body: [400, 401, 403, 413, 415, 422] };
const OPERATIONS: readonly Pick<Shot, 'method' | 'path' | 'statuses' | 'gives'>[] = [
  { method: 'GET', path: '/tasks', statuses: [200, 400, 401, 403, 422], gives: 'tasks' },
  { method: 'POST', path: '/tasks', statuses: [201, ...problem.body], gives: 'task' },
  { method: 'GET', path: '/tasks/{id}', statuses: [200, ...problem.id], gives: 'task' },
  { method: 'PUT', path: '/tasks/{id}', statuses: [200, ...problem.id, ...problem.body], gives: 'task' },
  { method: 'PATCH', path: '/tasks/{id}/complete', statuses: [200, ...problem.id, ...problem.body], gives: 'task' },
  { method: 'DELETE', path: '/tasks/{id}', statuses: [204, ...problem.id], gives: 'nothing' },
  { method: 'GET', path: '/stats', statuses: [200, 400, 401, 403], gives: 'counts' },
];
const ANY_STATUS = [200, 201, 204, 400, 401, 403, 404, 405, 413, 415, 422];

/** A text as a path or a query carries it, or nearly so. */
const encoded = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).map((text) => encodeURIComponent(text)),
  fc.constantFrom(
    '%00',
    '%zz',
    '%ff',
    '%',
    '%c3%28',
    '%ed%a0%80',
    '..%2f..',
    '%2e%2e',
    '+',
    '1',
    "'%20or%201=1--",
    'NaN',
  ),
  fc.constantFrom(
    '__proto__',
    'constructor',
    'x'.repeat(300),
    ABSENT.slice(1),
    `${ABSENT}0`,
    '-1',
    '1e9',
    '*',
    '$1',
    '%5c',
  ),
);
/** Mostly the first, so that a request gets beyond the first check. */
const mostly = <T>(usual: fc.Arbitrary<T>, rest: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 7, arbitrary: usual }, { weight: 1, arbitrary: rest });

const owner = mostly(fc.constant('{me}'), fc.oneof(fc.constant('{other}'), encoded));
const taskId = mostly(fc.constant('{task}'), fc.oneof(fc.constant(ABSENT), encoded));

const value = fc.oneof(
  fc.constantFrom('', 'low', 'HIGH', 'work', 'pending', 'Completed', 'title', 'dueDate', 'updatedAt', 'asc', 'desc'),
  encoded,
);
const name = mostly(fc.constantFrom('status', 'priority', 'category', 'search', 'sort_by', 'sort_order'), encoded);
const sensible = fc.constantFrom(
  'status=pending',
  'priority=Low',
  'category=',
  'sort_by=title',
  'sort_by=dueDate',
  'sort_order=asc',
  'search=a%25',
);
const query = fc.oneof(
  fc.constant(''),
  fc
    .uniqueArray(sensible, { maxLength: 4, selector: (pair) => pair.split('=')[0] })
    .map((pairs) => `?${pairs.join('&')}`),
  fc.array(fc.tuple(name, value), { maxLength: 5 }).map((pairs) => `?${pairs.map((pair) => pair.join('=')).join('&')}`),
  encoded.map((text) => `?${text}`),
);

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('\0', '\ud800', '\udfff', '\ufeff', '\u2028', '\t', 'x', "'", '\\') }),
  fc.constantFrom('', ' ', 'x'.repeat(255), 'x'.repeat(256), '😀'.repeat(255), 'ß'.repeat(1000), 'ß'.repeat(1001)),
);
const anyDate = fc.oneof(
  fc.constantFrom(
    '2026-03-10',
    '2026-03-10T09:30',
    '2026-03-10T09:30:00+05:00',
    '2026-02-30',
    '0000-01-01',
    '10000-01-01',
  ),
  fc.constantFrom('infinity', '-infinity', 'now', 'epoch', '', '0001-01-01T00:00:00+14:00', '9999-12-31T23:59:59.999Z'),
  fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
);
const anything = fc.oneof(
  fc.jsonValue(),
  anyText,
  anyDate,
  fc.constantFrom<unknown>(Number.MAX_VALUE, -0, 2 ** 53, [], {}, true),
);
const field = <T>(valid: fc.Arbitrary<T>) => mostly<unknown>(valid, anything);
const fields = fc.record(
  {
    title: field(fc.constantFrom('a title', '😀'.repeat(255))),
    description: field(fc.constantFrom('', null, 'ß'.repeat(1000), '\ufeff')),
    priority: field(fc.constantFrom('low', 'Medium', 'HIGH')),
    category: field(fc.constantFrom('work', 'Personal', 'home', 'OTHER')),
    dueDate: field(fc.constantFrom(null, '', '2026-03-10', '0001-01-01T00:00', '2026-03-10T09:30:00+05:00')),
    completed: field(fc.boolean()),
    status: anything,
    id: anything,
    userId: anything,
    createdAt: anything,
  },
  { requiredKeys: ['title', 'priority', 'category'] },
);
const json = fc.oneof(
  { weight: 8, arbitrary: fields.map((fields) => JSON.stringify(fields)) },
  {
    weight: 2,
    arbitrary: fc
      .dictionary(fc.constantFrom('title', 'completed', 'dueDate', 'x'), anything)
      .map((it) => JSON.stringify(it)),
  },
  { weight: 2, arbitrary: fc.json() },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ...[
        '{}',
        '',
        '[]',
        'null',
        '"',
        '{"title"',
        '1e400',
        '{"completed":true}',
        '{"completed":false}',
        '\ufeff{}',
        '{}{}',
      ],
      ...['{"__proto__":{"title":"t"}}', '{"constructor":{"prototype":{"title":"t"}}}', '{"title":"a","title":"b"}'],
      `{"title":${'['.repeat(5000)}${']'.repeat(5000)}}`,
      `${'{"title":'.repeat(5000)}1${'}'.repeat(5000)}`,
      `{"title":"t","priority":"low","category":"work","description":"${'x'.repeat(110_000)}"}`,
      '{"title":"\\ud800","priority":"low","category":"work"}',
      `{"title":"t","priority":"low","category":"work","x":${'9'.repeat(5000)}}`,
    ),
  },
);
const encoding = fc.oneof(
  { weight: 9, arbitrary: json.map((text) => ({ body: Buffer.from(text), headers: {} as Record<string, string> })) },
  { weight: 1, arbitrary: json.map((text) => ({ body: gzipSync(text), headers: { 'Content-Encoding': 'gzip' } })) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.uint8Array({ maxLength: 50 }), fc.constantFrom('identity', 'gzip', 'br', 'deflate', 'x', ''))
      .map(([bytes, name]) => ({
        body: Buffer.from(bytes),
        headers: { 'Content-Encoding': name } as Record<string, string>,
      })),
  },
);
const contentType = mostly(
  fc.constantFrom('application/json', 'application/json; charset=UTF-8', 'application/merge-patch+json'),
  fc.constantFrom(
    '',
    'text/plain',
    'application/json; charset=utf-16',
    'application/json; charset',
    'a/b/c',
    ';',
    '*/*',
    'json',
  ),
);
const body = fc.option(
  fc.tuple(encoding, contentType, fc.boolean()).map(([{ body, headers }, type, chunked]) => ({
    body,
    headers: { ...headers, 'Content-Type': type, ...(chunked && { 'Transfer-Encoding': 'chunked' }) },
  })),
  { freq: 6 },
);

/** What a header may hold: every byte but control characters. */
const headerText = fc.string({
  unit: fc
    .integer({ min: 0x20, max: 0xff })
    .filter((code) => code !== 0x7f)
    .map((code) => String.fromCharCode(code)),
  maxLength: 60,
});
const headers = fc
  .record(
    {
      Authorization: fc.oneof(
        headerText,
        headerText.map((text) => `Bearer ${text}`),
        fc.constantFrom('Bearer', 'Basic x', ''),
      ),
      Origin: fc.oneof(fc.constantFrom('http://localhost:3000', 'null', '*'), headerText),
      Accept: fc.oneof(fc.constantFrom('text/html', '*/*;q=0', 'application/xml'), headerText),
      Host: fc.oneof(fc.constantFrom('evil.example', '[', 'a:b:c', ''), headerText),
      'X-Request-Id': fc.oneof(fc.uuid(), headerText),
      'If-None-Match': fc.constantFrom('*', '"x"'),
      'If-Modified-Since': headerText,
      'X-HTTP-Method-Override': fc.constantFrom('DELETE', 'TRACE'),
      'X-Forwarded-For': headerText,
      'X-Forwarded-Proto': headerText,
      Cookie: headerText,
      Range: fc.constantFrom('bytes=0-1', 'x'),
    },
    { requiredKeys: [] },
  )
  .map((headers) => headers as Record<string, string>);
const noHeaders = fc.constant<Record<string, string>>({});

const operation: fc.Arbitrary<Shot> = fc
  .tuple(fc.constantFrom(...OPERATIONS), owner, taskId, query, mostly(noHeaders, headers), body)
  .map(([{ method, path, statuses, gives }, owner, taskId, query, headers, body]) => ({
    method,
    path: `/api/${owner}${path.replace('{id}', () => taskId)}${query}`,
    headers: { Authorization: 'Bearer {token}', ...headers, ...body?.headers },
    body: body?.body,
    statuses,
    gives,
  }));

/** Anything that the HTTP client will still send. */
const target = fc.oneof(
  fc
    .array(
      fc.oneof(
        encoded,
        fc.constantFrom('', '.', '..', 'api', 'tasks', 'stats', 'complete', 'health', '{me}', '{task}'),
      ),
      { maxLength: 6 },
    )
    .map((parts) => `/${parts.join('/')}`),
  fc
    .string({ unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)), maxLength: 40 })
    .map((text) => `/${text}`),
  fc.constantFrom(
    '*',
    '//',
    '//evil.example/tasks',
    'http://evil.example/api/{me}/tasks',
    'http://[/',
    'http://a:b/',
    '/?',
    '/%',
    '/#',
  ),
  fc.constantFrom(
    '/',
    '/health',
    '/ready',
    '/api/{me}/tasks',
    '/api/{me}/tasks/{task}',
    '/api/{me}/tasks/',
    '/api//tasks',
    '/api/{me}/stats/x',
  ),
);
const methods = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
  'SEARCH',
  'PURGE',
  'M-SEARCH',
];
const wild: fc.Arbitrary<Shot> = fc
  .tuple(fc.constantFrom(...methods), target, query, headers, body)
  .map(([method, path, query, headers, body]) => ({
    method,
    path: path + query,
    headers: { Authorization: 'Bearer {token}', ...headers, ...body?.headers },
    body: body?.body,
    statuses: ANY_STATUS,
    gives: 'anything',
  }));

const agent = new Agent({ keepAlive: true });
test.after.always(() => agent.destroy());

/** Sends what `fetch` would mend or refuse. */
function send(host: Host, { method, path, headers, body }: Shot): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(host.url);
    const outgoing = httpRequest({ agent, hostname, port, method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        const text = Buffer.concat(chunks).toString();
        const headers = new Headers(
          Object.entries(response.headersDistinct).flatMap(([name, values]) =>
            (values ?? []).map((value) => [name, value] as [string, string]),
          ),
        );
        const isJson = /\bjson\b/.test(headers.get('Content-Type') ?? '') && text !== '';
        resolve({ status: response.statusCode ?? 0, headers, text, body: isJson ? JSON.parse(text) : undefined });
      });
    });
    outgoing.once('error', reject);
    if (body === undefined || 'Transfer-Encoding' in headers) outgoing.end(body);
    else outgoing.setHeader('Content-Length', body.length).end(body);
  });
}

const TASK = [
  'id',
  'title',
  'description',
  'priority',
  'category',
  'status',
  'completed',
  'dueDate',
  'createdAt',
  'updatedAt',
  'userId',
];
const DUE_DATE = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{3})?Z?$/;

function assertTask(task: Answer['body'], { id: userId }: Person): void {
  assert.deepEqual(Object.keys(task), TASK);
  assert.match(task.id, UUID_V7);
  assert.equal(task.title, task.title.trim());
  assert.ok(task.title.length > 0);
  if (task.description !== null) assert.equal(typeof task.description, 'string');
  assert.ok(['low', 'medium', 'high'].includes(task.priority));
  assert.ok(['work', 'personal', 'home', 'other'].includes(task.category));
  assert.ok(['pending', 'completed'].includes(task.status));
  assert.equal(task.completed, task.status === 'completed');
  if (task.dueDate !== null) assert.match(task.dueDate, DUE_DATE);
  for (const time of [task.createdAt, task.updatedAt]) assert.match(time, INSTANT);
  assert.ok(task.updatedAt >= task.createdAt);
  assert.equal(task.userId, userId);
}

function assertContract(answer: Answer, { method, statuses, gives }: Shot, me: Person): void {
  const { status, headers, text, body } = answer;
  assert.ok(statuses.includes(status), `${status} ${text}`);
  assert.ok(headers.has('X-Request-Id'));
  assert.equal(headers.has('WWW-Authenticate'), status === 401);
  if (status >= 300 && method !== 'HEAD') {
    assertProblem(
      throwing,
      answer,
      status,
      status === 422 ? body.errors.map(({ field }: { field: string }) => field) : undefined,
    );
    const members = ['type', 'title', 'status', 'detail', 'instance', 'requestId'];
    assert.deepEqual(Object.keys(body), status === 422 ? [...members, 'errors'] : members);
    for (const error of body.errors ?? []) {
      assert.deepEqual(Object.keys(error), ['field', 'message']);
      assert.match(
        error.field,
        /^(task_id|body|title|description|priority|category|dueDate|completed|status|search|sort_by|sort_order)$/,
      );
      assert.match(error.message, /^[A-Za-z].*[.]$/);
    }
    assert.equal(headers.has('Allow'), status === 405);
  } else if (status === 204) assert.equal(text, '');
  else if (gives === 'task') assertTask(body, me);
  else if (gives === 'tasks') for (const task of body) assertTask(task, me);
  else if (gives === 'counts') {
    assert.deepEqual(Object.keys(body), ['total', 'pending', 'completed']);
    assert.equal(body.total, body.pending + body.completed);
  }
}

for (const { name, declare, open } of hosts.filter(({ name }) => name !== 'memory')) {
  const opened = shared(open);

  declare(`${name}: whatever is sent, the answer is one of the contract`, async (t) => {
    const host = await opened();
    const seen = new Map<string, number>();
    const shots = fc.array(fc.oneof({ weight: 4, arbitrary: operation }, { weight: 1, arbitrary: wild }), {
      maxLength: 40,
      size: 'max',
    });
    await explore(2_000, shots, async (shots) => {
      const [me, other] = [await person(host), await person(host)];
      let task: string = (await me.create()).id;
      for (const shot of shots) {
        const path = shot.path.replaceAll('{me}', me.id).replaceAll('{other}', other.id).replaceAll('{task}', task);
        const Authorization = shot.headers.Authorization?.replace('{token}', me.token) ?? '';
        const sent = { ...shot, path, headers: { ...shot.headers, Authorization } };
        const answer = await send(host, sent);
        assertContract(answer, sent, me);
        if (answer.status === 201) task = answer.body.id;
        if (answer.status === 204 && shot.gives === 'nothing') task = (await me.create()).id;
        const outcome = `${shot.gives === 'anything' ? 'anything' : shot.method} ${answer.status}`;
        seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
      }
      return shots.length;
    });
    t.log(Object.fromEntries([...seen].sort()));
    for (const { method, statuses } of OPERATIONS) {
      for (const status of statuses)
        if (status < 300) t.true(seen.has(`${method} ${status}`), `${method} ${status}: never met`);
    }
  });
}
