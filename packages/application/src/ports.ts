import type { Category, Priority, Status, Task, TaskId, Timestamp, UserId } from '@todo-backend/domain';

/** What a list of tasks can be sorted by. */
export const SORT_KEYS = ['createdAt', 'updatedAt', 'dueDate', 'priority', 'title'] as const;
export type SortKey = (typeof SORT_KEYS)[number];

export const SORT_ORDERS = ['asc', 'desc'] as const;
export type SortOrder = (typeof SORT_ORDERS)[number];

/** Which tasks, and in which order. */
export interface TaskQuery {
  readonly status?: Status | undefined;
  readonly priority?: Priority | undefined;
  readonly category?: Category | undefined;
  /** Tasks whose title or description holds this text. Every character means itself; letter case does not matter. */
  readonly search?: string | undefined;
  /**
   * Priority sorts by weight, title without regard to case (then by code point), a missing due date last in both
   * directions. Ties break by `createdAt`, then by `id`, in the same direction: the order is total.
   */
  readonly sortBy: SortKey;
  readonly sortOrder: SortOrder;
}

/** How many tasks a user has. `total` is the sum of the other two. */
export interface TaskCounts {
  readonly total: number;
  readonly pending: number;
  readonly completed: number;
}

/**
 * Where tasks are kept. Every method takes the owner, so that nobody can forget whose tasks they are: a task of
 * somebody else is the same as no task at all.
 *
 * Every method may throw `UnavailableError` (`UNAVAILABLE`); then nothing was changed, or, when the connection was lost
 * during a commit, all of it. The methods that write throw `UserUnknownError` (`USER_UNKNOWN`) when the owner does not
 * exist.
 */
export interface TaskRepository {
  list(owner: UserId, query: TaskQuery): Promise<Task[]>;

  find(owner: UserId, id: TaskId): Promise<Task | undefined>;

  /** Stores a new task; its owner is its `userId`. */
  add(task: Task): Promise<void>;

  /**
   * Loads, changes and saves in one atomic step: of concurrent updates, none is lost. Nothing is saved when `change`
   * throws or returns the very task it was given.
   *
   * @returns the task as it is now, or `undefined` when the owner has no such task
   */
  update(owner: UserId, id: TaskId, change: (task: Task) => Task): Promise<Task | undefined>;

  /** @returns whether there was such a task */
  remove(owner: UserId, id: TaskId): Promise<boolean>;

  count(owner: UserId): Promise<TaskCounts>;
}

/** Tells the time. */
export type Clock = () => Timestamp;

/** Makes a new, unique, time-ordered id (UUID version 7). */
export type IdGenerator = () => TaskId;

/** Finds out who sends a token. */
export interface TokenVerifier {
  /**
   * @returns the user who the token was issued to (its `sub`)
   * @throws `UnauthenticatedError` (`UNAUTHENTICATED`) when the token proves nothing
   * @throws `UnavailableError` (`UNAVAILABLE`) when it cannot be checked for now, because no key could ever be loaded
   */
  verify(token: string): Promise<UserId>;
}

/** What is known of a system that can do its work. */
export interface Readiness {
  /** Whether the database itself keeps one user's tasks from another, besides the queries. */
  readonly rowSecurity: boolean;
}

/** Whether the system can do its work now. */
export interface ReadinessProbe {
  /** Resolves when the database answers and its schema is current; rejects with `UnavailableError` otherwise. */
  check(): Promise<Readiness>;
}
