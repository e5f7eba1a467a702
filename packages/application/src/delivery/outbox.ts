import type { UserId } from '@todo-backend/domain';
import type { JournalEntry } from '../journal/journal.js';

/** Undelivered events of one user, claimed by one relay. */
export interface WaitingEvents {
  readonly userId: UserId;
  /** Identifies this claim among all claims of the same user. */
  readonly claim: string;
  /** In order, without gaps except for pruned events. */
  readonly entries: readonly JournalEntry[];
  /** The sequence that is reached once all of them are delivered. */
  readonly upTo: number;
  /** How often the first entry has failed. */
  readonly attempts: number;
}

/** A dead letter that an operator has requeued, claimed by one relay. */
export interface RequeuedEvent {
  readonly entry: JournalEntry;
  /** Identifies this claim among all claims of the same event. */
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
  /** How often the next event has failed. */
  readonly attempts: number;
  /** Milliseconds to wait before the next attempt. */
  readonly delay: number;
}

/** How far the delivery of one user's events got. */
export interface Settlement extends Retry {
  /** The sequence up to which everything is settled; `undefined` when there was no progress. */
  readonly reached: number | undefined;
  /** Events up to `reached` that become dead letters. */
  readonly buried: readonly BuriedEvent[];
}

/**
 * The journal of all users as a queue of events to deliver. For the relay, not for users.
 *
 * A claim ends when its lease has expired and another relay claims the same. Settling a claim that has ended, or was
 * already settled, changes nothing and returns `false`.
 */
export interface Outbox {
  /**
   * Claims some users with waiting events, and some dead letters that an operator has requeued. No other relay gets
   * them until they are settled or `lease` milliseconds have passed.
   */
  claim(lease: number): Promise<{ waiting: readonly WaitingEvents[]; requeued: readonly RequeuedEvent[] }>;

  /** Records how far delivery got, and releases the user. */
  settle(claimed: WaitingEvents, settlement: Settlement): Promise<boolean>;

  /** Releases a requeued event for another attempt. */
  postpone(claimed: RequeuedEvent, retry: Retry): Promise<boolean>;

  /** Turns a requeued event back into a dead letter. */
  bury(claimed: RequeuedEvent, reason: string): Promise<boolean>;

  /** Removes the dead letter of a delivered event, whoever holds the claim. */
  unbury(entry: JournalEntry): Promise<void>;
}
