import type { Task, TaskEvent, TaskId, Timestamp, UserId } from '@todo-backend/domain';
import type { JournalPosition } from '../position.js';

/** Tasks of one user whose reminders have come, and are not recorded yet. */
export interface DueReminders {
  readonly userId: UserId;
  readonly tasks: readonly TaskId[];
}

/** Some of the reminders that have come, and when to look again. */
export interface DuePage {
  /** The oldest, by user. */
  readonly due: readonly DueReminders[];
  /** Whether there may be more that have come. */
  readonly more: boolean;
  /** Milliseconds until the next one comes; left out where that is not soon. */
  readonly next?: number | undefined;
}

/** What {@link Reminders.record} has done. */
export interface RecordedReminders {
  /** How many reminders have come by this call, with an event or without. */
  readonly come: number;
  /** What the user's journal has reached; `undefined` where no event was appended. */
  readonly position: JournalPosition | undefined;
}

/**
 * The event of a reminder that has come; `undefined` where there is to be none. It may be asked for again, when a
 * transaction is repeated.
 *
 * @param now when it is recorded, by the clock that decides whether a reminder has come
 */
export type ToReminder = (task: Task, now: Timestamp) => TaskEvent | undefined;

/**
 * The reminders of all users. For the server, not for users. A reminder of a task comes once for each moment that is set,
 * however many servers record them, and none comes of a task that does not exist any more.
 */
export interface Reminders {
  /**
   * Looks for reminders that have come.
   *
   * @param except users whose reminders are to be left out
   */
  due(except: readonly UserId[]): Promise<DuePage>;

  /**
   * Lets reminders come: together with their events, or not at all. Those that have come meanwhile, were set to another
   * time, or are held by somebody who changes the task just now are left out. The tasks do not change by it.
   */
  record(due: DueReminders, toReminder: ToReminder): Promise<RecordedReminders>;
}
