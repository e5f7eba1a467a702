import type { DueDate } from './due-date.js';
import type { Recurrence } from './recurrence.js';
import type { Series } from './series.js';
import type { Task, TaskId } from './task.js';
import type { Timestamp } from './time.js';

/** A task that repeats. */
export type RepeatingTask = Task & {
  readonly recurrence: Recurrence;
  readonly dueDate: DueDate;
  readonly series: Series;
};

/** Whether completing the task may be followed by a next occurrence. */
export function isRepeating(task: Task): task is RepeatingTask {
  return task.recurrence !== null && task.dueDate !== null && task.series !== null;
}

/** What is new about the next occurrence of a task. */
export interface NextOccurrence {
  /** The same for the same occurrence, so that there is only one. */
  readonly id: TaskId;
  readonly dueDate: DueDate;
  /** The occurrences of the rule before it. */
  readonly before: number;
  readonly remindAt: Timestamp | null;
  readonly now: Timestamp;
}

/** The next occurrence of a task, as a new one. */
export function nextOccurrence(task: RepeatingTask, { now, before, ...next }: NextOccurrence): RepeatingTask {
  const series = { ...task.series, occurrence: task.series.occurrence + 1, before };
  return { ...task, ...next, status: 'pending', series, createdAt: now, updatedAt: now };
}

/** Whether nobody has changed a task since it was made. */
export function isUntouched({ createdAt, updatedAt }: Task): boolean {
  return updatedAt === createdAt;
}
