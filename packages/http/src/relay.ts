import { setTimeout as sleep } from 'node:timers/promises';
import type { RelayRound } from '@todo-backend/application';
import type { Logger } from 'pino';

/** Milliseconds after which a relay with nothing to do looks again. */
const IDLE_DELAY = 500;

/** Milliseconds at the most between two attempts to reach a sink that does not answer. */
const LONGEST_OUTAGE_DELAY = 30_000;

/** A relay that runs beside the server. */
export interface RunningRelay {
  /** Finishes what is under way, and gives free what is not. */
  stop(): Promise<void>;
}

/** Does one round after the other: at once while there is something to deliver, more and more seldom while the sink is away. */
export function startRelay(round: (isStopping: () => boolean) => Promise<RelayRound>, logger: Logger): RunningRelay {
  const stopping = new AbortController();
  const isStopping = () => stopping.signal.aborted;
  let outages = 0;

  async function delayAfterRound(): Promise<number> {
    try {
      const { delivered, buried, unreachable } = await round(isStopping);
      for (const { entry, reason } of buried) {
        logger.error({ eventId: entry.id, type: entry.type, reason }, 'the sink does not take an event: dead letter');
      }
      if (unreachable === undefined) {
        if (outages > 0) logger.info('the event sink answers again');
        outages = 0;
        return delivered > 0 ? 0 : IDLE_DELAY;
      }
      if (outages === 0) logger.warn({ reason: unreachable }, 'the event sink cannot be reached');
    } catch (err) {
      // The database is away, or this is a bug: either way the events stay where they are, and time will tell.
      if (outages === 0) logger.error({ err }, 'could not relay events');
    }
    outages++;
    return Math.min(LONGEST_OUTAGE_DELAY, IDLE_DELAY * 2 ** outages);
  }

  async function run(): Promise<void> {
    while (!isStopping()) {
      const delay = await delayAfterRound();
      await sleep(delay, undefined, { signal: stopping.signal }).catch(() => {});
    }
  }

  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
