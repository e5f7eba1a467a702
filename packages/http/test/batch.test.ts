import { DESCRIPTION_MAX_LENGTH, TITLE_MAX_LENGTH } from '@todo-backend/domain';
import { ABSENT, assertProblem, hosts, ORIGIN, person, shared } from './hosts.ts';

const task = { title: 'a task', priority: 'low', category: 'work' };

for (const { name, declare: test, open } of hosts) {
  const host = shared(open);

  test(`${name}: a batch runs all operations, in order`, async (t) => {
    const alice = await person(await host());
    const [one, two] = [await alice.create({ title: 'one' }), await alice.create({ title: 'two' })];
    const { status, body } = await alice.call('POST', '/tasks/batch', {
      json: {
        operations: [
          { op: 'create', task: { ...task, title: 'three', dueDate: '2026-03-10' } },
          { op: 'update', id: one.id, changes: { title: 'uno', description: 'first' } },
          { op: 'complete', id: one.id },
          { op: 'complete', id: one.id, completed: true },
          { op: 'delete', id: two.id.toUpperCase() },
        ],
      },
    });
    t.is(status, 200);
    t.deepEqual(
      body.results.map(({ status }: { status: number }) => status),
      [201, 200, 200, 200, 204],
    );
    t.like(body.results[0].task, { title: 'three', dueDate: '2026-03-10T00:00:00', userId: alice.id });
    t.like(body.results[3].task, { title: 'uno', description: 'first', completed: true });
    const left = (await alice.call('GET', '/tasks?sort_by=title&sort_order=asc')).body;
    t.deepEqual(left, [body.results[0].task, body.results[3].task]);
    t.deepEqual((await alice.call('GET', '/stats')).body, { total: 2, pending: 1, completed: 1 });
    const types = (await alice.call('GET', '/audit')).body.map(({ type }: { type: string }) => type.split('.')[2]);
    t.deepEqual(types, ['deleted', 'completed', 'updated', 'created', 'created', 'created']);
  });

  test(`${name}: a batch with an invalid operation changes nothing, and reports every problem`, async (t) => {
    const alice = await person(await host());
    const bob = await person(await host());
    const [hers, his] = [await alice.create(), await bob.create()];
    const operations = [
      { op: 'create', task },
      { op: 'create', task: { title: '', priority: 'x' } },
      { op: 'update', id: hers.id, changes: { title: 'changed' } },
      { op: 'update', id: 'no-uuid', changes: {} },
      { op: 'complete', id: his.id },
      { op: 'delete', id: hers.id },
      { op: 'complete', id: hers.id },
      { op: 'rename' },
      null,
      { op: 'delete' },
      { op: 'create' },
    ];
    const answer = await alice.call('POST', '/tasks/batch', { json: { operations } });
    assertProblem(t, answer, 422, [
      'operations.1.task.title',
      'operations.1.task.priority',
      'operations.1.task.category',
      'operations.3.id',
      'operations.4.id',
      'operations.6.id',
      'operations.7.op',
      'operations.8',
      'operations.9.id',
      'operations.10.task',
    ]);
    for (const { message } of answer.body.errors) t.regex(message, /^[A-Z][^"]*\.$/, message);
    t.deepEqual((await alice.call('GET', '/tasks')).body, [hers]);
    t.is((await alice.call('GET', '/audit')).body.length, 1);

    const { status, body } = await alice.call('POST', '/tasks/batch', { json: { operations, atomic: false } });
    t.is(status, 200);
    t.deepEqual(
      body.results.map(({ status }: { status: number }) => status),
      [201, 422, 200, 422, 404, 204, 404, 422, 422, 422, 422],
    );
    t.deepEqual(body.results[4].errors, [{ field: 'operations.4.id', message: 'There is no such task.' }]);
    t.deepEqual((await alice.call('GET', '/tasks')).body, [body.results[0].task]);
    t.deepEqual((await bob.call('GET', '/tasks')).body, [his], "nobody else's task was touched");
  });

  test(`${name}: a batch is validated and limited in size`, async (t) => {
    const alice = await person(await host());
    const send = (json: unknown) => alice.call('POST', '/tasks/batch', { json });
    for (const json of [
      {},
      { operations: [] },
      { operations: 'x' },
      { operations: Array(101).fill({ op: 'create', task }) },
    ]) {
      assertProblem(t, await send(json), 422, ['operations']);
    }
    assertProblem(t, await send({ operations: [{ op: 'create', task }], atomic: 'yes' }), 422, ['atomic']);
    t.is((await send({ operations: Array(100).fill({ op: 'create', task }) })).status, 200);
    t.is((await alice.call('GET', '/tasks')).body.length, 100);
  });

  test(`${name}: a batch of the longest tasks fits, and one over 3 MB does not`, async (t) => {
    const alice = await person(await host());
    const escaped = (text: string) => text.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16)}`);
    const send = (operations: object[]) =>
      alice.call('POST', '/tasks/batch', {
        headers: { 'Content-Type': 'application/json' },
        body: escaped(JSON.stringify({ operations })),
      });
    // Twelve bytes for each character.
    const longest = {
      ...task,
      title: '🥛'.repeat(TITLE_MAX_LENGTH),
      description: '🍞'.repeat(DESCRIPTION_MAX_LENGTH),
      tags: Array.from({ length: 20 }, (_, n) => `${'🧀'.repeat(48)}${n + 10}`),
    };
    const { status, body } = await send(Array(100).fill({ op: 'create', task: longest }));
    t.is(status, 200, JSON.stringify(body));
    t.like(body.results[99].task, longest);

    const tooLarge = await send([{ op: 'create', task, ignored: 'x'.repeat(3 * 1024 * 1024) }]);
    assertProblem(t, tooLarge, 413);
    t.is(tooLarge.body.detail, 'The body must not be larger than 3 MB.');
    t.is((await alice.call('GET', '/stats')).body.total, 100);
  });

  test(`${name}: an export can be imported elsewhere, with its status and times`, async (t) => {
    const alice = await person(await host());
    await alice.create({ title: 'one', description: 'two\nlines, "quoted"', dueDate: '2026-03-10' });
    const { id } = await alice.create({ title: '=1+1', dueDate: '2026-03-10T09:30:00Z' });
    await alice.call('PATCH', `/tasks/${id}/complete`);
    const exported = await alice.call('GET', '/tasks/export');
    t.is(exported.headers.get('Content-Disposition'), 'attachment; filename="tasks.json"');
    t.deepEqual(exported.body.tasks, (await alice.call('GET', '/tasks?sort_order=asc')).body);

    const bob = await person(await host());
    const imported = await bob.call('POST', '/tasks/import', { json: exported.body });
    t.is(imported.status, 201);
    t.deepEqual(imported.body, { imported: 2 });
    const withoutIdentity = (tasks: { id?: string; userId?: string }[]) =>
      tasks.map(({ id: _, userId: __, ...rest }) => rest);
    const again = (await bob.call('GET', '/tasks/export?format=json')).body;
    t.deepEqual(withoutIdentity(again.tasks), withoutIdentity(exported.body.tasks));
    t.deepEqual((await bob.call('GET', '/stats')).body, { total: 2, pending: 1, completed: 1 });
    t.is((await bob.call('GET', '/audit?type=todo.task.created.v1')).body.length, 2);

    const csv = await alice.call('GET', '/tasks/export?format=csv');
    t.is(csv.headers.get('Content-Type'), 'text/csv; charset=utf-8');
    t.regex(csv.text, /,completed,true,/);
    t.regex(csv.text, /,pending,false,/);
    const [header, first, , second] = csv.text.replace(/^\ufeff/, '').split('\n');
    t.is(
      header,
      'id,title,description,priority,category,status,completed,dueDate,createdAt,updatedAt,userId,tags,recurrence,remindAt,series',
    );
    t.regex(first ?? '', /,one,"two$/);
    t.true(second?.includes(",'=1+1,"), 'no formula for a spreadsheet');
    assertProblem(t, await alice.call('GET', '/tasks/export?format=xml'), 422, ['format']);
  });

  test(`${name}: an import is validated`, async (t) => {
    const alice = await person(await host());
    const send = (tasks: unknown) => alice.call('POST', '/tasks/import', { json: { tasks } });
    const answer = await send([
      task,
      { ...task, title: '', status: 'done', createdAt: 'yesterday', updatedAt: '2026-03-10' },
      'x',
      { ...task, dueDate: '2026-02-30' },
    ]);
    assertProblem(t, answer, 422, [
      'tasks.1.title',
      'tasks.1.status',
      'tasks.1.createdAt',
      'tasks.1.updatedAt',
      'tasks.2',
      'tasks.3.dueDate',
    ]);
    t.deepEqual((await alice.call('GET', '/tasks')).body, [], 'none of them');
    for (const tasks of [undefined, [], 'x', Array(10_001).fill(task)])
      assertProblem(t, await send(tasks), 422, ['tasks']);

    const future = {
      ...task,
      createdAt: '2999-01-01T00:00:00Z',
      updatedAt: '2999-01-01T00:00:00Z',
      id: ABSENT,
      userId: 'x',
    };
    t.is(
      (await send([future, { ...task, createdAt: '2020-01-01T00:00:00+02:00', updatedAt: '2019-01-01T00:00:00Z' }]))
        .status,
      201,
    );
    const [kept, capped] = (await alice.call('GET', '/tasks?sort_order=asc')).body;
    t.like(kept, { createdAt: '2019-12-31T22:00:00.000Z', updatedAt: '2019-12-31T22:00:00.000Z', userId: alice.id });
    t.true(capped.createdAt <= new Date(Date.now() + 1000).toISOString());
    t.not(capped.id, ABSENT);
  });

  test(`${name}: CORS allows and exposes the headers of the API`, async (t) => {
    const { headers } = await (await host()).call('OPTIONS', '/api/alice/tasks', {
      headers: { Origin: ORIGIN, 'Access-Control-Request-Method': 'PUT' },
    });
    for (const header of ['If-Match', 'If-None-Match', 'Idempotency-Key']) {
      t.true(headers.get('Access-Control-Allow-Headers')?.includes(header), header);
    }
    const answer = await (await host()).call('GET', '/health', { headers: { Origin: ORIGIN } });
    for (const header of ['ETag', 'Link', 'Content-Disposition']) {
      t.true(answer.headers.get('Access-Control-Expose-Headers')?.includes(header), header);
    }
  });
}
