/**
 * A place in a user's journal: how far it has come. An opaque text, to be compared for equality only. It names the newest
 * event and not only its number, so that two histories, such as before and after a backup was restored, never look alike.
 */
export type JournalPosition = string;

/** Characters of the event's id in a position: the last ones, which are random. */
export const POSITION_ID_LENGTH = 8;

/**
 * The position of an event.
 *
 * @param sequence its number; 0 before the first
 * @param eventId its id, if there is one
 */
export function journalPosition(sequence: number, eventId?: string | null): JournalPosition {
  return sequence.toString(16) + (eventId ?? '').slice(-POSITION_ID_LENGTH).padStart(POSITION_ID_LENGTH, '0');
}

/** A {@link JournalPosition} that was read: the number of an event, and the end of its id. */
export interface JournalPlace {
  readonly sequence: number;
  readonly idEnd: string;
}

/** What a position looks like, as a regular expression. A sequence has 31 bits. */
export const POSITION_PATTERN = `^(?:0|[1-9a-f][\\da-f]{0,6}|[1-7][\\da-f]{7})[\\da-f]{${POSITION_ID_LENGTH}}$`;

/** Reads a position that matches {@link POSITION_PATTERN}. */
export function placeOf(position: JournalPosition): JournalPlace {
  return {
    sequence: Number.parseInt(position.slice(0, -POSITION_ID_LENGTH), 16),
    idEnd: position.slice(-POSITION_ID_LENGTH),
  };
}
