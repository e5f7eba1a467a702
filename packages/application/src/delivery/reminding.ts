import { isCompleted, reminder, type Task, type TaskId, type Timestamp, type UserId } from '@todo-backend/domain';
import type { ChangeFeed } from '../feed.js';
import type { IdGenerator } from '../ids.js';
import type { DueReminders, Reminders } from './reminders.js';

/** The ports that reminders depend on. */
export interface ReminderPorts {
  readonly reminders: Reminders;
  readonly newId: IdGenerator;
  /** Told of every event. */
  readonly feed?: ChangeFeed | undefined;
}

/** The result of a round. */
export interface ReminderRound {
  /** Of each event, the milliseconds from the moment that was set. */
  readonly delays: readonly number[];
  /** Whether to go on at once. */
  readonly more: boolean;
  /** Milliseconds until the next one comes, where that is soon. */
  readonly next?: number | undefined;
  /** Why the reminders of a user could not be recorded, if that happened: they are tried again after a while. */
  readonly failed?: unknown;
}

/** Users whose reminders are recorded side by side. Requests need connections, too. */
const USERS_AT_ONCE = 2;

/** Who has so many reminders in a page has to wait for the others afterwards. */
const LARGE_SHARE = 10;

/** Users who wait for others at the most. */
const MOST_SERVED = 1_000;

/** Milliseconds for which the reminders of a user are left alone after they could not be recorded. */
const REST = 5_000;

/** When so many users fail, and nobody else succeeds, it is not because of them. */
const MANY_FAILURES = 3;

/**
 * Records reminders that have come, in the journals of their users: from there they go where changes go. Each comes once,
 * late where nobody was there to record it. The reminder of a completed task passes without an event. A user with many
 * of them does not hold up others, nor does one whose reminders cannot be recorded.
 *
 * @returns a function that runs one round. Its argument is called before each user and says whether to stop early. It
 *   throws where the database is the reason that nothing could be recorded
 */
export function reminderRounds({ reminders, newId, feed }: ReminderPorts) {
  /** Who has had their share while others may be waiting, until all have had theirs. */
  const served = new Set<UserId>();
  /** Whether somebody has had theirs since then. */
  let hasProgressed = false;
  /** When to try again with users who have failed. */
  const resting = new Map<UserId, number>();

  async function record(due: DueReminders): Promise<number[]> {
    const { userId } = due;
    // By task, because a transaction may be repeated.
    const delays = new Map<TaskId, number>();
    const toReminder = (task: Task, now: Timestamp) => {
      if (isCompleted(task)) return undefined;
      delays.set(task.id, Date.parse(now) - Date.parse(task.remindAt ?? now));
      return reminder(task, { id: newId(), time: now, actor: { type: 'user', id: userId }, correlationId: null });
    };
    const { come, position } = await reminders.record(due, toReminder);
    if (come > 0) hasProgressed = true;
    if (come === 0 || due.tasks.length >= LARGE_SHARE) served.add(userId);
    if (position === undefined) return [];
    feed?.announce(userId, position);
    return [...delays.values()];
  }

  return async function round(isStopping: () => boolean = () => false): Promise<ReminderRound> {
    const now = Date.now();
    for (const [userId, until] of resting) if (until <= now) resting.delete(userId);
    const { due, more, next } = await reminders.due([...served, ...resting.keys()]);
    const delays: number[] = [];
    const failures: unknown[] = [];
    let succeeded = 0;
    const isHopeless = () => failures.length >= MANY_FAILURES && succeeded === 0;
    const queue = due.values();
    const work = async () => {
      for (const user of queue) {
        if (isStopping() || isHopeless()) return;
        try {
          delays.push(...(await record(user)));
          succeeded++;
        } catch (error) {
          failures.push(error);
          resting.set(user.userId, Date.now() + REST);
        }
      }
    };
    await Promise.all(Array.from({ length: USERS_AT_ONCE }, work));
    if (isHopeless()) throw failures[0];
    const hasEverybodyHadTheirs = !more || served.size >= MOST_SERVED;
    const goesOn = hasEverybodyHadTheirs ? hasProgressed && served.size > 0 : more;
    if (hasEverybodyHadTheirs) {
      served.clear();
      hasProgressed = false;
    }
    return { delays, more: goesOn, next, ...(failures.length > 0 && { failed: failures[0] }) };
  };
}
