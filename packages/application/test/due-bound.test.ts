import assert from 'node:assert/strict';
import { type TaskQueryInput, taskUseCases } from '@todo-backend/application';
import { fixedClock, InMemoryTaskRepository, sequentialIds } from '@todo-backend/application/testing';
import test from 'ava';
import fc from 'fast-check';

const HALF_HOUR = 1_800_000;
const DAY = 86_400_000;

/** What the clocks of a zone show at an instant, as if it were UTC. */
function wallClockOf(instant: number, timeZone: string): number {
  const parts = formatOf(timeZone).formatToParts(instant);
  const part = (type: string) => Number(parts.find((one) => one.type === type)?.value);
  return Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
}

const formats = new Map<string, Intl.DateTimeFormat>();
function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const numeric = { year: 'numeric', month: 'numeric', day: 'numeric', minute: 'numeric', second: 'numeric' } as const;
  const format = new Intl.DateTimeFormat('en', { timeZone, ...numeric, hour: 'numeric', hourCycle: 'h23' });
  formats.set(timeZone, format);
  return format;
}

/** The first instant at which the clocks show a time or a later one, found by looking at every quarter of an hour. */
function firstMomentOf(wallClock: number, timeZone: string): number {
  let instant = wallClock - DAY * 1.5;
  while (wallClockOf(instant, timeZone) < wallClock) instant += HALF_HOUR / 2;
  return instant;
}

const text = (time: number) => new Date(time).toISOString();
const floating = (time: number) => text(time).replace('.000Z', '');

/** The titles of those of these due dates that a query selects. */
async function selected(dueDates: readonly string[], query: TaskQueryInput): Promise<string[]> {
  const tasks = taskUseCases({ tasks: new InMemoryTaskRepository(), clock: fixedClock(), newId: sequentialIds() });
  for (const dueDate of dueDates)
    await tasks.create('a', { title: dueDate, priority: 'low', category: 'work', dueDate });
  return (await tasks.list('a', query)).tasks.map(({ title }) => title).sort();
}

/** When the clocks of these zones changed: by an hour, by half an hour, by a day. */
const CHANGES = [
  ['America/New_York', '2026-03-08T07:00Z'],
  ['America/New_York', '2026-11-01T06:00Z'],
  ['Europe/Berlin', '2026-03-29T01:00Z'],
  ['Europe/Berlin', '2026-10-25T01:00Z'],
  ['Australia/Lord_Howe', '2026-04-04T15:00Z'],
  ['Australia/Lord_Howe', '2026-10-03T15:30Z'],
  ['Pacific/Apia', '2011-12-30T10:00Z'],
  ['Asia/Kathmandu', '2026-03-10T00:00Z'],
  ['UTC', '2026-03-10T00:00Z'],
] as const;

/** A zone, and how to make times near a change of its clocks: as an instant, or as what the clocks then showed. */
const places = fc.constantFrom(...CHANGES).map(([timeZone, change]) => {
  const instant = Date.parse(change);
  const near = [instant, wallClockOf(instant, timeZone), wallClockOf(instant - HALF_HOUR, timeZone) + HALF_HOUR];
  const moment = fc
    .tuple(fc.constantFrom(...near), fc.integer({ min: -5, max: 5 }))
    .map(([time, halfHours]) => time + halfHours * HALF_HOUR);
  return { timeZone, moment };
});

test('due dates of both kinds compare with bounds of both kinds by what the clocks of the zone show', async (t) => {
  const cases = places.chain(({ timeZone, moment }) =>
    fc.record({
      timeZone: fc.constant(timeZone),
      times: fc.array(moment, { minLength: 3, maxLength: 6 }),
      boundTime: moment,
      isFloatingBound: fc.boolean(),
    }),
  );
  const property = fc.asyncProperty(cases, async ({ timeZone, times, boundTime, isFloatingBound }) => {
    const dueDates = times.flatMap((time) => [text(time), floating(time)]);
    const momentOf = (due: string) => {
      const time = Date.parse(due.endsWith('Z') ? due : `${due}Z`);
      return due.endsWith('Z') ? time : firstMomentOf(time, timeZone);
    };
    const bound = isFloatingBound ? floating(boundTime) : text(boundTime);
    // Two wall clocks need no zone.
    const isAfter = (due: string) =>
      isFloatingBound && !due.endsWith('Z') ? due >= bound : momentOf(due) >= momentOf(bound);
    const after = await selected(dueDates, { dueAfter: bound, timeZone });
    const before = await selected(dueDates, { dueBefore: bound, timeZone });
    assert.deepEqual(after, dueDates.filter(isAfter).sort());
    assert.deepEqual([...after, ...before].sort(), [...dueDates].sort(), 'each is on one side');
  });
  await fc.assert(property, { numRuns: 600 });
  t.pass();
});

test('bounds at the ends of the calendar select what is there', async (t) => {
  const ends = ['0001-01-01', '0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999', '9999-12-31T23:59:59.999Z'];
  for (const [timeZone] of CHANGES) {
    for (const bound of ends) {
      const after = await selected(ends, { dueAfter: bound, timeZone });
      const before = await selected(ends, { dueBefore: bound, timeZone });
      t.deepEqual([...after, ...before].sort(), [...ends].sort());
      t.true(after.includes(bound), `${bound} ${timeZone}`);
    }
  }
});

test('tasks with and without a due date are selected', async (t) => {
  const tasks = taskUseCases({ tasks: new InMemoryTaskRepository(), clock: fixedClock(), newId: sequentialIds() });
  const content = { priority: 'low', category: 'work' } as const;
  await tasks.create('a', { title: 'with', dueDate: '2026-03-10', ...content });
  await tasks.create('a', { title: 'without', ...content });
  const titles = async (query: TaskQueryInput) => (await tasks.list('a', query)).tasks.map(({ title }) => title);
  t.deepEqual(await titles({ hasDueDate: true }), ['with']);
  t.deepEqual(await titles({ hasDueDate: false }), ['without']);
  t.deepEqual(await titles({ hasDueDate: false, dueAfter: '0001-01-01' }), []);
});

test('a bound that is no date, and a zone that is none, are refused', async (t) => {
  const tasks = taskUseCases({ tasks: new InMemoryTaskRepository(), clock: fixedClock(), newId: sequentialIds() });
  const error = await t.throwsAsync(
    tasks.list('a', { dueAfter: '2026-02-30', dueBefore: 'tomorrow', timeZone: 'Europe/Atlantis' }),
    { code: 'INVALID_INPUT' },
  );
  t.deepEqual(
    (error as unknown as { problems: { field: string; message: string }[] }).problems.map(({ field }) => field),
    ['dueAfter', 'dueBefore', 'timeZone'],
  );
  for (const timeZone of ['', '+05:30', 'europe/berlin ', `${'A'.repeat(65)}`, '../etc/passwd', 'Z\0']) {
    await t.throwsAsync(tasks.list('a', { timeZone }), { code: 'INVALID_INPUT' }, JSON.stringify(timeZone));
  }
  for (const timeZone of ['Etc/GMT+5', 'UTC', 'America/Argentina/Buenos_Aires']) {
    await t.notThrowsAsync(tasks.list('a', { timeZone }));
  }
});
