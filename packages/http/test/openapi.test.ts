import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type Router from '@koa/router';
import { parseDueDate } from '@todo-backend/domain';
import { createContainer, loadConfig, openApiDocument } from '@todo-backend/http';
import { Database } from '@todo-backend/infrastructure';
import test from 'ava';
import fc from 'fast-check';
import { pino } from 'pino';
import { assertDocumented, document } from './conformance.ts';
import { onMemory, person, SECRET, seeded, shared } from './hosts.ts';

const opened = shared(() => onMemory());

const ROOT = join(import.meta.dirname, '..', '..', '..');

/** The routes of the app's routers. */
async function routes(): Promise<string[]> {
  const database = await Database.postgres({ url: 'postgres://nobody@127.0.0.1:9/none' });
  const config = loadConfig({ BETTER_AUTH_SECRET: SECRET });
  const { app } = createContainer({ config, logger: pino({ level: 'silent' }), database });
  await database.close();
  const routers = app.middleware.flatMap((used) => ('router' in used ? [used.router as Router] : []));
  return routers.flatMap(({ stack }) =>
    stack.flatMap(({ methods, path }) =>
      // A route for all methods refuses those that the others do not have.
      (methods.length > 2 ? [] : methods)
        .filter((method) => method !== 'HEAD')
        .map((method) => `${method} ${String(path).replaceAll(/:(\w+)/g, '{$1}')}`),
    ),
  );
}

test('every route is an operation of the document, and every operation is a route', async (t) => {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  t.deepEqual(operations.sort(), (await routes()).sort());
});

test('every operation has a unique id, a summary, a tag, and success and error responses', (t) => {
  const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
  t.is(new Set(operations.map(({ operationId }) => operationId)).size, operations.length);
  for (const { operationId, summary, description, tags, responses } of operations) {
    for (const text of [summary, description]) t.truthy(text, operationId);
    t.is((tags as string[]).length, 1, operationId);
    t.true(
      Object.keys(responses).some((status) => status.startsWith('2')),
      operationId,
    );
    for (const status of ['400', '500']) t.true(status in responses, `${operationId} ${status}`);
    for (const { content = {} } of Object.values(responses)) {
      for (const [type, { examples = {} }] of Object.entries(content)) {
        if (/json|csv/.test(type)) t.not(Object.keys(examples).length, 0, `${operationId} ${type}`);
      }
    }
  }
});

test('the document is served, and revalidated by clients', async (t) => {
  const host = await opened();
  const { status, headers, body } = await host.call('GET', '/openapi.json');
  t.is(status, 200);
  t.deepEqual(body, JSON.parse(JSON.stringify(document)));
  t.is(headers.get('Cache-Control'), 'public, no-cache');
  const etag = headers.get('ETag') ?? '';
  t.regex(etag, /^"[\da-f]{64}"$/);
  const again = await host.call('GET', '/openapi.json', { headers: { 'If-None-Match': etag } });
  t.is(again.status, 304);
  t.is(again.text, '');
  t.is((await host.call('GET', '/openapi.json', { headers: { 'If-None-Match': '"another"' } })).status, 200);
});

test('docs/openapi.json is the document (else: npm run openapi)', async (t) => {
  const committed = JSON.parse(await readFile(join(ROOT, 'docs', 'openapi.json'), 'utf8'));
  t.deepEqual(committed, JSON.parse(JSON.stringify(openApiDocument(committed.info.version))));
  const { version } = JSON.parse(await readFile(join(ROOT, 'packages', 'http', 'package.json'), 'utf8'));
  t.is(committed.info.version, version);
});

test('every example of a body is accepted', async (t) => {
  const host = await opened();
  const alice = await person(host, 'alice');
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, { operationId, requestBody }] of Object.entries(methods)) {
      const { examples = {} } = requestBody?.content['application/json'] ?? {};
      for (const [name, { value }] of Object.entries(examples)) {
        const { id } = await alice.create();
        const byAgent = { actor: { type: 'agent', id: 'agent' }, correlationId: 'call' } as const;
        await host.tasks?.complete('alice', id, { completed: true }, byAgent);
        const [event] = (await alice.call('GET', '/audit?limit=1')).body;
        // The examples of an undo name what is not there.
        const { correlationId, actor, time: since } = event;
        const there = { events: [event.id], correlationId, actor: actor.id, since };
        const named = Object.entries(value as object).map(([key, value]) => [
          key,
          there[key as keyof typeof there] ?? value,
        ]);
        const call = { token: alice.token, json: operationId === 'undo' ? Object.fromEntries(named) : value };
        const target = path.replace('{user_id}', 'alice').replace('{task_id}', id);
        const { status, text } = await host.call(method.toUpperCase(), target, call);
        t.true(status < 300, `${operationId} ${name}: ${text}`);
      }
    }
  }
});

test('every accepted due date has the documented format', (t) => {
  const { NewTask } = document.components.schemas as Record<
    string,
    { properties: Record<string, { pattern: string }> }
  >;
  const pattern = new RegExp(NewTask?.properties.dueDate?.pattern ?? 'none', 'u');
  const digits = (count: number) => fc.stringMatching(new RegExp(`^\\d{${count}}$`));
  const time = fc.tuple(
    fc.constantFrom('T', 't', ' '),
    fc.constantFrom('00:00', '23:59', '9:30', '24:00'),
    fc.constantFrom('', ':00', ':59.5', ':59.123000', ':59.1234', ':'),
    fc.constantFrom('', 'Z', 'z', '+05:30', '-00:00', '+0530'),
  );
  const texts = fc
    .tuple(digits(4), fc.constantFrom('-01-31', '-12-01', '-2-3', '-02-30'), fc.option(time, { nil: [] }))
    .map(([year, day, time]) => year + day + time.join(''));
  let taken = 0;
  const holds = fc.property(texts, (text) => {
    if (parseDueDate(text) === undefined) return true;
    taken++;
    return pattern.test(text);
  });
  t.notThrows(() => fc.assert(holds, { ...seeded, numRuns: 2_000 }));
  t.true(taken > 100, 'some were taken');
});

test('an undocumented response is detected', (t) => {
  const always = {
    'X-Request-Id': '4b692b42-5e59-46b9-ad0e-693a92ef6968',
    ETag: '"3"',
    'Journal-Position': '31f5c5de001',
    RateLimit: '"user";r=1199;t=60',
    'RateLimit-Policy': '"user";q=1200;w=60',
  };
  const headers = new Headers({ ...always, 'Content-Type': 'application/json' });
  const stats = { total: 1, pending: 1, completed: 0 };
  const seen = (body: object, status = 200) => ({ status, headers, text: JSON.stringify(body) });
  const check = (...[status, body, method = 'GET', path = '/api/alice/stats']: [number, object, string?, string?]) =>
    assertDocumented(method, path, seen(body, status));
  t.notThrows(() => check(200, stats));
  t.throws(() => check(200, { ...stats, overdue: 0 }), { message: /additional properties/ });
  t.throws(() => check(200, { total: 1, pending: 1 }), { message: /completed/ });
  t.throws(() => check(200, { ...stats, total: '1' }), { message: /integer/ });
  t.throws(() => check(201, stats), { message: /status is not documented/ });
  t.throws(() => check(200, stats, 'POST'), { message: /status is not documented/ });
  t.throws(() => check(200, stats, 'GET', '/api/alice/statistics'), { message: /status is not documented/ });
  t.throws(() => check(404, stats), { message: /status is not documented/ });
  t.throws(() => check(403, stats), { message: /type application\/json is not documented/ });
  const problem = { type: '/problems/task-not-found', title: 'Forbidden', status: 403, detail: 'No.', requestId: 'x' };
  const asProblem = (type: string) => ({
    status: 403,
    headers: new Headers({ ...always, 'Content-Type': 'application/problem+json' }),
    text: JSON.stringify({ ...problem, type }),
  });
  t.notThrows(() => assertDocumented('GET', '/api/alice/stats', asProblem('/problems/forbidden')));
  t.throws(() => assertDocumented('GET', '/api/alice/stats', asProblem('/problems/task-not-found')), {
    message: /problem is not documented/,
  });

  const withHeaders = (changed: Record<string, string | undefined>) => {
    const entries = Object.entries({ ...always, 'Content-Type': 'application/json', ...changed });
    const given = entries.filter((entry): entry is [string, string] => entry[1] !== undefined);
    assertDocumented('GET', '/api/alice/stats', { ...seen(stats), headers: new Headers(given) });
  };
  t.notThrows(() => withHeaders({}));
  for (const name of Object.keys(always)) {
    t.throws(() => withHeaders({ [name]: undefined }), { message: new RegExp(`header ${name} is missing`) });
    t.throws(() => withHeaders({ [name]: '?' }), { message: new RegExp(`header ${name} .* pattern`) });
  }
  const { status, text } = asProblem('/problems/forbidden');
  t.throws(
    () =>
      assertDocumented('GET', '/nowhere', {
        status,
        text,
        headers: new Headers({ 'Content-Type': 'application/problem+json' }),
      }),
    {
      message: /header X-Request-Id is missing/,
    },
  );
  const busy = (seconds: string) =>
    assertDocumented('GET', '/api/alice/stats', {
      status: 503,
      headers: new Headers({ ...always, 'Content-Type': 'application/problem+json', 'Retry-After': seconds }),
      text: JSON.stringify({ ...problem, status: 503, type: '/problems/unavailable' }),
    });
  t.notThrows(() => busy('1'));
  for (const seconds of ['', '0', '-1', '1.5', 'soon'])
    t.throws(() => busy(seconds), { message: /Retry-After/ }, seconds);
});

test('the document and the page are only loaded on first use', (t) => {
  const hook = `import { registerHooks } from 'node:module';
    registerHooks({ load(url, context, next) { console.log(url); return next(url, context); } });`;
  const loaded = (script: string) => {
    const options = [
      '--import',
      `data:text/javascript,${encodeURIComponent(hook)}`,
      '--input-type=module',
      '-e',
      script,
    ];
    const { stdout, stderr, status } = spawnSync(process.execPath, options, { cwd: ROOT, encoding: 'utf8' });
    t.is(status, 0, stderr);
    return stdout;
  };
  const lazy = /openapi\/document\.js|to-json-schema|swagger-ui-dist/;
  const start = loaded(`await import('./packages/http/dist/host/serve.js')`);
  t.regex(start, /routes\/docs\.js/);
  t.notRegex(start, lazy);
  t.regex(loaded(`await import('./packages/http/dist/openapi/document.js')`), lazy, 'the hook sees it');
});
