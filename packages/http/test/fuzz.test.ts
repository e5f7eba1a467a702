import assert from 'node:assert/strict';
import { Agent, request as httpRequest } from 'node:http';
import { gzipSync } from 'node:zlib';
import { folded, isVisible } from '@todo-backend/domain';
import test from 'ava';
import fc from 'fast-check';
import { assertDocumented, document } from './conformance.ts';
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

/** A request template; the user and the task are filled in when it is sent. */
interface Shot {
  /** The operation of the document, if any. */
  readonly id?: string;
  readonly method: string;
  /** May contain `{me}`, `{other}`, `{task}`, `{deleted}` and `{event}`. */
  readonly path: string;
  /** May contain `{token}`. */
  readonly headers: Record<string, string>;
  readonly body?: Buffer | undefined;
  /** The body, which may contain `{task}`. */
  readonly json?: string | undefined;
  readonly statuses: readonly number[];
  /** The component of a success response; `[]` means an array of it. */
  readonly gives?: string | undefined;
}

// biome-ignore lint/suspicious/noExplicitAny: JSON Schema, and what refers to it
type Schema = any;

/** An operation of the document, with its references resolved. */
interface Operation extends Pick<Required<Shot>, 'id' | 'method' | 'statuses'> {
  readonly path: string;
  readonly gives: string | undefined;
  readonly query: readonly { name: string; required: boolean; schema: Schema }[];
  readonly body: { schema: Schema; required: boolean } | undefined;
}

/** The problems of overload, timeouts and bugs, which no request here may cause. */
const NEVER = [408, 429, 431, 500, 503];

const OPERATIONS: readonly Operation[] = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { operationId: id, parameters, requestBody, responses }]) => {
    const statuses = Object.keys(responses).map(Number);
    const success = responses[Math.min(...statuses)]?.content?.['application/json']?.schema;
    return {
      id,
      method: method.toUpperCase(),
      path,
      statuses: statuses.filter((status) => !NEVER.includes(status)),
      gives: success?.$ref ? nameOf(success) : success?.items ? `${nameOf(success.items)}[]` : undefined,
      query: parameters.map(resolved).filter((parameter) => parameter.in === 'query'),
      body: requestBody && {
        schema: resolved(requestBody.content['application/json']?.schema),
        required: requestBody.required,
      },
    };
  }),
);
const ANY_STATUS = [200, 201, 204, 304, 400, 401, 403, 404, 405, 409, 410, 412, 413, 415, 422];

/** What operations may refuse although the request is as documented. */
const REFUSALS: Readonly<Record<string, readonly number[]>> = {
  batchTasks: [422],
  // Without a filter.
  deleteTasks: [422],
  listJournal: [410, 422],
  listChanges: [410],
  undo: [404, 409, 422],
};

function nameOf({ $ref }: Schema): string {
  return $ref.slice($ref.lastIndexOf('/') + 1);
}

function resolved(schema: Schema): Schema {
  if (schema.$ref === undefined) return schema;
  return schema.$ref
    .slice(2)
    .split('/')
    .reduce((value: Schema, key: string) => value[key], document);
}

const [min, max] = [new Date('0001-01-01T00:00:00Z'), new Date('9999-12-31T23:59:59.999Z')];

/** Hardly any text is a rule. */
const REPEATING = { rule: 'FREQ=MONTHLY;BYDAY=-1FR', anchor: 'completion', timeZone: 'Pacific/Apia' };

/** Values that match a schema; texts for a query string are short enough for a URL. */
function conforming(given: Schema, longest = Number.POSITIVE_INFINITY): fc.Arbitrary<unknown> {
  const schema = resolved(given);
  const { const: value, enum: values, type, format, examples = [], items, properties = {}, required = [] } = schema;
  if (value !== undefined) return fc.constant(value);
  if (values) return fc.constantFrom(...values);
  if (schema.oneOf) return fc.oneof(...schema.oneOf.map((option: Schema) => conforming(option)));
  if (schema.allOf) {
    return fc
      .tuple(...schema.allOf.map((part: Schema) => conforming(part)))
      .map((parts) => Object.assign({}, ...parts));
  }
  if (format === 'uuid') return fc.constant('{task}');
  if (format === 'date-time') return fc.date({ noInvalidDate: true, min, max }).map((date) => date.toISOString());
  if (Array.isArray(type)) return fc.oneof(...type.map((type) => conforming({ ...schema, type }, longest)));
  switch (type) {
    case 'null':
      return fc.constant(null);
    case 'boolean':
      return fc.boolean();
    case 'integer':
      return fc.integer({ min: schema.minimum ?? 0, max: schema.maximum ?? 2 ** 31 });
    case 'array':
      return fc.uniqueArray(conforming(items, longest), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(schema.maxItems ?? 5, longest),
        // That letter case makes no other text, JSON Schema cannot say.
        selector: (item) => (schema.uniqueItems ? folded(String(item).trim()) : {}),
      });
    case 'object': {
      const entries = Object.entries(properties).map(([name, property]) => [name, conforming(property)]);
      const objects = fc.record(Object.fromEntries(entries), { requiredKeys: required });
      // Both say the same, and must not contradict each other.
      return objects.map(({ status, completed, recurrence, ...rest }: Record<string, unknown>) => ({
        ...rest,
        ...(status !== undefined ? { status } : completed !== undefined && { completed }),
        // A task that repeats needs a due date, with more dates after it. Whether a task that is changed does, is not known.
        ...('dueDate' in rest && !rest.dueDate && 'recurrence' in properties && { recurrence: null }),
        ...(recurrence != null &&
          required.includes('title') && { recurrence: { ...REPEATING }, dueDate: '2026-03-10' }),
      }));
    }
    case 'string': {
      const maxLength = Math.min(schema.maxLength ?? 100, longest);
      const pattern = new RegExp(schema.pattern ?? '', 'u');
      const [example] = examples;
      return fc.oneof(
        ...(examples.length > 0 ? [fc.constantFrom(...examples)] : []),
        fc
          .oneof(
            fc.string({ unit: 'binary', minLength: schema.minLength ?? 0, maxLength }),
            fc.constantFrom('\ufeffx', '\u{1f600}'.repeat(maxLength), 'ß'.repeat(maxLength), '%_\\'),
          )
          // Random texts hardly ever match a pattern, so the example replaces them.
          .map((text) => (pattern.test(text) || example === undefined ? text : example))
          // Patterns do not name all characters that show nothing.
          .filter((text) => pattern.test(text) && (text === '' || pattern.test(' ') || isVisible(text))),
      );
    }
    default:
      throw new Error(`No arbitrary for ${JSON.stringify(schema)}.`);
  }
}

/** A text encoded for a path or a query, or nearly so. */
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
/** Mostly the first, so that a request passes the first check. */
const mostly = <T>(usual: fc.Arbitrary<T>, rest: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 7, arbitrary: usual }, { weight: 1, arbitrary: rest });

const owner = mostly(fc.constant('{me}'), fc.oneof(fc.constant('{other}'), encoded));
const taskId = mostly(fc.constant('{task}'), fc.oneof(fc.constant(ABSENT), encoded));
const fileName = mostly(fc.constant('initializer.js'), encoded);

/** Percent-encoded as in a URL, or completely. */
const asQuery = (pairs: object) => {
  const given = Object.entries(pairs).flatMap(([name, value]) =>
    [value].flat().map((one): [string, string] => [name, String(one)]),
  );
  const text = new URLSearchParams(given).toString();
  return text === '' ? '' : `?${text.replaceAll('%7Btask%7D', '{task}')}`;
};

const timeZone = fc.constantFrom('Europe/Berlin', 'America/New_York', 'Pacific/Apia', 'utc');

function conformingQuery({ query }: Operation): fc.Arbitrary<string> {
  // A cursor comes from an earlier response.
  const free = query.filter(({ name }) => name !== 'cursor');
  const valuesOf = ({ name, schema }: Operation['query'][number]): fc.Arbitrary<unknown> =>
    // Hardly any name is that of a time zone.
    name === 'time_zone' ? timeZone : conforming(schema, schema.type === 'array' ? 4 : 100);
  const values = Object.fromEntries(free.map((parameter) => [parameter.name, valuesOf(parameter)]));
  const requiredKeys = query.filter(({ required }) => required).map(({ name }) => name);
  return fc.record(values, { requiredKeys }).map(asQuery);
}

const parameters: readonly [string, Schema][] = [
  ...new Map(OPERATIONS.flatMap(({ query }) => query).map((it) => [it.name, it.schema])),
];
const value = fc.oneof(
  fc.constantFrom<string>('', 'HIGH', ...parameters.flatMap(([, { enum: values = [] }]) => values as string[])),
  encoded,
);
const name = mostly(fc.constantFrom(...parameters.map(([name]) => name)), encoded);
const anyQuery = fc.oneof(
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
/** In random letter case, which the document treats as equal. */
const recased = (values: fc.Arbitrary<unknown>) =>
  fc
    .tuple(values, fc.boolean())
    .map(([value, upper]) => (typeof value === 'string' && value.length < 10 && upper ? value.toUpperCase() : value));

/** An object with mostly valid fields, and some read-only ones. */
function nearly(schema: Schema): fc.Arbitrary<object> {
  const fields = Object.entries(schema.properties ?? {}).map(([name, property]) => [
    name,
    mostly<unknown>(recased(conforming(property)), anything),
  ]);
  const decided = ['status', 'completed', 'id', 'userId', 'createdAt'].map((name) => [name, anything]);
  const model = { ...Object.fromEntries(decided), ...Object.fromEntries(fields) };
  return fc.record(model, { requiredKeys: schema.required ?? [] });
}

const names = [...new Set(OPERATIONS.flatMap(({ body }) => Object.keys(body?.schema.properties ?? {})))];
const anyJson = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.dictionary(fc.constantFrom('x', ...names), anything).map((it) => JSON.stringify(it)),
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
type Body = { readonly body: Buffer; readonly headers: Record<string, string> };

const encoding = (json: fc.Arbitrary<string>): fc.Arbitrary<Body> =>
  fc.oneof(
    { weight: 9, arbitrary: json.map((text) => ({ body: Buffer.from(text), headers: {} })) },
    { weight: 1, arbitrary: json.map((text) => ({ body: gzipSync(text), headers: { 'Content-Encoding': 'gzip' } })) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.uint8Array({ maxLength: 50 }), fc.constantFrom('identity', 'gzip', 'br', 'deflate', 'x', ''))
        .map(([bytes, name]) => ({ body: Buffer.from(bytes), headers: { 'Content-Encoding': name } })),
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
const bodyOf = (json: fc.Arbitrary<string>): fc.Arbitrary<Body | null> =>
  fc.option(
    fc.tuple(encoding(json), contentType, fc.boolean()).map(([{ body, headers }, type, chunked]) => ({
      body,
      headers: { ...headers, 'Content-Type': type, ...(chunked && { 'Transfer-Encoding': 'chunked' }) },
    })),
    { freq: 6 },
  );
const anyBody = bodyOf(anyJson);

/** The characters of a header: every byte except control characters. */
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
      'If-None-Match': fc.oneof(fc.constantFrom('*', '"x"', 'W/"1"'), headerText),
      'If-Match': fc.oneof(fc.constantFrom('*', '"x"', '"zzzzzzzzzzzz"'), headerText),
      'Idempotency-Key': fc.oneof(fc.constantFrom('a', '"a"', ''), headerText),
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

/** The path with a value for each parameter. */
function pathOf({ path }: Operation, parts: Readonly<Record<string, fc.Arbitrary<string>>>): fc.Arbitrary<string> {
  return fc
    .record(parts)
    .map((values) => path.replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name] ?? assert.fail(name)));
}

/** An operation with valid and invalid input. */
function attempt(operation: Operation): fc.Arbitrary<Shot> {
  const { query: _, body: taken, ...shot } = operation;
  const path = pathOf(operation, { user_id: owner, task_id: taskId, file: fileName });
  const json = taken?.schema.properties
    ? fc.oneof(
        { weight: 8, arbitrary: nearly(taken.schema).map((value) => JSON.stringify(value)) },
        { weight: 5, arbitrary: anyJson },
      )
    : anyJson;
  const query = fc.oneof(conformingQuery(operation), anyQuery);
  return fc.tuple(path, query, mostly(noHeaders, headers), bodyOf(json)).map(([path, query, headers, body]) => ({
    ...shot,
    path: path + query,
    headers: { Authorization: 'Bearer {token}', ...headers, ...body?.headers },
    body: body?.body,
  }));
}

/**
 * An operation with valid input only, which must not be refused. Only in a batch, an earlier operation may have deleted
 * the task.
 */
function asDocumented(operation: Operation): fc.Arbitrary<Shot> {
  const { query: _, body: taken, ...shot } = operation;
  const own = {
    user_id: fc.constant('{me}'),
    task_id: fc.constant(/restore|trash/.test(operation.path) ? '{deleted}' : '{task}'),
    file: fc.constant('swagger-ui.css'),
  };
  const path = pathOf(operation, own);
  const conform = taken ? conforming(taken.schema) : fc.constant(undefined);
  const given = operation.id === 'undo' ? fc.oneof(conform, fc.constant({ events: ['{event}'] })) : conform;
  const body = taken?.required ? given : fc.option(given, { nil: undefined });
  return fc.tuple(path, conformingQuery(operation), body).map(([path, query, body]) => ({
    ...shot,
    path: path + query,
    headers: {
      Authorization: 'Bearer {token}',
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
    },
    json: body === undefined ? undefined : JSON.stringify(body),
    statuses: operation.statuses.filter((status) => status < 300 || REFUSALS[operation.id]?.includes(status)),
  }));
}

/** Mostly operations that need a token and have an effect. */
const operation = fc.oneof(
  ...OPERATIONS.flatMap((operation) => [
    { weight: operation.path.startsWith('/api/') ? 12 : 1, arbitrary: attempt(operation) },
    { weight: operation.path.startsWith('/api/') ? 3 : 1, arbitrary: asDocumented(operation) },
  ]),
);

/** Anything that the HTTP client can send. */
const target = fc.oneof(
  fc
    .array(
      fc.oneof(
        encoded,
        fc.constantFrom('', '.', '..', 'api', 'tasks', 'stats', 'audit', 'batch', 'export', 'import', 'complete'),
        fc.constantFrom('health', 'docs', 'openapi.json', '{me}', '{task}'),
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
  .tuple(fc.constantFrom(...methods), target, fc.oneof(fc.constant(''), anyQuery), headers, anyBody)
  .map(([method, path, query, headers, body]) => ({
    method,
    path: path + query,
    headers: { Authorization: 'Bearer {token}', ...headers, ...body?.headers },
    body: body?.body,
    statuses: ANY_STATUS,
  }));

const agent = new Agent({ keepAlive: true });
test.after.always(() => agent.destroy());

/** Sends requests that `fetch` would correct or refuse. */
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
        const status = response.statusCode ?? 0;
        try {
          assertDocumented(method, path, { status, headers, text });
        } catch (error) {
          reject(error);
        }
        resolve({ status, headers, text, body: isJson ? JSON.parse(text) : undefined });
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
  'tags',
  'recurrence',
  'remindAt',
  'series',
];
/** The possible `field`s of an input problem. */
const FIELDS = new RegExp(
  `^(?:(?:task_id|body|${[...names, ...parameters.map(([name]) => name)].join('|')})|(?:(?:operations|tasks|events|tags|tag)\\.[\\da-f-]+|recurrence)(?:\\.\\w+)*)$`,
);
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
  assert.ok(task.tags.every((tag: string) => tag === tag.trim() && tag.length > 0));
  if (task.recurrence !== null) assert.deepEqual(Object.keys(task.recurrence), ['rule', 'anchor', 'timeZone']);
  assert.equal(task.series !== null, task.recurrence !== null);
  if (task.remindAt !== null) assert.match(task.remindAt, INSTANT);
  assert.equal(task.userId, userId);
}

function assertContract(answer: Answer, { method, path, statuses, gives }: Shot, me: Person): void {
  const { status, headers, text, body } = answer;
  assert.ok(statuses.includes(status), `${status} ${text}`);
  assert.ok(headers.has('X-Request-Id'));
  assert.equal(headers.has('WWW-Authenticate'), status === 401);
  if (status >= 400 && method !== 'HEAD') {
    assertProblem(
      throwing,
      answer,
      status,
      body.errors?.map(({ field }: { field: string }) => field),
    );
    const members = ['type', 'title', 'status', 'detail', 'instance', 'requestId'];
    const isInvalid = ['/problems/invalid-input', '/problems/changed-since'].includes(body.type);
    assert.deepEqual(Object.keys(body), isInvalid ? [...members, 'errors'] : members);
    for (const error of body.errors ?? []) {
      assert.deepEqual(Object.keys(error), ['field', 'message']);
      assert.match(error.field, FIELDS);
      assert.match(error.message, /^[A-Za-z].*[.]$/);
    }
    assert.equal(headers.has('Allow'), status === 405);
  } else if (status === 204 || status === 304) assert.equal(text, '');
  else if (gives === 'Task') assertTask(body, me);
  else if (gives === 'Task[]') for (const task of body) assertTask(task, me);
  else if (gives === 'JournalEntry[]') {
    const sequences: number[] = body.map(({ sequence }: { sequence: number }) => sequence);
    assert.deepEqual(
      sequences,
      [...new Set(sequences)].sort((a, b) => (/[?&]after=\w/.test(path) ? a - b : b - a)),
    );
    for (const { userId } of body) assert.equal(userId, me.id);
  } else if (gives === 'Stats') {
    assert.deepEqual(Object.keys(body), ['total', 'pending', 'completed']);
    assert.equal(body.total, body.pending + body.completed);
  }
}

for (const { name, declare, open } of hosts.filter(({ name }) => name !== 'memory')) {
  const opened = shared(open);

  declare(`${name}: every request gets a documented response`, async (t) => {
    const host = await opened();
    const seen = new Map<string, number>();
    const shots = fc.array(fc.oneof({ weight: 4, arbitrary: operation }, { weight: 1, arbitrary: wild }), {
      maxLength: 40,
      size: 'max',
    });
    await explore(2_000, shots, async (shots) => {
      const [me, other] = [await person(host), await person(host)];
      let task: string = (await me.create()).id;
      const names = {
        '{me}': async () => me.id,
        '{other}': async () => other.id,
        '{task}': async () => task,
        '{event}': async () => (await me.call('GET', '/audit?limit=1')).body[0].id,
        async '{deleted}'() {
          const { id } = await me.create();
          await me.call('DELETE', `/tasks/${id}`);
          return id;
        },
      };
      const filled = async (text: string) => {
        let result = text;
        for (const [name, find] of Object.entries(names)) {
          if (result.includes(name)) result = result.replaceAll(name, await find());
        }
        return result;
      };
      for (const shot of shots) {
        const path = await filled(shot.path);
        const Authorization = shot.headers.Authorization?.replace('{token}', me.token) ?? '';
        const body = shot.json === undefined ? shot.body : Buffer.from(await filled(shot.json));
        const sent = { ...shot, path, headers: { ...shot.headers, Authorization }, body };
        const answer = await send(host, sent);
        assertContract(answer, sent, me);
        if (answer.body?.id && answer.status === 201) task = answer.body.id;
        const mayBeGone = answer.status < 300 && (shot.method === 'DELETE' || /batch|undo/.test(path));
        if (mayBeGone) task = (await me.create()).id;
        const outcome = `${shot.id ?? 'anything'} ${answer.status}`;
        seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
      }
      return shots.length;
    });
    t.log(Object.fromEntries([...seen].sort()));
    for (const { id, statuses } of OPERATIONS) {
      for (const status of statuses)
        if (status < 300) t.true(seen.has(`${id} ${status}`), `${id} ${status}: never met`);
    }
  });
}
