import { setTimeout as sleep } from 'node:timers/promises';
import type { RelayRound } from '@todo-backend/application';
import type { Logger } from 'pino';

/** Milliseconds after which a relay with nothing to do looks again. */
const IDLE_DELAY = 500;

/** Milliseconds at the most between two attempts to reach a sink, or a database, that does not answer. */
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
  /** Rounds in a row that could not reach the sink. */
  let outages = 0;
  /** What was last said of the sink, until it takes events again. */
  let trouble: string | undefined;
  /** Rounds in a row that could not be done, for whatever is not the sink's fault, and what was last said of it. */
  let failures = 0;
  let failure: string | undefined;

  function report({ delivered, buried, failed, unreachable }: RelayRound): void {
    for (const { entry, reason } of buried) {
      logger.error({ eventId: entry.id, type: entry.type, reason }, 'the sink does not take an event: dead letter');
    }
    if (delivered > 0) {
      if (trouble !== undefined) logger.info('the event sink takes events again');
      trouble = undefined;
      return;
    }
    const reason = unreachable ?? failed;
    if (reason === undefined) return;
    const message = unreachable === undefined ? 'the event sink fails' : 'the event sink cannot be reached';
    if (message !== trouble) logger.warn({ reason }, message);
    trouble = message;
  }

  async function delayAfterRound(): Promise<number> {
    let result: RelayRound;
    try {
      result = await round(isStopping);
    } catch (err) {
      // The database is away, or this is a bug: either way the events stay where they are, and time will tell.
      failures++;
      if (String(err) !== failure) logger.error({ err }, 'could not relay events');
      failure = String(err);
      return outageDelay(failures);
    }
    if (failures > 0) logger.info('events can be relayed again');
    failures = 0;
    failure = undefined;
    report(result);
    if (result.delivered > 0) {
      outages = 0;
      return 0;
    }
    if (result.unreachable === undefined) return IDLE_DELAY;
    outages++;
    return outageDelay(outages);
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

function outageDelay(rounds: number): number {
  return Math.min(LONGEST_OUTAGE_DELAY, IDLE_DELAY * 2 ** rounds);
}
