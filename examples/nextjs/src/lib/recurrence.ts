import type { Recurrence } from './api';
import { inWords } from './due-date';

/*
 * Rules by which tasks repeat, as RFC 5545 has them (`FREQ=WEEKLY;BYDAY=MO`): the common ones can be chosen, others are kept
 * as they are. Which ones are right, and which dates they give, is for the API to say.
 */

/** In the order of a week. */
export const WEEKDAYS = {
  MO: 'Monday',
  TU: 'Tuesday',
  WE: 'Wednesday',
  TH: 'Thursday',
  FR: 'Friday',
  SA: 'Saturday',
  SU: 'Sunday',
} as const;

export type Weekday = keyof typeof WEEKDAYS;
const DAYS = Object.keys(WEEKDAYS) as Weekday[];
const WORKDAYS = 'FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR';

export const UNITS = { DAILY: 'days', WEEKLY: 'weeks', MONTHLY: 'months', YEARLY: 'years' } as const;
type Unit = keyof typeof UNITS;

/** A rule as the fields of a form have it. */
export interface Pattern {
  readonly unit: Unit;
  readonly every: string;
  /** Of weeks. */
  readonly days: readonly Weekday[];
  readonly end: 'never' | 'until' | 'count';
  readonly until: string;
  readonly count: string;
}

const PLAIN: Pattern = { unit: 'WEEKLY', every: '1', days: [], end: 'never', until: '', count: '10' };

/** The rules that can be chosen by their names, for a task that is due on this day. */
export function presets(day: string) {
  const weekday = weekdayOf(day);
  return {
    daily: { name: 'Daily', rule: 'FREQ=DAILY' },
    weekdays: { name: 'Weekdays', rule: WORKDAYS },
    weekly: { name: `Weekly on ${WEEKDAYS[weekday]}`, rule: `FREQ=WEEKLY;BYDAY=${weekday}` },
    monthly: { name: `Monthly on day ${dayOfMonth(day)}`, rule: `FREQ=MONTHLY;BYMONTHDAY=${dayOfMonth(day)}` },
    yearly: { name: 'Yearly', rule: 'FREQ=YEARLY' },
  };
}

export type Preset = keyof ReturnType<typeof presets>;

/** Which of these a rule is. */
export function presetOf({ rule, anchor }: Recurrence, day: string): Preset | undefined {
  if (anchor !== 'schedule') return undefined;
  const choices = presets(day);
  return (Object.keys(choices) as Preset[]).find((name) => plain(choices[name].rule) === plain(rule));
}

export function ruleOf({ unit, every, days, end, until, count }: Pattern, day: string): string {
  const parts = [
    `FREQ=${unit}`,
    every !== '1' && `INTERVAL=${every}`,
    unit === 'WEEKLY' && days.length > 0 && `BYDAY=${DAYS.filter((name) => days.includes(name)).join(',')}`,
    unit === 'MONTHLY' && `BYMONTHDAY=${dayOfMonth(day)}`,
    end === 'until' && `UNTIL=${until.replaceAll('-', '')}`,
    end === 'count' && `COUNT=${count}`,
  ];
  return parts.filter(Boolean).join(';');
}

/** The fields of a form for this rule; as for a new one where it has more than they can have. */
export function patternOf(rule: string | undefined, day: string): Pattern {
  const read = rule === undefined ? undefined : readRule(rule);
  if (!read || (read.monthDay ?? dayOfMonth(day)) !== dayOfMonth(day)) return { ...PLAIN, days: [weekdayOf(day)] };
  const { unit, every, days, until, count } = read;
  const end = until !== undefined ? 'until' : count !== undefined ? 'count' : 'never';
  return { unit, every, days, end, until: until ?? '', count: count ?? PLAIN.count };
}

/** A rule in words, such as `Every 2 weeks on Monday and Friday, 5 times`; as it is where it has more than they can say. */
export function inShort({ rule, anchor }: Recurrence): string {
  return [ruleInWords(rule) ?? rule, anchor === 'completion' && 'from when it is done'].filter(Boolean).join(', ');
}

function ruleInWords(rule: string): string | undefined {
  const read = readRule(rule);
  if (!read) return undefined;
  const { unit, every, days, monthDay, until, count } = read;
  const one = UNITS[unit].slice(0, -1);
  const on = [
    days.length > 0 && `on ${NAMES.format(days.map((day) => WEEKDAYS[day]))}`,
    monthDay !== undefined && `on day ${monthDay}`,
  ];
  const start = [every === '1' ? `Every ${one}` : `Every ${every} ${UNITS[unit]}`, ...on].filter(Boolean).join(' ');
  return [
    every === '1' && days.length === 5 && !days.some((day) => day === 'SA' || day === 'SU') ? 'Every weekday' : start,
    until !== undefined && `until ${inWords(`${until}T00:00:00`)}`,
    count !== undefined && (count === '1' ? 'once' : `${count} times`),
  ]
    .filter(Boolean)
    .join(', ');
}

const NAMES = new Intl.ListFormat('en-GB');

/** What a rule says, where that is no more than this. */
function readRule(rule: string) {
  const {
    FREQ: unit,
    INTERVAL: every = '1',
    BYDAY,
    BYMONTHDAY: monthDay,
    UNTIL,
    COUNT: count,
    ...others
  } = partsOf(rule);
  if (unit === undefined || !isUnit(unit) || Object.keys(others).length > 0) return undefined;
  const days = BYDAY?.split(',') ?? [];
  if (!days.every(isWeekday) || (days.length > 0 && unit !== 'WEEKLY')) return undefined;
  if (monthDay !== undefined && (unit !== 'MONTHLY' || !/^\d+$/.test(monthDay))) return undefined;
  // With a time of day it is none that can be chosen.
  const [, year, month, day] = /^(\d{4})(\d\d)(\d\d)$/.exec(UNTIL ?? '') ?? [];
  if (UNTIL !== undefined && year === undefined) return undefined;
  return { unit, every, days, monthDay, until: year && `${year}-${month}-${day}`, count };
}

function partsOf(rule: string): Partial<Record<string, string>> {
  return Object.fromEntries(
    rule
      .toUpperCase()
      .split(';')
      .map((part) => part.split('=')),
  );
}

/** The same for all ways to write a rule. */
function plain(rule: string): string {
  const parts = rule
    .toUpperCase()
    .split(';')
    .map((part) => part.split(/[=,]/).sort().join());
  return parts
    .filter((part) => part !== '1,INTERVAL')
    .sort()
    .join(';');
}

function weekdayOf(day: string): Weekday {
  // Noon: in some zones a day has no midnight.
  return DAYS[(new Date(`${day}T12:00:00`).getDay() + 6) % 7] ?? 'MO';
}

function dayOfMonth(day: string): string {
  return String(Number(day.slice(-2)));
}

function isUnit(text: string): text is Unit {
  return Object.hasOwn(UNITS, text);
}

function isWeekday(text: string): text is Weekday {
  return Object.hasOwn(WEEKDAYS, text);
}
