/**
 * A moment in UTC, as ISO 8601 with milliseconds: `2026-03-10T04:30:00.000Z`. The fixed width makes alphabetical order
 * the order of time.
 */
export type Timestamp = string;

/** Writes a `Date` as a {@link Timestamp}. */
export function timestamp(date: Date): Timestamp {
  return date.toISOString();
}

/** The moment one millisecond after `moment`. */
export function justAfter(moment: Timestamp): Timestamp {
  return timestamp(new Date(Date.parse(moment) + 1));
}
