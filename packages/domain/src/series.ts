import type { DueDate } from './due-date.js';
import { isEqual } from './equality.js';
import type { Recurrence } from './recurrence.js';

/** Which occurrence a task is, of a task that repeats. */
export interface Series {
  /** The id of the task that the series began with; one of its own, where that was not imported. */
  readonly id: string;
  /** Counts the tasks of the series from 1. */
  readonly occurrence: number;
  /** The due date that the rule counts from: that of the first task, or the last one that a user has set. */
  readonly start: DueDate;
  /** The occurrences of the rule before this one, done or missed: `COUNT` includes them. */
  readonly before: number;
}

/** How a task repeats, and from when on. */
interface Repetition {
  readonly recurrence: Recurrence | null;
  readonly dueDate: DueDate | null;
}

/**
 * The series of a task with this content. Another rule begins a new one, and another due date makes the rule count from
 * there: an edit is about this occurrence and those to come.
 *
 * @param before the task before the edit, if there was one
 */
export function seriesOf(
  id: string,
  { recurrence, dueDate }: Repetition,
  before?: Repetition & { readonly series: Series | null },
): Series | null {
  if (recurrence === null || dueDate === null) return null;
  const series = before?.series ?? null;
  if (series === null || !isEqual(before?.recurrence, recurrence)) {
    return { id, occurrence: 1, start: dueDate, before: 0 };
  }
  if (before?.dueDate === dueDate) return series;
  return { ...series, start: dueDate };
}
