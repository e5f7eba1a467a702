import { recoveryUseCases, taskUseCases } from '@todo-backend/application';
import { fixedClock, InMemoryTaskRepository, sequentialIds } from '@todo-backend/application/testing';
import type { InvalidInputError, Task } from '@todo-backend/domain';
import test from 'ava';
import fc from 'fast-check';

function setUp(now = '2026-03-01T12:00:00.000Z') {
  const clock = fixedClock(now);
  const repository = new InMemoryTaskRepository();
  const ports = { tasks: repository, clock, newId: sequentialIds() };
  const recovery = recoveryUseCases({ ...ports, journal: repository, retentionDays: 90 });
  return { tasks: taskUseCases(ports), recovery, repository, clock };
}

const input = { title: 'pay the rent', priority: 'high', category: 'home' } as const;
const berlin = { anchor: 'schedule', timeZone: 'Europe/Berlin' } as const;

type Tasks = ReturnType<typeof setUp>['tasks'];

async function pending(tasks: Tasks): Promise<readonly Task[]> {
  return (await tasks.list('alice', { status: 'pending', sortOrder: 'asc' })).tasks;
}

/** Completes the only pending task, and returns the one that is pending then. */
async function completeOne(tasks: Tasks): Promise<(Task & { readonly date: string | undefined }) | undefined> {
  const [task] = await pending(tasks);
  if (task === undefined) return undefined;
  await tasks.complete('alice', task.id, { completed: true });
  const after = await pending(tasks);
  if (after.length > 1) throw new Error('There is more than one.');
  return after[0] && { ...after[0], date: after[0].dueDate?.replace(/T00:00:00$/, '') };
}

test('monthly from 31 January: the last day of each month, and never the 28th of March', async (t) => {
  const { tasks } = setUp('2026-01-01T12:00:00.000Z');
  await tasks.create('alice', { ...input, dueDate: '2026-01-31', recurrence: { ...berlin, rule: 'FREQ=MONTHLY' } });
  const dates: (string | null | undefined)[] = [];
  for (let i = 0; i < 13; i++) dates.push((await completeOne(tasks))?.date);
  t.deepEqual(dates.slice(0, 4), ['2026-02-28', '2026-03-31', '2026-04-30', '2026-05-31']);
  t.is(dates.at(-1), '2027-02-28');
});

test('completing twice gives one next task, in whatever way', async (t) => {
  const { tasks, clock } = setUp();
  const recurrence = { ...berlin, rule: 'FREQ=DAILY' };
  const { id } = await tasks.create('alice', { ...input, dueDate: '2026-03-10T09:00', recurrence });
  await tasks.complete('alice', id);
  await tasks.complete('alice', id, { completed: true });
  await tasks.batch('alice', { operations: [{ op: 'complete', id, completed: true }] });
  t.is((await pending(tasks)).length, 1);
  await tasks.complete('alice', id);
  clock.set('2026-05-01T12:00:00.000Z');
  await tasks.complete('alice', id);
  t.deepEqual(
    (await pending(tasks)).map(({ dueDate }) => dueDate),
    ['2026-05-02T09:00:00'],
  );
  t.is((await tasks.count('alice')).total, 2);
});

test('after ten missed cycles one next task comes, in the future', async (t) => {
  const { tasks, clock } = setUp();
  for (const anchor of ['schedule', 'completion'] as const) {
    for (const rule of ['FREQ=WEEKLY;BYDAY=MO', 'FREQ=DAILY', 'FREQ=MONTHLY;BYMONTHDAY=-1']) {
      const recurrence = { rule, anchor, timeZone: 'America/New_York' };
      const due = `${clock().slice(0, 4)}-03-02T09:00:00.000Z`;
      await tasks.create('alice', { ...input, dueDate: due, recurrence });
      clock.set(new Date(Date.parse(clock()) + 330 * 86_400_000).toISOString());
      const next = await completeOne(tasks);
      t.true((next?.dueDate ?? '') > clock(), `${rule} ${anchor}: ${next?.dueDate}`);
      if (next !== undefined) await tasks.delete('alice', next.id);
    }
  }
});

test('COUNT and UNTIL end the series, also where occurrences were missed', async (t) => {
  const { tasks, clock } = setUp();
  const create = (rule: string, more: object = {}) =>
    tasks.create('alice', { ...input, dueDate: '2026-03-10', recurrence: { ...berlin, rule, ...more } });
  await create('FREQ=DAILY;COUNT=3');
  for (const day of ['2026-03-11', '2026-03-12']) t.is((await completeOne(tasks))?.date, day);
  t.is(await completeOne(tasks), undefined);

  await create('FREQ=DAILY;UNTIL=20260312');
  clock.set('2026-03-11T12:00:00.000Z');
  t.is((await completeOne(tasks))?.date, '2026-03-12');
  t.is(await completeOne(tasks), undefined);

  await create('FREQ=DAILY;COUNT=3');
  clock.set('2026-04-01T12:00:00.000Z');
  t.is(await completeOne(tasks), undefined, 'all of them are over');

  await create('FREQ=DAILY;COUNT=3', { anchor: 'completion' });
  t.is((await completeOne(tasks))?.date, '2026-04-02');
  t.truthy(await completeOne(tasks));
  t.is(await completeOne(tasks), undefined);
});

test('moving the due date skips an occurrence, and COUNT still counts all of them', async (t) => {
  const { tasks } = setUp();
  const recurrence = { ...berlin, rule: 'FREQ=DAILY;COUNT=3' };
  await tasks.create('alice', { ...input, dueDate: '2026-03-10', recurrence });
  const second = await completeOne(tasks);
  await tasks.update('alice', second?.id ?? '', { dueDate: '2026-03-20' });
  t.is((await completeOne(tasks))?.date, '2026-03-21');
  t.is(await completeOne(tasks), undefined);
});

test('undo puts a series back as it was, so that month ends do not drift', async (t) => {
  const { tasks, recovery } = setUp('2026-01-01T12:00:00.000Z');
  const recurrence = { ...berlin, rule: 'FREQ=MONTHLY' };
  await tasks.create('alice', { ...input, dueDate: '2026-01-31', recurrence });
  const february = await completeOne(tasks);
  const id = february?.id ?? '';
  await tasks.update('alice', id, { dueDate: '2026-03-05' }, { correlationId: 'moved' });
  await recovery.undo('alice', { correlationId: 'moved' });
  t.deepEqual((await tasks.get('alice', id)).series, february?.series);
  await tasks.update('alice', id, { recurrence: null }, { correlationId: 'ended' });
  await recovery.undo('alice', { correlationId: 'ended' });
  await tasks.update('alice', id, { dueDate: '2026-01-31' }, { correlationId: 'back to the start' });
  await recovery.undo('alice', { correlationId: 'back to the start' });
  t.is((await completeOne(tasks))?.date, '2026-03-31');
});

test('an undo of all that was done to a series takes it back to the first task, and can be undone', async (t) => {
  for (const lastly of ['complete', 'edit', 'delete'] as const) {
    const { tasks, recovery, clock } = setUp();
    const recurrence = { ...berlin, rule: 'FREQ=DAILY' };
    const first = await tasks.create('alice', { ...input, dueDate: '2026-03-10', recurrence });
    const agent = { actor: { type: 'agent', id: 'bot' } } as const;
    clock.tick();
    await tasks.complete('alice', first.id, { completed: true }, agent);
    const [next] = await pending(tasks);
    clock.tick();
    if (lastly === 'edit') await tasks.update('alice', next?.id ?? '', { title: 'x' }, agent);
    else if (lastly === 'delete') await tasks.delete('alice', next?.id ?? '', agent);
    else await tasks.complete('alice', next?.id ?? '', { completed: true }, agent);
    const done = (await tasks.list('alice')).tasks.map(({ id, title, status }) => ({ id, title, status }));
    clock.tick();
    await recovery.undo('alice', { actor: 'bot', since: '2026-01-01T00:00:00Z' }, { correlationId: 'undo' });
    t.deepEqual(
      (await tasks.list('alice')).tasks.map(({ id, status }) => [id, status]),
      [[first.id, 'pending']],
      lastly,
    );
    clock.tick();
    await recovery.undo('alice', { correlationId: 'undo' });
    t.deepEqual(
      (await tasks.list('alice')).tasks.map(({ id, title, status }) => ({ id, title, status })),
      done,
    );
  }
});

test('a repetition that an undo brings back counts from a due date of the kind that the task has now', async (t) => {
  const { tasks, recovery } = setUp();
  const recurrence = { ...berlin, rule: 'FREQ=DAILY' };
  const { id } = await tasks.create('alice', { ...input, dueDate: '2026-03-10T09:00:00Z', recurrence });
  await tasks.update('alice', id, { recurrence: null }, { correlationId: 'ended' });
  await tasks.update('alice', id, { dueDate: '2026-03-20' });
  await recovery.undo('alice', { correlationId: 'ended' });
  t.deepEqual((await completeOne(tasks))?.date, '2026-03-21');
});

test('an imported occurrence is not of the series that begins with it when its rule changes', async (t) => {
  const { tasks, recovery, clock } = setUp();
  const recurrence = { ...berlin, rule: 'FREQ=DAILY' };
  const series = { occurrence: 3, start: '2026-03-08', before: 2 };
  await tasks.import('alice', { tasks: [{ ...input, dueDate: '2026-03-10', recurrence, series }] });
  const [imported] = await pending(tasks);
  const edited = { recurrence: { ...recurrence, rule: 'FREQ=WEEKLY' } };
  await tasks.update('alice', imported?.id ?? '', edited, { correlationId: 'edited' });
  for (let i = 0; i < 2; i++) {
    clock.tick();
    await completeOne(tasks);
  }
  await recovery.undo('alice', { correlationId: 'edited' });
  const places = (await tasks.list('alice')).tasks.map(({ series }) => `${series?.id} ${series?.occurrence}`);
  t.is(new Set(places).size, 3, places.join());
});

test('what a patch leaves out is not checked again, and an undo can leave a rule without a due date', async (t) => {
  const { tasks, recovery } = setUp();
  const recurrence = { ...berlin, rule: 'FREQ=DAILY' };
  const { id } = await tasks.create('alice', { ...input, dueDate: '2026-03-10', recurrence });
  await tasks.update('alice', id, { recurrence: null }, { correlationId: 'ended' });
  await tasks.update('alice', id, { dueDate: null });
  await recovery.undo('alice', { correlationId: 'ended' });
  const { series, ...task } = await tasks.get('alice', id);
  t.deepEqual([task.recurrence, task.dueDate, series], [recurrence, null, null] as object);
  await tasks.complete('alice', id);
  t.is((await pending(tasks)).length, 0, 'nothing follows');
  await tasks.complete('alice', id);
  await tasks.update('alice', id, { title: 'x', recurrence, dueDate: null });
  const other = { ...recurrence, rule: 'FREQ=WEEKLY' };
  const refused = await t.throwsAsync<InvalidInputError>(tasks.update('alice', id, { recurrence: other }));
  t.deepEqual(
    refused.problems.map(({ field }) => field),
    ['dueDate'],
  );
  await tasks.update('alice', id, { dueDate: '2026-03-12' });
  t.is((await completeOne(tasks))?.date, '2026-03-13');
});

test('whatever is done to a series, no occurrence is there twice, and the completed have at most one next', async (t) => {
  const step = fc.oneof(
    fc.record({ do: fc.constantFrom('complete', 'reopen', 'toggle', 'delete', 'move'), of: fc.nat(5) }),
    fc.record({ do: fc.constantFrom('undo', 'restore'), of: fc.nat(20) }),
    fc.record({ do: fc.constant('wait'), of: fc.nat(60) }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 25 }),
      fc.constantFrom('schedule', 'completion'),
      async (steps, anchor) => {
        const { tasks, recovery, repository, clock } = setUp();
        const recurrence = { rule: 'FREQ=MONTHLY', anchor, timeZone: 'Europe/Berlin' } as const;
        await tasks.create('alice', { ...input, dueDate: '2026-01-31', recurrence });
        for (const { do: what, of } of steps) {
          clock.tick();
          const all = (await tasks.list('alice', { sortOrder: 'asc' })).tasks;
          const task = all[of % Math.max(1, all.length)];
          const entries = await repository.entries('alice', { limit: 50 });
          const entry = entries[of % entries.length];
          if (what === 'wait') clock.set(new Date(Date.parse(clock()) + of * 86_400_000).toISOString());
          else if (what === 'undo') await recovery.undo('alice', { events: [entry?.id ?? ''], atomic: false });
          else if (what === 'restore') {
            await recovery.restore('alice', entry?.taskId ?? '').catch((error) => {
              if (!['TASK_EXISTS', 'TASK_NOT_FOUND'].includes(error.code)) throw error;
            });
          } else if (task === undefined) continue;
          else if (what === 'delete') await tasks.delete('alice', task.id);
          else if (what === 'move') await tasks.update('alice', task.id, { dueDate: '2026-05-31' });
          else if (what === 'toggle') await tasks.complete('alice', task.id);
          else await tasks.complete('alice', task.id, { completed: what === 'complete' });

          const now = (await tasks.list('alice')).tasks;
          const places = now.map(({ series }) => JSON.stringify([series?.id, series?.occurrence]));
          if (new Set(places).size < places.length) return false;
        }
        return true;
      },
    ),
    { numRuns: 300 },
  );
  t.pass();
});
