import type { UserId } from '@todo-backend/domain';
import type { JournalEntry } from '../journal/journal.js';

/** Events of one user that have not been handed on, claimed by one relay. */
export interface WaitingEvents {
  readonly userId: UserId;
  /** Tells this claim from every other one of the same user. */
  readonly claim: string;
  /** In their order, without a gap but for those that are no longer kept. */
  readonly entries: readonly JournalEntry[];
  /** The sequence that is reached when all of them have been delivered. */
  readonly upTo: number;
  /** How often the first of them has failed. */
  readonly attempts: number;
}

/** A dead letter that an operator has requeued, claimed by one relay. */
export interface RequeuedEvent {
  readonly entry: JournalEntry;
  /** Tells this claim from every other one of the same event. */
  readonly claim: string;
  /** How often it has failed since it was requeued. */
  readonly attempts: number;
}

/** An event that becomes a dead letter. `reason` is for operators. */
export interface BuriedEvent {
  readonly entry: JournalEntry;
  readonly reason: string;
}

/** When to try again. */
export interface Retry {
  /** How often the event that comes next has failed. */
  readonly attempts: number;
  /** Milliseconds before which nobody should try again. */
  readonly delay: number;
}

/** How far the delivery of one user's events got. */
export interface Settlement extends Retry {
  /** The sequence up to which all is done; `undefined` when nothing new is. */
  readonly reached: number | undefined;
  /** Those of the events up to there that become dead letters, until an operator requeues them. */
  readonly buried: readonly BuriedEvent[];
}

/**
 * The journal of all users as a queue of what is still to be handed on. For the relay, never for a user.
 *
 * After its lease a claim ends as soon as somebody else claims the same. Whoever settles a claim that has ended, or was
 * settled before, changes nothing, and is told so with `false`.
 */
export interface Outbox {
  /**
   * Claims some users whose events wait, and some dead letters that an operator has requeued. Nobody else gets them
   * until they are settled, or `lease` milliseconds are over.
   */
  claim(lease: number): Promise<{ waiting: readonly WaitingEvents[]; requeued: readonly RequeuedEvent[] }>;

  /** Says how far a claimed user's delivery got, and gives the user free. */
  settle(claimed: WaitingEvents, settlement: Settlement): Promise<boolean>;

  /** Gives a requeued event free, to be tried again. */
  postpone(claimed: RequeuedEvent, retry: Retry): Promise<boolean>;

  /** Makes a requeued event a dead letter that rests again. */
  bury(claimed: RequeuedEvent, reason: string): Promise<boolean>;

  /** Takes the mark away, whoever has claimed the event: it has been delivered after all. */
  unbury(entry: JournalEntry): Promise<void>;
}
