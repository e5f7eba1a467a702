import { assertProblem, hosts, person, shared } from './hosts.ts';

const task = { title: 'a task', priority: 'low', category: 'work' };

for (const { name, declare: test, open } of hosts) {
  const host = shared(open);

  test(`${name}: tags are kept in their order, and lost by no client that does not know them`, async (t) => {
    const alice = await person(await host());
    const made = await alice.create({ tags: [' b', 'A', 'ß,"'] });
    t.deepEqual(made.tags, ['b', 'A', 'ß,"']);
    t.deepEqual((await alice.create()).tags, []);
    const { tags: _, ...known } = made;
    const { body: put } = await alice.call('PUT', `/tasks/${made.id}`, { json: { ...known, title: 'changed' } });
    t.deepEqual(put.tags, made.tags);
    t.deepEqual((await alice.call('PUT', `/tasks/${made.id}`, { json: put })).body, put, 'it can be sent as it is');
    t.deepEqual((await alice.call('PUT', `/tasks/${made.id}`, { json: { tags: ['A', 'b'] } })).body.tags, ['A', 'b']);
    t.deepEqual((await alice.call('PATCH', `/tasks/${made.id}/complete`)).body.tags, ['A', 'b']);
    t.deepEqual((await alice.call('PUT', `/tasks/${made.id}`, { json: { tags: [] } })).body.tags, []);
  });

  test(`${name}: what is wrong with tags is said of each`, async (t) => {
    const alice = await person(await host());
    const { id } = await alice.create();
    const put = (tags: unknown) => alice.call('PUT', `/tasks/${id}`, { json: { tags } });
    for (const tags of [null, 'a', 7, { 0: 'a' }, Array(21).fill('a'), Array(30_000).fill(1)]) {
      assertProblem(t, await put(tags), 422, ['tags']);
    }
    assertProblem(t, await put(['a', '', 'A', 7, null, 'x'.repeat(51)]), 422, ['tags.3', 'tags.4']);
    assertProblem(t, await put(['a', '', 'A', 'x'.repeat(51)]), 422, ['tags.1', 'tags.2', 'tags.3']);
    assertProblem(t, await alice.call('POST', '/tasks', { json: { ...task, title: '', tags: ['\0'] } }), 422, [
      'title',
      'tags.0',
    ]);
    const tasks = [task, { ...task, tags: ['a', 'a'] }];
    assertProblem(t, await alice.call('POST', '/tasks/import', { json: { tasks } }), 422, ['tasks.1.tags.1']);
    t.deepEqual((await alice.call('GET', '/tasks')).body.length, 1);
  });

  test(`${name}: tasks are found by one tag or several`, async (t) => {
    const alice = await person(await host());
    for (const [title, ...tags] of [['a', 'Home', 'x'], ['b', 'home'], ['c', 'x'], ['d']]) {
      await alice.create({ title, tags });
    }
    const titles = async (query: string) => {
      const { status, body } = await alice.call('GET', `/tasks?sort_by=title&sort_order=asc&${query}`);
      t.is(status, 200, query);
      return body.map(({ title }: { title: string }) => title).join('');
    };
    t.is(await titles('tag=HOME'), 'ab');
    t.is(await titles('tag=home&tag=X'), 'a');
    t.is(await titles('tag=%20home%20'), 'ab');
    t.is(await titles('tag=home&status=completed'), '');
    t.is(await titles('tag=no'), '');
    t.is(await titles('tag='), 'abcd', 'as if absent');
    t.is(await titles('tag=&tag=x&tag='), 'ac');
    t.is(await titles('tags=x'), 'abcd', 'a name that nobody knows');
    const page = await alice.call('GET', '/tasks?tag=x&tag=home&limit=1');
    t.is(page.body.length, 1);
    t.is(page.headers.get('Link'), null);
    const first = await alice.call('GET', '/tasks?tag=x&limit=1&tag=');
    const link = /<(.*)>/.exec(first.headers.get('Link') ?? '')?.[1] ?? '';
    t.deepEqual(new URLSearchParams(link).getAll('tag'), ['x', '']);
    t.deepEqual((await alice.call('GET', `/tasks${link}`)).body.length, 1);

    const long = 'x'.repeat(51);
    assertProblem(t, await alice.call('GET', `/tasks?tag=a&tag=${long}&tag=%20`), 422, ['tag.1', 'tag.2']);
    assertProblem(t, await alice.call('GET', `/tasks?${'tag=a&'.repeat(21)}`), 422, ['tag']);
    t.is((await alice.call('GET', `/tasks?${'tag=a&'.repeat(20)}`)).status, 200);
    const answer = await alice.call('GET', '/tasks?status=pending&status=pending&tag=a&tag=b');
    assertProblem(t, answer, 422, ['status']);
    t.is(answer.body.errors[0].message, 'Parameter status may be given only once.');
  });

  test(`${name}: what is tagged is deleted together, and nothing else`, async (t) => {
    const alice = await person(await host());
    for (const tags of [['Old', 'x'], ['old'], ['x'], []]) await alice.create({ tags });
    assertProblem(t, await alice.call('DELETE', '/tasks?tag='), 422, ['status']);
    assertProblem(t, await alice.call('DELETE', '/tasks?tag=a&tag=%20'), 422, ['tag.1']);
    t.deepEqual((await alice.call('DELETE', '/tasks?tag=OLD&tag=none')).body, { deleted: 0 });
    const { body, headers } = await alice.call('DELETE', '/tasks?tag=OLD');
    t.deepEqual(body, { deleted: 2 });
    t.deepEqual((await alice.call('GET', '/tags')).body, [{ tag: 'x', count: 1 }]);
    const json = { correlationId: headers.get('X-Request-Id') };
    t.is((await alice.call('POST', '/undo', { json })).body.results.length, 2);
    t.is((await alice.call('GET', '/tasks')).body.length, 4);
  });

  test(`${name}: tags are counted, until something changes`, async (t) => {
    const [alice, bob] = [await person(await host()), await person(await host())];
    t.deepEqual((await alice.call('GET', '/tags')).body, []);
    for (const tags of [['b'], ['a', 'B'], ['c', 'B'], ['a'], []]) await alice.create({ tags });
    await bob.create({ tags: ['secret'] });
    const { body, headers } = await alice.call('GET', '/tags');
    t.deepEqual(body, [
      { tag: 'B', count: 3 },
      { tag: 'a', count: 2 },
      { tag: 'c', count: 1 },
    ]);
    const known = { 'If-None-Match': headers.get('ETag') ?? '' };
    t.is((await alice.call('GET', '/tags', { headers: known })).status, 304);
    await alice.create({ tags: ['d'] });
    const changed = await alice.call('GET', '/tags', { headers: known });
    t.is(changed.status, 200);
    t.is(changed.body.length, 4);
  });

  test(`${name}: an export with tags can be imported again, and its table read again`, async (t) => {
    const [alice, bob] = [await person(await host()), await person(await host())];
    const all = [['=1+1', 'a,b', '"', '\\', '\u{1f600}', "'", 'x\ny'], [], ['ß']];
    for (const tags of all) await alice.create({ tags });
    const { body } = await alice.call('GET', '/tasks/export');
    t.deepEqual(
      body.tasks.map(({ tags }: { tags: string[] }) => tags),
      all,
    );
    t.is((await bob.call('POST', '/tasks/import', { json: body })).status, 201);
    const imported = (await bob.call('GET', '/tasks/export')).body.tasks;
    t.deepEqual(new Set(imported.map(({ tags }: { tags: string[] }) => tags)), new Set(all));
    const { text } = await alice.call('GET', '/tasks/export?format=csv');
    const cells = text
      .trimEnd()
      .split('\n')
      .slice(1)
      .map((row) => row.slice(row.indexOf(`,${alice.id},`) + alice.id.length + 2, -',,,'.length));
    t.deepEqual(
      cells.map((cell) => JSON.parse(cell.replace(/^"(.*)"$/, '$1').replaceAll('""', '"'))),
      all,
      'a cell is a JSON array',
    );
    t.is(text.slice(0, text.indexOf('\n')).split(',')[11], 'tags', 'the other columns are where they were');
  });

  test(`${name}: the journal has tags as one field, which is undone as one`, async (t) => {
    const alice = await person(await host());
    const { id } = await alice.create({ tags: ['a'] });
    const { headers } = await alice.call('PUT', `/tasks/${id}`, { json: { tags: ['a', 'secret'], title: 'new' } });
    const [entry] = (await alice.call('GET', '/audit?limit=1')).body;
    t.deepEqual(entry.changes.tags, { before: ['a'], after: ['a', 'secret'] });
    await alice.call('PUT', `/tasks/${id}`, { json: { title: 'newer' } });
    const json = { correlationId: headers.get('X-Request-Id'), atomic: false };
    const { results } = (await alice.call('POST', '/undo', { json })).body;
    t.like(results[0], { outcome: 'conflict', fields: ['title'] });
    t.like((await alice.call('GET', `/tasks/${id}`)).body, { title: 'newer', tags: ['a'] });
    const again = { events: [entry.id], atomic: false };
    t.deepEqual((await alice.call('POST', '/undo', { json: again })).body.results[0].fields, ['title'], 'nothing more');

    const batch = { operations: [{ op: 'update', id, changes: { tags: ['secret', 'b'] } }] };
    t.deepEqual((await alice.call('POST', '/tasks/batch', { json: batch })).body.results[0].task.tags, ['secret', 'b']);
    const { body } = await alice.call('GET', '/changes?since=000000000');
    t.deepEqual(body.changes[0].task.tags, ['secret', 'b']);
    await alice.call('DELETE', `/tasks/${id}`);
    t.deepEqual((await alice.call('GET', '/trash')).body[0].task.tags, ['secret', 'b']);
    t.deepEqual((await alice.call('POST', `/tasks/${id}/restore`)).body.tags, ['secret', 'b']);
    await alice.call('DELETE', `/tasks/${id}`);
    t.is((await alice.call('DELETE', `/trash/${id}`)).status, 204);
    t.notRegex((await alice.call('GET', '/audit')).text, /secret/);
  });
}
