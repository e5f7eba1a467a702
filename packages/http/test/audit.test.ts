import { ABSENT, assertProblem, hosts, INSTANT, person, shared, UUID_V7 } from './hosts.ts';

for (const { name, declare: test, open } of hosts) {
  const host = shared(open);

  test(`${name}: every change is in the journal, with the request that made it`, async (t) => {
    const alice = await person(await host());
    const headers = (id: string) => ({ headers: { 'X-Request-Id': id } });
    const created = await alice.call('POST', '/tasks', {
      json: { title: 'Buy milk', priority: 'high', category: 'home', dueDate: '2026-03-10' },
      ...headers('creates'),
    });
    const { completed: _, ...task } = created.body;
    const path = `/tasks/${task.id}`;
    await alice.call('PUT', path, { json: { title: 'Buy oat milk', dueDate: null }, ...headers('edits') });
    await alice.call('PUT', path, { json: { title: 'Buy oat milk' }, ...headers('changes-nothing') });
    await alice.call('PATCH', `${path}/complete`, headers('completes'));
    await alice.call('PATCH', `${path}/complete`, { json: { completed: false }, ...headers('reopens') });
    await alice.call('DELETE', path, headers('deletes'));
    await alice.call('DELETE', path, headers('fails'));

    const { status, body } = await alice.call('GET', '/audit');
    t.is(status, 200);
    const entries: { [key: string]: unknown }[] = body;
    t.deepEqual(
      entries.map(({ sequence, type, correlationId }) => [sequence, type, correlationId]),
      [
        [5, 'todo.task.deleted.v1', 'deletes'],
        [4, 'todo.task.reopened.v1', 'reopens'],
        [3, 'todo.task.completed.v1', 'completes'],
        [2, 'todo.task.updated.v1', 'edits'],
        [1, 'todo.task.created.v1', 'creates'],
      ],
    );
    for (const { id, time, userId, taskId, actor } of entries) {
      t.regex(String(id), UUID_V7);
      t.regex(String(time), INSTANT);
      t.deepEqual(
        { userId, taskId, actor },
        { userId: alice.id, taskId: task.id, actor: { type: 'user', id: alice.id } },
      );
    }
    t.deepEqual(entries[4]?.task, task);
    t.like(entries[3]?.changes, {
      title: { before: 'Buy milk', after: 'Buy oat milk' },
      dueDate: { before: '2026-03-10T00:00:00', after: null },
    });
    t.like(entries[2]?.changes, { status: { before: 'pending', after: 'completed' } });
    t.like(entries[0]?.task, { title: 'Buy oat milk', status: 'pending' });
    t.deepEqual((await (await person(await host())).call('GET', '/audit')).body, [], 'nobody else sees any of it');
  });

  test(`${name}: a journal is read in pages, each of which links to the next`, async (t) => {
    const alice = await person(await host());
    for (let i = 0; i < 60; i++) await alice.create();
    t.is((await alice.call('GET', '/audit')).body.length, 50, 'by default');
    const seen: number[] = [];
    let query: string | undefined = '?limit=25&type=todo.task.created.v1';
    while (query !== undefined) {
      const { body, headers } = await alice.call('GET', `/audit${query}`);
      seen.push(...body.map(({ sequence }: { sequence: number }) => sequence));
      query = /^<([^>]+)>; rel="next"$/.exec(headers.get('Link') ?? '')?.[1];
    }
    t.deepEqual(
      seen,
      Array.from({ length: 60 }, (_, i) => 60 - i),
    );
    t.is((await alice.call('GET', '/audit?limit=60')).headers.get('Link'), null, 'nothing is left');
  });

  test(`${name}: a journal is filtered by task, type and time`, async (t) => {
    const alice = await person(await host());
    const [one, two] = [await alice.create(), await alice.create()];
    await alice.call('PATCH', `/tasks/${one.id}/complete`);
    const sequences = async (query: string) => {
      const { body } = await alice.call('GET', `/audit?${query}`);
      return body.map(({ sequence }: { sequence: number }) => sequence);
    };
    t.deepEqual(await sequences(`task_id=${one.id.toUpperCase()}`), [3, 1]);
    t.deepEqual(await sequences(`task_id=${ABSENT}`), []);
    t.deepEqual(await sequences('type=todo.task.completed.v1'), [3]);
    t.deepEqual(await sequences(`until=${one.createdAt}`), []);
    t.deepEqual(await sequences('since=2026-01-01T00:00:00%2B05:00&until=9999-01-01T00:00:00Z&unknown=1'), [3, 2, 1]);
    t.deepEqual(await sequences(`since=${two.createdAt}&type=todo.task.created.v1&task_id=${two.id}`), [2]);
    const answer = await alice.call(
      'GET',
      '/audit?task_id=x&type=created&since=yesterday&until=2026-03-10&cursor=-1&limit=201',
    );
    assertProblem(t, answer, 422, ['task_id', 'type', 'since', 'until', 'cursor', 'limit']);
    for (const limit of ['0', '1.5', '1e2', '', '-1', 'abc', '99999999999']) {
      assertProblem(t, await alice.call('GET', `/audit?limit=${limit}`), 422, ['limit']);
    }
  });
}
