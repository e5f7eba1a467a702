import type { JournalEntry } from '../journal/journal.js';

/** The result of publishing an event. `reason` is for operators. */
export type Delivery =
  | { readonly outcome: 'accepted' }
  /** The sink will never accept this event. */
  | { readonly outcome: 'rejected'; readonly reason: string }
  /** The sink was reached but did not accept the event this time. The event may be the cause. */
  | { readonly outcome: 'failed'; readonly reason: string /** Milliseconds. */; readonly retryAfter?: number }
  /** There was no connection to the sink, which says nothing about the event. */
  | { readonly outcome: 'unreachable'; readonly reason: string };

/** Publishes events to other systems. */
export interface EventSink {
  /** Publishes one event. Never throws because of the sink, and takes a few seconds at most. */
  publish(entry: JournalEntry): Promise<Delivery>;
}
