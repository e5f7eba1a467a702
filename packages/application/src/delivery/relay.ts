import type { BuriedEvent, Outbox, RequeuedEvent, Retry, WaitingEvents } from './outbox.js';
import type { EventSink } from './sink.js';

/** How patient a relay is. All times in milliseconds. */
export interface RelayOptions {
  /** How often an event may fail before it becomes a dead letter. Default 20: about an hour. */
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
  /** Why the sink did not take an event that will be tried again, where that was so. */
  readonly failed?: string;
  /** Why the sink could not be reached, where that was so. Nothing is known of the events then. */
  readonly unreachable?: string;
  /** What an operator should hear of. */
  readonly buried: readonly BuriedEvent[];
}

/**
 * Hands the journal's events on to a sink: each one at least once, those of one user in their order. What the sink does
 * not take is tried again, later and later, while the events of others flow; what it refuses, or fails with again and
 * again, becomes a dead letter and lets the next ones pass. Where the sink cannot be reached nothing is counted. Any
 * number of relays may work on one outbox.
 *
 * @returns a function that does one round; call it again at once while it delivers, and a little later when it does not.
 *   Its argument is asked before each event whether to stop early.
 */
export function eventRelay(
  { outbox, sink }: { readonly outbox: Outbox; readonly sink: EventSink },
  { maxAttempts = 20, firstDelay = 1_000, longestDelay = 300_000, lease = 60_000 }: RelayOptions = {},
) {
  /** What follows another failure; `undefined` when it was the last one. */
  function retry(failures: number, retryAfter = 0): Retry | undefined {
    if (failures + 1 >= maxAttempts) return undefined;
    const backoff = Math.min(longestDelay, firstDelay * 2 ** failures) * (0.5 + Math.random() / 2);
    return { attempts: failures + 1, delay: Math.max(backoff, Math.min(longestDelay, retryAfter)) };
  }

  return async function round(isStopping: () => boolean = () => false): Promise<RelayRound> {
    const buried: BuriedEvent[] = [];
    let delivered = 0;
    let failed: string | undefined;
    let unreachable: string | undefined;
    // Half of the lease is for the events, the other half for the slowest answer to the last one.
    const end = Date.now() + lease / 2;
    const isOver = () => isStopping() || unreachable !== undefined || Date.now() > end;

    async function deliver(claimed: WaitingEvents): Promise<void> {
      const dead: BuriedEvent[] = [];
      let { attempts } = claimed;
      let reached: number | undefined;
      let next: Retry | undefined;
      for (const entry of claimed.entries) {
        if (isOver()) {
          next = { attempts, delay: 0 };
          break;
        }
        const delivery = await sink.publish(entry);
        if (delivery.outcome === 'unreachable') {
          unreachable = delivery.reason;
          next = { attempts, delay: 0 };
          break;
        }
        if (delivery.outcome === 'failed') {
          next = retry(attempts, delivery.retryAfter);
          if (next !== undefined) {
            failed = delivery.reason;
            break;
          }
        }
        if (delivery.outcome === 'accepted') delivered++;
        else dead.push({ entry, reason: delivery.reason });
        reached = entry.sequence;
        attempts = 0;
      }
      const settlement = next === undefined ? { reached: claimed.upTo, attempts: 0, delay: 0 } : { reached, ...next };
      if (await outbox.settle(claimed, { ...settlement, buried: dead })) buried.push(...dead);
    }

    async function deliverAgain(claimed: RequeuedEvent): Promise<void> {
      const { entry, attempts } = claimed;
      const delivery = isOver() ? undefined : await sink.publish(entry);
      if (delivery?.outcome === 'accepted') {
        delivered++;
        return outbox.unbury(entry);
      }
      if (delivery?.outcome === 'unreachable') unreachable = delivery.reason;
      if (delivery === undefined || delivery.outcome === 'unreachable') {
        await outbox.postpone(claimed, { attempts, delay: 0 });
        return;
      }
      const next = delivery.outcome === 'failed' ? retry(attempts, delivery.retryAfter) : undefined;
      if (next !== undefined) {
        failed = delivery.reason;
        await outbox.postpone(claimed, next);
      } else if (await outbox.bury(claimed, delivery.reason)) {
        buried.push({ entry, reason: delivery.reason });
      }
    }

    const { waiting, requeued } = await outbox.claim(lease);
    // All of them end before the round does, even where one throws: nothing is left that delivers beside the next round.
    const ends = await Promise.allSettled([...waiting.map(deliver), ...requeued.map(deliverAgain)]);
    const broken = ends.find(({ status }) => status === 'rejected');
    if (broken?.status === 'rejected') throw broken.reason;
    return {
      delivered,
      buried,
      ...(failed !== undefined && { failed }),
      ...(unreachable !== undefined && { unreachable }),
    };
  };
}
