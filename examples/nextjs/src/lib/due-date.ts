/*
 * The API gives two kinds of due dates. `2026-03-10T00:00:00` has no time zone: it is what the clock on the wall shows,
 * and the browser reads it as local time. `2026-03-10T04:30:00.000Z` is an instant, shown as the local time that it is.
 */

/** In the reader's language. Made once: with 2,000 dates that is most of the work. */
const NEAR = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: 'short', day: 'numeric', month: 'short' });
const DAY_AND_YEAR = new Intl.DateTimeFormat(undefined, {
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  year: 'numeric',
});
const TIME = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

/** The day of a due date here, as `<input type="date">` has it: `2026-03-10`. */
export function dayOf(dueDate: string): string {
  // A wall clock has its day in it.
  return dueDate.endsWith('Z') ? calendarDay(new Date(dueDate)) : dueDate.slice(0, 10);
}

/** The time of a due date here, as `<input type="time">` has it: `09:30`; empty where it is a whole day. */
export function timeOf(dueDate: string): string {
  if (isWholeDay(dueDate)) return '';
  const date = new Date(dueDate);
  return `${digits(date.getHours(), 2)}:${digits(date.getMinutes(), 2)}`;
}

/** When a task is due, as an `<input type="date">` and an `<input type="time">` have it. */
export interface When {
  /** Empty for no due date. */
  readonly day: string;
  /** Empty for the whole day. */
  readonly time: string;
}

export function whenOf(dueDate: string | null | undefined): When {
  return dueDate ? { day: dayOf(dueDate), time: timeOf(dueDate) } : { day: '', time: '' };
}

/** The due date that is meant by the values of an `<input type="date">` and an `<input type="time">`. */
export function dueOn({ day, time }: When): string | null {
  return day === '' ? null : `${day}T${time || '00:00'}:00`;
}

/** The day so many days after today. */
export function dayIn(days: number, now: Date): string {
  // Noon: in some zones a day has no midnight.
  return calendarDay(new Date(now.getFullYear(), now.getMonth(), now.getDate() + days, 12));
}

/** A due date in words, such as `Tomorrow`, `Today 09:30` or `Tue 10 March 2026, 09:30`. */
export function inWords(dueDate: string, now = new Date()): string {
  const date = new Date(dueDate);
  const near = nearDay(date, now);
  const time = isWholeDay(dueDate) ? '' : TIME.format(date);
  if (near !== undefined) return [near, time].join(' ').trim();
  return farDay(date, now) + (time && `, ${time}`);
}

/** A wall clock at midnight is the day. */
function isWholeDay(dueDate: string): boolean {
  return dueDate.endsWith('T00:00:00');
}

/** Whether the day of a due date, or its time where it has one, is over. */
export function isOver(dueDate: string, now: Date, today = dayIn(0, now)): boolean {
  return isWholeDay(dueDate) ? dayOf(dueDate) < today : new Date(dueDate) < now;
}

function nearDay(date: Date, now: Date): string | undefined {
  const day = calendarDay(date);
  const offset = [-1, 0, 1].find((offset) => dayIn(offset, now) === day);
  if (offset === undefined) return undefined;
  const [first = '', ...rest] = NEAR.format(offset, 'day');
  return first.toLocaleUpperCase() + rest.join('');
}

function farDay(date: Date, now: Date): string {
  return (date.getFullYear() === now.getFullYear() ? DAY : DAY_AND_YEAR).format(date);
}

function calendarDay(date: Date): string {
  return [digits(date.getFullYear(), 4), digits(date.getMonth() + 1, 2), digits(date.getDate(), 2)].join('-');
}

function digits(number: number, length: number): string {
  return String(number).padStart(length, '0');
}
