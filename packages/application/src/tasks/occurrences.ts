import {
  compareDueDates,
  type DueDate,
  isFloating,
  parseDueDate,
  parseRecurrenceRule,
  type Recurrence,
  type RecurrenceDay,
  type RecurrenceFrequency,
  type RecurrenceRule,
  type Timestamp,
  timestamp,
  WEEKDAYS,
} from '@todo-backend/domain';
import { RRuleTemporal } from 'rrule-temporal';
import { Temporal } from 'temporal-polyfill';
import { isTimeZone } from './time-zone.js';

/**
 * A task of a series, as far as its dates are concerned. Its due date and the start are of one kind, both floating or both
 * instants, and so is every date that follows from them.
 */
export interface RepeatedDue {
  readonly recurrence: Recurrence;
  /** The due date of this occurrence. It need not be one of the rule's: people move tasks. */
  readonly dueDate: DueDate;
  /** The due date that the rule counts from (`DTSTART`). It is the first occurrence, also where the rule would not give it. */
  readonly start: DueDate;
  /** How many occurrences of the series came before this one, done or missed: `COUNT` includes them. */
  readonly before: number;
}

/** The next occurrence, as far as its dates are concerned. */
export type NextDue = Pick<RepeatedDue, 'dueDate' | 'before'>;

/**
 * The next occurrence, if this one is completed at a time; `undefined` where the series ends.
 *
 * The rule is about the wall clock of the recurrence's zone. A time that the clocks skip moves forward by what they skip;
 * of two equal ones it is the earlier. Two dates that are one moment then (a day can be missing) are one occurrence, but
 * two for `COUNT`.
 *
 * With `MONTHLY` and `YEARLY`, a day that a month does not have is its last one, as with `SKIP=BACKWARD` of RFC 7529;
 * `BYDAY` and `BYSETPOS` select after that. With `DAILY`, `BYMONTH`, `BYMONTHDAY` and `BYDAY` only leave days out.
 * `UNTIL` ends what comes after it, compared with the wall clock that the rule gives, or with the moment.
 *
 * - Anchor `schedule`: the first occurrence after this one that is not over at that time. Those between are passed.
 * - Anchor `completion`: the first date of the rule after the day of completion, as if it had started on that day.
 */
export function nextDue(due: RepeatedDue, completedAt: Timestamp): NextDue | undefined {
  const [next] = following(due, Date.parse(completedAt), 1);
  return next;
}

/**
 * The next due dates, up to a limit, if each occurrence is completed when it is due, or this one now where it is overdue.
 */
export function nextDueDates(due: RepeatedDue, now: Timestamp, limit: number): DueDate[] {
  const from = Math.max(Date.parse(now), momentOf(due.dueDate, due.recurrence.timeZone));
  return following(due, from, limit).map(({ dueDate }) => dueDate);
}

/**
 * The reminder of the next occurrence: as many days on the wall clock, and then as much time, from its due date as this
 * one's is. So 9:00 on the day before stays 9:00 when the clocks change.
 *
 * @returns `undefined` when it is not in the years 0001 to 9999
 */
export function nextReminder(remindAt: Timestamp, from: DueDate, to: DueDate, timeZone: string): Timestamp | undefined {
  const reminder = Temporal.Instant.from(remindAt).toZonedDateTimeISO(timeZone);
  const due = zoned(from, timeZone);
  // Days by the wall clocks alone. Temporal's own way counts time from the earlier one of two equal wall clocks, also where
  // the due date is the later one.
  const { days } = due.toPlainDateTime().until(reminder.toPlainDateTime(), { largestUnit: 'day' });
  const time = reminder.epochMilliseconds - due.add({ days }).epochMilliseconds;
  const next = timestamp(new Date(zoned(to, timeZone).add({ days }).epochMilliseconds + time));
  return parseDueDate(next);
}

/**
 * Why a recurrence cannot be that of a task that is due then, as a sentence: the rule or the zone is not accepted, or there
 * is no next date. `undefined` when it can.
 */
export function recurrenceProblem(recurrence: Recurrence, dueDate: DueDate): string | undefined {
  const read = parseRecurrenceRule(recurrence.rule);
  if ('problem' in read) return read.problem;
  if (!isTimeZone(recurrence.timeZone)) return 'Time zone must be an IANA name such as Europe/Berlin.';
  const { count, until, ...rest } = read.rule;
  if (count === 1) return 'COUNT must be more than 1: the task itself is the first one.';
  if (recurrence.anchor === 'completion' && mayMissDates(rest)) {
    return 'Rule must not combine an INTERVAL with days or months that it may never meet when it counts from completion: leave out one of them.';
  }

  const from = momentOf(dueDate, recurrence.timeZone);
  const due = { recurrence, dueDate, start: dueDate, before: 0 };
  if (followingBy(rest, due, from, 1).length === 0) {
    return 'Rule must give a date after the due date, not too far away and up to the year 9999.';
  }
  if (until !== undefined && followingBy(read.rule, due, from, 1).length === 0) {
    return 'UNTIL must not be before the date that comes after the due date.';
  }
  return undefined;
}

/** Whether a rule can give no date at all, depending on the day from which its interval counts. */
function mayMissDates({ freq, interval, byDay, byMonth, byMonthDay }: RecurrenceRule): boolean {
  if (interval === 1) return false;
  if (freq !== 'YEARLY' && byMonth !== undefined) return true;
  return freq === 'DAILY' ? interval % 7 === 0 && byDay !== undefined : (byDay && byMonthDay) !== undefined;
}

function following(due: RepeatedDue, completedAt: number, limit: number): NextDue[] {
  const read = parseRecurrenceRule(due.recurrence.rule);
  return 'rule' in read ? followingBy(read.rule, due, completedAt, limit) : [];
}

function followingBy(rule: RecurrenceRule, due: RepeatedDue, completedAt: number, limit: number): NextDue[] {
  return due.recurrence.anchor === 'schedule'
    ? followingOnSchedule(rule, due, completedAt, limit)
    : followingCompletion(rule, due, completedAt, limit);
}

function followingOnSchedule(rule: RecurrenceRule, due: RepeatedDue, completedAt: number, limit: number): NextDue[] {
  const { timeZone } = due.recurrence;
  const after = Math.max(completedAt, momentOf(due.dueDate, timeZone));
  // The day before may have the same moment, where the clocks skip a day.
  const from = dateOf(after, timeZone).subtract({ days: 2 });
  const found: NextDue[] = [];
  let last = after;
  let before = due.before + (rule.count === undefined ? 0 : missedBefore(rule, due, from));
  for (const next of occurrences(rule, due, from)) {
    if (!isAfter(next, due)) continue;
    before += 1;
    if (found.length >= limit || before >= (rule.count ?? Number.POSITIVE_INFINITY)) break;
    if (next.moment > last) {
      found.push({ dueDate: next.dueDate, before });
      last = next.moment;
    }
  }
  return found;
}

/** How many occurrences come after a due date and before another day: as many as `COUNT` has left, at the most. */
function missedBefore(rule: RecurrenceRule, due: RepeatedDue, end: Temporal.PlainDate): number {
  const { count = 0 } = rule;
  const soonAfter = dateOf(momentOf(due.dueDate, due.recurrence.timeZone), due.recurrence.timeZone).add({ days: 1 });
  let missed = 0;
  for (const date of datesFrom(rule, due, soonAfter.subtract({ days: 2 }))) {
    if (!isBefore(date, end) || due.before + missed >= count) break;
    // Only on these days it depends on the time.
    const occurrence = isBefore(soonAfter, date) ? undefined : occurrenceOn(date, due);
    if (occurrence === undefined || isAfter(occurrence, due)) missed += 1;
  }
  return missed;
}

function isAfter({ dueDate, moment }: Occurrence, due: RepeatedDue): boolean {
  return moment > momentOf(due.dueDate, due.recurrence.timeZone) && compareDueDates(dueDate, due.dueDate) > 0;
}

function followingCompletion(rule: RecurrenceRule, due: RepeatedDue, completedAt: number, limit: number): NextDue[] {
  const { timeZone } = due.recurrence;
  const time = wallClockOf(due.start, timeZone).toPlainTime();
  const found: NextDue[] = [];
  let moment = completedAt;
  let start = dateOf(moment, timeZone);
  let dates = datesAfter(rule, start, start);
  for (let before = due.before + 1; found.length < limit && before < (rule.count ?? before + 1); before += 1) {
    const day = dateOf(moment, timeZone);
    // Finding the dates of a year takes long, and there may be a date on each day of it.
    if (found.length > 0 && !isSameFrom(rule, start, day)) {
      start = day;
      dates = datesAfter(rule, start, day);
    }
    const next = firstAfter(day, dates);
    const occurrence = next && occurrenceAt(next.toPlainDateTime(time), isFloating(due.start), timeZone);
    if (occurrence === undefined || isOver(rule, occurrence)) break;
    found.push({ dueDate: occurrence.dueDate, before });
    moment = Math.max(moment, occurrence.moment);
  }
  return found;
}

/** Whether a rule gives the same dates from another start on: one in the same period, on which no date depends. */
function isSameFrom(
  { freq, byDay, byMonthDay }: RecurrenceRule,
  start: Temporal.PlainDate,
  other: Temporal.PlainDate,
): boolean {
  if (freq === 'DAILY' || (byDay ?? byMonthDay) === undefined) return false;
  return periodOf(start, freq).equals(periodOf(other, freq));
}

/** The next of some dates in order that is after a day. The others are left for the next time. */
function firstAfter(day: Temporal.PlainDate, dates: Iterator<Temporal.PlainDate>): Temporal.PlainDate | undefined {
  for (let next = dates.next(); !next.done; next = dates.next()) if (isBefore(day, next.value)) return next.value;
  return undefined;
}

/** An occurrence, with the wall clock that the rule gives, which the clocks may skip. */
interface Occurrence {
  readonly dueDate: DueDate;
  readonly moment: number;
  readonly wallClock: Temporal.PlainDateTime;
}

/** The occurrences of a series from a date on, in order. Two of them may be one moment. */
function* occurrences(rule: RecurrenceRule, due: RepeatedDue, from: Temporal.PlainDate): Generator<Occurrence> {
  for (const date of datesFrom(rule, due, from)) {
    const next = occurrenceOn(date, due);
    if (next === undefined || isOver(rule, next)) return;
    yield next;
  }
}

/** The dates of a series on the wall clock, from one on. */
function* datesFrom(rule: RecurrenceRule, due: RepeatedDue, from: Temporal.PlainDate): Generator<Temporal.PlainDate> {
  const start = startDay(due);
  if (!isBefore(start, from)) yield start;
  yield* datesAfter(rule, start, from);
}

function startDay({ start, recurrence }: RepeatedDue): Temporal.PlainDate {
  return wallClockOf(start, recurrence.timeZone).toPlainDate();
}

/** The occurrence on a day; `undefined` after the year 9999. */
function occurrenceOn(date: Temporal.PlainDate, { start, recurrence }: RepeatedDue): Occurrence | undefined {
  const wallClock = wallClockOf(start, recurrence.timeZone);
  // Of two equal times, the start may be the later.
  if (date.equals(wallClock.toPlainDate())) {
    return { dueDate: start, moment: momentOf(start, recurrence.timeZone), wallClock };
  }
  return occurrenceAt(date.toPlainDateTime(wallClock.toPlainTime()), isFloating(start), recurrence.timeZone);
}

/** `undefined` after the year 9999. */
function occurrenceAt(wallClock: Temporal.PlainDateTime, floating: boolean, timeZone: string): Occurrence | undefined {
  const moment = wallClock.toZonedDateTime(timeZone).epochMilliseconds;
  const dueDate = parseDueDate(floating ? textOf(wallClock) : timestamp(new Date(moment)));
  return dueDate && { dueDate, moment, wallClock };
}

function isOver({ until }: RecurrenceRule, { moment, wallClock }: Occurrence): boolean {
  if (until === undefined) return false;
  return isFloating(until)
    ? textOf(wallClock) > textOf(Temporal.PlainDateTime.from(until))
    : moment > Date.parse(until);
}

function textOf(wallClock: Temporal.PlainDateTime): string {
  return wallClock.toString({ smallestUnit: 'millisecond' });
}

function wallClockOf(due: DueDate, timeZone: string): Temporal.PlainDateTime {
  return isFloating(due) ? Temporal.PlainDateTime.from(due) : zoned(due, timeZone).toPlainDateTime();
}

function momentOf(due: DueDate, timeZone: string): number {
  return zoned(due, timeZone).epochMilliseconds;
}

function zoned(due: DueDate, timeZone: string): Temporal.ZonedDateTime {
  return isFloating(due)
    ? Temporal.PlainDateTime.from(due).toZonedDateTime(timeZone)
    : Temporal.Instant.from(due).toZonedDateTimeISO(timeZone);
}

function dateOf(moment: number, timeZone: string): Temporal.PlainDate {
  return Temporal.Instant.fromEpochMilliseconds(moment).toZonedDateTimeISO(timeZone).toPlainDate();
}

/** The unit of each frequency, whose number is that of a rule's periods if its interval is 1. */
const UNITS = { DAILY: 'days', WEEKLY: 'weeks', MONTHLY: 'months', YEARLY: 'years' } as const;

/**
 * In how many periods to look for dates, so that no rule takes long. One that has no date in them is refused; where they
 * are all missed, the series ends.
 */
const ENOUGH_PERIODS = { DAILY: 1_000, WEEKLY: 1_000, MONTHLY: 1_000, YEARLY: 100 };

/** How many periods are looked at in one step, at most. The first steps are small, as the next date is mostly near. */
const MOST_PERIODS = 256;

const LAST_DAY = Temporal.PlainDate.from('9999-12-31');

/** The dates that a rule gives after its start, from a date on. */
function* datesAfter(
  rule: RecurrenceRule,
  start: Temporal.PlainDate,
  from: Temporal.PlainDate,
): Generator<Temporal.PlainDate> {
  const pattern = patternOf(rule, start);
  const { freq, interval } = pattern;
  const firstPeriod = periodOf(start, freq);
  const indexOf = (date: Temporal.PlainDate) => {
    const distance = firstPeriod.until(periodOf(date, freq), { largestUnit: UNITS[freq] })[UNITS[freq]];
    return Math.max(0, Math.floor(distance / interval));
  };
  const periodAt = (index: number) => firstPeriod.add({ [UNITS[freq]]: index * interval });

  let index = indexOf(from);
  const datesBetween = finder(pattern, periodAt(index));
  const end = Math.min(index + ENOUGH_PERIODS[freq], indexOf(LAST_DAY) + 1);
  for (let size = 2; index < end; size = Math.min(2 * size, MOST_PERIODS)) {
    const next = Math.min(index + size, end);
    for (const date of datesBetween(periodAt(index), periodAt(next).subtract({ days: 1 }))) {
      if (isBefore(start, date) && !isBefore(date, from) && !isBefore(LAST_DAY, date)) yield date;
    }
    index = next;
  }
}

function isBefore(one: Temporal.PlainDate, other: Temporal.PlainDate): boolean {
  return Temporal.PlainDate.compare(one, other) < 0;
}

/** The first day of the period that a date is in. */
function periodOf(date: Temporal.PlainDate, freq: RecurrenceFrequency): Temporal.PlainDate {
  if (freq === 'DAILY') return date;
  if (freq === 'WEEKLY') return date.subtract({ days: date.dayOfWeek - 1 });
  return date.with(freq === 'MONTHLY' ? { day: 1 } : { month: 1, day: 1 });
}

/** A rule with everything written out that follows from its start: the union of some lists of parts. */
interface Pattern {
  readonly freq: RecurrenceFrequency;
  readonly interval: number;
  readonly parts: readonly Parts[];
  /** The months that its dates are in; `undefined` for all. */
  readonly months?: readonly number[] | undefined;
}

type Parts = { readonly [Part in 'byDay' | 'byMonth' | 'byMonthDay' | 'bySetPos']?: RecurrenceRule[Part] | undefined };

/** How to find the dates of a pattern between two, both included. The library sees dates only, as midnights in UTC. */
function finder(
  { freq, interval, parts, months }: Pattern,
  start: Temporal.PlainDate,
): (from: Temporal.PlainDate, to: Temporal.PlainDate) => Temporal.PlainDate[] {
  const dtstart = start.toZonedDateTime('UTC');
  const rules = parts.map(
    ({ byDay, byMonth, byMonthDay, bySetPos }) =>
      new RRuleTemporal({
        freq,
        interval,
        dtstart,
        temporal: Temporal,
        ...(byDay && { byDay: byDay.map(({ day, nth }) => `${nth ?? ''}${day}`) }),
        ...(byMonth && { byMonth: [...byMonth] }),
        ...(byMonthDay && { byMonthDay: [...byMonthDay] }),
        ...(bySetPos && { bySetPos: [...bySetPos] }),
      }),
  );
  return (from, to) => {
    const between = rules.flatMap((rule) => rule.between(from.toZonedDateTime('UTC'), to.toZonedDateTime('UTC'), true));
    const dates = between.map((date) => date.toPlainDate()).filter(({ month }) => months?.includes(month) ?? true);
    return rules.length > 1 ? dates.sort(Temporal.PlainDate.compare) : dates;
  };
}

function patternOf(rule: RecurrenceRule, start: Temporal.PlainDate): Pattern {
  const { freq, interval, byDay, byMonth, byMonthDay } = rule;
  if (freq === 'WEEKLY') return { freq, interval, parts: [{ byDay: daysOfWeek(rule, start) }], months: byMonth };
  if (freq !== 'DAILY') return { freq, interval, parts: partsByMonths(rule, start) };
  // Of single days, the library looks at each one. As they only leave days out, they are days of each month.
  return interval === 1 && (byMonth ?? byMonthDay) !== undefined
    ? { freq: 'MONTHLY', interval, parts: [{ byDay, byMonth, byMonthDay: byMonthDay ?? EVERY_DAY }] }
    : { freq, interval, parts: [{ byDay }], months: byMonth };
}

const EVERY_DAY = Array.from({ length: 31 }, (_, index) => index + 1);

/** The days of each week. As they are the same in all, positions can be looked up before. */
function daysOfWeek({ byDay, bySetPos }: RecurrenceRule, start: Temporal.PlainDate): readonly RecurrenceDay[] {
  const days = WEEKDAYS.filter((day, index) => byDay?.some((one) => one.day === day) ?? index === start.dayOfWeek - 1);
  const selected = bySetPos?.map((position) => days.at(position > 0 ? position - 1 : position));
  return days.filter((day) => selected?.includes(day) ?? true).map((day) => ({ day }));
}

/** The months that have as many days, from the longest to the shortest. */
const MONTHS_OF_A_LENGTH = [[1, 3, 5, 7, 8, 10, 12], [4, 6, 9, 11], [2]];

/**
 * What `MONTHLY` and `YEARLY` mean. Days that a month does not have are written as its last one, in a list of parts for
 * each length of months: the library does so by itself only where BYMONTHDAY is left out.
 */
function partsByMonths(
  { freq, byDay, byMonth, byMonthDay, bySetPos }: RecurrenceRule,
  start: Temporal.PlainDate,
): Parts[] {
  const days = byMonthDay ?? (byDay === undefined ? [start.day] : undefined);
  const ofStart = freq === 'YEARLY' && byDay === undefined && byMonthDay === undefined ? [start.month] : undefined;
  const months = byMonth ?? ofStart;
  if (days === undefined || Math.max(...days) <= 28) {
    return [{ byDay, byMonth: months, byMonthDay: days, bySetPos }];
  }
  const [long = [], short = [], february = []] = MONTHS_OF_A_LENGTH.map((sameLength) =>
    sameLength.filter((month) => months?.includes(month) ?? true),
  );
  return [
    { byDay, byMonth: long, byMonthDay: days, bySetPos },
    { byDay, byMonth: short, byMonthDay: cutAt(30, days, 30), bySetPos },
    { byDay, byMonth: february, byMonthDay: cutAt(28, days, -1), bySetPos },
  ].filter((parts) => parts.byMonth.length > 0);
}

/** Some days of a month, with its last one for those that may be after it. */
function cutAt(shortest: number, days: readonly number[], lastDay: number): number[] {
  const some = days.filter((day) => day <= shortest);
  return some.length === days.length ? some : [...new Set([...some, lastDay])];
}
