import type { Task, TaskId, TaskTransition, UserId } from '@todo-backend/domain';
import type { TaskQuery } from './query.js';

/** Tasks, and the version of the owner's tasks that they belong to. */
export interface TaskListing {
  readonly tasks: readonly Task[];
  /** A number that every change to any of the owner's tasks increases. */
  readonly version: number;
}

/** How many tasks a user has. `total` is the sum of the other two. */
export interface TaskCounts {
  readonly total: number;
  readonly pending: number;
  readonly completed: number;
  /** As in {@link TaskListing}. */
  readonly version: number;
}

/** What to save, and what to return to whoever asked for it. */
export interface Decision<Result> {
  readonly transitions: readonly TaskTransition[];
  readonly result: Result;
}

/** How long the result of an idempotent request is kept, in hours. */
export const IDEMPOTENCY_HOURS = 24;

/** Identifies a request that must be carried out once, however often it is sent. */
export interface Once {
  /** The idempotency key, unique among the owner's. */
  readonly key: string;
  /** Tells this request from others that the same key could be used for by mistake. */
  readonly fingerprint: string;
}

/**
 * Stores tasks. Every method takes the owner, so that no query can forget whose tasks they are: a task of somebody else
 * is the same as no task at all.
 *
 * Every method may throw `UnavailableError` (`UNAVAILABLE`). Then nothing was changed or, when the connection was lost
 * during a commit, everything was.
 */
export interface TaskRepository {
  list(owner: UserId, query: TaskQuery): Promise<TaskListing>;

  find(owner: UserId, id: TaskId): Promise<Task | undefined>;

  count(owner: UserId): Promise<TaskCounts>;

  /**
   * Loads the tasks with these ids, saves what `decide` returns, and appends the events to the journal, in one atomic
   * step: of concurrent changes none is lost, and no change is without its event. Nothing is saved when `decide` throws.
   * A transition without an event changes nothing.
   *
   * @param decide gets the tasks that exist, by id. It may be called again, when another change came first
   * @param once when the same key was used in the last {@link IDEMPOTENCY_HOURS} hours, the result of that time is
   *   returned, and nothing is done. The result is kept in the same atomic step, as JSON
   * @throws `UserUnknownError` (`USER_UNKNOWN`) when the owner does not exist
   * @throws `IdempotencyKeyReusedError` (`IDEMPOTENCY_KEY_REUSED`) when the key was used for another request
   */
  change<Result>(
    owner: UserId,
    ids: readonly TaskId[],
    decide: (found: ReadonlyMap<TaskId, Task>) => Decision<Result>,
    once?: Once,
  ): Promise<Result>;
}
