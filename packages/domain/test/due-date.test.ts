import { compareDueDates, type DueDate, isFloating, parseDueDate } from '@todo-backend/domain';
import test from 'ava';
import fc from 'fast-check';

const accepted: [sent: string, comesBack: string][] = [
  ['2026-03-10', '2026-03-10T00:00:00'],
  ['2026-03-10T09:30', '2026-03-10T09:30:00'],
  ['2026-03-10T09:30:00', '2026-03-10T09:30:00'],
  ['2026-03-10T09:30:15.25', '2026-03-10T09:30:15.250'],
  ['2026-03-10T09:30:15.000000', '2026-03-10T09:30:15'],
  ['2026-03-10T09:30:00+05:00', '2026-03-10T04:30:00.000Z'],
  ['2026-03-10T09:30:00Z', '2026-03-10T09:30:00.000Z'],
  ['2026-03-10T09:30Z', '2026-03-10T09:30:00.000Z'],
  ['2026-03-10T09:30:00.123000-00:30', '2026-03-10T10:00:00.123Z'],
  ['2024-02-29', '2024-02-29T00:00:00'],
  ['0001-01-01', '0001-01-01T00:00:00'],
  ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
];

for (const [sent, comesBack] of accepted) {
  test(`${sent} is normalized to ${comesBack}, also repeatedly`, (t) => {
    t.is(parseDueDate(sent) as string, comesBack);
    t.is(parseDueDate(comesBack) as string, comesBack);
  });
}

const refused = [
  '2026-02-30', '2026-02-29', '2026-13-01', '2026-00-10', '2026-01-00', '0000-01-01', '10000-01-01', '+010000-01-01',
  '-000001-01-01', '300000-01-01', 'infinity', '-infinity', 'now', 'today', '', ' ', '2026-03-10 ', ' 2026-03-10',
  '2026-03-10T24:00', '2026-03-10T23:60', '2026-03-10T23:59:60', '2026-03-10T09', '2026-03-10T', '2026-3-1', '20260310',
  '2026-03-10T09:30+0500', '2026-03-10T09:30+05', '2026-03-10T09:30+24:00', '2026-03-10Z', '2026-03-10 09:30',
  '2026-03-10T09:30:00.1234', '2026-03-10T09:30:00.', '2026-W10-2', '1741564800000', '0001-01-01T00:00:00+05:00',
  '9999-12-31T23:59:59-05:00', '2026-03-10T09:30:00Z\n', '\u0662026-03-10',
]; // biome-ignore format: a list to look through

for (const text of refused) {
  test(`${JSON.stringify(text)} is not a due date`, (t) => t.is(parseDueDate(text), undefined));
}

test('a due date is floating or an instant', (t) => {
  t.true(isFloating(parseDueDate('2026-03-10') as DueDate));
  t.false(isFloating(parseDueDate('2026-03-10T00:00Z') as DueDate));
});

test('floating due dates sort among instants as if they were UTC', (t) => {
  const sorted = ['2026-03-09T23:00:00-05:00', '2026-03-10T04:00:00.001', '2026-03-10T04:00:01Z', '2026-03-11'];
  const dates = sorted.map((text) => parseDueDate(text) as DueDate);
  t.deepEqual([...dates].reverse().sort(compareDueDates), dates);
  t.is(compareDueDates(parseDueDate('2026-03-10') as DueDate, parseDueDate('2026-03-10T00:00Z') as DueDate), 0);
});

test('every moment of the years 1 to 9999 round-trips, floating and as an instant', (t) => {
  const date = fc.date({
    min: new Date('0001-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59.999Z'),
    noInvalidDate: true,
  });
  fc.assert(
    fc.property(date, (moment) => {
      const instant = moment.toISOString();
      t.is(parseDueDate(instant) as string, instant);
      t.is(parseDueDate(instant.slice(0, -1)) as string, instant.slice(0, -1).replace(/\.000$/, ''));
    }),
  );
});
