import type { Task, TaskEvent, TaskId, TaskTransition, UserId } from '@todo-backend/domain';
import type { JournalPosition } from '../position.js';
import type { TaskQuery } from './query.js';

/** Tasks, and the version of the owner's tasks that they belong to. */
export interface TaskListing {
  /** The tasks; only the first of them when there is a `rest`. */
  readonly tasks: readonly Task[];
  /**
   * The other tasks of a long list without a `limit`, in parts of the same position. It holds a connection: read it to its
   * end, or end it with `return`.
   */
  readonly rest?: AsyncGenerator<TaskListing, void> | undefined;
  /** Changes with every change to any of the owner's tasks. */
  readonly position: JournalPosition;
}

/** How many tasks a user may have, unless a repository is told otherwise. */
export const DEFAULT_MAX_TASKS = 50_000;

/** How many tasks a user has. `total` is the sum of the other two. */
export interface TaskCounts {
  readonly total: number;
  readonly pending: number;
  readonly completed: number;
  /** As in {@link TaskListing}. */
  readonly position: JournalPosition;
}

/** The most tags that {@link TaskRepository.tags} tells. */
export const MAX_TAG_COUNTS = 1_000;

/** A tag in use. */
export interface TagCount {
  /** The spelling that most tasks have, of those that differ only by letter case; the first by name of several such. */
  readonly tag: string;
  /** How many tasks have it, in any letter case. */
  readonly count: number;
}

/** The tags of a user, the most used first, then by name. At most {@link MAX_TAG_COUNTS}. */
export interface TagCounts {
  readonly tags: readonly TagCount[];
  /** As in {@link TaskListing}. */
  readonly position: JournalPosition;
}

/** What to save, and the result to return. */
export interface Decision<Result> {
  readonly transitions: readonly TaskTransition[];
  readonly result: Result;
  /** Saves nothing, but fails where saving would. */
  readonly dryRun?: boolean | undefined;
  /** Tasks that it depends on besides those that were loaded: if there are any, it is made again with them. */
  readonly reads?: readonly TaskId[] | undefined;
}

/** How long the result of an idempotent request is kept, in hours. */
export const IDEMPOTENCY_HOURS = 24;

/** How many of these results are kept for a user, at least; older ones go first. */
export const MAX_IDEMPOTENCY_KEYS = 10_000;

/** Identifies a request that must take effect only once, even if it is sent again. */
export interface Once {
  /** The idempotency key, unique per owner. */
  readonly key: string;
  /** Identifies the request, to detect that its key is reused for another one. */
  readonly fingerprint: string;
}

/** An event that a change depends on. */
export type DependedEvent = TaskEvent & {
  /** Of a deletion: the id of the last one of the same task, where that is a later one. */
  readonly deletedAgainBy?: string | undefined;
};

/**
 * The tasks that a change is about, by id, and the events that were asked for, newest first. An adapter that knows of no
 * events cannot undo.
 */
export type Decide<Result> = (found: ReadonlyMap<TaskId, Task>, events?: readonly DependedEvent[]) => Decision<Result>;

/** What else a change needs. */
export interface ChangeDetails {
  /** The numbers of the owner's events that `decide` depends on. They are read when nobody else can change them any more. */
  readonly sequences?: readonly number[] | undefined;
  /** Called when the change is saved, with the position of its last event; not when nothing was changed. */
  readonly onSaved?: ((position: JournalPosition) => void) | undefined;
}

/**
 * Stores tasks. Every method takes the owner, so that no query can omit it: another user's task is treated as if it did
 * not exist.
 *
 * Every method may throw `UnavailableError` (`UNAVAILABLE`). Then nothing was changed or, when the connection was lost
 * during a commit, everything was.
 */
export interface TaskRepository {
  list(owner: UserId, query: TaskQuery): Promise<TaskListing>;

  find(owner: UserId, id: TaskId): Promise<Task | undefined>;

  count(owner: UserId): Promise<TaskCounts>;

  tags(owner: UserId): Promise<TagCounts>;

  /**
   * Loads the tasks with these ids, saves what `decide` returns, and appends the events to the journal, in one atomic
   * step: no concurrent change is lost, and every change has its event. Nothing is saved when `decide` throws, or
   * in a dry run, which stores no result for `once` either. A
   * transition without an event changes nothing. One that erases a task also makes its other events `blanked`.
   *
   * @param decide gets the tasks that exist, by id. It may be called again after a conflict with another change
   * @param once when the same key was used in the last {@link IDEMPOTENCY_HOURS} hours, and is one of the owner's last
   *   {@link MAX_IDEMPOTENCY_KEYS}, the stored result is returned and nothing is changed. The result is stored as JSON in the same atomic step
   * @throws `UserUnknownError` (`USER_UNKNOWN`) when the owner does not exist
   * @throws `TaskLimitError` (`TASK_LIMIT_REACHED`) when the owner would have more tasks than a user may have
   * @throws `IdempotencyKeyReusedError` (`IDEMPOTENCY_KEY_REUSED`) when the key was used for another request
   */
  change<Result>(
    owner: UserId,
    ids: readonly TaskId[],
    decide: Decide<Result>,
    once?: Once,
    details?: ChangeDetails,
  ): Promise<Result>;
}
