import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';

/** Milliseconds between rounds when there is nothing to do. */
export const IDLE_DELAY = 500;

/** The longest delay in milliseconds while something is unreachable. */
const LONGEST_OUTAGE_DELAY = 30_000;

/** Milliseconds to wait for the round in progress, as for requests: what it has not committed is done by another one. */
const STOP_TIMEOUT = 6_000;

/** Something that is done again and again in the background. */
export interface RunningLoop {
  /** Finishes the round in progress. */
  stop(): Promise<void>;
}

/** What the log says of a loop. */
export interface LoopReport {
  readonly logger: Logger;
  /** Logged once for the same error. */
  readonly failed: string;
  readonly again: string;
}

/**
 * Runs rounds in a loop, with growing delays while they fail because the database is unavailable, or there is a bug.
 *
 * @param round returns the milliseconds until the next one
 */
export function startLoop(
  round: (isStopping: () => boolean) => Promise<number>,
  { logger, failed, again }: LoopReport,
): RunningLoop {
  const stopping = new AbortController();
  const isStopping = () => stopping.signal.aborted;
  /** Consecutive rounds that threw, and the last error that was logged. */
  let failures = 0;
  let failure: string | undefined;

  async function delayAfterRound(): Promise<number> {
    try {
      const delay = await round(isStopping);
      if (failures > 0) logger.info(again);
      failures = 0;
      failure = undefined;
      return delay;
    } catch (err) {
      failures++;
      if (String(err) !== failure) logger.error({ err }, failed);
      failure = String(err);
      return outageDelay(failures);
    }
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
      const ended = new AbortController();
      const { signal } = ended;
      await Promise.race([running, sleep(STOP_TIMEOUT, undefined, { signal }).catch(() => {})]);
      ended.abort();
    },
  };
}

/** Milliseconds to wait after so many rounds that could not reach something. */
export function outageDelay(rounds: number): number {
  return Math.min(LONGEST_OUTAGE_DELAY, IDLE_DELAY * 2 ** rounds);
}
