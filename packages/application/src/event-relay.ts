import type { UserId } from '@todo-backend/domain';
import type { EventSink, JournalEntry, Outbox } from './ports.js';

/** How patient a relay is. All times in milliseconds. */
export interface RelayOptions {
  /** Answers that an event may fail with before it becomes a dead letter. Default 20: about an hour. */
  readonly maxAttempts?: number;
  /** The delay after the first failure; doubled with each one more. Default 1,000. */
  readonly firstDelay?: number;
  /** Default 300,000. */
  readonly longestDelay?: number;
  /** How long users are claimed. Default 60,000. */
  readonly lease?: number;
}

/** How a round went. */
export interface RelayRound {
  /** Events that the sink has taken. */
  readonly delivered: number;
  /** Why the sink could not be reached, where that was so. Nothing is known of the events then. */
  readonly unreachable?: string;
  /** What an operator should hear of. */
  readonly buried: readonly { readonly entry: JournalEntry; readonly reason: string }[];
}

/**
 * Hands the journal's events on to a sink: each one at least once, those of one user in their order. What the sink does
 * not take is tried again, later and later; what it refuses, or fails with again and again, becomes a dead letter and
 * lets the next ones pass. Any number of relays may work on one outbox.
 *
 * @returns a function that does one round; call it again at once while it delivers, and a little later when it does not.
 *   Its argument is asked before each event whether to stop early.
 */
export function eventRelay(
  { outbox, sink }: { readonly outbox: Outbox; readonly sink: EventSink },
  { maxAttempts = 20, firstDelay = 1_000, longestDelay = 300_000, lease = 60_000 }: RelayOptions = {},
) {
  return async function round(isStopping: () => boolean = () => false): Promise<RelayRound> {
    const buried: { entry: JournalEntry; reason: string }[] = [];
    let delivered = 0;
    let unreachable: string | undefined;
    // Half of the lease is for the events, the other half for the slowest answer to the last one.
    const end = Date.now() + lease / 2;
    const isOver = () => isStopping() || unreachable !== undefined || Date.now() > end;

    async function bury(entry: JournalEntry, reason: string): Promise<void> {
      await outbox.bury(entry, reason);
      buried.push({ entry, reason });
    }

    async function deliver(user: UserId, entries: readonly JournalEntry[], upTo: number, failures: number) {
      let attempts = failures;
      let reached: number | undefined;
      for (const entry of entries) {
        if (isOver()) return outbox.settle(user, { reached, attempts, delay: 0 });
        const delivery = await sink.publish(entry);
        if (delivery.outcome === 'unreachable') {
          unreachable = delivery.reason;
          return outbox.settle(user, { reached, attempts, delay: 0 });
        }
        if (delivery.outcome === 'failed' && attempts + 1 < maxAttempts) {
          const backoff = Math.min(longestDelay, firstDelay * 2 ** attempts) * (0.5 + Math.random() / 2);
          const delay = Math.max(backoff, delivery.retryAfter ?? 0);
          return outbox.settle(user, { reached, attempts: attempts + 1, delay });
        }
        if (delivery.outcome === 'accepted') delivered++;
        else await bury(entry, delivery.reason);
        reached = entry.sequence;
        attempts = 0;
      }
      return outbox.settle(user, { reached: upTo, attempts: 0, delay: 0 });
    }

    async function deliverAgain(entry: JournalEntry): Promise<void> {
      if (isOver()) return;
      const delivery = await sink.publish(entry);
      if (delivery.outcome === 'unreachable') unreachable = delivery.reason;
      else if (delivery.outcome !== 'accepted') await bury(entry, delivery.reason);
      else {
        delivered++;
        await outbox.unbury(entry);
      }
    }

    const { waiting, requeued } = await outbox.claim(lease);
    await Promise.all([
      ...waiting.map(({ userId, entries, upTo, attempts }) => deliver(userId, entries, upTo, attempts)),
      ...requeued.map(deliverAgain),
    ]);
    return { delivered, buried, ...(unreachable !== undefined && { unreachable }) };
  };
}
