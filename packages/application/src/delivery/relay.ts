import type { BuriedEvent, Outbox, RequeuedEvent, Retry, WaitingEvents } from './outbox.js';
import type { EventSink } from './sink.js';

/** Retry options of a relay. All times in milliseconds. */
export interface RelayOptions {
  /** How often an event may fail before it becomes a dead letter. Default 20: about an hour. */
  readonly maxAttempts?: number;
  /** The delay after the first failure, doubled with each further one. Default 1,000. */
  readonly firstDelay?: number;
  /** Default 300,000. */
  readonly longestDelay?: number;
  /** How long a claim lasts. Default 60,000. */
  readonly lease?: number;
}

/** The result of a round. */
export interface RelayRound {
  /** The number of events that the sink has accepted. */
  readonly delivered: number;
  /** Why an event failed that will be retried, if one did. */
  readonly failed?: string;
  /** Why the sink could not be reached, if that happened. It says nothing about the events. */
  readonly unreachable?: string;
  /** New dead letters, to report to an operator. */
  readonly buried: readonly BuriedEvent[];
}

/**
 * Delivers the journal's events to a sink: each at least once, and the events of one user in order. A failed event is
 * retried with growing delays and does not hold up other users. One that is rejected or keeps failing becomes a dead
 * letter, so that the next ones can pass. Attempts are not counted while the sink is unreachable. Any number of relays
 * may work on one outbox.
 *
 * @returns a function that runs one round; call it again at once while it delivers, otherwise after a short wait. Its
 *   argument is called before each event and says whether to stop early.
 */
export function eventRelay(
  { outbox, sink }: { readonly outbox: Outbox; readonly sink: EventSink },
  { maxAttempts = 20, firstDelay = 1_000, longestDelay = 300_000, lease = 60_000 }: RelayOptions = {},
) {
  /** The retry after another failure; `undefined` when no attempts are left. */
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
    // The second half of the lease is reserved for a slow answer to the last event.
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
    // Wait for all of them even if one throws, so that no delivery overlaps with the next round.
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
