import { assertProblem, hosts, person, shared } from './hosts.ts';

const timeZone = 'Europe/Berlin';
const weekly = { rule: 'FREQ=WEEKLY;BYDAY=MO', anchor: 'schedule', timeZone };
const task = { title: 'water the plants', priority: 'low', category: 'home' };

/** A Monday a long time from now. */
const DUE = '2126-03-11T09:30:00';

for (const { name, declare: test, open } of hosts) {
  const host = shared(open);

  test(`${name}: completing a task that repeats creates the next one, once`, async (t) => {
    const alice = await person(await host());
    const content = { ...task, description: 'all of them', tags: ['garden'], dueDate: DUE, recurrence: weekly };
    const first = await alice.create({ ...content, remindAt: '2126-03-11T08:00:00+01:00' });
    t.deepEqual(first.recurrence, weekly);
    t.deepEqual(first.series, { id: first.id, occurrence: 1, start: DUE, before: 0 });
    const complete = (completed?: boolean) =>
      alice.call('PATCH', `/tasks/${first.id}/complete`, completed === undefined ? {} : { json: { completed } });
    t.like((await complete()).body, { id: first.id, completed: true });
    const others = async () => {
      const { body } = await alice.call('GET', '/tasks?status=pending');
      return body.filter(({ id }: { id: string }) => id !== first.id);
    };
    const [next, ...more] = await others();
    t.deepEqual(more, []);
    t.like(next, {
      ...content,
      completed: false,
      dueDate: '2126-03-18T09:30:00',
      // The reminder keeps its distance.
      remindAt: '2126-03-18T07:00:00.000Z',
      series: { id: first.id, occurrence: 2, start: DUE, before: 1 },
    });
    t.is(next.createdAt, next.updatedAt);
    const { body: entries } = await alice.call('GET', '/audit?limit=2');
    t.like(entries[0], { type: 'todo.task.created.v1', taskId: next.id });
    t.like(entries[1], { type: 'todo.task.completed.v1', taskId: first.id, next: next.id });
    t.is(entries[0].correlationId, entries[1].correlationId);

    await complete(true);
    t.deepEqual(await others(), [next], 'completed already');
    await complete(false);
    t.deepEqual(await others(), [], 'nobody has touched it');
    await complete(true);
    const [again, ...twice] = await others();
    t.deepEqual([again.id, again.dueDate, twice], [next.id, next.dueDate, []]);
    await alice.call('PUT', `/tasks/${next.id}`, { json: { title: 'and the window' } });
    await complete(false);
    t.is((await others()).length, 1, 'somebody has touched it');
    await complete(true);
    t.is((await others()).length, 1);
    t.is((await others())[0].title, 'and the window');
  });

  test(`${name}: undoing a completion takes the next one away, unless somebody has touched it`, async (t) => {
    const alice = await person(await host());
    for (const touches of [false, true]) {
      for (const by of ['event', 'request']) {
        const { id } = await alice.create({ ...task, dueDate: DUE, recurrence: weekly });
        await alice.call('PATCH', `/tasks/${id}/complete`);
        const [{ type, next, ...event }] = (await alice.call('GET', `/audit?task_id=${id}&limit=1`)).body;
        t.is(type, 'todo.task.completed.v1');
        if (touches) await alice.call('PUT', `/tasks/${next}`, { json: { tags: ['touched'] } });
        const json = by === 'event' ? { events: [event.id] } : { correlationId: event.correlationId };
        const undone = await alice.call('POST', '/undo', { json });
        t.is(undone.status, 200, JSON.stringify(undone.body));
        t.is((await alice.call('GET', `/tasks/${id}`)).body.completed, false);
        t.is((await alice.call('GET', `/tasks/${next}`)).status, touches ? 200 : 404);
        // What the undo did can be undone, too.
        const [{ correlationId }] = (await alice.call('GET', '/audit?limit=1')).body;
        t.is((await alice.call('POST', '/undo', { json: { correlationId } })).status, 200);
        t.is((await alice.call('GET', `/tasks/${id}`)).body.completed, true);
        t.is((await alice.call('GET', `/tasks/${next}`)).status, 200);
      }
    }
  });

  test(`${name}: an edit changes this occurrence and those to come, and null ends the series`, async (t) => {
    const alice = await person(await host());
    const { id } = await alice.create({ ...task, dueDate: DUE, recurrence: weekly });
    const put = async (json: object) => (await alice.call('PUT', `/tasks/${id}`, { json })).body;
    const occurrences = async (limit = 3) =>
      (await alice.call('GET', `/tasks/${id}/occurrences?limit=${limit}`)).body.occurrences;
    t.deepEqual(await occurrences(2), ['2126-03-18T09:30:00', '2126-03-25T09:30:00']);
    t.is((await alice.call('GET', `/tasks/${id}/occurrences`)).body.occurrences.length, 5);
    await put({ dueDate: '2126-03-18T10:00', title: 'later' });
    t.deepEqual(await occurrences(2), ['2126-03-25T10:00:00', '2126-04-01T10:00:00'], 'skipped');
    await put({ recurrence: { rule: 'FREQ=MONTHLY', timeZone } });
    t.deepEqual(await occurrences(2), ['2126-04-18T10:00:00', '2126-05-18T10:00:00']);
    await alice.call('PATCH', `/tasks/${id}/complete`);
    const { body } = await alice.call('GET', '/tasks?status=pending');
    t.deepEqual(
      body.map(({ title, dueDate }: { title: string; dueDate: string }) => [title, dueDate]),
      [['later', '2126-04-18T10:00:00']],
    );
    t.like(body[0].recurrence, { rule: 'FREQ=MONTHLY', anchor: 'schedule' });

    const { body: ended } = await alice.call('PUT', `/tasks/${body[0].id}`, { json: { recurrence: null } });
    t.deepEqual([ended.recurrence, ended.series], [null, null]);
    t.deepEqual((await alice.call('GET', `/tasks/${ended.id}/occurrences`)).body, { occurrences: [] });
    await alice.call('PATCH', `/tasks/${ended.id}/complete`);
    t.is((await alice.call('GET', '/tasks?status=pending')).body.length, 0);
  });

  test(`${name}: a client that does not know the fields loses none, and what was read can be sent`, async (t) => {
    const alice = await person(await host());
    const made = await alice.create({
      ...task,
      dueDate: '2126-01-31',
      recurrence: { rule: 'FREQ=MONTHLY;COUNT=2', timeZone },
      remindAt: '2126-01-30T12:00:00Z',
    });
    const { recurrence: _, remindAt: __, series: ___, ...known } = made;
    const { body: put } = await alice.call('PUT', `/tasks/${made.id}`, { json: { ...known, title: 'changed' } });
    t.deepEqual([put.recurrence, put.remindAt, put.series], [made.recurrence, made.remindAt, made.series]);
    t.deepEqual((await alice.call('PUT', `/tasks/${made.id}`, { json: put })).body, put);
    await alice.call('PATCH', `/tasks/${made.id}/complete`);
    const [last] = (await alice.call('GET', '/tasks?status=pending')).body;
    t.like(last, { dueDate: '2126-02-28T00:00:00', remindAt: '2126-02-27T12:00:00.000Z' });
    // Although its rule gives nothing more.
    const { body: sent } = await alice.call('PUT', `/tasks/${last.id}`, { json: { ...last, title: 'the last one' } });
    t.deepEqual(sent, { ...last, title: 'the last one', updatedAt: sent.updatedAt });
    await alice.call('PATCH', `/tasks/${last.id}/complete`);
    t.is((await alice.call('GET', '/tasks?status=pending')).body.length, 0);
  });

  test(`${name}: month ends do not drift, also through an export and an import`, async (t) => {
    const alice = await person(await host());
    const recurrence = { rule: 'FREQ=MONTHLY', timeZone };
    const { id } = await alice.create({ ...task, dueDate: '2126-01-31', recurrence });
    await alice.call('PATCH', `/tasks/${id}/complete`);
    const { body } = await alice.call('GET', '/tasks/export');
    const bob = await person(await host());
    t.is((await bob.call('POST', '/tasks/import', { json: body })).status, 201);
    const [february] = (await bob.call('GET', '/tasks?status=pending')).body;
    t.is(february.dueDate, '2126-02-28T00:00:00');
    t.like(february.series, { occurrence: 2, start: '2126-01-31T00:00:00' });
    t.false([id, february.id].includes(february.series.id), 'a series of its own');
    await bob.call('PATCH', `/tasks/${february.id}/complete`);
    const [march] = (await bob.call('GET', '/tasks?status=pending')).body;
    t.is(march.dueDate, '2126-03-31T00:00:00');
    const csv = await bob.call('GET', '/tasks/export?format=csv');
    t.is(csv.status, 200);
    t.true(csv.text.includes('"{""rule"":""FREQ=MONTHLY"",""anchor"":""schedule"",""timeZone"":""Europe/Berlin""}"'));
  });

  test(`${name}: an overdue task has its next one in the future`, async (t) => {
    const alice = await person(await host());
    const { id } = await alice.create({ ...task, dueDate: '2020-01-06T09:30', recurrence: weekly });
    await alice.call('PATCH', `/tasks/${id}/complete`);
    const [next, ...more] = (await alice.call('GET', '/tasks?status=pending')).body;
    t.deepEqual(more, []);
    const ahead = Date.parse(next.dueDate) - Date.now();
    t.true(ahead > -86_400_000 && ahead < 8 * 86_400_000, next.dueDate);
    t.is(new Date(`${next.dueDate}Z`).getUTCDay(), 1);
  });

  test(`${name}: what is wrong with a recurrence is said in a sentence`, async (t) => {
    const alice = await person(await host());
    const { id } = await alice.create();
    const put = (recurrence: unknown, more: object = { dueDate: DUE }) =>
      alice.call('PUT', `/tasks/${id}`, { json: { recurrence, ...more } });
    for (const recurrence of ['FREQ=DAILY', 7, [], true]) {
      assertProblem(t, await put(recurrence), 422, ['recurrence']);
    }
    assertProblem(t, await put({}), 422, ['recurrence.rule', 'recurrence.timeZone']);
    const wrong = { rule: 'FREQ=HOURLY', anchor: 'due', timeZone: 'Berlin' };
    assertProblem(t, await put(wrong), 422, ['recurrence.rule', 'recurrence.anchor', 'recurrence.timeZone']);
    // Abbreviations that only some programs know as time zones.
    for (const timeZone of ['PST', 'ist', 'AET']) {
      assertProblem(t, await put({ ...weekly, timeZone }), 422, ['recurrence.timeZone']);
    }
    assertProblem(t, await put(weekly, {}), 422, ['dueDate']);
    assertProblem(t, await put(weekly, { dueDate: null }), 422, ['dueDate']);
    assertProblem(t, await put({ ...weekly, rule: 'FREQ=DAILY;UNTIL=21260311' }), 422, ['recurrence.rule']);
    assertProblem(t, await put({ ...weekly, rule: 'FREQ=DAILY;COUNT=1' }), 422, ['recurrence.rule']);
    assertProblem(t, await alice.call('POST', '/tasks', { json: { ...task, recurrence: weekly } }), 422, ['dueDate']);
    const tasks = [task, { ...task, recurrence: weekly }, { ...task, remindAt: '2126-03-10' }];
    const imported = await alice.call('POST', '/tasks/import', { json: { tasks } });
    assertProblem(t, imported, 422, ['tasks.1.dueDate', 'tasks.2.remindAt']);
    const operations = [
      { op: 'create', task: { ...task, recurrence: weekly } },
      { op: 'update', id, changes: { recurrence: { ...weekly, rule: 'FREQ=DAILY;COUNT=1' }, dueDate: DUE } },
    ];
    assertProblem(t, await alice.call('POST', '/tasks/batch', { json: { operations } }), 422, [
      'operations.0.task.dueDate',
      'operations.1.changes.recurrence.rule',
    ]);
    for (const remindAt of ['2126-03-10', '2126-03-10T09:30', 7, '']) {
      assertProblem(t, await alice.call('PUT', `/tasks/${id}`, { json: { remindAt } }), 422, ['remindAt']);
    }
    const { body } = await alice.call('GET', `/tasks/${id}`);
    t.deepEqual([body.recurrence, body.remindAt, body.dueDate], [null, null, null], 'nothing was changed');

    await put(weekly);
    assertProblem(t, await alice.call('PUT', `/tasks/${id}`, { json: { dueDate: null } }), 422, ['dueDate']);
    t.is((await put(null, { dueDate: null })).status, 200);
  });

  test(`${name}: a batch that reopens and completes makes the next one anew`, async (t) => {
    const alice = await person(await host());
    const { id } = await alice.create({ ...task, dueDate: DUE, recurrence: weekly });
    await alice.call('PATCH', `/tasks/${id}/complete`, { json: { completed: true } });
    const operations = [false, true].map((completed) => ({ op: 'complete', id, completed }));
    t.is((await alice.call('POST', '/tasks/batch', { json: { operations } })).status, 200);
    const [made] = (await alice.call('GET', '/audit?limit=1')).body;
    t.is(made.type, 'todo.task.created.v1');
    t.like((await alice.call('GET', `/tasks/${made.taskId}`)).body, made.task);
    await alice.call('PATCH', `/tasks/${id}/complete`, { json: { completed: false } });
    t.is((await alice.call('GET', `/tasks/${made.taskId}`)).status, 404, 'nobody has touched it');
  });

  test(`${name}: the change of an imported occurrence's rule can be undone, whatever followed`, async (t) => {
    const alice = await person(await host());
    const series = { occurrence: 3, start: DUE, before: 2 };
    const tasks = [{ ...task, dueDate: DUE, recurrence: weekly, series }];
    await alice.call('POST', '/tasks/import', { json: { tasks } });
    const pending = async () => (await alice.call('GET', '/tasks?status=pending')).body[0];
    const { id } = await pending();
    await alice.call('PUT', `/tasks/${id}`, { json: { recurrence: { rule: 'FREQ=DAILY', timeZone } } });
    const [{ correlationId }] = (await alice.call('GET', '/audit?limit=1')).body;
    for (let i = 0; i < 2; i++) await alice.call('PATCH', `/tasks/${(await pending()).id}/complete`);
    t.is((await alice.call('POST', '/undo', { json: { correlationId } })).status, 200);
    t.like((await alice.call('GET', `/tasks/${id}`)).body, { recurrence: weekly });
  });

  test(`${name}: a rule is tried before it is saved`, async (t) => {
    const alice = await person(await host());
    const preview = (query: object) => alice.call('GET', `/occurrences?${new URLSearchParams({ ...query })}`);
    const rule = { due_date: '2126-01-31T09:30', rule: 'FREQ=MONTHLY', time_zone: timeZone };
    const { body } = await preview({ ...rule, limit: '3' });
    t.deepEqual(body, { occurrences: ['2126-02-28T09:30:00', '2126-03-31T09:30:00', '2126-04-30T09:30:00'] });
    t.is((await preview(rule)).body.occurrences.length, 5);
    const instants = await preview({ ...rule, due_date: '2126-03-29T23:00:00Z', rule: 'freq=daily', limit: '2' });
    t.deepEqual(instants.body.occurrences, ['2126-03-30T23:00:00.000Z', '2126-03-31T22:00:00.000Z']);
    assertProblem(t, await preview({}), 422, ['due_date', 'rule', 'time_zone']);
    assertProblem(t, await preview({ ...rule, rule: 'FREQ=DAILY;COUNT=1' }), 422, ['rule']);
    assertProblem(t, await preview({ ...rule, limit: '0' }), 422, ['limit']);
    const { id } = await alice.create();
    assertProblem(t, await alice.call('GET', `/tasks/${id}/occurrences?limit=1000`), 422, ['limit']);
  });

  test(`${name}: a batch completes what it has created, and tries without a trace`, async (t) => {
    const alice = await person(await host());
    const { id } = await alice.create({ ...task, dueDate: DUE, recurrence: weekly });
    const batch = async (json: object) => (await alice.call('POST', '/tasks/batch', { json })).body;
    const operations = [
      { op: 'complete', id },
      { op: 'complete', id, completed: false },
      { op: 'complete', id, completed: true },
    ];
    await batch({ operations });
    const pending = async () => (await alice.call('GET', '/tasks?status=pending')).body;
    t.is((await pending()).length, 1);
    const [next] = await pending();
    await batch({ operations: [{ op: 'complete', id: next.id }] });
    t.like((await pending())[0], { dueDate: '2126-03-25T09:30:00', series: { id, occurrence: 3 } });
    t.is((await alice.call('GET', '/stats')).body.total, 3);
  });

  test(`${name}: a deleted next one comes again, and is not there twice when it is restored`, async (t) => {
    const alice = await person(await host());
    const { id } = await alice.create({ ...task, dueDate: DUE, recurrence: weekly });
    const complete = (completed: boolean) => alice.call('PATCH', `/tasks/${id}/complete`, { json: { completed } });
    await complete(true);
    const [next] = (await alice.call('GET', '/tasks?status=pending')).body;
    await alice.call('DELETE', `/tasks/${next.id}`);
    await complete(false);
    await complete(true);
    t.is((await alice.call('GET', `/tasks/${next.id}`)).status, 200);
    t.is((await alice.call('POST', `/tasks/${next.id}/restore`)).status, 409);
    t.is((await alice.call('GET', '/trash')).body.length, 0);
  });
}
