import { assertProblem, hosts, type Person, person, shared } from './hosts.ts';

const titlesOf = async (someone: Person) =>
  (await someone.call('GET', '/tasks')).body.map(({ title }: { title: string }) => title).sort();

for (const { name, declare, open } of hosts) {
  const host = shared(open);

  declare(`${name}: all tasks that match are deleted at once, and come back by one undo`, async (t) => {
    const [alice, bob] = [await person(await host()), await person(await host())];
    for (const title of ['a', 'b', 'c']) await alice.create({ title });
    const { id } = await alice.create({ title: 'high', priority: 'high' });
    await bob.create({ title: 'of bob' });
    for (const task of (await alice.call('GET', '/tasks?priority=low')).body) {
      await alice.call('PATCH', `/tasks/${task.id}/complete`, { json: { completed: true } });
    }
    const requestId = `clear-${alice.id}`;
    const { status, body, headers } = await alice.call('DELETE', '/tasks?status=completed', {
      headers: { 'X-Request-Id': requestId },
    });
    t.is(status, 200);
    t.deepEqual(body, { deleted: 3 });
    t.truthy(headers.get('Journal-Position'));
    t.deepEqual(await titlesOf(alice), ['high']);
    t.deepEqual(await titlesOf(bob), ['of bob']);
    t.deepEqual((await alice.call('DELETE', '/tasks?status=completed')).body, { deleted: 0 });
    const undone = await alice.call('POST', '/undo', { json: { correlationId: requestId } });
    t.is(undone.body.results.length, 3);
    t.deepEqual(await titlesOf(alice), ['a', 'b', 'c', 'high']);
    await alice.call('PUT', `/tasks/${id}`, { json: { dueDate: '2026-03-10' } });
    t.deepEqual((await alice.call('DELETE', '/tasks?due_before=2026-03-11')).body, { deleted: 1 });
  });

  declare(`${name}: without a filter nothing is deleted`, async (t) => {
    const alice = await person(await host());
    await alice.create({ title: 'kept' });
    for (const query of ['', '?status=', '?search=', '?sort_by=title', '?limit=1', '?time_zone=Europe/Berlin']) {
      assertProblem(t, await alice.call('DELETE', `/tasks${query}`), 422, ['status']);
    }
    assertProblem(t, await alice.call('DELETE', '/tasks?status=done&due_after=x'), 422, ['status', 'due_after']);
    t.deepEqual(await titlesOf(alice), ['kept']);
  });

  declare(`${name}: a deletion that is repeated with its key takes effect once`, async (t) => {
    const alice = await person(await host());
    await alice.create({ title: 'a' });
    const headers = { 'Idempotency-Key': 'clear' };
    const clear = (query = 'priority=low') => alice.call('DELETE', `/tasks?${query}`, { headers });
    t.deepEqual((await clear()).body, { deleted: 1 });
    await alice.create({ title: 'b' });
    t.deepEqual((await clear()).body, { deleted: 1 });
    t.deepEqual(await titlesOf(alice), ['b']);
    assertProblem(t, await clear('priority=high'), 422);
  });
}
