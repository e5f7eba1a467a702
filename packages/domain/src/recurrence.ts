import { type DueDate, parseDueDate } from './due-date.js';

/** What the next date counts from: the dates of the schedule, or the day on which the task was completed. */
export const RECURRENCE_ANCHORS = ['schedule', 'completion'] as const;
export type RecurrenceAnchor = (typeof RECURRENCE_ANCHORS)[number];

/** How a task repeats. */
export interface Recurrence {
  /** What {@link parseRecurrenceRule} accepts, as it was given. */
  readonly rule: string;
  readonly anchor: RecurrenceAnchor;
  /** The IANA time zone whose wall clock the rule is about. */
  readonly timeZone: string;
}

/** How often a rule repeats. */
export const RECURRENCE_FREQUENCIES = ['DAILY', 'WEEKLY', 'MONTHLY', 'YEARLY'] as const;
export type RecurrenceFrequency = (typeof RECURRENCE_FREQUENCIES)[number];

/** The days of a week, which begins on Monday. */
export const WEEKDAYS = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

/** A day of the week: each one, or the one that is `nth` in its month or year (from the end, if negative). */
export interface RecurrenceDay {
  readonly day: Weekday;
  readonly nth?: number;
}

/** A rule that {@link parseRecurrenceRule} has read. Lists have no value twice; what is left out follows from the start. */
export interface RecurrenceRule {
  readonly freq: RecurrenceFrequency;
  readonly interval: number;
  readonly byDay?: readonly RecurrenceDay[];
  /** 1 to 31; -1 is the last day of a month. */
  readonly byMonthDay?: readonly number[];
  readonly byMonth?: readonly number[];
  readonly bySetPos?: readonly number[];
  readonly count?: number;
  /** The last moment: a wall clock (for a date alone, the end of that day), or an instant. */
  readonly until?: DueDate;
}

/** The longest rule, in characters. */
export const RULE_MAX_LENGTH = 500;

/** What every accepted rule matches, as a regular expression (ECMA-262) without anchors. It matches others as well. */
export const RECURRENCE_RULE_PATTERN = '[A-Za-z]+=[A-Za-z0-9,+-]+(?:;[A-Za-z]+=[A-Za-z0-9,+-]+)*';

/**
 * Reads a rule of a strict part of RFC 5545 (section 3.3.10), in any letter case and order of parts:
 *
 * - `FREQ`, which is required: `DAILY`, `WEEKLY`, `MONTHLY` or `YEARLY`
 * - `INTERVAL`: 1 to 1000
 * - `COUNT`, 1 to 366, or `UNTIL`: `20261231` (to the end of that day), `20261231T170000` (on the wall clock of the
 *   recurrence's zone) or `20261231T160000Z`; both ends belong to it
 * - `BYDAY`: `MO` to `SU`; with a number in a month (`MONTHLY`, and `YEARLY` with `BYMONTH`: 1 to 5, -1 to -5) or in a
 *   year (`YEARLY` otherwise: 1 to 52, -1 to -52, and then for all of them or none). Not with a number beside
 *   `BYMONTHDAY`, where RFC 5545 does not say what it counts.
 * - `BYMONTHDAY`: 1 to 31, -1 to -28. Not with `WEEKLY`, nor with `DAILY` and an `INTERVAL`.
 * - `BYMONTH`: 1 to 12
 * - `BYSETPOS`, beside either `BYDAY` or `BYMONTHDAY`: as many as these can give in a week, month or year, and up to 53.
 *   Not with `DAILY`, `WEEKLY` and `BYMONTH`, nor `YEARLY` and a `BYMONTHDAY` of more than 28.
 *
 * Weeks begin on Monday. The time of day is that of the due date, so a rule has none.
 *
 * @returns the rule, or why it is not accepted, as one sentence
 */
export function parseRecurrenceRule(text: string): { readonly rule: RecurrenceRule } | { readonly problem: string } {
  const shapeProblem = problemOfShape(text);
  if (shapeProblem !== undefined) return { problem: shapeProblem };

  const parts = new Map<PartName, string>();
  for (const part of text.toUpperCase().split(';')) {
    const [name = '', value = ''] = part.split('=');
    if (!isPartName(name)) return { problem: `Rule must not have ${name}: its parts can be ${listed(PART_NAMES)}.` };
    if (parts.has(name)) return { problem: `Rule must have ${name} only once.` };
    parts.set(name, value);
  }

  let read: Partial<RecurrenceRule> = { interval: 1 };
  for (const [name, value] of parts) {
    const result = PARTS[name](value);
    if (typeof result === 'string') return { problem: `${name} ${result}` };
    read = { ...read, ...result };
  }
  const { freq, interval = 1 } = read;
  if (freq === undefined) return { problem: `Rule must have FREQ: ${listed(RECURRENCE_FREQUENCIES, 'or')}.` };
  const rule: RecurrenceRule = { ...read, freq, interval };
  const problem = COMBINATIONS.find(({ isRefused }) => isRefused(rule))?.problem;
  return problem === undefined ? { rule } : { problem };
}

/** Why a text is no list of parts, as a sentence. */
function problemOfShape(text: string): string | undefined {
  if (text.length > RULE_MAX_LENGTH) return `Rule must have at most ${RULE_MAX_LENGTH} characters.`;
  if (text === '') return 'Rule must not be empty: give one such as FREQ=WEEKLY;BYDAY=MO.';
  if (/^RRULE:/i.test(text)) return 'Rule must not begin with RRULE: give what comes after the colon.';
  if (/\s/.test(text)) return 'Rule must not have white space.';
  // Also so that letter case is that of ASCII: the upper case of a dotless i is an I.
  if (!/^[\w=;,+-]*$/.test(text)) return 'Rule must have only letters, digits and the characters = ; , + -.';
  if (text.endsWith(';')) return 'Rule must not end with a semicolon.';
  if (!SHAPE.test(text)) return 'Rule must be parts such as FREQ=WEEKLY, with a semicolon between two of them.';
  return undefined;
}

const SHAPE = new RegExp(`^${RECURRENCE_RULE_PATTERN}$`);

/** How a part is read: what it says, or the rest of a sentence that begins with its name. */
type PartReader = (value: string) => Partial<RecurrenceRule> | string;

const PARTS = {
  FREQ: (value) => {
    const freq = RECURRENCE_FREQUENCIES.find((name) => name === value);
    return freq === undefined ? `must be ${listed(RECURRENCE_FREQUENCIES, 'or')}.` : { freq };
  },
  INTERVAL: (value) => {
    const interval = number(value, 1, 1000);
    return interval === undefined ? 'must be a number from 1 to 1000.' : { interval };
  },
  COUNT: (value) => {
    const count = number(value, 1, 366);
    return count === undefined ? 'must be a number from 1 to 366: for more, leave it out or use UNTIL.' : { count };
  },
  UNTIL: (value) => {
    const until = parseUntil(value);
    return until === undefined
      ? 'must be a real date such as 20261231, 20261231T170000 or 20261231T160000Z.'
      : { until };
  },
  BYDAY: (value) => {
    const byDay = value.split(',').map(parseDay);
    if (!byDay.every((day) => day !== undefined)) {
      return `must be days of the week (${listed(WEEKDAYS)}), as in MO,FR, or with a number up to 52, as in 2TU or -1FR.`;
    }
    if (isRepeated(byDay.map(({ day, nth = 0 }) => `${nth}${day}`))) return 'must not have a day twice.';
    return { byDay };
  },
  BYMONTHDAY: (value) => {
    const byMonthDay = value.split(',').map((day) => signed(day, 31, 28));
    if (!byMonthDay.every((day) => day !== undefined)) return 'must be numbers from 1 to 31, or from -1 to -28.';
    return isRepeated(byMonthDay) ? 'must not have a day twice.' : { byMonthDay };
  },
  BYMONTH: (value) => {
    const byMonth = value.split(',').map((month) => number(month, 1, 12));
    if (!byMonth.every((month) => month !== undefined)) return 'must be numbers from 1 to 12.';
    return isRepeated(byMonth) ? 'must not have a month twice.' : { byMonth };
  },
  BYSETPOS: (value) => {
    const bySetPos = value.split(',').map((position) => signed(position, 53, 53));
    if (!bySetPos.every((position) => position !== undefined)) {
      return 'must be numbers from 1 to 53, or from -1 to -53.';
    }
    return isRepeated(bySetPos) ? 'must not have a position twice.' : { bySetPos };
  },
} satisfies Readonly<Record<string, PartReader>>;

type PartName = keyof typeof PARTS;
const PART_NAMES = Object.keys(PARTS);

function isPartName(name: string): name is PartName {
  return Object.hasOwn(PARTS, name);
}

/** What is refused although each part by itself is right. The first one that applies is told. */
const COMBINATIONS: readonly { readonly problem: string; isRefused(rule: RecurrenceRule): boolean }[] = [
  {
    problem: 'Rule must have COUNT or UNTIL, not both.',
    isRefused: ({ count, until }) => count !== undefined && until !== undefined,
  },
  {
    problem: 'BYDAY must not have numbers with FREQ=DAILY or FREQ=WEEKLY: leave them out, or use FREQ=MONTHLY.',
    isRefused: (rule) => hasNumbers(rule) && (rule.freq === 'DAILY' || rule.freq === 'WEEKLY'),
  },
  {
    problem: 'BYDAY must not have numbers beside BYMONTHDAY: leave one of the two out.',
    isRefused: (rule) => hasNumbers(rule) && rule.byMonthDay !== undefined,
  },
  {
    problem: 'BYDAY must have numbers from 1 to 5, or from -1 to -5, because they count in a month.',
    isRefused: (rule) => isInMonths(rule) && highest(rule.byDay?.map(({ nth = 0 }) => nth)) > 5,
  },
  {
    problem: 'BYDAY must have a number for each day or for none, with FREQ=YEARLY and no BYMONTH.',
    isRefused: (rule) =>
      hasNumbers(rule) && !isInMonths(rule) && rule.byDay?.some(({ nth }) => nth === undefined) === true,
  },
  {
    problem: 'BYMONTHDAY must not be there with FREQ=WEEKLY: use FREQ=MONTHLY, or BYDAY.',
    isRefused: ({ freq, byMonthDay }) => freq === 'WEEKLY' && byMonthDay !== undefined,
  },
  {
    problem: 'BYMONTHDAY must not be there with FREQ=DAILY and an INTERVAL: use FREQ=MONTHLY.',
    isRefused: ({ freq, interval, byMonthDay }) => freq === 'DAILY' && interval > 1 && byMonthDay !== undefined,
  },
  {
    problem: 'BYSETPOS must not be there with FREQ=DAILY: a day has one date.',
    isRefused: ({ freq, bySetPos }) => freq === 'DAILY' && bySetPos !== undefined,
  },
  {
    problem: 'BYSETPOS must be beside BYDAY or BYMONTHDAY, which it selects from.',
    isRefused: ({ bySetPos, byDay, byMonthDay }) => bySetPos !== undefined && (byDay ?? byMonthDay) === undefined,
  },
  {
    // Some of these give no date ever, and finding that out would take long.
    problem: 'BYSETPOS must not be beside both BYDAY and BYMONTHDAY: leave one of the two out.',
    isRefused: ({ bySetPos, byDay, byMonthDay }) => (bySetPos && byDay && byMonthDay) !== undefined,
  },
  {
    problem: 'BYSETPOS must not be more than the number of days that BYDAY or BYMONTHDAY can give each time.',
    isRefused: (rule) => highest(rule.bySetPos) > mostDays(rule),
  },
  {
    problem: 'BYSETPOS must not be there with FREQ=WEEKLY and BYMONTH: leave one of the two out.',
    isRefused: ({ freq, bySetPos, byMonth }) => freq === 'WEEKLY' && (bySetPos && byMonth) !== undefined,
  },
  {
    problem: 'BYSETPOS must not be there with FREQ=YEARLY and a BYMONTHDAY from 29 to 31: use FREQ=MONTHLY.',
    isRefused: ({ freq, bySetPos, byMonthDay = [] }) =>
      freq === 'YEARLY' && bySetPos !== undefined && byMonthDay.some((day) => day > 28),
  },
];

function hasNumbers({ byDay = [] }: RecurrenceRule): boolean {
  return byDay.some(({ nth }) => nth !== undefined);
}

/** Whether the numbers of days of the week count in a month, rather than in a year. */
function isInMonths({ freq, byMonth }: RecurrenceRule): boolean {
  return freq === 'MONTHLY' || byMonth !== undefined;
}

/** How many days a rule with either BYDAY or BYMONTHDAY can give in one of its weeks, months or years. */
function mostDays({ freq, byDay, byMonthDay = [], byMonth }: RecurrenceRule): number {
  if (freq === 'WEEKLY') return byDay?.length ?? 0;
  const months = freq === 'MONTHLY' ? 1 : (byMonth?.length ?? 12);
  if (byDay === undefined) return byMonthDay.length * months;
  const isInYear = freq === 'YEARLY' && byMonth === undefined;
  return byDay.reduce((sum, { nth }) => sum + (isInYear ? (nth ? 1 : 53) : (nth ? 1 : 5) * months), 0);
}

/** The highest of some numbers, whatever their signs. */
function highest(numbers: readonly number[] = []): number {
  return Math.max(0, ...numbers.map(Math.abs));
}

function parseDay(text: string): RecurrenceDay | undefined {
  const day = WEEKDAYS.find((name) => text.endsWith(name));
  if (day === undefined) return undefined;
  if (text === day) return { day };
  const nth = signed(text.slice(0, -day.length), 52, 52);
  return nth === undefined ? undefined : { day, nth };
}

function parseUntil(text: string): DueDate | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?$/.exec(text);
  if (parts === null) return undefined;
  const [, year, month, day, hour, minute, second, zone] = parts;
  // A whole day, so up to its end.
  const time = hour === undefined ? '23:59:59.999' : `${hour}:${minute}:${second}${zone}`;
  return parseDueDate(`${year}-${month}-${day}T${time}`);
}

/** A number with or without a sign, up to one bound or down to another. */
function signed(text: string, most: number, mostFromEnd: number): number | undefined {
  if (!text.startsWith('-')) return number(text.replace(/^\+/, ''), 1, most);
  const fromEnd = number(text.slice(1), 1, mostFromEnd);
  return fromEnd === undefined ? undefined : -fromEnd;
}

function number(text: string, least: number, most: number): number | undefined {
  if (!/^\d{1,4}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= least && value <= most ? value : undefined;
}

function isRepeated(values: readonly unknown[]): boolean {
  return new Set(values).size < values.length;
}

function listed(names: readonly string[], word = 'and'): string {
  return `${names.slice(0, -1).join(', ')} ${word} ${names.at(-1)}`;
}
