import type { Task, JournalQuery as WrittenJournalQuery } from './types.js';

/** A task that has changed. */
export interface Change {
  taskId: string;
  /** The task as it is now; null when it was deleted. */
  task: Task | null;
  /** Where this change is in the journal: opaque, to be compared for equality alone. */
  position: string;
}

/** What has changed since a position. */
export interface ChangesPage {
  /** Each changed task once, in the order of its last change. Applying one twice does no harm. */
  changes: Change[];
  /** Where to go on: the `since` of the next call. */
  position: string;
  /** Whether there is more by now. */
  more: boolean;
}

export interface ChangesQuery {
  /** The position up to which the changes are known. Without it: no changes, and the present position. */
  since?: string;
  /** At the most so many changes. */
  limit?: number;
}

/** A change as it happens: also what was done, and by whom. */
export interface WatchedChange extends Change {
  type: string;
  actor: { type: 'user' | 'agent'; id: string };
  /** The `X-Request-Id` of the request that did it. */
  correlationId: string | null;
}

/** What to take back: events by their ids, or all that one request did. */
export type Undo = ({ events: string[] } | { correlationId: string }) & {
  /** Whether nothing is done, and only told what would be. */
  dryRun?: boolean;
  /** Whether all of it is taken back or nothing. Otherwise what can be taken back is. */
  atomic?: boolean;
};

/** What became of one event that was to be taken back. */
export interface UndoResult {
  eventId: string;
  taskId: string;
  outcome: 'undone' | 'nothing' | 'conflict';
  /** What was put back, or what was changed since. */
  fields: string[];
  /** The task as it is now; null when it is not there any more. */
  task: Task | null;
}

/** A deleted task that can be restored. */
export interface TrashedTask {
  /** The event that deleted it. */
  eventId: string;
  task: Task;
  deletedAt: string;
  deletedBy: { type: 'user' | 'agent'; id: string };
  restorableUntil: string;
}

export interface TrashQuery {
  /** At the most so many tasks. */
  limit?: number;
  /** Where to go on, as the link to the next part of an earlier answer has it. */
  cursor?: string;
}

export interface JournalQuery extends Omit<WrittenJournalQuery, 'cursor'> {
  /** Where to go on, as the link to the next part of an earlier answer has it. */
  cursor?: string;
  /** Only what happened after this position, oldest first. */
  after?: string;
}
