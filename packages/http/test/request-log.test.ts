import { createHmac } from 'node:crypto';
import { connect } from 'node:net';
import { taskUseCases, UnavailableError, UserUnknownError } from '@todo-backend/application';
import { InMemoryTaskRepository, sequentialIds } from '@todo-backend/application/testing';
import { type AppOptions, createLogger } from '@todo-backend/http';
import { cachedKeySet, tokenVerifier } from '@todo-backend/infrastructure';
import test from 'ava';
import { pino } from 'pino';
import { ABSENT, type Host, onMemory, operations, person, SECRET } from './hosts.ts';

const clock = () => new Date().toISOString();
const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const TRACEPARENT = `00-${TRACE_ID}-00f067aa0ba902b7-01`;

interface Line {
  readonly [key: string]: unknown;
}

/** A host with its complete log, as lines and as text. */
async function logged(own: Partial<AppOptions> = {}): Promise<Host & { lines(): Line[]; text(): string }> {
  const written: string[] = [];
  const logger = await createLogger({ logLevel: 'trace' }, { write: (line) => written.push(line) });
  const host = await onMemory({ logger, ...own });
  return {
    ...host,
    lines: () => written.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'request'),
    text: () => written.join(''),
  };
}

const base64 = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');

/** A token with any claims, validly signed unless `secret` is another one. */
function tokenOf(claims: Record<string, unknown>, secret = SECRET): string {
  const now = Math.floor(Date.now() / 1000);
  const input = `${base64({ alg: 'HS256' })}.${base64({ sub: 'alice', iat: now, exp: now + 900, ...claims })}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

/** Use cases over a repository in which lists and writes fail. */
function failing(error: Error) {
  const fail = () => Promise.reject(error);
  const tasks = Object.assign(new InMemoryTaskRepository(), { change: fail, list: fail });
  return taskUseCases({ tasks, clock, newId: sequentialIds() });
}

/** Sends raw bytes, and waits for the end. */
function send(host: Host, bytes: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(host.url).port), '127.0.0.1');
    socket.on('close', () => resolve()).on('error', () => {});
    socket.resume().end(bytes, 'latin1');
  });
}

test('each request is one line, with its route template', async (t) => {
  const host = await logged();
  const alice = await person(host, 'alice');
  await alice.create();
  await host.call('GET', '/nowhere', { headers: { 'X-Request-Id': 'mine-1', traceparent: TRACEPARENT } });
  await host.call('GET', '/api/alice/stats');
  await host.call('PUT', '/api/alice/tasks');
  await host.call('GET', '/api/alice/nothing');
  await alice.call('GET', '/tasks/export');
  await alice.call('POST', '/tasks/batch', { json: {} });
  const [created, nowhere, unauthenticated, notAllowed, nothing, exported, batch] = host.lines();
  t.is(host.lines().length, 7);
  t.like(created, { method: 'POST', route: '/api/:user_id/tasks', status: 201, userId: 'alice' });
  t.false('reason' in (created ?? {}));
  t.false('traceId' in (created ?? {}));
  t.like(nowhere, { method: 'GET', route: null, status: 404, requestId: 'mine-1', traceId: TRACE_ID });
  t.is(typeof created?.milliseconds, 'number');
  t.like(unauthenticated, { route: '/api/:user_id/stats', status: 401 });
  t.like(notAllowed, { route: '/api/:user_id/tasks', status: 405 });
  t.like(nothing, { route: null, status: 404 });
  t.like(exported, { route: '/api/:user_id/tasks/export', status: 200 });
  t.like(batch, { route: '/api/:user_id/tasks/batch', status: 422 });
  await host.close();
});

const traceparents: [header: string, read: boolean][] = [
  [TRACEPARENT, true],
  [`00-${TRACE_ID}-00f067aa0ba902b7-00`, true],
  [`cc-${TRACE_ID}-00f067aa0ba902b7-01`, true],
  [`cc-${TRACE_ID}-00f067aa0ba902b7-01-what-the-future-will-bring`, true],
  [`00-${TRACE_ID}-00f067aa0ba902b7-01-more`, false],
  [`00-${TRACE_ID}-00f067aa0ba902b7-01-`, false],
  [`cc-${TRACE_ID}-00f067aa0ba902b7-01.more`, false],
  [`ff-${TRACE_ID}-00f067aa0ba902b7-01`, false],
  [`00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, false],
  [`00-${TRACE_ID}-${'0'.repeat(16)}-01`, false],
  [`00-${TRACE_ID.toUpperCase()}-00f067aa0ba902b7-01`, false],
  [`0-${TRACE_ID}-00f067aa0ba902b7-01`, false],
  [`00-${TRACE_ID}0-00f067aa0ba902b7-01`, false],
  [`00-${TRACE_ID}-00f067aa0ba902b-01`, false],
  [`00-${TRACE_ID}-00f067aa0ba902b7-1`, false],
  [`00-${TRACE_ID}-00f067aa0ba902b7`, false],
  [`${TRACEPARENT}, ${TRACEPARENT}`, false],
  ['', false],
];
for (const [traceparent, read] of traceparents) {
  test(`the traceparent "${traceparent}" is ${read ? 'read' : 'ignored'}`, async (t) => {
    const host = await logged();
    t.is((await host.call('GET', '/health', { headers: { traceparent } })).status, 200);
    t.is(host.lines()[0]?.traceId, read ? TRACE_ID : undefined);
    await host.close();
  });
}

test('a recorded trace takes precedence over the header', async (t) => {
  let active: string | undefined = 'a'.repeat(32);
  const host = await logged({ activeTraceId: () => active });
  await host.call('GET', '/health', { headers: { traceparent: TRACEPARENT } });
  active = undefined;
  await host.call('GET', '/health', { headers: { traceparent: TRACEPARENT } });
  t.deepEqual(
    host.lines().map(({ traceId }) => traceId),
    ['a'.repeat(32), TRACE_ID],
  );
  await host.close();
});

test('a refused caller is logged with the reason, in the same line', async (t) => {
  const unknownKey = `${base64({ alg: 'EdDSA', kid: 'nobody' })}.${base64({ sub: 'alice' })}.AAAA`;
  const keys = cachedKeySet(async () => [{ kty: 'OKP', crv: 'Ed25519', x: 'A'.repeat(43), kid: 'somebody' }], {
    onLoadError: () => t.fail(),
  });
  const host = await logged({
    tokens: tokenVerifier({ secret: SECRET, keys, issuers: ['https://app.example.com'] }),
    tasks: failing(new UserUnknownError()),
  });
  const now = Math.floor(Date.now() / 1000);
  const cases: [reason: string, status: number, token: string | undefined, path?: string][] = [
    ['missing', 401, undefined],
    ['malformed', 401, 'no.token.'],
    ['algorithm', 401, `${base64({ alg: 'none' })}.${base64({ sub: 'alice' })}.AAAA`],
    ['unknown_key', 401, unknownKey],
    ['signature', 401, tokenOf({}, 'a secret of somebody else, long enough to be one')],
    ['expired', 401, tokenOf({ iat: now - 900, exp: now - 60 })],
    ['claims', 401, tokenOf({ sub: '' })],
    ['forbidden', 403, tokenOf({}), '/api/bob/tasks'],
    ['user_unknown', 401, tokenOf({})],
  ];
  for (const [reason, status, token, path = '/api/alice/tasks'] of cases) {
    const json = { title: 't', priority: 'low', category: 'work' };
    t.is((await host.call('POST', path, { token, json })).status, status, reason);
    t.like(host.lines().at(-1), { status, reason });
  }
  t.is(host.lines().length, cases.length);
  t.is(host.lines().find(({ reason }) => reason === 'forbidden')?.userId, 'alice', 'who it was, and not whose path');
  await host.close();
});

/** The allowed fields of a request's line. Check that a new one contains no user data. */
const FIELDS = [
  'evidence',
  ...['level', 'time', 'method', 'route', 'status', 'milliseconds'],
  ...['requestId', 'traceId', 'userId', 'reason', 'msg'],
];

/** An error that quotes a value, like those of PostgreSQL. */
const quoting = (code: string) =>
  new Error('insert failed', {
    cause: Object.assign(new Error('invalid input syntax for type date: "planted $& in a message"'), { code }),
  });

const adapters: [name: string, own: Partial<AppOptions>][] = [
  ['there is no error', {}],
  ['proxies stand in front', { trustedProxies: 1 }],
  ['the database is unavailable', { tasks: failing(new UnavailableError('away', { cause: quoting('22007') })) }],
  ['the database quotes a value', { tasks: failing(quoting('22P02')) }],
  ['a function of the database quotes a value', { tasks: failing(quoting('P0001')) }],
];
for (const [name, own] of adapters) {
  test(`the log contains no user data when ${name}`, async (t) => {
    const host = await logged(own);
    const statuses = new Set<number>();
    const token = tokenOf({ email: 'planted@example.com', name: 'planted', image: 'https://planted.example' });
    const tokens = [
      token,
      tokenOf({ email: 'planted@example.com' }, 'a secret of somebody else, long enough to be one'),
      tokenOf({ sub: { planted: true } }),
      tokenOf({ exp: 1, name: 'planted' }),
      'planted.planted.planted',
    ];
    const headers = {
      'X-Request-Id': 'planted request',
      traceparent: 'planted',
      tracestate: 'planted=planted',
      'User-Agent': 'planted',
      Referer: 'https://planted.example/?planted',
      Origin: 'https://planted.example',
      Cookie: 'session=planted',
      'X-Forwarded-For': 'planted',
      'X-Forwarded-Host': 'planted.example',
      Forwarded: 'for=planted;host=planted',
      'X-Planted': 'planted',
    };
    const call: Host['call'] = async (method, path, options) => {
      const answer = await host.call(method, path, { ...options, headers: { ...headers, ...options?.headers } });
      statuses.add(answer.status);
      return answer;
    };

    const planted = { title: 'planted', description: 'planted', priority: 'low', category: 'work', planted: 'planted' };
    const { body } = await call('POST', '/api/alice/tasks', { token, json: planted });
    for (const [json, type] of [
      [{ ...planted, title: `planted${' '.repeat(2)}${'x'.repeat(300)}` }],
      [{ ...planted, dueDate: 'planted', priority: 'planted', category: 'planted' }],
      [{ planted: ['planted'] }],
      ['planted'],
      [planted, 'application/planted'],
      [planted, 'application/json; charset=planted'],
    ] as [unknown, string?][]) {
      await call('POST', '/api/alice/tasks', {
        token,
        body: JSON.stringify(json),
        headers: { 'Content-Type': type ?? 'application/json' },
      });
    }
    const bad = { 'Content-Type': 'application/json', 'Content-Encoding': 'planted' };
    await call('POST', '/api/alice/tasks', { token, body: 'planted', headers: bad });
    await call('POST', '/api/alice/tasks', {
      token,
      body: '{"planted',
      headers: { 'Content-Type': 'application/json' },
    });
    for (const { method, path } of operations(body.id)) {
      await call(method, `/api/alice${path}?search=planted&status=planted&planted=planted`, {
        token,
        ...(method === 'GET' || method === 'DELETE' ? {} : { json: planted }),
      });
    }
    await call('GET', '/api/alice/tasks?search=planted&sort_by=title', { token });
    await call('GET', '/api/alice/tasks/planted', { token });
    await call('GET', '/api/alice/tasks?limit=planted&cursor=planted', { token });
    await call('GET', '/api/alice/tasks/export?format=planted', { token });
    await call('GET', '/api/alice/audit?cursor=planted', { token });
    await call('GET', '/api/alice/tasks', { token, headers: { 'If-None-Match': '"planted"' } });
    await call('PUT', `/api/alice/tasks/${body.id ?? ABSENT}`, {
      token,
      json: planted,
      headers: { 'If-Match': '"planted"' },
    });
    for (const key of ['planted', 'planted', 'planted planted']) {
      await call('POST', '/api/alice/tasks', { token, json: planted, headers: { 'Idempotency-Key': key } });
      await call('POST', '/api/alice/tasks', { token, json: [key], headers: { 'Idempotency-Key': key } });
    }
    const operation = { op: 'create', data: planted };
    await call('POST', '/api/alice/tasks/batch', { token, json: { operations: [operation, { op: 'planted' }] } });
    await call('POST', '/api/alice/tasks/import', { token, json: { tasks: [planted, { planted: 'planted' }] } });
    await call('GET', '/api/planted/tasks', { token });
    await call('GET', '/planted?planted');
    await call('GET', '/planted%zz');
    await call('GET', `/${'planted'.repeat(2_000)}`);
    await call('DELETE', '/health?planted');
    await call('OPTIONS', '/api/planted/tasks', { headers: { 'Access-Control-Request-Headers': 'planted' } });
    for (const other of tokens.slice(1)) await call('GET', '/api/alice/tasks', { token: other });
    for (const authorization of ['Basic planted', 'Bearer', 'Bearer planted planted', `bearer ${token}, planted`]) {
      await call('GET', '/api/alice/tasks', { headers: { Authorization: authorization } });
    }
    for (const bytes of [
      'PLANTED / HTTP/1.1\r\nHost: planted\r\n\r\n',
      'GET /planted HTTP/1.1\r\nHost: planted, planted\r\n\r\n',
      'GET http://planted/planted HTTP/1.1\r\nHost: planted\r\n\r\n',
      'GET http://[planted HTTP/1.1\r\nHost: planted\r\n\r\n',
      'GET /planted HTTP/1.1\r\nHost: planted\r\nPlanted\x01: planted\r\n\r\n',
      `GET /planted HTTP/1.1\r\nHost: planted\r\nPlanted: ${'planted'.repeat(3_000)}\r\n\r\n`,
      'POST /api/alice/tasks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, planted\r\n\r\nplanted',
      `POST /api/alice/tasks HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\nplanted`,
      'CONNECT planted:443 HTTP/1.1\r\nHost: planted\r\n\r\n',
    ]) {
      await send(host, bytes);
    }
    await host.close();

    for (const status of [204, 400, 401, 403, 404, 405]) t.true(statuses.has(status), String(status));
    t.is(statuses.has(201) && !statuses.has(500), own.tasks === undefined, [...statuses].join());
    t.notRegex(host.text(), /planted/i);
    for (const sent of tokens) t.false(host.text().includes(sent));
    for (const line of host.lines()) {
      t.deepEqual(
        Object.keys(line).filter((field) => !FIELDS.includes(field)),
        [],
      );
    }
    t.true(host.lines().length > 30);
  });
}

test('what probes ask for all the time is logged for debugging only', async (t) => {
  for (const [level, routes] of [
    ['info', ['/']],
    ['debug', ['/health', '/ready', '/']],
  ] as const) {
    const lines: string[] = [];
    const logger = pino({ level }, { write: (line: string) => void lines.push(line) });
    const host = await onMemory({ logger });
    for (const path of ['/health', '/ready', '/']) await host.call('GET', path);
    await host.close();
    t.deepEqual(lines.map((line) => JSON.parse(line).route).filter(Boolean), routes);
  }
});
