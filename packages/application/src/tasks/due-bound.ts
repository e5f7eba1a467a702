import { type DueDate, isFloating } from '@todo-backend/domain';
import { Temporal } from 'temporal-polyfill';

/**
 * A bound for due dates: one for wall clocks, and one for instants in UTC. Both are texts such as
 * `2026-03-10T09:30:00.000`, which sort by time; `-infinity` and `infinity` are outside the years 0001 to 9999.
 */
export interface DueBound {
  readonly floating: string;
  readonly instant: string;
}

/**
 * What a due date means as a bound, for due dates of both kinds. A wall clock is taken for the first moment at which the
 * clocks of the zone show that time or a later one, so the two kinds have one order, whatever the clocks do: the earlier
 * one of two, and the end of the gap where a time does not exist.
 *
 * @param timeZone an IANA time zone
 */
export function dueBound(due: DueDate, timeZone: string): DueBound {
  if (!isFloating(due)) {
    const instant = Temporal.Instant.from(due).toZonedDateTimeISO(timeZone);
    return { floating: textOf(firstWallClockFrom(instant)), instant: textOf(utc(instant)) };
  }
  const wallClock = Temporal.PlainDateTime.from(due);
  return { floating: textOf(wallClock), instant: textOf(utc(firstMomentOf(wallClock, timeZone))) };
}

/** Whether a due date is at a bound or after it. */
export function isDueFrom(due: DueDate, { floating, instant }: DueBound): boolean {
  const text = due.replace('Z', '');
  return (text.includes('.') ? text : `${text}.000`) >= (isFloating(due) ? floating : instant);
}

function firstMomentOf(wallClock: Temporal.PlainDateTime, timeZone: string): Temporal.ZonedDateTime {
  const moment = wallClock.toZonedDateTime(timeZone, { disambiguation: 'earlier' });
  if (moment.toPlainDateTime().equals(wallClock)) return moment;
  // It lies in a gap, which begins after the moment that was found instead.
  return moment.getTimeZoneTransition('next') ?? moment;
}

/** The first wall clock whose moment is not before this one: the one up to which the clocks had come before it. */
function firstWallClockFrom(moment: Temporal.ZonedDateTime): Temporal.PlainDateTime {
  const until = untilJustBefore(moment);
  const change = moment.getTimeZoneTransition('previous');
  if (change === null) return until;
  // Where the clocks were put back, they had come further before.
  const untilChange = untilJustBefore(change);
  return Temporal.PlainDateTime.compare(untilChange, until) > 0 ? untilChange : until;
}

function untilJustBefore(moment: Temporal.ZonedDateTime): Temporal.PlainDateTime {
  return moment.subtract({ nanoseconds: 1 }).toPlainDateTime().add({ nanoseconds: 1 });
}

function utc(moment: Temporal.ZonedDateTime): Temporal.PlainDateTime {
  return moment.withTimeZone('UTC').toPlainDateTime();
}

function textOf(time: Temporal.PlainDateTime): string {
  if (time.year > 9999) return 'infinity';
  return time.year < 1 ? '-infinity' : time.toString({ smallestUnit: 'millisecond' });
}
