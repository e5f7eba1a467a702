import { gzipSync } from 'node:zlib';
import type { ExecutionContext } from 'ava';
import { ABSENT, assertProblem, type Host, hosts, INSTANT, ORIGIN, person, shared, UUID_V7 } from './hosts.ts';

for (const { name, declare, open } of hosts) {
  const opened = shared(open);
  const contract = (title: string, run: (t: ExecutionContext, host: Host) => Promise<void>) =>
    declare(`${name}: ${title}`, async (t) => run(t, await opened()));

  contract('POST creates a task: 201, Location, every key, nulls explicit', async (t, host) => {
    const alice = await person(host);
    const json = { title: '  Buy milk ', priority: 'HIGH', category: 'Home' };
    const { status, headers, body } = await alice.call('POST', '/tasks', { json });
    t.is(status, 201);
    t.is(headers.get('Location'), `/api/${alice.id}/tasks/${body.id}`);
    t.is(headers.get('Content-Type'), 'application/json; charset=utf-8');
    t.regex(body.id, UUID_V7);
    t.regex(body.createdAt, INSTANT);
    t.is(body.updatedAt, body.createdAt);
    t.is(
      JSON.stringify(body),
      JSON.stringify({
        id: body.id,
        title: 'Buy milk',
        description: null,
        priority: 'high',
        category: 'home',
        status: 'pending',
        completed: false,
        dueDate: null,
        createdAt: body.createdAt,
        updatedAt: body.createdAt,
        userId: alice.id,
        tags: [],
        recurrence: null,
        remindAt: null,
        series: null,
      }),
    );
  });

  contract('POST ignores read-only fields', async (t, host) => {
    const alice = await person(host);
    const forged = {
      id: ABSENT,
      userId: 'bob',
      status: 'completed',
      completed: true,
      createdAt: 'x',
      updatedAt: 'x',
      more: 1,
    };
    t.like(await alice.create(forged), { userId: alice.id, status: 'pending', completed: false });
    t.is((await alice.call('GET', `/tasks/${ABSENT}`)).status, 404);
  });

  contract('GET returns a task; ids are case-insensitive', async (t, host) => {
    const alice = await person(host);
    const task = await alice.create({ description: '' });
    for (const id of [task.id, task.id.toUpperCase()]) {
      const { status, body } = await alice.call('GET', `/tasks/${id}`);
      t.is(status, 200);
      t.deepEqual(body, task);
    }
  });

  contract('GET lists a bare array, newest first; a new user has an empty one', async (t, host) => {
    const alice = await person(host);
    t.deepEqual((await alice.call('GET', '/tasks')).body, []);
    const first = await alice.create({ title: 'first' });
    const second = await alice.create({ title: 'second' });
    const { status, body } = await alice.call('GET', '/tasks');
    t.is(status, 200);
    t.deepEqual(body, [second, first]);
  });

  contract('PUT merges: omitted fields stay', async (t, host) => {
    const alice = await person(host);
    const task = await alice.create({ description: 'd', dueDate: '2026-03-10' });
    const { status, body } = await alice.call('PUT', `/tasks/${task.id}`, { json: { title: ' new ' } });
    t.is(status, 200);
    t.deepEqual(body, { ...task, title: 'new', updatedAt: body.updatedAt });
    t.true(body.updatedAt > task.updatedAt);
    t.deepEqual((await alice.call('GET', `/tasks/${task.id}`)).body, body);
  });

  contract('PUT accepts a task as it was read, ignores its read-only fields, and keeps updatedAt', async (t, host) => {
    const alice = await person(host);
    const task = await alice.create({ dueDate: '2026-03-10T09:30' });
    const forged = {
      ...task,
      id: ABSENT,
      userId: 'bob',
      status: 'completed',
      completed: true,
      createdAt: 1,
      updatedAt: null,
      more: {},
    };
    for (const json of [task, forged, {}]) {
      const { status, body } = await alice.call('PUT', `/tasks/${task.id}`, { json });
      t.is(status, 200);
      t.deepEqual(body, task);
    }
  });

  contract('PUT clears description and due date with null, the due date also with ""', async (t, host) => {
    const alice = await person(host);
    const task = await alice.create({ description: 'd', dueDate: '2026-03-10' });
    const put = async (json: object) => (await alice.call('PUT', `/tasks/${task.id}`, { json })).body;
    t.like(await put({ dueDate: '' }), { description: 'd', dueDate: null });
    t.like(await put({ description: '', dueDate: '2026-03-11' }), { description: '', dueDate: '2026-03-11T00:00:00' });
    t.like(await put({ description: null, dueDate: null }), { description: null, dueDate: null });
    assertProblem(t, await alice.call('PUT', `/tasks/${task.id}`, { json: { title: null } }), 422, ['title']);
  });

  contract('DELETE answers 204 without a body, and 404 the second time', async (t, host) => {
    const alice = await person(host);
    const { id } = await alice.create();
    const { status, text } = await alice.call('DELETE', `/tasks/${id}`);
    t.is(status, 204);
    t.is(text, '');
    assertProblem(t, await alice.call('DELETE', `/tasks/${id}`), 404);
  });

  contract('PATCH complete toggles without a body and sets with one', async (t, host) => {
    const alice = await person(host);
    const task = await alice.create();
    const complete = async (call = {}) => (await alice.call('PATCH', `/tasks/${task.id}/complete`, call)).body;
    const done = await complete();
    t.deepEqual(done, { ...task, status: 'completed', completed: true, updatedAt: done.updatedAt });
    t.true(done.updatedAt > task.updatedAt);
    t.deepEqual(await complete({ json: { completed: true } }), done, 'a retry is harmless');
    t.like(await complete({ headers: { 'Content-Type': 'application/json' } }), {
      status: 'pending',
      completed: false,
    });
    t.like(await complete({ json: {} }), { status: 'completed', completed: true });
    const chunks = () => ({ body: new Blob([]).stream() });
    t.like(await complete(chunks()), { status: 'pending' }, 'chunks were announced, and none sent');
    t.like(await complete({ ...chunks(), headers: { 'Content-Type': 'application/json' } }), { status: 'completed' });
    t.like(await complete({ json: { completed: false } }), { status: 'pending', completed: false });
    assertProblem(t, await alice.call('PATCH', `/tasks/${task.id}/complete`, { json: { completed: 'yes' } }), 422, [
      'completed',
    ]);
  });

  contract('GET stats returns exactly total, pending and completed', async (t, host) => {
    const alice = await person(host);
    t.is((await alice.call('GET', '/stats')).text, '{"total":0,"pending":0,"completed":0}');
    const { id } = await alice.create();
    await alice.create();
    await alice.create();
    await alice.call('PATCH', `/tasks/${id}/complete`);
    t.is((await alice.call('GET', '/stats')).text, '{"total":3,"pending":2,"completed":1}');
  });

  contract('/, /health and /ready answer without a token', async (t, host) => {
    const root = await host.call('GET', '/');
    t.is(root.status, 200);
    t.deepEqual(Object.keys(root.body), ['name', 'version', 'links']);
    const health = await host.call('GET', '/health');
    t.deepEqual(Object.keys(health.body), ['status', 'timestamp']);
    t.is(health.body.status, 'healthy');
    t.regex(health.body.timestamp, INSTANT);
    t.is((await host.call('GET', '/ready')).status, 200);
    t.is((await host.call('HEAD', '/health')).text, '');
  });

  contract('POST reports every problem at once', async (t, host) => {
    const alice = await person(host);
    const post = (json: unknown) => alice.call('POST', '/tasks', { json });
    assertProblem(t, await post({}), 422, ['title', 'priority', 'category']);
    const bad = { title: ' ', description: 'x'.repeat(1001), priority: 'urgent', category: 7, dueDate: '2026-02-30' };
    assertProblem(t, await post(bad), 422, ['title', 'description', 'priority', 'category', 'dueDate']);
    for (const json of [[], 'text', null, 5]) assertProblem(t, await post(json), 422, ['body']);
    assertProblem(t, await alice.call('POST', '/tasks'), 422, ['body']);
    t.deepEqual((await alice.call('GET', '/tasks')).body, []);
  });

  contract('a malformed task id is 422, together with all other problems', async (t, host) => {
    const alice = await person(host);
    for (const id of ['1', 'x', `${ABSENT}0`, ABSENT.replaceAll('-', ''), '%00', '..%2f']) {
      assertProblem(t, await alice.call('GET', `/tasks/${id}`), 422, ['task_id']);
      assertProblem(t, await alice.call('DELETE', `/tasks/${id}`), 422, ['task_id']);
    }
    const answer = await alice.call('PUT', '/tasks/x', { json: { title: '', priority: 5 } });
    assertProblem(t, answer, 422, ['task_id', 'title', 'priority']);
  });

  contract(
    'texts of the longest length are stored exactly; longer ones and those that cannot be stored are 422',
    async (t, host) => {
      const alice = await person(host);
      const longest = { title: '\u{1f600}'.repeat(255), description: `\u0001\t\r\n${'ß'.repeat(996)}` };
      t.like(await alice.create(longest), longest);
      for (const title of ['\u{1f600}'.repeat(256), 'x'.repeat(256), 'a\0b', '\ud800', '\udc00x']) {
        const json = { title, priority: 'low', category: 'work' };
        assertProblem(t, await alice.call('POST', '/tasks', { json }), 422, ['title']);
      }
      for (const description of ['x'.repeat(1001), '\0', '\udfff']) {
        const json = { title: 't', description, priority: 'low', category: 'work' };
        assertProblem(t, await alice.call('POST', '/tasks', { json }), 422, ['description']);
      }
    },
  );

  contract('due dates keep their kind, and round-trip', async (t, host) => {
    const alice = await person(host);
    const meanings = {
      '2026-03-10': '2026-03-10T00:00:00',
      '2026-03-10T09:30': '2026-03-10T09:30:00',
      '2026-03-10T09:30:00': '2026-03-10T09:30:00',
      '2026-03-10T09:30:00+05:00': '2026-03-10T04:30:00.000Z',
      '2026-03-10T09:30:00Z': '2026-03-10T09:30:00.000Z',
    };
    for (const [sent, back] of Object.entries(meanings)) {
      const task = await alice.create({ dueDate: sent });
      t.is(task.dueDate, back);
      t.deepEqual((await alice.call('GET', `/tasks/${task.id}`)).body, task);
      t.deepEqual((await alice.call('PUT', `/tasks/${task.id}`, { json: { dueDate: back } })).body, task);
    }
    for (const dueDate of ['2026-02-30', '0000-01-01', '10000-01-01', 'infinity', 'now', 1741564800000, true, {}]) {
      const json = { title: 't', priority: 'low', category: 'work', dueDate };
      assertProblem(t, await alice.call('POST', '/tasks', { json }), 422, ['dueDate']);
    }
  });

  contract('filters by status, priority and category, in any letter case; an empty one is absent', async (t, host) => {
    const alice = await person(host);
    const a = await alice.create({ title: 'a', priority: 'high', category: 'home' });
    await alice.create({ title: 'b', priority: 'low', category: 'home' });
    await alice.create({ title: 'c', priority: 'high', category: 'work' });
    await alice.call('PATCH', `/tasks/${a.id}/complete`);
    const titles = async (query: string) =>
      (await alice.call('GET', `/tasks?sort_by=title&sort_order=asc&${query}`)).body
        .map((task: { title: string }) => task.title)
        .join('');
    t.is(await titles(''), 'abc');
    t.is(await titles('status=completed'), 'a');
    t.is(await titles('status=PENDING&priority=&category='), 'bc');
    t.is(await titles('priority=High'), 'ac');
    t.is(await titles('category=home&status=pending'), 'b');
    t.is(await titles('unknown=1&unknown=2'), 'abc');
  });

  contract('search is literal and case-insensitive', async (t, host) => {
    const alice = await person(host);
    for (const title of ['100%', 'a_b', 'back\\slash', 'Éclair', 'plus+and space', "quote'"])
      await alice.create({ title });
    await alice.create({ title: 'x', description: 'about 100%' });
    const found = async (text: string) =>
      (await alice.call('GET', `/tasks?sort_order=asc&search=${text}`)).body.map(
        ({ title }: { title: string }) => title,
      );
    t.deepEqual(await found('%25'), ['100%', 'x']);
    t.deepEqual(await found('_'), ['a_b']);
    t.deepEqual(await found('%5C'), ['back\\slash']);
    t.deepEqual(await found('%C3%A9CLAIR'), ['Éclair']);
    t.deepEqual(await found('plus%2Band+space'), ['plus+and space']);
    t.deepEqual(await found("'"), ["quote'"]);
    t.is((await found('')).length, 7);
  });

  contract('sorts by every key in both directions, a missing due date last', async (t, host) => {
    const alice = await person(host);
    const b = await alice.create({ title: 'b', priority: 'high', dueDate: '2026-03-11' });
    await alice.create({ title: 'A', priority: 'low', dueDate: null });
    await alice.create({ title: 'c', priority: 'medium', dueDate: '2026-03-10T23:00:00Z' });
    await alice.call('PUT', `/tasks/${b.id}`, { json: { description: 'changed' } });
    const order = async (query: string) =>
      (await alice.call('GET', `/tasks?${query}`)).body.map(({ title }: { title: string }) => title).join('');
    t.is(await order(''), 'cAb');
    t.is(await order('sort_order=asc'), 'bAc');
    t.is(await order('sort_by=updatedAt'), 'bcA');
    t.is(await order('sort_by=dueDate&sort_order=asc'), 'cbA');
    t.is(await order('sort_by=dueDate'), 'bcA');
    t.is(await order('sort_by=priority'), 'bcA');
    t.is(await order('sort_by=priority&sort_order=asc'), 'Acb');
    t.is(await order('sort_by=title&sort_order=asc'), 'Abc');
  });

  contract('an invalid query is 422, with every problem at once', async (t, host) => {
    const alice = await person(host);
    const query = 'status=x&priority=low&priority=low&category=%20&search=%00&sort_by=id&sort_order=up';
    const fields = ['status', 'priority', 'category', 'search', 'sort_by', 'sort_order'];
    assertProblem(t, await alice.call('GET', `/tasks?${query}`), 422, fields);
    assertProblem(t, await alice.call('GET', '/tasks?sort_by=&sort_order='), 422, ['sort_by', 'sort_order']);
  });

  contract('401 comes before 403, 403 before 404 and 422', async (t, host) => {
    const [alice, bob] = [await person(host), await person(host)];
    const routes = [
      ['GET', '/tasks?status=x'],
      ['POST', '/tasks'],
      ['GET', `/tasks/${ABSENT}`],
      ['PUT', '/tasks/x'],
      ['DELETE', '/tasks/x'],
      ['PATCH', '/tasks/x/complete'],
      ['GET', '/stats'],
    ] as const;
    for (const [method, path] of routes) {
      const missing = await host.call(method, `/api/${alice.id}${path}`);
      assertProblem(t, missing, 401);
      t.is(missing.headers.get('WWW-Authenticate'), 'Bearer');
      const bad = await host.call(method, `/api/${alice.id}${path}`, { token: `${alice.token}x` });
      assertProblem(t, bad, 401);
      t.regex(bad.headers.get('WWW-Authenticate') ?? '', /^Bearer error="invalid_token"/);
      assertProblem(t, await host.call(method, `/api/${alice.id}${path}`, { token: bob.token }), 403);
    }
  });

  contract("another user's task is 404, with the same bytes as one that does not exist", async (t, host) => {
    const [alice, bob] = [await person(host), await person(host)];
    const task = await alice.create();
    const attempts = [
      ['GET', '', {}],
      ['PUT', '', { json: { title: 'mine' } }],
      ['DELETE', '', {}],
      ['PATCH', '/complete', {}],
    ] as const;
    for (const [method, suffix, call] of attempts) {
      const headers = { 'X-Request-Id': 'same' };
      const attempt = (id: string) =>
        bob.call(method, `/tasks/${id}${suffix}`, {
          ...call,
          headers: { ...headers, ...('json' in call && { 'Content-Type': 'application/json' }) },
        });
      const [foreign, absent] = [await attempt(task.id), await attempt(ABSENT)];
      assertProblem(t, foreign, 404);
      t.is(foreign.text.replaceAll(task.id, ABSENT), absent.text);
    }
    t.deepEqual((await alice.call('GET', `/tasks/${task.id}`)).body, task);
    t.deepEqual((await bob.call('GET', '/tasks')).body, []);
  });

  contract('a user id may be any text', async (t, host) => {
    const id = `user/ü ${Math.random()}?#%&'"`;
    const strange = await person(host, id);
    const task = await strange.create();
    t.is(task.userId, id);
    const created = await strange.call('POST', '/tasks', { json: { title: 't', priority: 'low', category: 'work' } });
    t.is((await host.call('GET', created.headers.get('Location') ?? '', { token: strange.token })).status, 200);
  });

  contract('malformed JSON, broken UTF-8 and a malformed address are 400', async (t, host) => {
    const alice = await person(host);
    const headers = { 'Content-Type': 'application/json' };
    for (const body of ['{', '{"title":}', 'nonsense', "{'a':1}", Uint8Array.of(0x7b, 0xff, 0x7d)]) {
      assertProblem(t, await alice.call('POST', '/tasks', { body, headers }), 400);
    }
    assertProblem(
      t,
      await alice.call('POST', '/tasks', { body: 'no gzip', headers: { ...headers, 'Content-Encoding': 'gzip' } }),
      400,
    );
    for (const path of ['/tasks/%zz', '/tasks?search=%ff', '/tasks?search=%']) {
      assertProblem(t, await alice.call('GET', path), 400);
    }
  });

  contract('a compressed body is read', async (t, host) => {
    const alice = await person(host);
    const body = gzipSync(JSON.stringify({ title: 'small', priority: 'low', category: 'work' }));
    const headers = { 'Content-Type': 'application/json; charset=UTF-8', 'Content-Encoding': 'gzip' };
    t.is((await alice.call('POST', '/tasks', { body, headers })).status, 201);
  });

  contract('a body over 100 KB is 413, also when it is small on the wire', async (t, host) => {
    const alice = await person(host);
    const large = JSON.stringify({ title: 't', description: 'x'.repeat(200_000) });
    const headers = { 'Content-Type': 'application/json' };
    assertProblem(t, await alice.call('POST', '/tasks', { body: large, headers }), 413);
    const zipped = { body: gzipSync(large), headers: { ...headers, 'Content-Encoding': 'gzip' } };
    assertProblem(t, await alice.call('POST', '/tasks', zipped), 413);
  });

  contract('a body that is not JSON is 415', async (t, host) => {
    const alice = await person(host);
    const body = '{"title":"t","priority":"low","category":"work"}';
    const types = [
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/json; charset=utf-16',
      'multipart/form-data',
      'nonsense',
    ];
    for (const type of types) {
      assertProblem(t, await alice.call('POST', '/tasks', { body, headers: { 'Content-Type': type } }), 415);
    }
    assertProblem(t, await alice.call('POST', '/tasks', { body: Buffer.from(body), headers: {} }), 415);
    const unknown = { 'Content-Type': 'application/json', 'Content-Encoding': 'zstandard' };
    assertProblem(t, await alice.call('POST', '/tasks', { body, headers: unknown }), 415);
  });

  contract('an unknown address is 404; a known one with another method is 405 with Allow', async (t, host) => {
    const alice = await person(host);
    for (const path of [
      '/nowhere',
      '/health/',
      '/api',
      `/api/${alice.id}`,
      `/api/${alice.id}/nowhere`,
      '/API/x/tasks',
    ]) {
      assertProblem(t, await host.call('GET', path, { token: alice.token }), 404);
    }
    const allow = async (method: string, path: string) => {
      const answer = await alice.call(method, path);
      assertProblem(t, answer, 405);
      return answer.headers.get('Allow')?.split(', ').sort();
    };
    t.deepEqual(await allow('PATCH', '/tasks'), ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST']);
    t.deepEqual(await allow('POST', `/tasks/${ABSENT}`), ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PUT']);
    t.deepEqual(await allow('GET', `/tasks/${ABSENT}/complete`), ['OPTIONS', 'PATCH']);
    t.deepEqual(await allow('PROPFIND', '/stats'), ['GET', 'HEAD', 'OPTIONS']);
    t.is((await host.call('POST', '/health')).status, 405);
  });

  contract('the request id is accepted when it is well-formed, and generated otherwise', async (t, host) => {
    const id = async (given?: string) =>
      (await host.call('GET', '/nowhere', given === undefined ? {} : { headers: { 'X-Request-Id': given } })).body
        .requestId;
    t.is(await id('abc-1.2_3'), 'abc-1.2_3');
    for (const given of [undefined, 'with space', 'x'.repeat(129), '<script>']) {
      t.regex(await id(given), /^[\da-f-]{36}$/);
    }
  });

  contract(
    'CORS: named origins only, with credentials, on errors too, and preflights are answered',
    async (t, host) => {
      const alice = await person(host);
      const from = (origin: string, more = {}) => ({ headers: { Origin: origin, ...more } });
      for (const answer of [
        await alice.call('GET', '/tasks', from(ORIGIN)),
        await host.call('GET', `/api/${alice.id}/tasks`, from(ORIGIN)),
      ]) {
        t.is(answer.headers.get('Access-Control-Allow-Origin'), ORIGIN);
        t.is(answer.headers.get('Access-Control-Allow-Credentials'), 'true');
        t.is(answer.headers.get('Vary'), 'Origin');
        for (const exposed of ['Location', 'X-Request-Id', 'Retry-After', 'WWW-Authenticate']) {
          t.true(answer.headers.get('Access-Control-Expose-Headers')?.split(',').includes(exposed));
        }
      }
      const own = await alice.call('GET', '/tasks');
      t.is(own.headers.get('Access-Control-Allow-Origin'), null);
      t.is(own.headers.get('Vary'), 'Origin', 'a cache must not hand it to a page of another origin');
      const preflight = {
        'Access-Control-Request-Method': 'PUT',
        'Access-Control-Request-Headers': 'authorization,content-type',
      };
      const answer = await alice.call('OPTIONS', '/tasks', { token: undefined, ...from(ORIGIN, preflight) });
      t.is(answer.status, 204);
      t.is(answer.headers.get('Access-Control-Allow-Origin'), ORIGIN);
      t.is(answer.headers.get('Access-Control-Allow-Methods'), 'GET,HEAD,POST,PUT,PATCH,DELETE');
      t.is(
        answer.headers.get('Access-Control-Allow-Headers'),
        'Authorization,Content-Type,X-Request-Id,If-Match,If-None-Match,Idempotency-Key',
      );
      t.is(answer.headers.get('Access-Control-Max-Age'), '600');
      for (const origin of ['http://localhost:3001', 'https://localhost:3000', 'null', `${ORIGIN}.evil.example`]) {
        const refused = await alice.call('OPTIONS', '/tasks', { token: undefined, ...from(origin, preflight) });
        t.is(refused.headers.get('Access-Control-Allow-Origin'), null);
      }
    },
  );
}
