declare const dueDate: unique symbol;

/**
 * When a task is due, in its canonical format. It is of one of two kinds, which never changes:
 *
 * - **floating**, a wall clock without a zone: `2026-03-10T00:00:00` (`.250` is added where there are milliseconds).
 *   A browser reads that as local time, so 10 March is 10 March everywhere.
 * - **an instant**, in UTC: `2026-03-10T04:30:00.000Z`.
 *
 * Two due dates are equal when their texts are.
 */
export type DueDate = string & { readonly [dueDate]: true };

/** The message for a text that {@link parseDueDate} does not accept. */
export const DUE_DATE_PROBLEM =
  'Due date must be a real date such as 2026-03-10, 2026-03-10T09:30 or 2026-03-10T09:30:00Z, in the years 0001 to 9999.';

/** The parts of a due date, as regular expressions. */
const PARTS = {
  date: String.raw`(?!0000)\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])`,
  time: String.raw`(?:[01]\d|2[0-3]):[0-5]\d`,
  seconds: String.raw`[0-5]\d`,
  fraction: String.raw`\d{1,3}`,
  zone: String.raw`(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)`,
};

function grammar({ date, time, seconds, fraction, zone }: typeof PARTS): string {
  return String.raw`${date}(?:T${time}(?::${seconds}(?:\.${fraction}0*)?)?${zone}?)?`;
}

/** The formats that {@link parseDueDate} reads, as a regular expression (ECMA-262) without anchors. */
export const DUE_DATE_PATTERN = grammar(PARTS);

const named = Object.entries(PARTS).map(([name, pattern]) => [name, `(?<${name}>${pattern})`]);
const SHAPE = new RegExp(`^${grammar(Object.fromEntries(named))}$`);

/**
 * Reads a due date from the ISO 8601 profile of RFC 3339, where the time, the seconds and the zone may be left out.
 * A date alone is midnight on the wall clock.
 *
 * @returns the canonical format, or `undefined` when the text is not a date in the years 0001 to 9999 or is more
 *   precise than a millisecond. Nothing is rounded or guessed.
 */
export function parseDueDate(text: string): DueDate | undefined {
  const parts = SHAPE.exec(text)?.groups;
  if (parts === undefined) return undefined;
  const { date, time = '00:00', seconds = '00', fraction = '', zone } = parts;

  const wallClock = `${date}T${time}:${seconds}.${fraction.padEnd(3, '0')}`;
  // `Date` rolls 30 February over to March, so an invalid date does not round-trip.
  if (toIso(Date.parse(`${wallClock}Z`)) !== `${wallClock}Z` || wallClock < '0001') return undefined;
  if (zone === undefined) return wallClock.replace(/\.000$/, '') as DueDate;

  const instant = toIso(Date.parse(`${wallClock}${zone}`));
  return instant !== undefined && /^\d/.test(instant) && instant >= '0001' ? (instant as DueDate) : undefined;
}

/**
 * Reads a time as other systems write it: besides the formats of {@link parseDueDate}, with more digits than
 * milliseconds have (which are cut), `t` and `z` in lower case, a space for the `T`, and a zone without a colon.
 */
export function parseForeignDate(text: string): DueDate | undefined {
  const [, date, time, fraction = '', zone = ''] = FOREIGN.exec(text) ?? [];
  if (date === undefined) return undefined;
  if (time === undefined) return parseDueDate(date);
  return parseDueDate(`${date}T${time}${fraction.slice(0, 4)}${zone.toUpperCase().replace(/(\d\d)(\d\d)$/, '$1:$2')}`);
}

/** Longer fractions than of a femtosecond are nobody's. */
const FOREIGN = new RegExp(
  `^(${PARTS.date})(?:[Tt ](${PARTS.time}(?::${PARTS.seconds})?)(\\.\\d{1,15})?([Zz]|[+-](?:[01]\\d|2[0-3]):?[0-5]\\d)?)?$`,
);

/** The formats that {@link parseForeignDate} reads, as a regular expression (ECMA-262) without anchors. */
export const FOREIGN_DATE_PATTERN = FOREIGN.source.slice(1, -1);

/** Whether the due date is a wall clock without a zone, rather than an instant. */
export function isFloating(due: DueDate): boolean {
  return !due.endsWith('Z');
}

/** Orders due dates by time; floating ones count as if they were UTC. Negative when `a` comes first. */
export function compareDueDates(a: DueDate, b: DueDate): number {
  return asUtc(a) - asUtc(b);
}

function asUtc(due: DueDate): number {
  return Date.parse(isFloating(due) ? `${due}Z` : due);
}

function toIso(milliseconds: number): string | undefined {
  return Number.isNaN(milliseconds) ? undefined : new Date(milliseconds).toISOString();
}
