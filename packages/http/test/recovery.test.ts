import assert from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';
import { ABSENT, type Answer, assertProblem, hosts, type Person, person, shared } from './hosts.ts';

/** The ids of the newest events, newest first. */
async function events(who: Person, limit: number): Promise<string[]> {
  return (await who.call('GET', `/audit?limit=${limit}`)).body.map(({ id }: { id: string }) => id);
}

/** A task without its version. */
function content({ updatedAt: _, ...rest }: Answer['body']) {
  return rest;
}

const undo = (who: Person, json: object, headers: Record<string, string> = {}) =>
  who.call('POST', '/undo', { json, headers });

for (const { name, declare: test, open } of hosts) {
  const host = shared(open);

  test(`${name}: an undo takes back each kind of change, and can be taken back`, async (t) => {
    const alice = await person(await host());
    const task = await alice.create({ title: 'one', description: 'text', dueDate: '2026-03-10' });
    const path = `/tasks/${task.id}`;
    const steps: (() => Promise<Answer>)[] = [
      () => alice.call('PUT', path, { json: { title: 'two', description: null, dueDate: null } }),
      () => alice.call('PATCH', `${path}/complete`),
      () => alice.call('DELETE', path),
    ];
    for (const step of steps) {
      const before = (await alice.call('GET', path)).body;
      await step();
      const after = (await alice.call('GET', path)).body;
      const [id = ''] = await events(alice, 1);
      const { status, body } = await undo(alice, { events: [id] });
      t.is(status, 200);
      t.like(body.results[0], { eventId: id, taskId: task.id, outcome: 'undone' });
      const back = (await alice.call('GET', path)).body;
      t.deepEqual(content(back), content(before));
      t.deepEqual(body.results[0].task, back);
      const [entry] = (await alice.call('GET', '/audit?limit=1')).body;
      t.is(entry.undoes, id);
      await undo(alice, { events: [entry.id] });
      const again = await alice.call('GET', path);
      if (after.status === 404) assertProblem(t, again, 404);
      else t.deepEqual(content(again.body), content(after));
    }
  });

  test(`${name}: an undo of a request takes back all of it, once`, async (t) => {
    const alice = await person(await host());
    const [a, b] = [await alice.create({ title: 'a' }), await alice.create({ title: 'b' })];
    const operations = [
      { op: 'update', id: a.id, changes: { title: 'a2' } },
      { op: 'update', id: a.id, changes: { priority: 'high' } },
      { op: 'delete', id: b.id },
      { op: 'create', task: { title: 'c', priority: 'low', category: 'work' } },
    ];
    await alice.call('POST', '/tasks/batch', { json: { operations }, headers: { 'X-Request-Id': 'a-batch' } });
    const json = { correlationId: 'a-batch' };
    const dry = await undo(alice, { ...json, dryRun: true });
    t.deepEqual(
      dry.body.results.map(({ outcome, fields }: Answer['body']) => [outcome, fields]),
      [
        ['undone', []],
        ['undone', []],
        ['undone', ['priority']],
        ['undone', ['title']],
      ],
    );
    t.is((await alice.call('GET', '/tasks')).body.length, 2, 'a dry run changes nothing');
    const headers = { 'Idempotency-Key': 'undo', 'X-Request-Id': 'an-undo' };
    const done = await undo(alice, json, headers);
    t.deepEqual(content(done.body.results[1].task), content(dry.body.results[1].task));
    const list = (await alice.call('GET', '/tasks?sort_by=title&sort_order=asc')).body;
    t.deepEqual(list.map(content), [a, b].map(content));
    t.deepEqual((await undo(alice, json, headers)).body, done.body, 'a retry with the same key');
    const twice = await undo(alice, json);
    t.deepEqual(new Set(twice.body.results.map(({ outcome }: Answer['body']) => outcome)), new Set(['nothing']));
    const { results } = (await undo(alice, { correlationId: 'an-undo' })).body;
    t.is(results.length, 4);
    const titles = (await alice.call('GET', '/tasks?sort_by=title&sort_order=asc')).body.map(
      ({ title }: Answer['body']) => title,
    );
    t.deepEqual(titles, ['a2', 'c'], 'the undo is undone');
  });

  test(`${name}: all that an agent did since a moment is undone, and nothing of anybody else`, async (t) => {
    const { tasks = assert.fail(), ...server } = await host();
    const [alice, bob] = [await person(server), await person(server)];
    const by = (id: string) => ({ actor: { type: 'agent', id } }) as const;
    const [a, b] = [await alice.create({ title: 'a' }), await alice.create({ title: 'b' })];
    await tasks.update(alice.id, a.id, { category: 'home' }, by('client-1'));
    await setTimeout(2);
    const since = new Date().toISOString();
    const theirs = await bob.create({ title: 'theirs' });
    await tasks.update(bob.id, theirs.id, { title: 'edited by their agent' }, by('client-9'));
    await tasks.update(alice.id, a.id, { title: 'overwritten', description: 'text' }, by('client-1'));
    await tasks.delete(alice.id, b.id, by('client-1'));
    await tasks.create(alice.id, { title: 'spam', priority: 'low', category: 'work' }, by('client-1'));
    await tasks.update(alice.id, a.id, { priority: 'high' }, by('client-2'));
    await alice.call('PUT', `/tasks/${a.id}`, { json: { title: 'mine' } });
    // A user is no agent, whatever the ids.
    await tasks.update(alice.id, a.id, { dueDate: '2026-03-10' }, { actor: { type: 'user', id: 'client-1' } });

    const all = { actor: 'client-1', since };
    const [overwriting] = (await alice.call('GET', '/audit?actor=client-1&type=todo.task.updated.v1')).body;
    const before = (await alice.call('GET', '/audit')).text;
    assertProblem(t, await undo(alice, all), 409, [`events.${overwriting.id}.title`]);
    const dry = await undo(alice, { ...all, dryRun: true });
    for (const stranger of ['client-9', 'client', alice.id]) {
      assertProblem(t, await undo(alice, { ...all, actor: stranger }), 404);
    }
    assertProblem(t, await undo(bob, all), 404);
    assertProblem(t, await undo(alice, { ...all, since: '9999-01-01T00:00:00Z' }), 404);
    t.is((await alice.call('GET', '/audit')).text, before, 'nothing was done');

    const headers = { 'Idempotency-Key': 'undo', 'X-Request-Id': 'an-undo' };
    const done = await undo(alice, { ...all, atomic: false }, headers);
    const outcomes = ({ body }: Answer) =>
      body.results.map(({ outcome, fields }: Answer['body']) => [outcome, ...fields]);
    t.deepEqual(outcomes(done), [['undone'], ['undone'], ['conflict', 'title']]);
    t.deepEqual(outcomes(dry), outcomes(done));
    const list = (await alice.call('GET', '/tasks?sort_by=createdAt&sort_order=asc')).body;
    const expected = { ...a, title: 'mine', category: 'home', priority: 'high', dueDate: '2026-03-10T00:00:00' };
    t.deepEqual(list.map(content), [expected, b].map(content));
    const entries = (await alice.call('GET', '/audit?limit=3')).body;
    t.deepEqual(
      entries.map(({ undoes }: Answer['body']) => undoes).reverse(),
      done.body.results.map(({ eventId }: Answer['body']) => eventId),
    );
    t.deepEqual((await undo(alice, { ...all, atomic: false }, headers)).body, done.body, 'a retry with the same key');
    t.deepEqual((await bob.call('GET', `/tasks/${theirs.id}`)).body.title, 'edited by their agent');

    // Without the conflict it is all or nothing, and nothing is left to do but that.
    await tasks.complete(alice.id, a.id, { completed: true }, by('client-3'));
    const third = { actor: 'client-3', since };
    t.deepEqual(outcomes(await undo(alice, third)), [['undone', 'status']]);
    t.deepEqual(outcomes(await undo(alice, third)), [['nothing']]);
  });

  test(`${name}: the journal tells what one agent did`, async (t) => {
    const { tasks = assert.fail(), ...server } = await host();
    const alice = await person(server);
    const { id } = await alice.create();
    for (const agent of ['client-1', 'client-2', 'client-1']) {
      await tasks.complete(alice.id, id, undefined, { actor: { type: 'agent', id: agent } });
    }
    const sequences = async (query: string) =>
      (await alice.call('GET', `/audit?${query}`)).body.map(({ sequence }: Answer['body']) => sequence);
    t.deepEqual(await sequences('actor=client-1'), [4, 2]);
    t.deepEqual(await sequences('actor=client-1&type=todo.task.reopened.v1'), []);
    t.deepEqual(await sequences(`actor=${alice.id}`), [], 'the user is no agent');
    t.deepEqual(await sequences('actor='), [4, 3, 2, 1]);
    const { headers } = await alice.call('GET', '/audit?actor=client-1&limit=1');
    const [, next] = /^<\?([^>]+)>; rel="next"$/.exec(headers.get('Link') ?? '') ?? [];
    t.deepEqual(await sequences(next ?? ''), [2]);
    assertProblem(t, await alice.call('GET', `/audit?actor=${'x'.repeat(256)}`), 422, ['actor']);
    assertProblem(t, await alice.call('GET', '/audit?actor=a&actor=b'), 422, ['actor']);
  });

  test(`${name}: a field that was changed since is a conflict`, async (t) => {
    const alice = await person(await host());
    const { id } = await alice.create({ title: 'one' });
    await alice.call('PUT', `/tasks/${id}`, { json: { title: 'two', priority: 'high', dueDate: '2026-01-01' } });
    const [event = ''] = await events(alice, 1);
    await alice.call('PUT', `/tasks/${id}`, { json: { title: 'three', category: 'home' } });
    const before = (await alice.call('GET', `/tasks/${id}`)).body;
    const refused = await undo(alice, { events: [event] });
    assertProblem(t, refused, 409, [`events.${event}.title`]);
    t.is(refused.body.type, '/problems/changed-since');
    t.deepEqual((await alice.call('GET', `/tasks/${id}`)).body, before, 'nothing was done');
    const dry = await undo(alice, { events: [event], dryRun: true });
    t.like(dry.body.results[0], { outcome: 'conflict', fields: ['title'] });
    const { body } = await undo(alice, { events: [event], atomic: false });
    t.like(body.results[0], { outcome: 'conflict', fields: ['title'] });
    const after = (await alice.call('GET', `/tasks/${id}`)).body;
    t.like(after, { title: 'three', category: 'home', priority: 'low', dueDate: null });
    await alice.call('DELETE', `/tasks/${id}`);
    assertProblem(
      t,
      await undo(alice, { events: [event] }),
      409,
      ['title', 'priority', 'dueDate'].map((field) => `events.${event}.${field}`),
    );

    const { id: made } = await alice.create();
    const [creation = ''] = await events(alice, 1);
    await alice.call('PATCH', `/tasks/${made}/complete`);
    assertProblem(t, await undo(alice, { events: [creation] }), 409, [`events.${creation}.status`]);
    await alice.call('PATCH', `/tasks/${made}/complete`);
    t.is((await undo(alice, { events: [creation] })).status, 200);
    assertProblem(t, await alice.call('GET', `/tasks/${made}`), 404);
  });

  test(`${name}: what cannot be undone is said`, async (t) => {
    const alice = await person(await host());
    await alice.create();
    assertProblem(t, await undo(alice, { events: [ABSENT] }), 404);
    assertProblem(t, await undo(alice, { correlationId: 'nothing' }), 404);
    assertProblem(t, await undo(alice, { correlationId: "'; drop table tasks; --" }), 404);
    for (const [json, fields] of [
      [{}, ['events']],
      [{ events: [ABSENT], correlationId: 'x' }, ['events']],
      [{ events: [] }, ['events']],
      [{ events: ['x'] }, ['events.0']],
      [{ events: Array(1_001).fill(ABSENT) }, ['events']],
      [{ correlationId: '' }, ['correlationId']],
      [{ correlationId: 'a\0b' }, ['correlationId']],
      [{ correlationId: 'x'.repeat(256) }, ['correlationId']],
      [{ actor: 'x' }, ['since']],
      [{ since: '2026-03-10T09:30:00Z' }, ['actor']],
      [{ actor: '', since: '2026-03-10' }, ['actor', 'since']],
      [{ actor: 'a\0b', since: '2026-03-10T09:30:00' }, ['actor', 'since']],
      [{ actor: 'x', since: '2026-03-10T09:30:00Z', correlationId: 'x' }, ['events']],
      [{ since: '2026-03-10T09:30:00Z', events: [ABSENT] }, ['events']],
      [{ events: [ABSENT], atomic: 'no', dryRun: 1 }, ['dryRun', 'atomic']],
    ] as const) {
      assertProblem(t, await undo(alice, json), 422, [...fields]);
    }
    const details: [object, string][] = [
      [{}, 'Choose one: events, or correlationId, or actor with since.'],
      [
        { events: [ABSENT], since: '2026-03-10T09:30:00Z' },
        'Choose one: events, or correlationId, or actor with since, not events and since.',
      ],
      [{ actor: 'x' }, 'Since is required with actor: say from when on.'],
      [{ since: '2026-03-10T09:30:00Z' }, 'Actor is required with since: say which agent.'],
    ];
    for (const [json, detail] of details) t.is((await undo(alice, json)).body.detail, detail);
    assertProblem(t, await alice.call('POST', '/undo', { json: [] }), 422, ['body']);
    const itself = await undo(alice, { correlationId: 'itself' }, { 'X-Request-Id': 'itself' });
    assertProblem(t, itself, 422, ['correlationId']);
  });

  test(`${name}: a deletion that was followed by another one is not undone`, async (t) => {
    const alice = await person(await host());
    const { id } = await alice.create({ title: 'first' });
    await alice.call('DELETE', `/tasks/${id}`);
    const [first = ''] = await events(alice, 1);
    await alice.call('POST', `/tasks/${id}/restore`);
    await alice.call('PUT', `/tasks/${id}`, { json: { title: 'second' } });
    await alice.call('DELETE', `/tasks/${id}`);
    const [second = ''] = await events(alice, 1);
    t.like((await undo(alice, { events: [first] })).body.results[0], { outcome: 'nothing', task: null });
    t.like((await undo(alice, { events: [second] })).body.results[0], { outcome: 'undone', task: { title: 'second' } });
    const all = await events(alice, 10);
    const { body } = await undo(alice, { events: all });
    t.deepEqual(
      body.results.map(({ outcome, task }: Answer['body']) => [outcome, task?.title]),
      [
        ['undone', undefined],
        ['undone', 'second'],
        ['undone', 'first'],
        ['undone', undefined],
        ['undone', 'first'],
        ['undone', undefined],
      ],
      'all that has ever happened, the newest first',
    );
  });

  test(`${name}: an undo of very many events leaves the tasks out`, async (t) => {
    const alice = await person(await host());
    const tasks = Array.from({ length: 101 }, () => ({ title: 'a task', priority: 'low', category: 'work' }));
    await alice.call('POST', '/tasks/import', { json: { tasks }, headers: { 'X-Request-Id': 'an-import' } });
    const { body } = await undo(alice, { correlationId: 'an-import' });
    t.is(body.results.length, 101);
    t.false(body.results.some((result: object) => 'task' in result));
    t.is((await alice.call('GET', '/stats')).body.total, 0);
  });

  test(`${name}: the trash, page by page; restored tasks leave it`, async (t) => {
    const alice = await person(await host());
    const tasks = [];
    for (let i = 0; i < 5; i++) tasks.push(await alice.create({ title: `task ${i}`, description: 'text' }));
    for (const { id } of tasks) await alice.call('DELETE', `/tasks/${id}`);
    const [first] = (await alice.call('GET', '/trash?limit=1')).body;
    t.deepEqual(first.task, tasks[4]);
    t.deepEqual(first.deletedBy, { type: 'user', id: alice.id });
    t.is(Date.parse(first.restorableUntil) - Date.parse(first.deletedAt), 90 * 86_400_000);
    t.deepEqual([first.eventId], await events(alice, 1));
    const seen: string[] = [];
    let query: string | undefined = '?limit=2';
    while (query !== undefined) {
      const { body, headers } = await alice.call('GET', `/trash${query}`);
      seen.push(...body.map(({ task }: Answer['body']) => task.id));
      query = /^<([^>]+)>; rel="next"$/.exec(headers.get('Link') ?? '')?.[1];
    }
    t.deepEqual(seen, tasks.map(({ id }) => id).reverse());

    const { id } = tasks[2];
    const restored = await alice.call('POST', `/tasks/${id}/restore`);
    t.is(restored.status, 200);
    t.deepEqual(content(restored.body), content(tasks[2]));
    t.true(restored.body.updatedAt > tasks[2].updatedAt);
    t.truthy(restored.headers.get('ETag'));
    t.deepEqual((await alice.call('GET', `/tasks/${id}`)).body, restored.body);
    t.is((await alice.call('GET', '/trash')).body.length, 4);
    const again = await alice.call('POST', `/tasks/${id}/restore`);
    assertProblem(t, again, 409);
    t.is(again.body.type, '/problems/task-exists');
    assertProblem(t, await alice.call('POST', `/tasks/${ABSENT}/restore`), 404);
    assertProblem(t, await alice.call('POST', '/tasks/x/restore'), 422, ['task_id']);
    for (const limit of ['0', '201', 'x']) {
      assertProblem(t, await alice.call('GET', `/trash?limit=${limit}`), 422, ['limit']);
    }
    assertProblem(t, await alice.call('GET', '/trash?cursor=x'), 422, ['cursor']);
  });

  test(`${name}: erased tasks are gone for good, from every answer`, async (t) => {
    const alice = await person(await host());
    const secret = 'a-very-secret-text';
    const kept = await alice.create({ title: 'kept' });
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) {
      const { id } = await alice.create({ title: secret, description: secret });
      await alice.call('PUT', `/tasks/${id}`, { json: { title: `${secret} 2`, description: null } });
      await alice.call('PATCH', `/tasks/${id}/complete`);
      await alice.call('DELETE', `/tasks/${id}`);
      ids.push(id);
    }
    const [deletion = ''] = await events(alice, 1);
    assertProblem(t, await alice.call('DELETE', `/trash/${kept.id}`), 404);
    assertProblem(t, await alice.call('DELETE', `/trash/${ABSENT}`), 404);
    assertProblem(t, await alice.call('DELETE', '/trash/x'), 422, ['task_id']);
    t.is((await alice.call('DELETE', `/trash/${ids[2]}`)).status, 204);
    assertProblem(t, await alice.call('DELETE', `/trash/${ids[2]}`), 404);
    assertProblem(t, await alice.call('POST', `/tasks/${ids[2]}/restore`), 404);
    t.like((await undo(alice, { events: [deletion] })).body.results[0], { outcome: 'nothing', task: null });
    const history = (await alice.call('GET', `/audit?task_id=${ids[2]}`)).body;
    t.deepEqual(
      history.map(({ type, erased }: Answer['body']) => [type.split('.')[2], erased]),
      [
        ['erased', undefined],
        ['deleted', true],
        ['completed', true],
        ['updated', true],
        ['created', true],
      ],
    );
    t.false(JSON.stringify(history).includes(secret));
    t.deepEqual(
      (await alice.call('GET', '/audit')).body.map(({ sequence }: Answer['body']) => sequence),
      Array.from({ length: 14 }, (_, i) => 14 - i),
      'the sequence has no gap',
    );
    t.deepEqual((await alice.call('DELETE', '/trash')).body, { erased: 2 });
    t.deepEqual((await alice.call('DELETE', '/trash')).body, { erased: 0 });
    const all = await Promise.all(
      ['/audit', '/trash', '/changes?since=000000000', '/tasks', '/tasks/export'].map((path) =>
        alice.call('GET', path),
      ),
    );
    for (const { text } of all) t.false(text.includes(secret));
    t.deepEqual((await alice.call('GET', '/tasks')).body, [kept]);
    const [newest] = await events(alice, 1);
    t.like((await undo(alice, { events: [newest] })).body.results[0], { outcome: 'nothing' });
  });
}
