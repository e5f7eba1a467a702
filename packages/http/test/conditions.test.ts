import { taskUseCases } from '@todo-backend/application';
import { fixedClock, InMemoryTaskRepository, sequentialIds } from '@todo-backend/application/testing';
import { Database } from '@todo-backend/infrastructure';
import test from 'ava';
import { databases, execute, postgresTest } from '../../../test/postgres.ts';
import { ABSENT, assertProblem, hosts, onDatabase, onMemory, type Person, person, scaled, shared } from './hosts.ts';

const onPostgres = await postgresTest(test);
const newDatabase = databases(test);

test('a list that has not changed is not loaded', async (t) => {
  const repository = new InMemoryTaskRepository();
  const host = await onMemory({
    tasks: taskUseCases({ tasks: repository, clock: fixedClock(), newId: sequentialIds() }),
  });
  t.teardown(() => host.close());
  const alice = await person(host);
  const headers = { 'If-None-Match': (await alice.call('GET', '/tasks')).headers.get('ETag') ?? '' };
  repository.list = () => Promise.reject(new Error('loaded'));
  t.is((await alice.call('GET', '/tasks', { headers })).status, 304);
  assertProblem(t, await alice.call('GET', '/tasks', { headers: { 'If-None-Match': '"another"' } }), 500);
});

onPostgres('a key is known for 24 hours', async (t) => {
  const url = await newDatabase();
  const host = await onDatabase(await Database.postgres({ url }));
  t.teardown(() => host.close());
  const alice = await person(host);
  const create = async () => {
    const json = { title: 'once', priority: 'low', category: 'work' };
    return (await alice.call('POST', '/tasks', { json, headers: { 'Idempotency-Key': 'a-key' } })).body.id;
  };
  const age = (interval: string) =>
    execute(url, `update idempotency_keys set "createdAt" = now() - $1::interval returning key`, [interval]);
  const first = await create();
  t.deepEqual(await age('23 hours 59 minutes'), [{ key: 'a-key' }]);
  t.is(await create(), first);
  t.deepEqual(await age('24 hours 1 minute'), [{ key: 'a-key' }]);
  const second = await create();
  t.not(second, first);
  t.is(await create(), second, 'known anew');
});

for (const { name, declare: test, open } of hosts) {
  const host = shared(open);

  test(`${name}: a task, a list and the statistics are sent once, until they change`, async (t) => {
    const alice = await person(await host());
    const { id } = await alice.create();
    for (const path of [`/tasks/${id}`, '/tasks', '/tasks?status=pending&limit=5', '/stats']) {
      const first = await alice.call('GET', path);
      const tag = first.headers.get('ETag') ?? '';
      t.regex(tag, /^"[\da-z]+"$/);
      for (const known of [tag, `W/${tag}`, `"other", ${tag}`, '*', tag.replace(/"$/, '-gzip"')]) {
        const again = await alice.call('GET', path, { headers: { 'If-None-Match': known } });
        t.is(again.status, 304, `${path} ${known}`);
        t.is(again.text, '');
        t.is(again.headers.get('ETag'), tag);
      }
      await alice.call('PATCH', `/tasks/${id}/complete`);
      const changed = await alice.call('GET', path, { headers: { 'If-None-Match': tag } });
      t.is(changed.status, 200, path);
      t.not(changed.headers.get('ETag'), tag);
    }
    const answer = await alice.call('PUT', `/tasks/${id}`, { json: { title: 'another' } });
    t.is(answer.headers.get('ETag'), (await alice.call('GET', `/tasks/${id}`)).headers.get('ETag'));
    t.is((await alice.call('GET', `/tasks/${ABSENT}`, { headers: { 'If-None-Match': '*' } })).status, 404);
  });

  test(`${name}: errors are also reported to clients that send a version`, async (t) => {
    const alice = await person(await host());
    await alice.create();
    const tag = (await alice.call('GET', '/tasks')).headers.get('ETag') ?? '';
    const wrong: [string, string][] = [
      ['/tasks?status=bogus', 'status'],
      ['/tasks?limit=0', 'limit'],
      ['/tasks?cursor=x', 'cursor'],
      ['/tasks/no-uuid', 'task_id'],
    ];
    for (const [path, field] of wrong) {
      for (const known of ['*', tag]) {
        const answer = await alice.call('GET', path, { headers: { 'If-None-Match': known } });
        assertProblem(t, answer, 422, [field]);
        t.is(answer.headers.get('ETag'), null);
      }
    }
  });

  test(`${name}: a client that sends the version it read never overwrites another one`, async (t) => {
    const alice = await person(await host());
    const created = await alice.call('POST', '/tasks', {
      json: { title: 'first', priority: 'low', category: 'work' },
    });
    const path = `/tasks/${created.body.id}`;
    const seen = created.headers.get('ETag') ?? '';
    const changed = await alice.call('PUT', path, { json: { title: 'second' }, headers: { 'If-Match': seen } });
    t.is(changed.status, 200);
    for (const stale of [seen, `W/${seen}`, '"no-tag-of-ours"', '""', '"99999999999999999999"']) {
      const headers = { 'If-Match': stale };
      assertProblem(t, await alice.call('PUT', path, { json: { title: 'lost' }, headers }), 412);
      assertProblem(t, await alice.call('PATCH', `${path}/complete`, { headers }), 412);
      assertProblem(t, await alice.call('DELETE', path, { headers }), 412);
    }
    t.deepEqual((await alice.call('GET', path)).body, changed.body, 'nothing was changed');
    const current = changed.headers.get('ETag') ?? '';
    for (const match of [current, `W/${current}`, current.replace(/"$/, '-gzip"'), `"x", ${current}`, '*']) {
      const answer = await alice.call('PUT', path, { json: { title: 'second' }, headers: { 'If-Match': match } });
      t.is(answer.status, 200, match);
    }
    t.is((await alice.call('DELETE', path, { headers: { 'If-Match': current } })).status, 204);
    assertProblem(t, await alice.call('DELETE', path, { headers: { 'If-Match': current } }), 404);
  });

  test(`${name}: of 100 writers with the same version, one wins`, async (t) => {
    const alice = await person(await host());
    const { id } = await alice.create();
    const tag = (await alice.call('GET', `/tasks/${id}`)).headers.get('ETag') ?? '';
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        alice.call('PUT', `/tasks/${id}`, { json: { title: `writer ${i}` }, headers: { 'If-Match': tag } }),
      ),
    );
    const statuses = answers.map(({ status }) => status).sort();
    t.deepEqual(statuses, [200, ...Array(99).fill(412)]);
    const winner = answers.find(({ status }) => status === 200);
    t.deepEqual((await alice.call('GET', `/tasks/${id}`)).body, winner?.body);
    t.is((await alice.call('GET', '/audit')).body.length, 2);
  });

  test(`${name}: 50 creates under one key make one task, and all get the same response`, async (t) => {
    const alice = await person(await host());
    const json = { title: 'once', priority: 'low', category: 'work' };
    const create = (key: string, body: object = json, who: Person = alice) =>
      who.call('POST', '/tasks', { json: body, headers: { 'Idempotency-Key': key } });
    const answers = await Promise.all(Array.from({ length: 50 }, () => create('"a-key"')));
    t.deepEqual(new Set(answers.map(({ status }) => status)), new Set([201]));
    t.is(new Set(answers.map(({ text }) => text)).size, 1);
    t.is(new Set(answers.map(({ headers }) => headers.get('Location') + String(headers.get('ETag')))).size, 1);
    t.is((await alice.call('GET', '/tasks')).body.length, 1);

    await alice.call('DELETE', `/tasks/${answers[0]?.body.id}`);
    t.is((await create('a-key')).text, answers[0]?.text ?? '', 'the first answer, whatever happened since');
    assertProblem(t, await create('a-key', { ...json, title: 'else' }), 422);
    const bob = await person(await host());
    t.is((await create('a-key', json, bob)).body.userId, bob.id, "somebody else's key is another");
    for (const key of ['', ' ', 'ä', '"', 'x'.repeat(256), 'a b']) {
      const { status } = await create(key);
      t.is(status, 400, JSON.stringify(key));
    }
  });

  test(`${name}: a key prevents a toggle from toggling back, and a failed request can be retried`, async (t) => {
    const alice = await person(await host());
    const { id } = await alice.create();
    const headers = { 'Idempotency-Key': 'toggle' };
    const toggle = () => alice.call('PATCH', `/tasks/${id}/complete`, { headers });
    t.deepEqual([(await toggle()).body.completed, (await toggle()).body.completed], [true, true]);
    const edit = () => alice.call('PUT', `/tasks/${id}`, { json: { title: 'edited' }, headers });
    assertProblem(t, await edit(), 422);
    const create = (json: object) => alice.call('POST', '/tasks', { json, headers: { 'Idempotency-Key': 'second' } });
    t.is((await create({ title: 'x' })).status, 422);
    t.is((await create({ title: 'x', priority: 'low', category: 'work' })).status, 201);
    const batch = { operations: [{ op: 'delete', id }] };
    const twice = [1, 2].map(() =>
      alice.call('POST', '/tasks/batch', { json: batch, headers: { 'Idempotency-Key': 'b' } }),
    );
    for (const { body } of await Promise.all(twice)) t.deepEqual(body, { results: [{ status: 204 }] });
  });

  test(`${name}: reading page by page shows every remaining task once, despite concurrent changes`, async (t) => {
    const alice = await person(await host());
    const count = name === 'PostgreSQL' ? 10_000 : Math.min(scaled(500), 10_000);
    const tasks = Array.from({ length: count }, (_, i) => someTask(i));
    t.deepEqual((await alice.call('POST', '/tasks/import', { json: { tasks } })).body, { imported: count });
    const ids: string[] = (await alice.call('GET', '/tasks')).body.map(({ id }: { id: string }) => id);
    const stays = new Set(ids.filter((_, i) => i % 10 > 0));
    const goes = ids.filter((id) => !stays.has(id));

    for (const order of ['', '&sort_order=asc', '&sort_by=title', '&sort_by=dueDate&sort_order=asc']) {
      let isRead = false;
      const changes = { inserted: 0, deleted: 0 };
      const write = async (writer: number) => {
        for (let i = 0; !isRead; i++) {
          const { createdAt: _, ...fields } = someTask(writer * 100_003 + i);
          const { id } = await alice.create(fields);
          changes.inserted++;
          // Alternately deletes an old task and the new one.
          const gone = i % 2 === 0 ? goes.pop() : id;
          if (gone === undefined) continue;
          t.is((await alice.call('DELETE', `/tasks/${gone}`)).status, 204);
          changes.deleted++;
        }
      };
      const read = async () => {
        const seen: string[] = [];
        let query: string | undefined = `?limit=${Math.ceil(count / 20)}${order}`;
        while (query !== undefined) {
          const { body, headers, status } = await alice.call('GET', `/tasks${query}`);
          t.is(status, 200);
          seen.push(...body.map(({ id }: { id: string }) => id));
          query = /^<([^>]+)>; rel="next"$/.exec(headers.get('Link') ?? '')?.[1];
        }
        return seen;
      };
      const reading = read().finally(() => {
        isRead = true;
      });
      const [seen] = await Promise.all([reading, write(1), write(2), write(3)]);
      const found = new Set(seen);
      t.is(found.size, seen.length, `none twice ${order}`);
      t.is([...stays].filter((id) => !found.has(id)).length, 0, `none that stayed is missed ${order}`);
      t.true(changes.inserted > 0 && changes.deleted > 0, 'others were at work');
    }
  });

  test(`${name}: an invalid cursor is refused`, async (t) => {
    const alice = await person(await host());
    await alice.create({ title: 'a' });
    await alice.create({ title: 'b' });
    for (const limit of ['0', '-1', 'abc', '1e9', '1.5', '1001', '']) {
      assertProblem(t, await alice.call('GET', `/tasks?limit=${limit}`), 422, ['limit']);
    }
    const link = (await alice.call('GET', '/tasks?limit=1&sort_by=title')).headers.get('Link') ?? '';
    const cursor = new URLSearchParams(/<\?([^>]+)>/.exec(link)?.[1]).get('cursor') ?? '';
    const asked = (text: string, order = 'sort_by=title') =>
      alice.call('GET', `/tasks?${order}&limit=1&cursor=${encodeURIComponent(text)}`);
    t.is((await asked(cursor)).body.length, 1);
    t.is((await asked('')).status, 200, 'an empty one is as if absent');
    for (const wrong of [
      'x',
      '[]',
      '{}',
      'null',
      cursor.slice(1),
      cursor.replace('"title"', '"dueDate"'),
      '[1,2,3,4,5]',
    ]) {
      assertProblem(t, await asked(wrong), 422, ['cursor']);
    }
    assertProblem(t, await asked(cursor, 'sort_by=priority'), 422, ['cursor']);
    assertProblem(t, await asked(cursor, 'sort_by=title&sort_order=asc'), 422, ['cursor']);
    for (const key of ['x\\u0000', '\\ud800', 'y'.repeat(300)]) {
      assertProblem(t, await asked(cursor.replace('"b"', `"${key}"`)), 422, ['cursor']);
    }
  });
}

/** A task to import. Every order has ties, and consecutive tasks are spread over it. */
function someTask(i: number) {
  const place = (i * 7919) % 10_007;
  return {
    title: `Task ${place % 5_003}`,
    priority: 'low',
    category: 'work',
    dueDate: place % 3 === 0 ? null : new Date(Date.UTC(2026, 0, 1 + (place % 1_000))).toISOString(),
    createdAt: new Date(Date.UTC(2026, 0, 1, 0, 0, place % 2_003)).toISOString(),
  };
}
