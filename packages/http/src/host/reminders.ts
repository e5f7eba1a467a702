import type { ReminderRound } from '@todo-backend/application';
import type { Logger } from 'pino';
import { IDLE_DELAY, type RunningLoop, startLoop } from './loop.js';

/** Options of {@link startReminders}. */
export interface RemindersOptions {
  readonly logger: Logger;
  /** Called with the delays of reminders that have come, in seconds. */
  readonly onReminders?: ((seconds: readonly number[]) => void) | undefined;
}

/**
 * Runs rounds of reminders in a loop of their own, so that they do not wait for a slow sink: without delay while there
 * are some, and otherwise until the next one comes, where that is soon.
 */
export function startReminders(
  round: (isStopping: () => boolean) => Promise<ReminderRound>,
  { logger, onReminders }: RemindersOptions,
): RunningLoop {
  /** The last logged problem with the reminders of a user, until some come again. */
  let lastProblem: string | undefined;

  function report({ delays, failed }: ReminderRound): void {
    if (delays.length > 0) onReminders?.(delays.map((milliseconds) => milliseconds / 1000));
    if (failed !== undefined) {
      if (String(failed) !== lastProblem) logger.error({ err: failed }, 'could not record the reminders of a user');
      lastProblem = String(failed);
    } else if (delays.length > 0) {
      lastProblem = undefined;
    }
  }

  async function delayAfterRound(isStopping: () => boolean): Promise<number> {
    const result = await round(isStopping);
    report(result);
    if (result.more) return 0;
    // Timers count whole milliseconds.
    return Math.min(IDLE_DELAY, Math.ceil(result.next ?? IDLE_DELAY));
  }

  return startLoop(delayAfterRound, {
    logger,
    failed: 'could not record reminders',
    again: 'reminders can be recorded again',
  });
}
