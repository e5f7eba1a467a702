import {
  parseRecurrenceRule,
  RECURRENCE_RULE_PATTERN,
  type RecurrenceRule,
  RULE_MAX_LENGTH,
} from '@todo-backend/domain';
import test from 'ava';
import fc from 'fast-check';

const accepted: [text: string, rule: object][] = [
  ['FREQ=DAILY', { freq: 'DAILY', interval: 1 }],
  ['freq=weekly;byday=mo,fR', { freq: 'WEEKLY', interval: 1, byDay: [{ day: 'MO' }, { day: 'FR' }] }],
  ['INTERVAL=1000;FREQ=YEARLY', { freq: 'YEARLY', interval: 1000 }],
  ['FREQ=MONTHLY;INTERVAL=02', { freq: 'MONTHLY', interval: 2 }],
  ['FREQ=DAILY;COUNT=366', { freq: 'DAILY', interval: 1, count: 366 }],
  ['FREQ=DAILY;UNTIL=20261231', { freq: 'DAILY', interval: 1, until: '2026-12-31T23:59:59.999' }],
  ['FREQ=DAILY;UNTIL=20240229T170000', { freq: 'DAILY', interval: 1, until: '2024-02-29T17:00:00' }],
  ['FREQ=DAILY;until=20261231t160000z', { freq: 'DAILY', interval: 1, until: '2026-12-31T16:00:00.000Z' }],
  ['FREQ=MONTHLY;BYDAY=1MO,+2TU,-5FR,SU', {
    freq: 'MONTHLY', interval: 1, byDay: [{ day: 'MO', nth: 1 }, { day: 'TU', nth: 2 }, { day: 'FR', nth: -5 }, { day: 'SU' }],
  }],
  ['FREQ=YEARLY;BYDAY=52MO,-52SU', { freq: 'YEARLY', interval: 1, byDay: [{ day: 'MO', nth: 52 }, { day: 'SU', nth: -52 }] }],
  ['FREQ=YEARLY;BYMONTH=11;BYDAY=4TH', { freq: 'YEARLY', interval: 1, byMonth: [11], byDay: [{ day: 'TH', nth: 4 }] }],
  ['FREQ=MONTHLY;BYMONTHDAY=31,-1,-28,+7', { freq: 'MONTHLY', interval: 1, byMonthDay: [31, -1, -28, 7] }],
  ['FREQ=DAILY;BYMONTHDAY=13;BYDAY=FR;BYMONTH=1', {
    freq: 'DAILY', interval: 1, byMonthDay: [13], byDay: [{ day: 'FR' }], byMonth: [1],
  }],
  ['FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1,1', {
    freq: 'MONTHLY', interval: 1, byDay: [{ day: 'MO' }, { day: 'TU' }], bySetPos: [-1, 1],
  }],
  ['FREQ=WEEKLY;BYDAY=MO,TU;BYSETPOS=2', {
    freq: 'WEEKLY', interval: 1, byDay: [{ day: 'MO' }, { day: 'TU' }], bySetPos: [2],
  }],
  ['FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-53', {
    freq: 'YEARLY', interval: 1, byDay: ['MO', 'TU', 'WE', 'TH', 'FR'].map((day) => ({ day })), bySetPos: [-53],
  }],
]; // biome-ignore format: a list to look through

for (const [text, rule] of accepted) {
  test(`${text} is a rule`, (t) => t.deepEqual(parseRecurrenceRule(text), { rule: rule as RecurrenceRule }));
}

const LETTERS = 'Rule must have only letters, digits and the characters = ; , + -.';
const SHAPE = 'Rule must be parts such as FREQ=WEEKLY, with a semicolon between two of them.';
const UNTIL = 'UNTIL must be a real date such as 20261231, 20261231T170000 or 20261231T160000Z.';
const UNKNOWN = 'its parts can be FREQ, INTERVAL, COUNT, UNTIL, BYDAY, BYMONTHDAY, BYMONTH and BYSETPOS.';
const SETPOS = 'BYSETPOS must not be more than the number of days that BYDAY or BYMONTHDAY can give each time.';
const COUNT = 'COUNT must be a number from 1 to 366: for more, leave it out or use UNTIL.';
const BYDAY =
  'BYDAY must be days of the week (MO, TU, WE, TH, FR, SA and SU), as in MO,FR, or with a number up to 52, as in 2TU or -1FR.';
const IN_MONTHS = 'BYDAY must have numbers from 1 to 5, or from -1 to -5, because they count in a month.';

const refused: [text: string, problem: string][] = [
  ['', 'Rule must not be empty: give one such as FREQ=WEEKLY;BYDAY=MO.'],
  ['RRULE:FREQ=DAILY', 'Rule must not begin with RRULE: give what comes after the colon.'],
  ['FREQ=DAILY; INTERVAL=2', 'Rule must not have white space.'],
  ['FREQ=DAILY\r\n', 'Rule must not have white space.'],
  ['FREQ=DAILY;', 'Rule must not end with a semicolon.'],
  [';FREQ=DAILY', SHAPE],
  ['FREQ=DAILY;;COUNT=2', SHAPE],
  ['FREQ', SHAPE],
  ['FREQ=', SHAPE],
  ['FREQ=DAILY=2', SHAPE],
  ['FREQ=DAILY:COUNT=2', LETTERS],
  ['FREQ=DA\u0131LY', LETTERS],
  ['FREQ=DAILY;COUNT=\u0662', LETTERS],
  ['FREQ=DAILY\0', LETTERS],
  [`FREQ=DAILY;BYMONTHDAY=${'1,'.repeat(500)}2`, 'Rule must have at most 500 characters.'],
  ['INTERVAL=2', 'Rule must have FREQ: DAILY, WEEKLY, MONTHLY or YEARLY.'],
  ['FREQ=HOURLY', 'FREQ must be DAILY, WEEKLY, MONTHLY or YEARLY.'],
  ['FREQ=DAILY;FREQ=DAILY', 'Rule must have FREQ only once.'],
  ['FREQ=WEEKLY;WKST=SU', `Rule must not have WKST: ${UNKNOWN}`],
  ['FREQ=DAILY;BYHOUR=9', `Rule must not have BYHOUR: ${UNKNOWN}`],
  ['RSCALE=GREGORIAN;FREQ=MONTHLY', `Rule must not have RSCALE: ${UNKNOWN}`],
  ['FREQ=MONTHLY;SKIP=BACKWARD', `Rule must not have SKIP: ${UNKNOWN}`],
  ['FREQ=DAILY;toString=1', `Rule must not have TOSTRING: ${UNKNOWN}`],
  ['FREQ=DAILY;INTERVAL=0', 'INTERVAL must be a number from 1 to 1000.'],
  ['FREQ=DAILY;INTERVAL=1001', 'INTERVAL must be a number from 1 to 1000.'],
  ['FREQ=DAILY;INTERVAL=+1', 'INTERVAL must be a number from 1 to 1000.'],
  ['FREQ=DAILY;COUNT=0', COUNT],
  ['FREQ=DAILY;COUNT=367', COUNT],
  ['FREQ=DAILY;COUNT=1e2', COUNT],
  ['FREQ=DAILY;COUNT=2;UNTIL=20261231', 'Rule must have COUNT or UNTIL, not both.'],
  ['FREQ=DAILY;UNTIL=20260229', UNTIL],
  ['FREQ=DAILY;UNTIL=20261231T240000', UNTIL],
  ['FREQ=DAILY;UNTIL=20261231T1700', UNTIL],
  ['FREQ=DAILY;UNTIL=20261231Z', UNTIL],
  ['FREQ=DAILY;UNTIL=00001231', UNTIL],
  ['FREQ=DAILY;UNTIL=2026-12-31', UNTIL],
  ['FREQ=WEEKLY;BYDAY=XX', BYDAY],
  ['FREQ=WEEKLY;BYDAY=MO,', BYDAY],
  ['FREQ=MONTHLY;BYDAY=0MO', BYDAY],
  ['FREQ=YEARLY;BYDAY=53MO', BYDAY],
  ['FREQ=MONTHLY;BYDAY=+-1MO', BYDAY],
  ['FREQ=WEEKLY;BYDAY=MO,MO', 'BYDAY must not have a day twice.'],
  ['FREQ=MONTHLY;BYDAY=1MO,+1MO', 'BYDAY must not have a day twice.'],
  ['FREQ=WEEKLY;BYDAY=1MO', 'BYDAY must not have numbers with FREQ=DAILY or FREQ=WEEKLY: leave them out, or use FREQ=MONTHLY.'],
  ['FREQ=MONTHLY;BYDAY=6MO', IN_MONTHS],
  ['FREQ=YEARLY;BYMONTH=1;BYDAY=-6MO', IN_MONTHS],
  ['FREQ=YEARLY;BYDAY=MO,2TU', 'BYDAY must have a number for each day or for none, with FREQ=YEARLY and no BYMONTH.'],
  ['FREQ=MONTHLY;BYDAY=2FR;BYMONTHDAY=13', 'BYDAY must not have numbers beside BYMONTHDAY: leave one of the two out.'],
  ['FREQ=MONTHLY;BYMONTHDAY=0', 'BYMONTHDAY must be numbers from 1 to 31, or from -1 to -28.'],
  ['FREQ=MONTHLY;BYMONTHDAY=32', 'BYMONTHDAY must be numbers from 1 to 31, or from -1 to -28.'],
  ['FREQ=MONTHLY;BYMONTHDAY=-29', 'BYMONTHDAY must be numbers from 1 to 31, or from -1 to -28.'],
  ['FREQ=MONTHLY;BYMONTHDAY=1,1', 'BYMONTHDAY must not have a day twice.'],
  ['FREQ=WEEKLY;BYMONTHDAY=1', 'BYMONTHDAY must not be there with FREQ=WEEKLY: use FREQ=MONTHLY, or BYDAY.'],
  ['FREQ=DAILY;INTERVAL=2;BYMONTHDAY=1', 'BYMONTHDAY must not be there with FREQ=DAILY and an INTERVAL: use FREQ=MONTHLY.'],
  ['FREQ=YEARLY;BYMONTH=13', 'BYMONTH must be numbers from 1 to 12.'],
  ['FREQ=YEARLY;BYMONTH=-1', 'BYMONTH must be numbers from 1 to 12.'],
  ['FREQ=YEARLY;BYMONTH=5L', 'BYMONTH must be numbers from 1 to 12.'],
  ['FREQ=YEARLY;BYMONTH=1,01', 'BYMONTH must not have a month twice.'],
  ['FREQ=MONTHLY;BYDAY=MO;BYSETPOS=0', 'BYSETPOS must be numbers from 1 to 53, or from -1 to -53.'],
  ['FREQ=MONTHLY;BYDAY=MO;BYSETPOS=1,1', 'BYSETPOS must not have a position twice.'],
  ['FREQ=MONTHLY;BYDAY=MO;BYSETPOS=32', SETPOS],
  ['FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6', SETPOS],
  ['FREQ=MONTHLY;BYDAY=1MO,-1FR;BYSETPOS=3', SETPOS],
  ['FREQ=YEARLY;BYMONTHDAY=1,2;BYMONTH=3,4;BYSETPOS=-5', SETPOS],
  ['FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;BYSETPOS=1', 'BYSETPOS must not be beside both BYDAY and BYMONTHDAY: leave one of the two out.'],
  ['FREQ=MONTHLY;BYSETPOS=1', 'BYSETPOS must be beside BYDAY or BYMONTHDAY, which it selects from.'],
  ['FREQ=DAILY;BYDAY=MO;BYSETPOS=1', 'BYSETPOS must not be there with FREQ=DAILY: a day has one date.'],
  ['FREQ=WEEKLY;BYDAY=MO;BYSETPOS=-2', SETPOS],
  ['FREQ=WEEKLY;BYDAY=MO;BYSETPOS=1;BYMONTH=2', 'BYSETPOS must not be there with FREQ=WEEKLY and BYMONTH: leave one of the two out.'],
  ['FREQ=YEARLY;BYDAY=MO;BYSETPOS=54', 'BYSETPOS must be numbers from 1 to 53, or from -1 to -53.'],
  ['FREQ=YEARLY;BYMONTHDAY=29;BYSETPOS=1', 'BYSETPOS must not be there with FREQ=YEARLY and a BYMONTHDAY from 29 to 31: use FREQ=MONTHLY.'],
]; // biome-ignore format: a list to look through

for (const [text, problem] of refused) {
  test(`${JSON.stringify(text.slice(0, 60))} is refused: ${problem}`, (t) =>
    t.deepEqual(parseRecurrenceRule(text), { problem }));
}

const pattern = new RegExp(`^(?:${RECURRENCE_RULE_PATTERN})$`, 'u');

/** Texts that are rules, or nearly. */
const values = {
  FREQ: fc.constantFrom('DAILY', 'weekly', 'MONTHLY', 'YEARLY', 'HOURLY'),
  INTERVAL: fc.integer({ min: -1, max: 1001 }).map(String),
  COUNT: fc.integer({ min: 0, max: 1001 }).map(String),
  UNTIL: fc.constantFrom('20261231', '20260231', '20261231T235959Z', '20261231T235960'),
  BYDAY: fc.array(fc.constantFrom('MO', 'tu', '1WE', '-1FR', '+53SU', '0SA', 'XX'), { minLength: 1 }).map(String),
  BYMONTHDAY: fc.array(fc.integer({ min: -32, max: 32 }), { minLength: 1 }).map(String),
  BYMONTH: fc.array(fc.integer({ min: -1, max: 13 }), { minLength: 1 }).map(String),
  BYSETPOS: fc.array(fc.integer({ min: -367, max: 367 }), { minLength: 1 }).map(String),
  WKST: fc.constant('MO'),
};
const part = fc
  .constantFrom(...Object.entries(values))
  .chain(([name, value]) => value.map((text) => `${name}=${text}`));
const texts = fc.oneof(
  fc.tuple(values.FREQ, fc.array(part, { maxLength: 4 })).map(([freq, parts]) => [`FREQ=${freq}`, ...parts].join(';')),
  fc
    .array(fc.constantFrom('FREQ=DAILY', 'BYDAY=', 'MO', ',', ';', '=', '-', '1', ' ', '\0', '\ud800', '\u{1f600}'))
    .map((some) => some.join('')),
  fc.string({ unit: 'binary' }),
);

test('every text is a rule or has one problem, and every rule matches the pattern', (t) => {
  let rules = 0;
  const property = fc.property(texts, (text) => {
    const result = parseRecurrenceRule(text);
    if ('rule' in result) rules += 1;
    return 'rule' in result ? pattern.test(text) : /^[A-Z][^\n]*[^.]\.$/.test(result.problem);
  });
  fc.assert(property, { numRuns: 10_000 });
  t.true(rules > 300, `${rules} of them are rules`);
});

test('letter case makes no difference, and the order of the parts neither', (t) => {
  const rules = texts.filter((text) => 'rule' in parseRecurrenceRule(text));
  const property = fc.property(rules, (text) => {
    const result = parseRecurrenceRule(text);
    t.deepEqual(parseRecurrenceRule(text.toLowerCase()), result);
    t.deepEqual(parseRecurrenceRule(text.split(';').reverse().join(';')), result);
  });
  fc.assert(property, { numRuns: 200 });
});

test('hostile texts are refused in linear time', (t) => {
  const runs = [
    'F',
    '=',
    ';',
    ',',
    '-',
    '+',
    '1',
    'A=1;',
    'FREQ=DAILY;',
    'BYDAY=',
    'MO,',
    '1,',
    ' ',
    '\0',
    'RRULE:',
    '\u0130',
  ];
  const patternAlone = (text: string) => pattern.test(text);
  for (const run of runs) {
    for (const beginning of ['', 'FREQ=DAILY', 'FREQ=DAILY;BYDAY=']) {
      for (const [read, length] of [
        [parseRecurrenceRule, 1_000_000],
        [parseRecurrenceRule, RULE_MAX_LENGTH],
        [patternAlone, 100_000],
      ] as const) {
        const text = beginning + run.repeat(length / run.length - beginning.length);
        const start = process.cpuUsage();
        read(text);
        const { user } = process.cpuUsage(start);
        // Quadratic would be seconds.
        t.true(user < 200_000, `${JSON.stringify(beginning + run)} took ${user} µs`);
      }
    }
  }
});
