import { isEqual } from './equality.js';
import { isCompleted, renewed, setCompleted, type Task, type TaskId, type UserId } from './task.js';
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
  'todo.task.restored.v1': 'task',
  'todo.task.erased.v1': 'nothing',
  'todo.task.reminder-due.v1': 'task',
} as const satisfies Record<string, keyof Payloads>;

export type TaskEventType = keyof typeof TASK_EVENTS;

/** All types of events, in the order of {@link TASK_EVENTS}. */
export const TASK_EVENT_TYPES = Object.keys(TASK_EVENTS) as readonly TaskEventType[];

/** The payloads of events. */
interface Payloads {
  /** The whole task: as it was created or restored, as it was before it was deleted, or as it is when its reminder comes. */
  readonly task: { readonly task: Task };
  /** The fields that differ. */
  readonly changes: {
    readonly changes: TaskDiff;
    /** The id of the next occurrence that a completion has made. */
    readonly next?: TaskId;
  };
  readonly nothing: object;
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
  /** The id of the event that this one takes back, if it does. */
  readonly undoes?: string;
}

/** Before and after, for each field that differs. */
export type TaskDiff = {
  readonly [Field in keyof Task]?: { readonly before: Task[Field]; readonly after: Task[Field] };
};

interface EventEnvelope extends EventOrigin {
  readonly userId: UserId;
  readonly taskId: TaskId;
  /** Set when the task was erased: then the texts of the payload are blank. */
  readonly erased?: true;
}

/** An event of one type. */
export type TaskEventOf<Type extends TaskEventType> = EventEnvelope & {
  readonly type: Type;
} & Payloads[(typeof TASK_EVENTS)[Type]];

/** Something that happened to a task. */
export type TaskEvent = { readonly [Type in TaskEventType]: TaskEventOf<Type> }[TaskEventType];

/**
 * A task before and after a change, and the event that records it. `before` is missing when it is created or restored,
 * `after` when it is deleted, and both when it is erased.
 */
export interface TaskTransition {
  readonly before: Task | undefined;
  readonly after: Task | undefined;
  /** `undefined` when nothing differs. */
  readonly event: TaskEvent | undefined;
  /** Of a task that is new or back: reminders up to this moment do not come any more. */
  readonly remindedUntil?: Timestamp;
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

/** The transition that creates a task that was made before: its reminders of the past do not come any more. */
export function takeover(task: Task, origin: EventOrigin): TaskTransition {
  return { ...creation(task, origin), remindedUntil: origin.time };
}

/** The transition that completes or reopens `task`; toggles it when `completed` is omitted. */
export function completion(task: Task, completed: boolean | undefined, origin: EventOrigin): TaskTransition {
  return revision(task, setCompleted(task, completed ?? !isCompleted(task), origin.time), origin);
}

/** The transitions that complete `task` and create the `next` occurrence of its series. */
export function succession(
  task: Task,
  next: Task,
  newOrigin: () => EventOrigin,
): [TaskTransition, ...TaskTransition[]] {
  const { event, ...completed } = completion(task, true, newOrigin());
  if (event?.type !== 'todo.task.completed.v1') return [{ event, ...completed }];
  return [{ ...completed, event: { ...event, next: next.id } }, takeover(next, newOrigin())];
}

/** The event of a reminder: nothing about the task has changed, except that its reminder came. */
export function reminder(task: Task, origin: EventOrigin): TaskEvent {
  return { type: 'todo.task.reminder-due.v1', ...envelope(task, origin), task };
}

/** The transition that deletes `task`. */
export function deletion(task: Task, origin: EventOrigin): TaskTransition {
  const type = 'todo.task.deleted.v1';
  return { before: task, after: undefined, event: { type, ...envelope(task, origin), task } };
}

/** The transition that brings a deleted task back: the same one, as a new version. */
export function restoration(task: Task, origin: EventOrigin): TaskTransition {
  const after = renewed(task, origin.time);
  return {
    before: undefined,
    after,
    event: { type: 'todo.task.restored.v1', ...envelope(after, origin), task: after },
    remindedUntil: origin.time,
  };
}

/** The transition that erases a deleted task for good. Whoever stores it also makes {@link blanked} events of the others. */
export function erasure(task: Pick<Task, 'id' | 'userId'>, origin: EventOrigin): TaskTransition {
  return {
    before: undefined,
    after: undefined,
    event: { type: 'todo.task.erased.v1', ...envelope(task, origin) },
  };
}

/** An event of an erased task: without the texts that its user wrote. */
export function blanked(event: TaskEvent): TaskEvent {
  if ('task' in event) return { ...event, erased: true, task: { ...event.task, ...BLANK } };
  if (!('changes' in event)) return event;
  const fields = Object.entries(BLANK).filter(([field]) => field in event.changes);
  const blank = fields.map(([field, value]) => [field, { before: value, after: value }]);
  return { ...event, erased: true, changes: { ...event.changes, ...Object.fromEntries(blank) } };
}

/** What the texts of an erased task become. */
const BLANK = { title: '', description: null, tags: [] } as const satisfies Partial<Task>;

function revisionType(before: Task, after: Task) {
  if (isCompleted(before) === isCompleted(after)) return 'todo.task.updated.v1';
  return isCompleted(after) ? 'todo.task.completed.v1' : 'todo.task.reopened.v1';
}

function envelope(
  { userId, id: taskId }: Pick<Task, 'id' | 'userId'>,
  { id, time, actor, correlationId, undoes }: EventOrigin,
) {
  return { id, time, userId, taskId, actor, correlationId, ...(undoes !== undefined && { undoes }) };
}

function diff(before: Task, after: Task): TaskDiff {
  const fields = Object.keys(after) as (keyof Task)[];
  return Object.fromEntries(
    fields
      .filter((field) => !isEqual(before[field], after[field]))
      .map((field) => [field, { before: before[field], after: after[field] }]),
  );
}
