import { setTimeout as sleep } from 'node:timers/promises';
import type { RelayRound } from '@todo-backend/application';
import type { Logger } from 'pino';

/** Milliseconds between rounds when there is nothing to deliver. */
const IDLE_DELAY = 500;

/** The longest delay in milliseconds while the sink or the database is unreachable. */
const LONGEST_OUTAGE_DELAY = 30_000;

/** A relay that runs in the background. */
export interface RunningRelay {
  /** Finishes deliveries in progress, and releases the remaining claims. */
  stop(): Promise<void>;
}

/** Runs rounds in a loop: without delay while there are events to deliver, with growing delays during an outage. */
export function startRelay(round: (isStopping: () => boolean) => Promise<RelayRound>, logger: Logger): RunningRelay {
  const stopping = new AbortController();
  const isStopping = () => stopping.signal.aborted;
  /** Consecutive rounds that could not reach the sink. */
  let outages = 0;
  /** The last logged problem of the sink, until it accepts events again. */
  let lastProblem: string | undefined;
  /** Consecutive rounds that threw for a reason other than the sink, and the last one logged. */
  let failures = 0;
  let failure: string | undefined;

  function report({ delivered, buried, failed, unreachable }: RelayRound): void {
    for (const { entry, reason } of buried) {
      logger.error({ eventId: entry.id, type: entry.type, reason }, 'the sink does not take an event: dead letter');
    }
    if (delivered > 0) {
      if (lastProblem !== undefined) logger.info('the event sink takes events again');
      lastProblem = undefined;
      return;
    }
    const reason = unreachable ?? failed;
    if (reason === undefined) return;
    const message = unreachable === undefined ? 'the event sink fails' : 'the event sink cannot be reached';
    if (message !== lastProblem) logger.warn({ reason }, message);
    lastProblem = message;
  }

  async function delayAfterRound(): Promise<number> {
    let result: RelayRound;
    try {
      result = await round(isStopping);
    } catch (err) {
      // The database is unavailable, or there is a bug: the events are kept and retried.
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
