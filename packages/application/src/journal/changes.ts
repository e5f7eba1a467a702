import type { Actor, Task, TaskEventType, TaskId } from '@todo-backend/domain';
import * as v from 'valibot';
import { ResyncRequiredError } from '../errors.js';
import { type JournalPosition, journalPosition, placeOf } from '../position.js';
import { countUpTo, positionInput } from '../validation.js';

/** The maximum number of changes in a page. */
export const CHANGES_MAX_LIMIT = 1_000;

/** The entries that one page looks at, at the most. A task that changes again after them comes again, too. */
export const CHANGES_MAX_ENTRIES = 2_000;

/** A task that has changed. */
export interface TaskChange {
  readonly taskId: TaskId;
  /** The task as it is now; `undefined` when it does not exist any more. */
  readonly task: Task | undefined;
  /** The position of its last change. */
  readonly position: JournalPosition;
  /** What that change was, who made it, and what it belongs to. */
  readonly type: TaskEventType;
  readonly actor: Actor;
  readonly correlationId: string | null;
}

/** What follows an entry of a journal, all of one moment. */
export interface JournalSpan {
  /** How far the journal has come. */
  readonly position: JournalPosition;
  /** The id of the entry that it follows, where that is still there. */
  readonly startId: string | undefined;
  /** How many entries follow, up to {@link CHANGES_MAX_ENTRIES}. */
  readonly entries: number;
  /** The sequence of the last of these. */
  readonly end: number;
  /** The tasks that these entries are about, in the order of the last entry of each. */
  readonly changes: readonly TaskChange[];
}

/** The input of {@link ChangesQuerySchema}. */
export interface ChangesQueryInput {
  /** A position from an earlier answer. */
  readonly since?: string | undefined;
  /** 1 to {@link CHANGES_MAX_LIMIT}; default 200. */
  readonly limit?: number | undefined;
}

/** Checks {@link ChangesQueryInput}. Unknown names are ignored. */
export const ChangesQuerySchema = v.object({
  since: positionInput('Since', 'The position up to which the changes are known. Without it, there are no changes.'),
  limit: v.optional(countUpTo('Limit', CHANGES_MAX_LIMIT, 'At the most so many changes.'), 200),
} satisfies Record<keyof ChangesQueryInput, v.GenericSchema>);

/** Changes, and the position up to which these are all. */
export interface ChangesPage {
  readonly changes: readonly TaskChange[];
  readonly position: JournalPosition;
  /** Whether there are more changes after that position. */
  readonly more: boolean;
}

/**
 * The page that begins at a position.
 *
 * @param span what follows the position, with one change more than the limit
 * @throws `ResyncRequiredError` (`RESYNC_REQUIRED`) when the journal does not go on from the position without a gap
 */
export function pageOf(span: JournalSpan, since: JournalPosition, limit: number): ChangesPage {
  if (span.position === since) return { changes: [], position: since, more: false };
  if (!goesOn(span, since)) throw new ResyncRequiredError();
  const changes = span.changes.slice(0, limit);
  const more = span.changes.length > limit || span.end < placeOf(span.position).sequence;
  return { changes, position: (more ? changes.at(-1)?.position : undefined) ?? span.position, more };
}

/** Whether these entries follow the position, without a gap: sequences have none, and pruning makes some. */
function goesOn({ startId, entries, end }: JournalSpan, since: JournalPosition): boolean {
  const { sequence, idEnd } = placeOf(since);
  const startsThere = sequence === 0 ? since === journalPosition(0) : startId?.endsWith(idEnd) === true;
  return startsThere && entries > 0 && entries === end - sequence;
}
