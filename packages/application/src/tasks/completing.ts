import {
  completion,
  deletion,
  editTask,
  InvalidInputError,
  isCompleted,
  isRepeating,
  isUntouched,
  nextOccurrence,
  type RepeatingTask,
  revision,
  succession,
  type Task,
  type TaskId,
  type TaskPatch,
  type TaskTransition,
  type Timestamp,
} from '@todo-backend/domain';
import { v5 as uuidv5 } from 'uuid';
import type { ChangeContext } from './change-context.js';
import { nextDue, nextReminder, recurrenceProblem } from './occurrences.js';

/** What completing or reopening a task does. */
export interface Completed {
  /** The transition of the task, and that of the next occurrence if there is one. */
  readonly transitions: readonly [TaskTransition, ...TaskTransition[]];
  /** The other tasks that it depends on, whether they exist or not. */
  readonly reads?: readonly TaskId[];
}

/**
 * Completes or reopens a task; toggles it when `completed` is left out. Completing one that repeats also creates the next
 * occurrence, unless that exists. Reopening it takes the next one away again, unless somebody has changed that.
 *
 * @param found the tasks that exist, of those that were looked for
 */
export function complete(
  task: Task,
  completed: boolean | undefined,
  found: ReadonlyMap<TaskId, Task>,
  { newOrigin }: ChangeContext,
): Completed {
  const wanted = completed ?? !isCompleted(task);
  if (!isRepeating(task) || wanted === isCompleted(task)) {
    return { transitions: [completion(task, wanted, newOrigin())] };
  }
  const id = nextId(task);
  const next = found.get(id);
  const reads = [id];
  if (wanted) {
    const created = next === undefined ? nextOf(task, id, newOrigin().time) : undefined;
    if (created !== undefined) return { transitions: succession(task, created, newOrigin), reads };
    return { transitions: [completion(task, wanted, newOrigin())], reads };
  }
  const reopened = completion(task, wanted, newOrigin());
  const isToGo = next !== undefined && isUntouched(next);
  return { transitions: isToGo ? [reopened, deletion(next, newOrigin())] : [reopened], reads };
}

/** The id of the next occurrence: it follows from the series, so that there is only one, however often it is made. */
function nextId({ series: { id, occurrence } }: RepeatingTask): TaskId {
  return uuidv5(String(occurrence + 1), id);
}

function nextOf(task: RepeatingTask, id: TaskId, now: Timestamp): Task | undefined {
  const { recurrence, dueDate, series, remindAt } = task;
  const next = nextDue({ ...series, recurrence, dueDate }, now);
  if (next === undefined) return undefined;
  const reminder = remindAt === null ? undefined : nextReminder(remindAt, dueDate, next.dueDate, recurrence.timeZone);
  return nextOccurrence(task, { ...next, id, remindAt: reminder ?? null, now });
}

/** The transition that edits a task. */
export function edit(task: Task, patch: TaskPatch, { newOrigin }: ChangeContext): TaskTransition {
  const origin = newOrigin();
  const edited = editTask(task, patch, origin.time);
  assertRepeats(edited, task);
  return revision(task, edited, origin);
}

/**
 * Checks that a task can repeat as it is to.
 *
 * @param before the task before the edit: what it had already is not checked again
 * @throws `InvalidInputError` (`INVALID_INPUT`) when the rule gives no date after the due date
 */
export function assertRepeats(task: Task, before?: Task): void {
  if (!isRepeating(task) || task.recurrence === before?.recurrence) return;
  const message = recurrenceProblem(task.recurrence, task.dueDate);
  if (message !== undefined) throw new InvalidInputError([{ field: 'recurrence.rule', message }]);
}
