import type { JournalEntry } from '../journal/journal.js';

/** What became of an event that was handed to a sink. `reason` is for operators. */
export type Delivery =
  | { readonly outcome: 'accepted' }
  /** The sink will never take this event. */
  | { readonly outcome: 'rejected'; readonly reason: string }
  /** The sink was there, and did not take the event this time. It may be the event's fault. */
  | { readonly outcome: 'failed'; readonly reason: string /** Milliseconds. */; readonly retryAfter?: number }
  /** There was no connection to the sink, which says nothing about this event or any other. */
  | { readonly outcome: 'unreachable'; readonly reason: string };

/** Where events go that other systems are to hear of. */
export interface EventSink {
  /** Hands one event on. Never throws for what the sink does, and never takes longer than some seconds. */
  publish(entry: JournalEntry): Promise<Delivery>;
}
