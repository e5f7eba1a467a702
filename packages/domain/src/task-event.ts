import { isEqual } from './equality.js';
import { isCompleted, setCompleted, type Task, type TaskId, type UserId } from './task.js';
import type { Timestamp } from './time.js';

/**
 * The types of events, and the payload of each: the whole `task`, or the `changes` to it. The names end with the
 * version of the payload: an incompatible change gets a new version, and stored events stay as they are.
 */
export const TASK_EVENTS = {
  'todo.task.created.v1': 'task',
  'todo.task.updated.v1': 'changes',
  'todo.task.completed.v1': 'changes',
  'todo.task.reopened.v1': 'changes',
  'todo.task.deleted.v1': 'task',
} as const satisfies Record<string, keyof Payloads>;

export type TaskEventType = keyof typeof TASK_EVENTS;

/** All types of events, in the order of {@link TASK_EVENTS}. */
export const TASK_EVENT_TYPES = Object.keys(TASK_EVENTS) as readonly TaskEventType[];

/** The payloads of events. */
interface Payloads {
  /** The whole task, as it was created or as it was before it was deleted. */
  readonly task: { readonly task: Task };
  /** The fields that differ. */
  readonly changes: { readonly changes: TaskDiff };
}

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
  /** What the change belongs to, such as the id of a request or a job. */
  readonly correlationId: string | null;
}

/** Before and after, for each field that differs. */
export type TaskDiff = {
  readonly [Field in keyof Task]?: { readonly before: Task[Field]; readonly after: Task[Field] };
};

interface EventEnvelope extends EventOrigin {
  readonly userId: UserId;
  readonly taskId: TaskId;
}

/** An event of one type. */
export type TaskEventOf<Type extends TaskEventType> = EventEnvelope & {
  readonly type: Type;
} & Payloads[(typeof TASK_EVENTS)[Type]];

/** Something that happened to a task. */
export type TaskEvent = { readonly [Type in TaskEventType]: TaskEventOf<Type> }[TaskEventType];

/** A task before and after a change, and the event that records it. `before` is missing when it is created, `after` when it is deleted. */
export interface TaskTransition {
  readonly before: Task | undefined;
  readonly after: Task | undefined;
  /** `undefined` when nothing differs. */
  readonly event: TaskEvent | undefined;
}

/** The transition that creates `task`. */
export function creation(task: Task, origin: EventOrigin): TaskTransition {
  const type = 'todo.task.created.v1';
  return { before: undefined, after: task, event: { type, ...envelope(task, origin), task } };
}

/** The transition from `before` to `after`, two states of one task. */
export function revision(before: Task, after: Task, origin: EventOrigin): TaskTransition {
  const changes = diff(before, after);
  if (Object.keys(changes).length === 0) return { before, after, event: undefined };
  return { before, after, event: { type: revisionType(before, after), ...envelope(after, origin), changes } };
}

/** The transition that completes or reopens `task`; toggles it when `completed` is omitted. */
export function completion(task: Task, completed: boolean | undefined, origin: EventOrigin): TaskTransition {
  return revision(task, setCompleted(task, completed ?? !isCompleted(task), origin.time), origin);
}

/** The transition that deletes `task`. */
export function deletion(task: Task, origin: EventOrigin): TaskTransition {
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

function diff(before: Task, after: Task): TaskDiff {
  const fields = Object.keys(after) as (keyof Task)[];
  return Object.fromEntries(
    fields
      .filter((field) => !isEqual(before[field], after[field]))
      .map((field) => [field, { before: before[field], after: after[field] }]),
  );
}
