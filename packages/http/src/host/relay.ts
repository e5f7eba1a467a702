import type { RelayRound } from '@todo-backend/application';
import type { Logger } from 'pino';
import { IDLE_DELAY, outageDelay, type RunningLoop, startLoop } from './loop.js';

/** Runs rounds in a loop: without delay while there are events to deliver, with growing delays during an outage. */
export function startRelay(round: (isStopping: () => boolean) => Promise<RelayRound>, logger: Logger): RunningLoop {
  /** Consecutive rounds that could not reach the sink. */
  let outages = 0;
  /** The last logged problem of the sink, until it accepts events again. */
  let lastProblem: string | undefined;

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

  async function delayAfterRound(isStopping: () => boolean): Promise<number> {
    const result = await round(isStopping);
    report(result);
    if (result.delivered > 0) {
      outages = 0;
      return 0;
    }
    if (result.unreachable === undefined) return IDLE_DELAY;
    outages++;
    return outageDelay(outages);
  }

  // When it fails, the events are kept and retried.
  return startLoop(delayAfterRound, { logger, failed: 'could not relay events', again: 'events can be relayed again' });
}
