import assert from 'node:assert/strict';
import { nextDue, nextDueDates, nextReminder, type RepeatedDue, recurrenceProblem } from '@todo-backend/application';
import { type DueDate, parseDueDate, parseRecurrenceRule, type RecurrenceAnchor, WEEKDAYS } from '@todo-backend/domain';
import test from 'ava';
import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';

const DAY = 86_400_000;

function dueDate(text: string): DueDate {
  const due = parseDueDate(text);
  assert(due !== undefined, text);
  return due;
}

/** The first occurrence of a series. */
function series(
  rule: string,
  start: string,
  timeZone = 'America/New_York',
  anchor: RecurrenceAnchor = 'schedule',
): RepeatedDue {
  assert('rule' in parseRecurrenceRule(rule), rule);
  const due = dueDate(start);
  return { recurrence: { rule, anchor, timeZone }, dueDate: due, start: due, before: 0 };
}

function nextDueDate(due: RepeatedDue, completedAt: string): DueDate | undefined {
  return nextDue(due, completedAt)?.dueDate;
}

/** The first due dates of a series whose tasks are completed when they are due. */
function dueDates(due: RepeatedDue, limit = 100): string[] {
  return [due.start, ...nextDueDates(due, '0001-01-01T00:00:00.000Z', limit - 1)];
}

/** Dates such as `1997-09 2 9 16`: the days of each month. */
function days(text: string): string[] {
  return text.split(', ').flatMap((month) => {
    const [yearAndMonth, ...some] = month.split(' ');
    return some.map((day) => `${yearAndMonth}-${day.padStart(2, '0')}`);
  });
}

/** The examples of RFC 5545, section 3.8.5.3, without WKST where it makes no difference. */
const examples: [rule: string, dates: string, goesOn?: 'goes on'][] = [
  ['FREQ=DAILY;COUNT=10', '1997-09 2 3 4 5 6 7 8 9 10 11'],
  ['FREQ=DAILY;INTERVAL=2', '1997-09 2 4 6 8 10 12 14 16 18 20 22 24 26 28 30, 1997-10 2 4 6', 'goes on'],
  ['FREQ=DAILY;INTERVAL=10;COUNT=5', '1997-09 2 12 22, 1997-10 2 12'],
  ['FREQ=WEEKLY;COUNT=10', '1997-09 2 9 16 23 30, 1997-10 7 14 21 28, 1997-11 4'],
  ['FREQ=WEEKLY;UNTIL=19971224T000000Z', '1997-09 2 9 16 23 30, 1997-10 7 14 21 28, 1997-11 4 11 18 25, 1997-12 2 9 16 23'],
  ['FREQ=WEEKLY;INTERVAL=2', '1997-09 2 16 30, 1997-10 14 28, 1997-11 11 25, 1997-12 9 23, 1998-01 6 20, 1998-02 3 17', 'goes on'],
  ['FREQ=WEEKLY;UNTIL=19971007T000000Z;BYDAY=TU,TH', '1997-09 2 4 9 11 16 18 23 25 30, 1997-10 2'],
  ['FREQ=WEEKLY;COUNT=10;BYDAY=TU,TH', '1997-09 2 4 9 11 16 18 23 25 30, 1997-10 2'],
  ['FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;BYDAY=MO,WE,FR', '1997-09 1 3 5 15 17 19 29, 1997-10 1 3 13 15 17 27 29 31, 1997-11 10 12 14 24 26 28, 1997-12 8 10 12 22'],
  ['FREQ=WEEKLY;INTERVAL=2;COUNT=8;BYDAY=TU,TH', '1997-09 2 4 16 18 30, 1997-10 2 14 16'],
  ['FREQ=MONTHLY;COUNT=10;BYDAY=1FR', '1997-09 5, 1997-10 3, 1997-11 7, 1997-12 5, 1998-01 2, 1998-02 6, 1998-03 6, 1998-04 3, 1998-05 1, 1998-06 5'],
  ['FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR', '1997-09 5, 1997-10 3, 1997-11 7, 1997-12 5'],
  ['FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU', '1997-09 7 28, 1997-11 2 30, 1998-01 4 25, 1998-03 1 29, 1998-05 3 31'],
  ['FREQ=MONTHLY;COUNT=6;BYDAY=-2MO', '1997-09 22, 1997-10 20, 1997-11 17, 1997-12 22, 1998-01 19, 1998-02 16'],
  ['FREQ=MONTHLY;BYMONTHDAY=-3', '1997-09 28, 1997-10 29, 1997-11 28, 1997-12 29, 1998-01 29, 1998-02 26', 'goes on'],
  ['FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15', '1997-09 2 15, 1997-10 2 15, 1997-11 2 15, 1997-12 2 15, 1998-01 2 15'],
  ['FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1', '1997-09 30, 1997-10 1 31, 1997-11 1 30, 1997-12 1 31, 1998-01 1 31, 1998-02 1'],
  ['FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15', '1997-09 10 11 12 13 14 15, 1999-03 10 11 12 13'],
  ['FREQ=MONTHLY;INTERVAL=2;BYDAY=TU', '1997-09 2 9 16 23 30, 1997-11 4 11 18 25, 1998-01 6 13 20 27, 1998-03 3 10 17 24 31', 'goes on'],
  ['FREQ=YEARLY;COUNT=10;BYMONTH=6,7', '1997-06 10, 1997-07 10, 1998-06 10, 1998-07 10, 1999-06 10, 1999-07 10, 2000-06 10, 2000-07 10, 2001-06 10, 2001-07 10'],
  ['FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3', '1997-03 10, 1999-01 10, 1999-02 10, 1999-03 10, 2001-01 10, 2001-02 10, 2001-03 10, 2003-01 10, 2003-02 10, 2003-03 10'],
  ['FREQ=YEARLY;BYDAY=20MO', '1997-05 19, 1998-05 18, 1999-05 17', 'goes on'],
  ['FREQ=YEARLY;BYMONTH=3;BYDAY=TH', '1997-03 13 20 27, 1998-03 5 12 19 26, 1999-03 4 11 18 25', 'goes on'],
  ['FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8', '1997-06 5 12 19 26, 1997-07 3 10 17 24 31, 1997-08 7 14 21 28, 1998-06 4 11 18 25, 1998-07 2 9 16 23 30, 1998-08 6 13 20 27', 'goes on'],
  // There, the start is taken out by EXDATE.
  ['FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13', '1997-09 2, 1998-02 13, 1998-03 13, 1998-11 13, 1999-08 13, 2000-10 13', 'goes on'],
  ['FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13', '1997-09 13, 1997-10 11, 1997-11 8, 1997-12 13, 1998-01 10, 1998-02 7, 1998-03 7, 1998-04 11, 1998-05 9, 1998-06 13', 'goes on'],
  ['FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8', '1996-11 5, 2000-11 7, 2004-11 2', 'goes on'],
  ['FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3', '1997-09 4, 1997-10 7, 1997-11 6'],
  ['FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2', '1997-09 29, 1997-10 30, 1997-11 27, 1997-12 30, 1998-01 29, 1998-02 26, 1998-03 30', 'goes on'],
  ['FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU', '1997-08 5 10 19 24'],
]; // biome-ignore format: a list to look through

for (const [rule, text, goesOn] of examples) {
  test(`RFC 5545: ${rule} gives ${text}`, (t) => {
    const expected = days(text).map((day) => `${day}T09:00:00`);
    const [start = ''] = expected;
    t.deepEqual(dueDates(series(rule, start), goesOn === undefined ? 1_000 : expected.length), expected);

    const ofInstants = series(rule, instant(start, 'America/New_York'));
    t.deepEqual(
      dueDates(ofInstants, expected.length),
      expected.map((wallClock) => instant(wallClock, 'America/New_York')),
      'nine in the morning, also when the clocks have changed',
    );
  });
}

test('RFC 5545: every day in January, in both ways, and daily until a date', (t) => {
  const start = '1998-01-01T09:00:00';
  const yearly = dueDates(
    series('FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA', start),
    200,
  );
  t.is(yearly.length, 93);
  t.is(yearly.at(-1), '2000-01-31T09:00:00');
  t.deepEqual(dueDates(series('FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1', start), 200), yearly);

  const daily = dueDates(series('FREQ=DAILY;UNTIL=19971224T000000Z', '1997-09-02T09:00:00'), 200);
  t.is(daily.length, 113);
  t.is(daily.at(-1), '1997-12-23T09:00:00');
});

function instant(wallClock: string, timeZone: string): string {
  return new Date(Temporal.PlainDateTime.from(wallClock).toZonedDateTime(timeZone).epochMilliseconds).toISOString();
}

/** A day that a month does not have is its last one (`SKIP=BACKWARD` of RFC 7529), and the day itself is not forgotten. */
const monthEnds: [rule: string, dates: string][] = [
  ['FREQ=MONTHLY', '2026-01 31, 2026-02 28, 2026-03 31, 2026-04 30, 2026-05 31, 2026-06 30'],
  ['FREQ=MONTHLY', '2024-01 30, 2024-02 29, 2024-03 30, 2024-04 30'],
  ['FREQ=MONTHLY;INTERVAL=13', '2026-01 31, 2027-02 28, 2028-03 31, 2029-04 30'],
  ['FREQ=YEARLY', '2024-02 29, 2025-02 28, 2026-02 28, 2027-02 28, 2028-02 29'],
  ['FREQ=YEARLY', '1896-02 29, 1897-02 28, 1898-02 28, 1899-02 28, 1900-02 28, 1901-02 28, 1902-02 28, 1903-02 28, 1904-02 29'],
  ['FREQ=YEARLY;BYMONTH=1,2,4', '2026-01 31, 2026-02 28, 2026-04 30, 2027-01 31'],
  ['FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5', '2007-01 15 30, 2007-02 15 28, 2007-03 15'],
  ['FREQ=MONTHLY;BYMONTHDAY=28,29,30,31', '2026-01 31, 2026-02 28, 2026-03 28 29 30 31, 2026-04 28 29 30'],
  ['FREQ=MONTHLY;BYMONTHDAY=31;BYDAY=FR', '2026-07 31, 2027-04 30, 2027-12 31, 2028-03 31'],
  ['FREQ=MONTHLY;BYMONTHDAY=30,31;BYSETPOS=-1', '2026-01 31, 2026-02 28, 2026-03 31, 2026-04 30'],
  ['FREQ=YEARLY;BYMONTHDAY=31', '2026-10 31, 2026-11 30, 2026-12 31, 2027-01 31, 2027-02 28'],
  ['FREQ=DAILY;BYMONTHDAY=31', '2026-01 31, 2026-03 31, 2026-05 31, 2026-07 31'],
]; // biome-ignore format: a list to look through

for (const [rule, text] of monthEnds) {
  test(`${rule} at the ends of months gives ${text}`, (t) => {
    const expected = days(text).map((day) => `${day}T00:00:00`);
    t.deepEqual(dueDates(series(rule, expected[0] ?? ''), expected.length), expected);
  });
}

test('monthly from 31 January comes back to the 31st, also when each one is a task of its own', (t) => {
  const start = dueDate('2026-01-31');
  let due = series('FREQ=MONTHLY', start);
  for (const expected of ['2026-02-28T00:00:00', '2026-03-31T00:00:00', '2026-04-30T00:00:00', '2026-05-31T00:00:00']) {
    const next = nextDue(due, '2026-01-01T00:00:00.000Z');
    t.is(next?.dueDate as string, expected);
    t.is(next?.before, due.before + 1);
    due = { ...due, ...next };
  }
});

test('an overdue task is next due in the future, once', (t) => {
  const due = series('FREQ=WEEKLY', '2026-01-05T09:00:00', 'Europe/Berlin');
  // Ten weeks were missed.
  t.is(nextDueDate(due, '2026-03-18T12:00:00.000Z') as string, '2026-03-23T09:00:00');
  t.is(nextDueDate(due, '2026-03-16T07:59:59.999Z') as string, '2026-03-16T09:00:00');
  t.is(nextDueDate(due, '2026-03-16T08:00:00.000Z') as string, '2026-03-23T09:00:00', 'what is due now is over');
  t.deepEqual(nextDueDates(due, '2026-03-18T12:00:00.000Z', 2) as string[], [
    '2026-03-23T09:00:00',
    '2026-03-30T09:00:00',
  ]);
});

test('a task that is completed early is next due at the date after its own', (t) => {
  const due = series('FREQ=WEEKLY', '2026-03-09T09:00:00');
  t.is(nextDueDate(due, '2026-01-01T00:00:00.000Z') as string, '2026-03-16T09:00:00');
});

test('a task that was moved goes on with the schedule', (t) => {
  const due = { ...series('FREQ=WEEKLY', '2026-03-09T09:00:00'), dueDate: dueDate('2026-03-12T18:00') };
  t.is(nextDueDate(due, '2026-03-13T00:00:00.000Z') as string, '2026-03-16T09:00:00');
  const before = { ...due, dueDate: dueDate('2026-03-01') };
  t.is(nextDueDate(before, '2026-03-02T00:00:00.000Z') as string, '2026-03-09T09:00:00', 'the start is an occurrence');
  // 2:30 is missing on that day, and so comes at 3:30; but it reads as earlier.
  const inGap = { ...series('FREQ=DAILY', '2026-03-07T02:30:00'), dueDate: dueDate('2026-03-08T03:15') };
  t.is(nextDueDate(inGap, '2026-03-01T00:00:00.000Z') as string, '2026-03-09T02:30:00');
});

test('COUNT has the start in it, and all that came before', (t) => {
  const due = series('FREQ=DAILY;COUNT=3', '2026-03-10');
  t.is(dueDates(due).length, 3);
  t.is(dueDates({ ...due, before: 1 }).length, 2);
  t.is(dueDates({ ...due, before: 2 }).length, 1);
  t.is(nextDueDate(due, '2026-03-13T00:00:00.000Z'), undefined, 'missed ones count');
  const { dueDate: last, before } = nextDue(due, '2026-03-11T12:00:00.000Z') ?? {};
  t.deepEqual([last as string, before], ['2026-03-12T00:00:00', 2]);
  // The first Monday is the second occurrence.
  t.deepEqual(dueDates(series('FREQ=WEEKLY;BYDAY=MO;COUNT=2', '2026-03-10')), [
    '2026-03-10T00:00:00',
    '2026-03-16T00:00:00',
  ]);
});

test('UNTIL has its end in it: a day, a wall clock or a moment', (t) => {
  const last = (until: string) => dueDates(series(`FREQ=DAILY;UNTIL=${until}`, '2026-03-06T09:30:00')).at(-1);
  t.is(last('20260310'), '2026-03-10T09:30:00');
  t.is(last('20260310T093000'), '2026-03-10T09:30:00');
  t.is(last('20260310T092959'), '2026-03-09T09:30:00');
  t.is(last('20260310T133000Z'), '2026-03-10T09:30:00');
  t.is(last('20260310T132959Z'), '2026-03-09T09:30:00');
  const ofInstants = series('FREQ=DAILY;UNTIL=20260310', '2026-03-07T03:30:00Z');
  t.is(dueDates(ofInstants).at(-1), '2026-03-11T02:30:00.000Z', 'the day is that of the zone');
});

test('from completion, the rule counts from the day of completion in the zone', (t) => {
  const next = (rule: string, completedAt: string, start = '2026-03-02T09:00:00') =>
    nextDueDate(series(rule, start, 'America/New_York', 'completion'), completedAt) as string | undefined;
  t.is(next('FREQ=DAILY;INTERVAL=3', '2026-03-10T03:00:00.000Z'), '2026-03-12T09:00:00');
  t.is(next('FREQ=DAILY;INTERVAL=3', '2026-03-10T05:00:00.000Z'), '2026-03-13T09:00:00');
  t.is(next('FREQ=WEEKLY', '2026-02-25T12:00:00.000Z'), '2026-03-04T09:00:00', 'completed early');
  t.is(next('FREQ=MONTHLY', '2026-01-31T12:00:00.000Z'), '2026-02-28T09:00:00');
  t.is(next('FREQ=WEEKLY;INTERVAL=2;BYDAY=MO', '2026-03-11T12:00:00.000Z'), '2026-03-23T09:00:00');
  t.is(next('FREQ=DAILY', '2026-03-07T20:00:00.000Z', '2026-03-02T14:00:00Z'), '2026-03-08T13:00:00.000Z');
  t.is(next('FREQ=DAILY;UNTIL=20260310', '2026-03-10T12:00:00.000Z'), undefined);
  t.is(next('FREQ=DAILY;COUNT=2', '2026-03-10T12:00:00.000Z'), '2026-03-11T09:00:00');
  const second = { ...series('FREQ=DAILY;COUNT=2', '2026-03-02', 'UTC', 'completion'), before: 1 };
  t.is(nextDueDate(second, '2026-03-10T12:00:00.000Z'), undefined);
  t.deepEqual(
    nextDueDates(
      series('FREQ=WEEKLY', '2026-03-02T09:00:00', 'UTC', 'completion'),
      '2026-03-05T00:00:00.000Z',
      2,
    ) as string[],
    ['2026-03-12T09:00:00', '2026-03-19T09:00:00'],
  );
});

/** Daily instants when the clocks of a zone change. */
const changes: [timeZone: string, dates: string[]][] = [
  // 2:30 is missing on 8 March: 3:30, which is as early.
  ['America/New_York', ['2026-03-07T07:30:00.000Z', '2026-03-08T07:30:00.000Z', '2026-03-09T06:30:00.000Z']],
  // 1:30 is there twice on 1 November: the earlier one.
  ['America/New_York', ['2026-10-31T05:30:00.000Z', '2026-11-01T05:30:00.000Z', '2026-11-02T06:30:00.000Z']],
  ['Europe/Berlin', ['2026-03-28T01:30:00.000Z', '2026-03-29T01:30:00.000Z', '2026-03-30T00:30:00.000Z']],
  ['Europe/Berlin', ['2026-10-24T00:30:00.000Z', '2026-10-25T00:30:00.000Z', '2026-10-26T01:30:00.000Z']],
  // By half an hour: 2:15 is missing on 4 October, and there twice, as 1:45 is, on 5 April.
  ['Australia/Lord_Howe', ['2026-10-02T15:45:00.000Z', '2026-10-03T15:45:00.000Z', '2026-10-04T15:15:00.000Z']],
  ['Australia/Lord_Howe', ['2026-04-03T14:45:00.000Z', '2026-04-04T14:45:00.000Z', '2026-04-05T15:15:00.000Z']],
  // 30 December 2011 is missing: it is the 31st, and not another occurrence.
  ['Pacific/Apia', ['2011-12-29T19:00:00.000Z', '2011-12-30T19:00:00.000Z', '2011-12-31T19:00:00.000Z']],
]; // biome-ignore format: a list to look through

for (const [timeZone, [start = '', ...rest]] of changes) {
  test(`every day in ${timeZone}, from ${start}`, (t) => {
    t.deepEqual(dueDates(series('FREQ=DAILY', start, timeZone), 3), [start, ...rest]);
  });
}

test('a missing day is no occurrence of its own, but counts', (t) => {
  const due = series('FREQ=DAILY;COUNT=4', '2011-12-28T19:00:00Z', 'Pacific/Apia');
  t.is(dueDates(due).at(-1), '2011-12-30T19:00:00.000Z');
  t.is(dueDates(series('FREQ=DAILY;COUNT=4', '2011-12-28T09:00:00', 'Pacific/Apia')).at(-1), '2011-12-30T09:00:00');
});

/** Rules whose next date is further away than most. */
const rare: [rule: string, start: string, next: string][] = [
  ['FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO', '2072-02-29', '2112-02-29'],
  ['FREQ=YEARLY;BYDAY=MO;BYSETPOS=53', '2024-12-30', '2029-12-31'],
  ['FREQ=YEARLY;INTERVAL=1000', '2024-02-29', '3024-02-29'],
  ['FREQ=WEEKLY;INTERVAL=52;BYMONTH=2', '2027-02-01', '2298-02-28'],
]; // biome-ignore format: a list to look through

for (const [rule, start, next] of rare) {
  test(`${rule} goes on from ${start} on ${next}`, (t) => {
    t.is(dueDates(series(rule, start), 2).at(-1), `${next}T00:00:00`);
  });
}

test('positions count in the days of the week, from Monday on', (t) => {
  const next = (rule: string) =>
    dueDates(series(rule, '2026-03-09'), 3)
      .slice(1)
      .map((text) => text.slice(8, 10));
  t.deepEqual(next('FREQ=WEEKLY;BYDAY=SU,WE,MO;BYSETPOS=2'), ['11', '18']);
  t.deepEqual(next('FREQ=WEEKLY;BYDAY=SU,WE,MO;BYSETPOS=-1'), ['15', '22']);
  t.deepEqual(next('FREQ=WEEKLY;BYDAY=SU,WE,MO;BYSETPOS=-3,1,3'), ['15', '16']);
});

test('milliseconds stay, and so does the kind', (t) => {
  t.is(dueDates(series('FREQ=DAILY', '2026-03-10T09:30:15.250'), 2).at(-1), '2026-03-11T09:30:15.250');
  t.is(dueDates(series('FREQ=DAILY', '2026-03-10T09:30:15.250Z'), 2).at(-1), '2026-03-11T09:30:15.250Z');
});

test('nothing is due after the year 9999', (t) => {
  const end = ['9999-12-30T23:30:00', '9999-12-31T23:30:00'];
  t.deepEqual(dueDates(series('FREQ=DAILY', end[0] ?? '')), end);
  t.deepEqual(dueDates(series('FREQ=YEARLY;INTERVAL=1000', '9000-01-01')), ['9000-01-01T00:00:00']);
  // In New York, it is still the year 9999 when it is 10000 in UTC.
  t.deepEqual(dueDates(series('FREQ=DAILY', '9999-12-31T04:30:00.000Z')), ['9999-12-31T04:30:00.000Z']);
  t.deepEqual(dueDates(series('FREQ=DAILY', '9999-12-31T20:00:00.000Z', 'Pacific/Kiritimati')), [
    '9999-12-31T20:00:00.000Z',
  ]);
  t.is(nextDueDate(series('FREQ=DAILY', '9999-12-31', 'UTC', 'completion'), '9999-12-31T23:59:59.999Z'), undefined);
});

const TOO_FAR = 'Rule must give a date after the due date, not too far away and up to the year 9999.';

const problems: [rule: string, problem: string | undefined, anchor?: RecurrenceAnchor][] = [
  ['FREQ=DAILY', undefined],
  ['FREQ=WEEKLY;BYDAY=MO;COUNT=2', undefined],
  ['FREQ=DAILY;UNTIL=20260311', undefined],
  ['FREQ=MONTHLY;INTERVAL=3;BYMONTH=6', undefined],
  ['FREQ=DAILY;INTERVAL=2;BYDAY=MO,TU,WE,TH,FR', undefined, 'completion'],
  ['FREQ=HOURLY', 'FREQ must be DAILY, WEEKLY, MONTHLY or YEARLY.'],
  ['FREQ=DAILY;COUNT=1', 'COUNT must be more than 1: the task itself is the first one.'],
  ['FREQ=DAILY;UNTIL=20260310', 'UNTIL must not be before the date that comes after the due date.'],
  ['FREQ=YEARLY;UNTIL=20261231T120000Z', 'UNTIL must not be before the date that comes after the due date.'],
  ['FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30', TOO_FAR],
  ['FREQ=DAILY;INTERVAL=7;BYDAY=MO', TOO_FAR],
  ['FREQ=MONTHLY;INTERVAL=12;BYMONTH=2', TOO_FAR],
  ['FREQ=DAILY;INTERVAL=161;BYDAY=SA,SU;BYMONTH=2', TOO_FAR],
  ['FREQ=DAILY;INTERVAL=7;BYDAY=TU', undefined],
  ...['FREQ=DAILY;INTERVAL=7;BYDAY=TU', 'FREQ=MONTHLY;INTERVAL=3;BYMONTH=6', 'FREQ=YEARLY;INTERVAL=4;BYMONTHDAY=1;BYDAY=MO'].map(
    (rule): [string, string, RecurrenceAnchor] => [
      rule,
      'Rule must not combine an INTERVAL with days or months that it may never meet when it counts from completion: leave out one of them.',
      'completion',
    ],
  ),
]; // biome-ignore format: a list to look through

for (const [rule, problem, anchor = 'schedule'] of problems) {
  test(`${rule} from ${anchor} ${problem === undefined ? 'is accepted' : `is refused: ${problem}`}`, (t) => {
    for (const text of ['2026-03-10T09:00', '2026-03-10T13:00Z']) {
      t.is(recurrenceProblem({ rule, anchor, timeZone: 'America/New_York' }, dueDate(text)), problem);
    }
  });
}

test('a zone that is none is refused, and a due date at the end of time', (t) => {
  const recurrence = { rule: 'FREQ=DAILY', anchor: 'schedule', timeZone: 'Europe/Atlantis' } as const;
  t.is(recurrenceProblem(recurrence, dueDate('2026-03-10')), 'Time zone must be an IANA name such as Europe/Berlin.');
  t.is(recurrenceProblem({ ...recurrence, timeZone: 'UTC' }, dueDate('9999-12-31')), TOO_FAR);
});

test('a reminder keeps its distance: days on the wall clock, and then time', (t) => {
  const next = (remindAt: string, from: string, to: string) =>
    nextReminder(remindAt, dueDate(from), dueDate(to), 'America/New_York');
  // 9:00 on the day before, over the change of 8 March.
  t.is(next('2026-03-01T14:00:00.000Z', '2026-03-02T18:00:00', '2026-03-09T18:00:00'), '2026-03-08T13:00:00.000Z');
  t.is(next('2026-03-06T14:00:00.000Z', '2026-03-07T18:00:00', '2026-03-08T18:00:00'), '2026-03-07T14:00:00.000Z');
  t.is(next('2026-03-02T22:45:00.000Z', '2026-03-02T23:00:00Z', '2026-03-09T22:00:00Z'), '2026-03-09T21:45:00.000Z');
  t.is(
    next('2026-03-04T14:00:00.000Z', '2026-03-02T18:00:00', '2026-03-09T18:00:00'),
    '2026-03-11T13:00:00.000Z',
    'after it',
  );
  t.is(next('2026-03-04T14:00:00.000Z', '2026-03-02T18:00:00', '9999-12-31T18:00:00'), undefined);
  t.is(next('2025-03-04T14:00:00.000Z', '2026-03-02T18:00:00', '0001-01-01T18:00:00'), undefined);
});

// --- An oracle, which looks at one day after the other and asks by definition whether it belongs. ---

interface Rule {
  readonly freq: 'DAILY' | 'WEEKLY' | 'MONTHLY' | 'YEARLY';
  readonly interval: number;
  readonly byDay?: readonly (readonly [nth: number, weekday: number])[] | undefined;
  readonly byMonthDay?: readonly number[] | undefined;
  readonly byMonth?: readonly number[] | undefined;
  readonly bySetPos?: readonly number[] | undefined;
  readonly count?: number | undefined;
  readonly until?: string | undefined;
}

function textOf({ freq, interval, byDay, byMonthDay, byMonth, bySetPos, count, until }: Rule): string {
  const parts = {
    FREQ: freq,
    INTERVAL: interval === 1 ? undefined : interval,
    BYMONTH: byMonth,
    BYMONTHDAY: byMonthDay,
    BYDAY: byDay?.map(([nth, weekday]) => `${nth === 0 ? '' : nth}${WEEKDAYS[weekday]}`),
    BYSETPOS: bySetPos,
    COUNT: count,
    UNTIL: until,
  };
  return Object.entries(parts)
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]))
    .join(';');
}

/** What there is to know of a day, which is a number: of days since 1970-01-01. */
function calendar(day: number): ReturnType<typeof look> {
  const known = looked.get(day) ?? look(day);
  looked.set(day, known);
  return known;
}

const looked = new Map<number, ReturnType<typeof look>>();

function look(day: number) {
  const date = new Date(day * DAY);
  const [year, month, ofMonth] = [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()];
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
  const ofYear = lengths.slice(0, month - 1).reduce((sum, length) => sum + length, 0) + ofMonth;
  const weekday = (date.getUTCDay() + 6) % 7;
  return { year, month, ofMonth, ofYear, weekday, length: lengths[month - 1] ?? 0, ofThatYear: isLeap ? 366 : 365 };
}

/** The number of the day, week, month or year that a day is in. */
function periodOf({ freq }: Rule, day: number): number {
  if (freq === 'DAILY') return day;
  // 1970-01-01 was a Thursday.
  if (freq === 'WEEKLY') return Math.floor((day + 3) / 7);
  const { year, month } = calendar(day);
  return freq === 'MONTHLY' ? year * 12 + month : year;
}

/** Whether a day is one of those of its period, before BYSETPOS. */
function isCandidate({ freq, byDay, byMonthDay, byMonth }: Rule, start: number, day: number): boolean {
  const one = calendar(day);
  const first = calendar(start);
  const isOfMonths = freq === 'MONTHLY' || freq === 'YEARLY';
  const isImplicit = byDay === undefined && byMonthDay === undefined;

  const months = byMonth ?? (freq === 'YEARLY' && isImplicit ? [first.month] : [one.month]);
  if (!months.includes(one.month)) return false;

  const monthDays = byMonthDay ?? (isOfMonths && isImplicit ? [first.ofMonth] : undefined);
  const isThat = (number: number) => {
    if (number < 0) return one.length + 1 + number === one.ofMonth;
    return (isOfMonths ? Math.min(number, one.length) : number) === one.ofMonth;
  };
  if (monthDays !== undefined && !monthDays.some(isThat)) return false;

  const weekdays = byDay ?? (freq === 'WEEKLY' ? [[0, first.weekday] as const] : undefined);
  const [number, length] =
    freq === 'YEARLY' && byMonth === undefined ? [one.ofYear, one.ofThatYear] : [one.ofMonth, one.length];
  const isNth = (nth: number) =>
    nth === 0 || nth === Math.ceil(number / 7) || nth === -Math.ceil((length + 1 - number) / 7);
  return weekdays === undefined || weekdays.some(([nth, weekday]) => weekday === one.weekday && isNth(nth));
}

/** Whether days belong to what a rule gives. */
function membership(rule: Rule, start: number): (day: number) => boolean {
  const selections = new Map<number, ReadonlySet<number>>();
  const selected = (period: number, day: number, bySetPos: readonly number[]) => {
    const isOfPeriod = (one: number) => periodOf(rule, one) === period;
    let first = day;
    while (isOfPeriod(first - 1)) first -= 1;
    const candidates: number[] = [];
    for (let one = first; isOfPeriod(one); one += 1) if (isCandidate(rule, start, one)) candidates.push(one);
    const isAt = (position: number) =>
      bySetPos.includes(position + 1) || bySetPos.includes(position - candidates.length);
    return new Set(candidates.filter((_, position) => isAt(position)));
  };
  return (day) => {
    const period = periodOf(rule, day);
    if ((period - periodOf(rule, start)) % rule.interval !== 0) return false;
    if (rule.bySetPos === undefined) return isCandidate(rule, start, day);
    const selection = selections.get(period) ?? selected(period, day, rule.bySetPos);
    selections.set(period, selection);
    return selection.has(day);
  };
}

/** A wall clock, as the milliseconds that it would be in UTC, as a moment. Times that are missing come later. */
function momentOf(wallClock: number, timeZone: string): number {
  const text = new Date(wallClock).toISOString().slice(0, -1);
  return Temporal.PlainDateTime.from(text).toZonedDateTime(timeZone, { disambiguation: 'compatible' })
    .epochMilliseconds;
}

function wallClockOf(moment: number, timeZone: string): number {
  return moment + Temporal.Instant.fromEpochMilliseconds(moment).toZonedDateTimeISO(timeZone).offsetNanoseconds / 1e6;
}

interface Case {
  readonly rule: Rule;
  readonly timeZone: string;
  readonly isFloating: boolean;
  readonly anchor: RecurrenceAnchor;
  /** A wall clock where it is floating, a moment otherwise. */
  readonly start: number;
  readonly due: number;
  readonly completedAt: number;
  readonly before: number;
}

/** As far as the oracle looks, in days. */
const HORIZON = 5_000;
const LAST = Date.parse('9999-12-31T23:59:59.999Z');

const endOf = (until: string) => {
  const [, date = '', time = '235959.999', zone] = /^(\d+)(?:T(\d+)(Z?))?$/.exec(until) ?? [];
  const text = `${date.replace(/(....)(..)(..)/, '$1-$2-$3')}T${time.replace(/(..)(..)(.*)/, '$1:$2:$3')}Z`;
  return { time: Date.parse(text), isMoment: zone === 'Z' };
};

/** The due date that is next: a wall clock or a moment; `undefined` for none, 'far' for none within the horizon. */
function oracle({ rule, timeZone, isFloating, anchor, start, due, completedAt, before }: Case) {
  const startMoment = isFloating ? momentOf(start, timeZone) : start;
  const startWallClock = isFloating ? start : wallClockOf(start, timeZone);
  const timeOfDay = ((startWallClock % DAY) + DAY) % DAY;
  const isFromCompletion = anchor === 'completion';
  const dueMoment = isFloating ? momentOf(due, timeZone) : due;
  const after = isFromCompletion ? completedAt : Math.max(completedAt, dueMoment);
  const dayAfter = Math.floor(wallClockOf(after, timeZone) / DAY);
  const startDay = isFromCompletion ? dayAfter : Math.floor(startWallClock / DAY);

  const belongs = membership(rule, startDay);
  let number = before + 1;
  let last = Number.NEGATIVE_INFINITY;
  // Whether a day belongs depends on the start alone, so only COUNT needs those before.
  const firstDay = rule.count === undefined ? Math.max(startDay, dayAfter - 3) : startDay;
  for (let day = firstDay; day < Math.max(startDay, dayAfter) + HORIZON; day += 1) {
    const isStart = day === startDay;
    if (isStart ? isFromCompletion : !belongs(day)) continue;
    const wallClock = day * DAY + timeOfDay;
    if (wallClock > LAST + 2 * DAY) return undefined;
    const moment = isStart ? startMoment : momentOf(wallClock, timeZone);
    const value = isFloating ? (isStart ? start : wallClock) : moment;
    if (isFromCompletion || (moment > dueMoment && value > due)) number += 1;
    if (rule.count !== undefined && number > rule.count) return undefined;
    if (moment === last) continue;
    last = moment;
    if (rule.until !== undefined) {
      const { time, isMoment } = endOf(rule.until);
      if ((isMoment ? moment : isStart ? startWallClock : wallClock) > time) return undefined;
    }
    const next = isFloating ? wallClock : moment;
    // The library's dates are wall clocks, so they end there as well.
    if (next > LAST || wallClock > LAST) return undefined;
    if (isFromCompletion || (moment > after && next > due)) return next;
  }
  return 'far';
}

const written = (time: number, isFloating: boolean) =>
  dueDate(isFloating ? new Date(time).toISOString().slice(0, -1) : new Date(time).toISOString());

function repeatedDue({ rule, timeZone, isFloating, anchor, start, due, before }: Case): RepeatedDue {
  return {
    recurrence: { rule: textOf(rule), anchor, timeZone },
    dueDate: written(due, isFloating),
    start: written(start, isFloating),
    before,
  };
}

/** When clocks changed, and other times at which something can go wrong. */
const MOMENTS: readonly [timeZone: string, moment: string][] = [
  ['America/New_York', '2026-03-08T07:00Z'],
  ['America/New_York', '2026-11-01T06:00Z'],
  ['Europe/Berlin', '2026-03-29T01:00Z'],
  ['Europe/Berlin', '2026-10-25T01:00Z'],
  ['Australia/Lord_Howe', '2026-04-04T15:00Z'],
  ['Australia/Lord_Howe', '2026-10-03T15:30Z'],
  ['Pacific/Apia', '2011-12-30T10:00Z'],
  ['Asia/Kathmandu', '2024-02-29T00:00Z'],
  ['UTC', '2024-01-31T00:00Z'],
  ['UTC', '1900-02-28T00:00Z'],
  ['UTC', '0001-01-20T00:00Z'],
  ['America/New_York', '0001-01-20T00:00Z'],
  ['Asia/Tokyo', '0099-12-31T00:00Z'],
  ['Pacific/Kiritimati', '9999-11-30T00:00Z'],
  ['America/New_York', '9990-12-31T00:00Z'],
];

const some = <Value>(values: readonly Value[], maxLength: number) =>
  fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength });
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);
/** In one of two, nothing. */
const maybe = <Value>(arbitrary: fc.Arbitrary<Value>) => fc.option(arbitrary, { nil: undefined, freq: 2 });

function ruleOf(freq: Rule['freq']): fc.Arbitrary<Rule> {
  const weekday = fc.integer({ min: 0, max: 6 });
  const nth = freq === 'YEARLY' ? fc.constantFrom(1, 5, 20, 52, -1, -5, -52) : fc.constantFrom(1, 2, 4, 5, -1, -2, -5);
  const plain = weekday.map((day) => [0, day] as const);
  const day = freq === 'MONTHLY' || freq === 'YEARLY' ? fc.oneof(plain, fc.tuple(nth, weekday)) : plain;
  const monthDays = fc.oneof(some([28, 29, 30, 31, -1, -28], 3), some(range(1, 31), 12));
  return fc
    .record<Rule>({
      freq: fc.constant(freq),
      interval: fc.oneof(
        { weight: 4, arbitrary: fc.constantFrom(1, 1, 2, 3, 4) },
        fc.constantFrom(7, 12, 13, 30, 52, 100, 365, 1000),
      ),
      byDay: maybe(fc.uniqueArray(day, { minLength: 1, maxLength: 7, selector: String })),
      byMonthDay: freq === 'WEEKLY' ? fc.constant(undefined) : maybe(monthDays),
      byMonth: maybe(some(range(1, 12), 6)),
      bySetPos: maybe(some(freq === 'WEEKLY' ? [1, 2, 3, -1, -2, -3] : [1, 2, 3, 5, 20, 53, -1, -2, -3, -30, -53], 2)),
      count: maybe(fc.constantFrom(1, 2, 3, 5, 10, 30, 366)),
      until: maybe(
        fc.constantFrom('20260310', '20260308T020000', '20260308T070000Z', '20261101T013000', '20991231', '99991231'),
      ),
    })
    .filter((rule) => 'rule' in parseRecurrenceRule(textOf(rule)));
}

const MINUTE = 60_000;
const aFewDays = fc
  .tuple(fc.integer({ min: -3, max: 3 }), fc.integer({ min: -6, max: 6 }))
  .map(([day, quarters]) => day * DAY + quarters * 15 * MINUTE);
const later = fc.oneof(
  { weight: 3, arbitrary: aFewDays },
  { weight: 3, arbitrary: fc.integer({ min: -40, max: 1_000 }).map((some) => some * DAY) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 20_000 }).map((some) => some * DAY + 1) },
);

function caseOf(rules: fc.Arbitrary<Rule>): fc.Arbitrary<Case> {
  const LATER = Date.parse('0001-01-02T00:00Z');
  const bounded = (time: number) => Math.min(Math.max(time, LATER), LAST);
  return fc
    .record({
      rule: rules,
      place: fc.constantFrom(...MOMENTS),
      start: fc.tuple(aFewDays, fc.constantFrom(0, 0, 0, 1, 250)).map(([time, milliseconds]) => time + milliseconds),
      dueLater: fc.oneof(fc.constant(0), later),
      completedLater: later,
      isFloating: fc.boolean(),
      anchor: fc.constantFrom<RecurrenceAnchor>('schedule', 'schedule', 'completion'),
      before: fc.constantFrom(0, 0, 0, 1, 5),
    })
    .map(({ place: [timeZone, near], start, dueLater, completedLater, ...rest }) => {
      const moment = bounded(Date.parse(near) + start);
      const time = rest.isFloating ? wallClockOf(moment, timeZone) : moment;
      // With COUNT, the oracle has to walk all the way.
      const shorter = rest.rule.count === undefined ? 1 : 10;
      const due = bounded(time + Math.round(dueLater / shorter / DAY) * DAY + (dueLater % DAY));
      const completedAt = bounded(moment + Math.floor(completedLater / shorter));
      return { ...rest, timeZone, start: bounded(time), due, completedAt };
    });
}

for (const freq of ['DAILY', 'WEEKLY', 'MONTHLY', 'YEARLY'] as const) {
  test(`${freq}: the next due date is the one that looking at each day finds`, (t) => {
    let found = 0;
    const property = fc.property(caseOf(ruleOf(freq)), (one) => {
      const next = nextDueDate(repeatedDue(one), new Date(one.completedAt).toISOString());
      const expected = oracle(one);
      if (expected === 'far') {
        // It is far away, or there is none.
        const time = next && Date.parse(next.endsWith('Z') ? next : `${next}Z`);
        assert(time === undefined || time > Math.max(one.start, one.completedAt) + (HORIZON - 100) * DAY, next);
        return;
      }
      assert.equal(next, expected === undefined ? undefined : written(expected, one.isFloating));
      if (next !== undefined) found += 1;
    });
    fc.assert(property, { numRuns: 2_500 });
    t.true(found > 800, `${found} have a next date`);
  });
}

test('the next due dates are each the one that is next when the one before is completed in time', (t) => {
  const rules = fc.constantFrom<Rule['freq']>('DAILY', 'WEEKLY', 'MONTHLY', 'YEARLY').chain(ruleOf);
  const property = fc.property(caseOf(rules), (one) => {
    const now = new Date(one.completedAt).toISOString();
    const due = repeatedDue(one);
    const expected: DueDate[] = [];
    let moment = one.completedAt;
    for (let task = due; expected.length < 4; ) {
      const time = Date.parse(task.dueDate.endsWith('Z') ? task.dueDate : `${task.dueDate}Z`);
      moment = Math.max(moment, one.isFloating ? momentOf(time, one.timeZone) : time);
      const next = nextDue(task, new Date(moment).toISOString());
      if (next === undefined) break;
      expected.push(next.dueDate);
      task = { ...task, ...next };
    }
    assert.deepEqual(nextDueDates(due, now, 4), expected);
  });
  fc.assert(property, { numRuns: 1_000 });
  t.pass();
});

test('what has no problem has a next due date when it is completed in time', (t) => {
  const rules = fc.constantFrom<Rule['freq']>('DAILY', 'WEEKLY', 'MONTHLY', 'YEARLY').chain(ruleOf);
  let refused = 0;
  const property = fc.property(caseOf(rules), (one) => {
    const due = { ...repeatedDue({ ...one, due: one.start }), before: 0 };
    const problem = recurrenceProblem(due.recurrence, due.dueDate);
    const next = nextDueDates(due, '0001-01-01T00:00:00.000Z', 1);
    if (problem === undefined) assert.equal(next.length, 1);
    else refused += 1;
    if (next.length === 0) assert.notEqual(problem, undefined);
  });
  fc.assert(property, { numRuns: 1_000 });
  t.true(refused > 20, `${refused} are refused`);
});

test('the distance of a reminder is whole days of the zone, and then time', (t) => {
  const cases = fc.record({
    place: fc.constantFrom(...MOMENTS.filter(([, at]) => at > '1000' && at < '9000')),
    from: aFewDays,
    distance: fc.integer({ min: -200, max: 200 }).map((hours) => hours * 30 * MINUTE),
    days: fc.integer({ min: 0, max: 400 }),
    isFloating: fc.boolean(),
  });
  const property = fc.property(cases, ({ place: [timeZone, near], from, distance, days, isFloating }) => {
    const moment = Date.parse(near) + from;
    const wallClock = wallClockOf(moment, timeZone);
    const due = isFloating ? momentOf(wallClock, timeZone) : moment;
    const remindAt = due + distance;
    const onDay = (start: number, count: number) =>
      count === 0 ? start : momentOf(wallClockOf(start, timeZone) + count * DAY, timeZone);
    const whole = Math.trunc((wallClockOf(remindAt, timeZone) - wallClockOf(due, timeZone)) / DAY);
    const next = (isFloating ? wallClock : moment) + days * DAY;
    const nextMoment = isFloating ? momentOf(next, timeZone) : next;
    const expected = onDay(nextMoment, whole) + remindAt - onDay(due, whole);
    assert.equal(
      nextReminder(
        new Date(remindAt).toISOString(),
        written(isFloating ? wallClock : due, isFloating),
        written(next, isFloating),
        timeZone,
      ),
      new Date(expected).toISOString(),
    );
  });
  fc.assert(property, { numRuns: 2_000 });
  t.pass();
});

test('a series is as cheap when it is old', (t) => {
  const rules = [
    'FREQ=DAILY',
    'FREQ=DAILY;BYMONTH=2',
    'FREQ=WEEKLY;BYDAY=MO,FR',
    'FREQ=MONTHLY',
    'FREQ=YEARLY;BYDAY=20MO',
  ];
  for (const rule of rules) {
    const due = series(rule, '0001-01-01T09:00:00.000Z');
    nextDueDate(due, '2026-03-10T00:00:00.000Z');
    const start = process.cpuUsage();
    for (let run = 0; run < 10; run += 1) nextDueDate(due, '2026-03-10T00:00:00.000Z');
    const { user } = process.cpuUsage(start);
    // Two thousand years of days would take seconds.
    t.true(user < 1_000_000, `${rule} took ${user / 10} µs`);
  }
});

test('many dates from completion are cheap where there are many in a year', (t) => {
  for (const more of ['', ';INTERVAL=7']) {
    const due = series(`FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU${more}`, '2026-12-01', 'Europe/Berlin', 'completion');
    const start = process.cpuUsage();
    for (let run = 0; run < 5; run += 1) t.is(nextDueDates(due, '2026-03-10T00:00:00.000Z', 100).length, 100);
    const { user } = process.cpuUsage(start);
    // To find the dates of a year for each of them would take seconds.
    t.true(user < 1_000_000, `${user / 5} µs`);
  }
});
