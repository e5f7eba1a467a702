import { createServer, request as forward } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync, gzipSync } from 'node:zlib';
import { loadConfig } from '@todo-backend/http';
import test, { type ExecutionContext } from 'ava';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { assertProblem, type Host, hosts, onMemory, type Person, person, shared } from './hosts.ts';

// What real clients, proxies and files of other systems send.

const TASK = { title: 'milk', priority: 'low', category: 'home' } as const;

for (const { name, declare: test, open } of hosts) {
  const host = shared(open);

  test(`${name}: a task of before 1970 has a tag that works`, async (t) => {
    const alice = await person(await host());
    const times = { createdAt: '1965-02-03T04:05:06.007Z', updatedAt: '1965-02-03T04:05:06.007Z' };
    await alice.call('POST', '/tasks/import', { json: { tasks: [{ ...TASK, ...times }] } });
    const [{ id }] = (await alice.call('GET', '/tasks')).body;
    const tag = (await alice.call('GET', `/tasks/${id}`)).headers.get('ETag') ?? '';
    t.is((await alice.call('GET', `/tasks/${id}`, { headers: { 'If-None-Match': tag } })).status, 304);
    const changed = await alice.call('PUT', `/tasks/${id}`, { json: { title: 'x' }, headers: { 'If-Match': tag } });
    t.is(changed.status, 200);
    const again = await alice.call('PUT', `/tasks/${id}`, { json: { title: 'y' }, headers: { 'If-Match': tag } });
    t.is(again.status, 412);
  });

  test(`${name}: an import may say "completed", and must not contradict itself`, async (t) => {
    const alice = await person(await host());
    const statusOf = async (fields: object) => {
      const answer = await alice.call('POST', '/tasks/import', { json: { tasks: [{ ...TASK, ...fields }] } });
      if (answer.status !== 201) return assertProblem(t, answer, 422, ['tasks.0.completed']);
      return (await alice.call('GET', '/tasks?limit=1')).body[0].status;
    };
    t.is(await statusOf({ completed: true }), 'completed');
    t.is(await statusOf({ completed: false }), 'pending');
    t.is(await statusOf({ completed: true, status: 'COMPLETED' }), 'completed');
    t.is(await statusOf({ completed: false, status: 'pending' }), 'pending');
    t.is(await statusOf({ status: 'completed' }), 'completed');
    t.is(await statusOf({}), 'pending');
    await statusOf({ completed: true, status: 'pending' });
    await statusOf({ completed: false, status: 'completed' });
    await statusOf({ completed: 'yes' });
  });

  test(`${name}: times as other systems write them are read, cut to milliseconds`, async (t) => {
    const alice = await person(await host());
    for (const [text, read] of [
      ['2026-01-26T00:49:15.123456+00:00', '2026-01-26T00:49:15.123Z'],
      ['2026-01-26T00:49:15.123999999Z', '2026-01-26T00:49:15.123Z'],
      ['2026-01-26t00:49:15z', '2026-01-26T00:49:15.000Z'],
      ['2026-01-26T00:49:15+0100', '2026-01-25T23:49:15.000Z'],
      ['2026-01-26 00:49:15.5-05:30', '2026-01-26T06:19:15.500Z'],
      ['2026-01-26T00:49Z', '2026-01-26T00:49:00.000Z'],
    ] as const) {
      const json = { tasks: [{ ...TASK, createdAt: text, updatedAt: text, dueDate: text }] };
      t.is((await alice.call('POST', '/tasks/import', { json })).status, 201, text);
      const [task] = (await alice.call('GET', '/tasks?sort_order=desc')).body.filter(
        ({ createdAt }: { createdAt: string }) => createdAt === read,
      );
      t.like(task, { createdAt: read, updatedAt: read, dueDate: read }, text);
      for (const parameter of ['since', 'until']) {
        t.is((await alice.call('GET', `/audit?${parameter}=${encodeURIComponent(text)}`)).status, 200, text);
      }
    }
    for (const text of [
      '2026-01-26T00:49:15',
      '2026-01-26',
      '2026-02-30T00:00:00Z',
      '2026-01-26T24:00:00Z',
      'now',
      '1',
    ]) {
      const answer = await alice.call('POST', '/tasks/import', { json: { tasks: [{ ...TASK, createdAt: text }] } });
      assertProblem(t, answer, 422, ['tasks.0.createdAt']);
      t.regex(answer.body.detail, /a real time with a zone, such as .*\.123456\+01:00/);
    }
  });

  test(`${name}: a key is for what a request says, however it is written`, async (t) => {
    const alice = await person(await host());
    const send = async (body: string) => {
      const headers = { 'Idempotency-Key': 'k', 'Content-Type': 'application/json' };
      return alice.call('POST', '/tasks', { body, headers });
    };
    const first = await send('{"title":"milk","priority":"low","category":"home","description":"d"}');
    const again = await send('{ "description": "\\u0064", "category":"home", "priority":"low",\n"title":"milk" }');
    t.is(first.status, 201);
    t.is(again.text, first.text);
    assertProblem(t, await send('{"title":"milk","priority":"low","category":"home","description":"e"}'), 422);
  });

  test(`${name}: only a request without a body toggles`, async (t) => {
    const alice = await person(await host());
    const { id } = await alice.create();
    const complete = (json?: object) => alice.call('PATCH', `/tasks/${id}/complete`, json && { json });
    for (const json of [{ status: 'completed' }, { done: true }, { completed: null, done: true }]) {
      assertProblem(t, await complete(json), 422, ['completed' in json ? 'completed' : 'body']);
    }
    t.is((await alice.call('GET', `/tasks/${id}`)).body.completed, false);
    t.is((await complete({ completed: true, done: true })).body.completed, true, 'others are ignored beside it');
    t.is((await complete({})).body.completed, false);
    t.is((await complete()).body.completed, true);
  });

  test(`${name}: a title that shows nothing is refused`, async (t) => {
    const alice = await person(await host());
    for (const title of [
      '\u200b',
      '\u3164',
      '\u2800\u00ad',
      '\u200b \u2060',
      '\ufe0f',
      '\u{e0041}',
      '\u0007',
      '\u115f',
    ]) {
      assertProblem(t, await alice.call('POST', '/tasks', { json: { ...TASK, title } }), 422, ['title']);
    }
    for (const title of ['\u200bx', '👩‍👩‍👧', '.', '\u0301']) t.is((await alice.create({ title })).title, title);
  });

  test(`${name}: a long list is compressed for a client who takes that, and its tag still works`, async (t) => {
    const { url } = await host();
    const alice = await person(await host());
    await alice.call('POST', '/tasks/import', { json: { tasks: Array(50).fill(TASK) } });
    const get = (path: string, more: Record<string, string> = {}) => raw(`${url}/api/${alice.id}${path}`, alice, more);
    for (const path of ['/tasks', '/tasks/export', '/tasks/export?format=csv', '/audit?limit=50']) {
      const plain = await get(path);
      const packed = await get(path, { 'Accept-Encoding': 'gzip' });
      t.is(plain.headers['content-encoding'], undefined);
      t.is(packed.headers['content-encoding'], 'gzip', path);
      t.deepEqual(gunzipSync(packed.body), plain.body);
      for (const { headers } of [plain, packed]) t.regex(headers.vary ?? '', /Accept-Encoding/);
    }
    const { headers } = await get('/tasks', { 'Accept-Encoding': 'gzip' });
    t.regex(headers.etag ?? '', /^W\//);
    t.is((await get('/tasks', { 'If-None-Match': headers.etag ?? '', 'Accept-Encoding': 'gzip' })).status, 304);
  });
}

/** Without the help of fetch, which decodes. */
function raw(url: string, { token }: Person, headers: Record<string, string>) {
  return new Promise<{ status: number; headers: Record<string, string | undefined>; body: Buffer }>(
    (resolve, reject) => {
      const sent = forward(url, { headers: { Authorization: `Bearer ${token}`, ...headers } }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers as never,
            body: Buffer.concat(chunks),
          }),
        );
      });
      sent.on('error', reject).end();
    },
  );
}

test('content codings are known in any letter case', async (t) => {
  const host = await onMemory();
  t.teardown(() => host.close());
  const alice = await person(host);
  for (const coding of ['GZIP', 'x-gzip', 'X-GZip', 'Identity']) {
    const text = JSON.stringify(TASK);
    const response = await fetch(`${host.url}/api/${alice.id}/tasks`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${alice.token}`,
        'Content-Type': 'application/json',
        'Content-Encoding': coding,
      },
      body: coding === 'Identity' ? text : gzipSync(text),
    });
    t.is(response.status, 201, coding);
  }
});

test('an address is an address, with or without a port, in either header; what is none is one and the same', async (t) => {
  const limiter = (points: number) => new RateLimiterMemory({ points, duration: 60 });
  const setUp = async (proxyHeader: 'x-forwarded-for' | 'forwarded') => {
    const limits = { perUser: limiter(1_000), failuresPerAddress: limiter(2) };
    const host = await onMemory({ limits, trustedProxies: 1, proxyHeader });
    t.teardown(() => host.close());
    return async (value: string) => {
      const headers = { [proxyHeader]: value, Authorization: 'Bearer x.y.z' };
      return (await host.call('GET', '/api/alice/stats', { headers })).status;
    };
  };
  const sameAddress = async (from: (value: string) => Promise<number>, values: readonly string[]) => {
    const statuses: number[] = [];
    for (const value of values) statuses.push(await from(value));
    t.deepEqual(statuses, [401, 401, 401, ...values.slice(3).map(() => 429)], values.join(' '));
  };
  const forwardedFor = await setUp('x-forwarded-for');
  await sameAddress(forwardedFor, ['203.0.113.9:50001', '203.0.113.9:50002', '203.0.113.9', '9.9.9.9, 203.0.113.9:1']);
  await sameAddress(forwardedFor, ['[2001:db8::1]:1', '2001:db8::2', '[2001:db8::3]', '2001:db8:0:0:9::1']);
  await sameAddress(forwardedFor, ['unknown', 'a', 'b', '_hidden', '1.2.3', '203.0.113.9:x', '9.9.9.9.9', '0x7f.1']);
  const forwarded = await setUp('forwarded');
  await sameAddress(forwarded, [
    'for="192.0.2.43:1"',
    'for=192.0.2.43',
    'for="192.0.2.43:2";proto=https',
    'for=1.1.1.1, For=192.0.2.43',
  ]);
  await sameAddress(forwarded, [
    'for="[2001:db8:cafe::17]:4711"',
    'for="[2001:db8:cafe::18]"',
    'by=x;for="[2001:db8:cafe::19]"',
    'FOR="[2001:db8:cafe::17]"',
  ]);
  await sameAddress(forwarded, ['for=unknown', 'for=_secret', 'for', ';;;', 'proto=https', '"']);
});

test('pages may send the headers of tracing, and those of a setting', async (t) => {
  const origin = 'https://app.example.com';
  const host = await onMemory({ corsOrigins: [origin], corsHeaders: ['X-My-Tool'] });
  t.teardown(() => host.close());
  const allowed = async (asked: string) => {
    const headers = { Origin: origin, 'Access-Control-Request-Method': 'PUT', 'Access-Control-Request-Headers': asked };
    const answer = await host.call('OPTIONS', '/api/alice/tasks', { headers });
    return answer.headers.get('Access-Control-Allow-Headers')?.toLowerCase().split(',') ?? [];
  };
  const traced = await allowed(
    'authorization,baggage,content-type,sentry-trace,traceparent, tracestate,x-my-tool,x-other',
  );
  for (const name of ['authorization', 'traceparent', 'tracestate', 'baggage', 'sentry-trace', 'x-my-tool']) {
    t.true(traced.includes(name), name);
  }
  t.false(traced.includes('x-other'));
});

test('apps have origins too, and a wildcard is one label', async (t) => {
  const origins = ['capacitor://localhost', 'https://*.example.app', 'https://*.dev.example.com:8443'];
  t.deepEqual(loadConfig({ CORS_ORIGINS: origins.join() }).corsOrigins, origins);
  for (const wrong of [
    'https://*',
    'https://*.app',
    'https://a.*.example.app',
    'https://*x.example.app',
    '*',
    'file://x',
    'app:',
    'https://*.example.app/',
  ]) {
    t.throws(() => loadConfig({ CORS_ORIGINS: wrong }), { message: /CORS_ORIGINS must/ }, wrong);
  }
  const host = await onMemory({ corsOrigins: origins });
  t.teardown(() => host.close());
  const isAllowed = async (origin: string) =>
    (await host.call('GET', '/health', { headers: { Origin: origin } })).headers.get('Access-Control-Allow-Origin') ===
    origin;
  for (const origin of ['capacitor://localhost', 'https://pr-12.example.app', 'https://a.dev.example.com:8443']) {
    t.true(await isAllowed(origin), origin);
  }
  for (const origin of [
    'https://example.app',
    'https://.example.app',
    'https://a.b.example.app',
    'http://a.example.app',
    'https://a.example.app:8443',
    'https://evil.com/.example.app',
    'https://evil.com#.example.app',
    'capacitor://localhost.evil',
    'null',
  ]) {
    t.false(await isAllowed(origin), origin);
  }
});

/** A proxy that shows a host below a path, and strips that. */
async function strippingProxy(t: ExecutionContext, { url }: Host, prefix: string): Promise<string> {
  const server = createServer((request, response) => {
    const { method, headers } = request;
    const path = request.url?.startsWith(`${prefix}/`) ? request.url.slice(prefix.length) : undefined;
    if (path === undefined) {
      response.writeHead(404).end();
      return;
    }
    const onward = forward(url + path, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('behind a proxy that strips a path, Location, links and the documentation lead back to it', async (t) => {
  const { publicPath } = loadConfig({ PUBLIC_URL: 'https://example.com/todo/' });
  const host = await onMemory({ publicPath });
  t.teardown(() => host.close());
  const alice = await person(host);
  const proxy = await strippingProxy(t, host, '/todo');
  const headers = { Authorization: `Bearer ${alice.token}`, 'Content-Type': 'application/json' };
  const call = (path: string, init: RequestInit = {}) => fetch(new URL(path, proxy), { headers, ...init });

  const created = await call(`/todo/api/${alice.id}/tasks`, { method: 'POST', body: JSON.stringify(TASK) });
  t.is(created.status, 201);
  t.is((await call(created.headers.get('Location') ?? '')).status, 200);
  const info = (await (await call('/todo/')).json()) as { links: Record<string, string> };
  for (const [name, link] of Object.entries(info.links)) {
    if (name !== 'tasks') t.is((await call(link)).status, 200, name);
  }
  const problem = (await (await call(`/todo/api/${alice.id}/tasks/x`)).json()) as { instance: string };
  t.is(problem.instance, `/todo/api/${alice.id}/tasks/x`);
  await call(`/todo/api/${alice.id}/tasks`, { method: 'POST', body: JSON.stringify(TASK) });
  const first = await call(`/todo/api/${alice.id}/tasks?limit=1`);
  const [, next = ''] = /<([^>]+)>/.exec(first.headers.get('Link') ?? '') ?? [];
  t.is((await call(new URL(next, first.url).href)).status, 200);
  const page = await (await call('/todo/docs')).text();
  const references = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, reference]) => reference ?? '');
  t.true(references.length > 2);
  for (const reference of references) {
    t.is((await call(new URL(reference, `${proxy}/todo/docs`).href)).status, 200, reference);
  }
});

test('an address with a last part of its own has its own methods', async (t) => {
  const host = await onMemory();
  t.teardown(() => host.close());
  const alice = await person(host);
  for (const [path, methods, allow] of [
    ['/tasks/batch', ['GET', 'PUT', 'DELETE', 'PATCH'], 'POST, OPTIONS'],
    ['/tasks/import', ['GET', 'PUT', 'DELETE', 'PATCH'], 'POST, OPTIONS'],
    ['/tasks/export', ['POST', 'PUT', 'DELETE', 'PATCH'], 'GET, HEAD, OPTIONS'],
  ] as const) {
    for (const method of methods) {
      const answer = await alice.call(method, path);
      assertProblem(t, answer, 405);
      t.is(answer.headers.get('Allow'), allow, `${method} ${path}`);
    }
  }
  t.is((await host.call('GET', `/api/${alice.id}/tasks/batch`)).status, 401, 'for the user only');
});

test('every 429 says when to come again, and what the limit is', async (t) => {
  const limiter = (points: number) => new RateLimiterMemory({ points, duration: 60 });
  const host = await onMemory({ limits: { perUser: limiter(1), failuresPerAddress: limiter(1) } });
  t.teardown(() => host.close());
  const alice = await person(host);
  await alice.call('GET', '/stats');
  const tooMany = [await alice.call('GET', '/stats')];
  for (let i = 0; i < 3; i++) tooMany.push(await alice.call('GET', '/stats', { token: 'x.y.z' }));
  for (const { status, headers } of tooMany.filter(({ status }) => status !== 401)) {
    t.is(status, 429);
    t.regex(headers.get('Retry-After') ?? '', /^\d+$/);
    t.regex(headers.get('RateLimit') ?? '', /^"(?:user|address)";r=0;t=\d+$/);
    t.regex(headers.get('RateLimit-Policy') ?? '', /^"(?:user|address)";q=1;w=60$/);
  }
});
