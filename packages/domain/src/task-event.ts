import { isCompleted, type Task, type TaskId, type UserId } from './task.js';
import type { Timestamp } from './time.js';

/**
 * What can happen to a task, in reverse-DNS style with the version of the shape at the end. A shape that changes
 * incompatibly gets a new version; what is stored stays as it is.
 */
export const TASK_EVENT_TYPES = [
  'todo.task.created.v1',
  'todo.task.updated.v1',
  'todo.task.completed.v1',
  'todo.task.reopened.v1',
  'todo.task.deleted.v1',
] as const;
export type TaskEventType = (typeof TASK_EVENT_TYPES)[number];

/** Who did it: the user, or an agent that acts for the user. */
export interface Actor {
  readonly type: 'user' | 'agent';
  readonly id: string;
}

/** Where an event comes from. */
export interface EventOrigin {
  /** A new UUID, version 7. */
  readonly id: string;
  readonly time: Timestamp;
  readonly actor: Actor;
  /** What the change was a part of: the id of a request, of a job … */
  readonly correlationId: string | null;
}

/** Before and after, for each field that differs. */
export type FieldChanges = {
  readonly [Field in keyof Task]?: { readonly before: Task[Field]; readonly after: Task[Field] };
};

interface EventEnvelope extends EventOrigin {
  readonly userId: UserId;
  readonly taskId: TaskId;
}

/** Something that happened to a task. */
export type TaskEvent = EventEnvelope &
  (
    | {
        readonly type: 'todo.task.created.v1' | 'todo.task.deleted.v1';
        /** The whole task, as it was made or as it last was. */
        readonly task: Task;
      }
    | {
        readonly type: 'todo.task.updated.v1' | 'todo.task.completed.v1' | 'todo.task.reopened.v1';
        readonly changes: FieldChanges;
      }
  );

/** A task before and after, either of which may be nothing, and the event that tells of it. */
export interface TaskChange {
  readonly before: Task | undefined;
  readonly after: Task | undefined;
  /** `undefined` where nothing differs. */
  readonly event: TaskEvent | undefined;
}

/** The change that created `task`. */
export function creation(task: Task, origin: EventOrigin): TaskChange {
  const type = 'todo.task.created.v1';
  return { before: undefined, after: task, event: { type, ...envelope(task, origin), task } };
}

/** The change from `before` to `after`, two states of one task. */
export function revision(before: Task, after: Task, origin: EventOrigin): TaskChange {
  if (after === before) return { before, after, event: undefined };
  const type = revisionType(before, after);
  const changes = differences(before, after);
  return { before, after, event: { type, ...envelope(after, origin), changes } };
}

/** The change that deleted `task`. */
export function deletion(task: Task, origin: EventOrigin): TaskChange {
  const type = 'todo.task.deleted.v1';
  return { before: task, after: undefined, event: { type, ...envelope(task, origin), task } };
}

function revisionType(before: Task, after: Task) {
  if (isCompleted(before) === isCompleted(after)) return 'todo.task.updated.v1';
  return isCompleted(after) ? 'todo.task.completed.v1' : 'todo.task.reopened.v1';
}

function envelope({ userId, id: taskId }: Task, { id, time, actor, correlationId }: EventOrigin) {
  return { id, time, userId, taskId, actor, correlationId };
}

function differences(before: Task, after: Task): FieldChanges {
  const fields = Object.keys(after) as (keyof Task)[];
  return Object.fromEntries(
    fields
      .filter((field) => before[field] !== after[field])
      .map((field) => [field, { before: before[field], after: after[field] }]),
  );
}
