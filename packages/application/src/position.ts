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
