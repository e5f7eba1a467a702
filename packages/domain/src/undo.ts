import { isEqual } from './equality.js';
import type { Series } from './series.js';
import { putBack, type Task, type TaskState } from './task.js';
import {
  deletion,
  type EventOrigin,
  restoration,
  revision,
  type TaskDiff,
  type TaskEvent,
  type TaskTransition,
} from './task-event.js';

/** A field of a task that can be put back. */
export type UndoField = keyof TaskState;

/**
 * What becomes of an event that is to be undone: it is taken back; there is nothing to take back (any more); or some of
 * its fields were changed since.
 */
export type UndoOutcome = 'undone' | 'nothing' | 'conflict';

/** How an event is taken back. */
export interface Inversion {
  readonly outcome: UndoOutcome;
  /** The fields that go back; in a conflict, those that were changed since. */
  readonly fields: readonly UndoField[];
  /** What takes it back; in a conflict, as much of it as can be. */
  readonly transition?: TaskTransition;
}

const NOTHING: Inversion = { outcome: 'nothing', fields: [] };

/**
 * How to take back an event, for the task as it is now. Field by field: a field goes back only where it still is what the
 * event made it. No other field is touched.
 *
 * @param present the task that the event is about; `undefined` when it does not exist
 * @param origin where the event that takes it back comes from
 */
export function inverse(event: TaskEvent, present: Task | undefined, origin: EventOrigin): Inversion {
  const undoing = { ...origin, undoes: event.id };
  if (event.erased) return NOTHING;
  switch (event.type) {
    case 'todo.task.erased.v1':
    case 'todo.task.reminder-due.v1':
      return NOTHING;
    case 'todo.task.deleted.v1':
      if (present !== undefined) return NOTHING;
      return { outcome: 'undone', fields: [], transition: restoration(event.task, undoing) };
    case 'todo.task.created.v1':
    case 'todo.task.restored.v1':
      return present === undefined ? NOTHING : inverseOfCreation(event.task, present, undoing);
    default:
      return inverseOfRevision(event.changes, present, undoing);
  }
}

function inverseOfCreation(made: Task, present: Task, origin: EventOrigin): Inversion {
  const changed = UNDO_FIELDS.filter((field) => !isEqual(present[field], made[field]));
  if (changed.length > 0) return { outcome: 'conflict', fields: changed };
  return { outcome: 'undone', fields: [], transition: deletion(present, origin) };
}

function inverseOfRevision(changes: TaskDiff, present: Task | undefined, origin: EventOrigin): Inversion {
  const touched = UNDO_FIELDS.filter((field) => changes[field] !== undefined);
  if (present === undefined) return { outcome: 'conflict', fields: touched };
  const is = (field: UndoField, when: 'before' | 'after') => isEqual(present[field], changes[field]?.[when]);
  const back = touched.filter((field) => is(field, 'after'));
  const changed = touched.filter((field) => !is(field, 'after') && !is(field, 'before'));
  const fields = Object.fromEntries(back.map((field) => [field, changes[field]?.before])) as Partial<TaskState>;
  const transition = revision(present, putBack(present, fields, origin.time, seriesBefore(changes, present)), origin);
  if (changed.length > 0) return { outcome: 'conflict', fields: changed, transition };
  return back.length === 0 ? NOTHING : { outcome: 'undone', fields: back, transition };
}

/** The series goes back with what it followed from, unless that has led to another one since. */
function seriesBefore(changes: TaskDiff, { id, series }: Task): Series | null | undefined {
  if (changes.series !== undefined) return isEqual(series, changes.series.after) ? changes.series.before : undefined;
  // A later occurrence was moved to the very date that its rule counts from: that was the same before.
  return series && series.id !== id && series.start === changes.dueDate?.after ? series : undefined;
}

/** The fields that can be put back. A missing one is a type error. */
export const UNDO_FIELDS = Object.keys({
  title: true,
  description: true,
  priority: true,
  category: true,
  dueDate: true,
  tags: true,
  recurrence: true,
  remindAt: true,
  status: true,
} satisfies Record<UndoField, true>) as UndoField[];
