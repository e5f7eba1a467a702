import type {
  Category,
  Priority,
  Status,
  Task,
  TaskChange,
  TaskEvent,
  TaskEventType,
  TaskId,
  Timestamp,
  UserId,
} from '@todo-backend/domain';

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
  /** Only the tasks that come after this one, which need not exist any more. */
  readonly after?: TaskPosition | undefined;
  /** At the most so many; all of them when left out. */
  readonly limit?: number | undefined;
}

/** Where a task stands in the order of a {@link TaskQuery}. */
export interface TaskPosition {
  /** The task's value of what is sorted by. */
  readonly key: string | null;
  readonly createdAt: Timestamp;
  readonly id: TaskId;
}

/** Tasks, and which state of the owner's tasks they belong to. */
export interface TaskListing {
  readonly tasks: readonly Task[];
  /** A number that every change of any of the owner's tasks makes larger. */
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

/** An event in its owner's journal. */
export type JournalEntry = TaskEvent & {
  /** Counts the owner's events from 1, without a gap. Whoever has read up to one has missed none before it. */
  readonly sequence: number;
};

/** Which entries of a journal, newest first. */
export interface JournalQuery {
  readonly taskId?: TaskId | undefined;
  readonly type?: TaskEventType | undefined;
  /** From this moment on. */
  readonly since?: Timestamp | undefined;
  /** Before this moment. */
  readonly until?: Timestamp | undefined;
  /** Only entries with a lower sequence. */
  readonly before?: number | undefined;
  readonly limit: number;
}

/** What becomes of tasks, and what to tell whoever asked for it. */
export interface Decision<Result> {
  readonly changes: readonly TaskChange[];
  readonly result: Result;
}

/** How long the result of what is to be done only once is kept. */
export const IDEMPOTENCY_HOURS = 24;

/** Something that is to be done only once, however often it is asked for. */
export interface Once {
  /** The caller's name for it, unique among the owner's. */
  readonly key: string;
  /** What tells it from everything else that the key could mistakenly be used for. */
  readonly fingerprint: string;
}

/**
 * Where tasks are kept, and the journal of what happened to them. Every method takes the owner, so that nobody can
 * forget whose tasks they are: a task of somebody else is the same as no task at all.
 *
 * Every method may throw `UnavailableError` (`UNAVAILABLE`); then nothing was changed, or, when the connection was lost
 * during a commit, all of it.
 */
export interface TaskRepository {
  list(owner: UserId, query: TaskQuery): Promise<TaskListing>;

  find(owner: UserId, id: TaskId): Promise<Task | undefined>;

  count(owner: UserId): Promise<TaskCounts>;

  /**
   * Loads the tasks with these ids, saves what `decide` makes of them, and writes the events into the journal, all in
   * one atomic step: of concurrent changes none is lost, and no change is without its event. Nothing is saved when
   * `decide` throws. A change without an event changes nothing.
   *
   * @param decide gets the tasks that there are, by id. It may be called again, when another change came first
   * @param once where the same key was used in the last {@link IDEMPOTENCY_HOURS} hours, the result of that time is
   *   returned, and nothing done. The result is kept in the same atomic step, as JSON
   * @throws `UserUnknownError` (`USER_UNKNOWN`) when the owner does not exist
   * @throws `IdempotencyKeyReusedError` (`IDEMPOTENCY_KEY_REUSED`) when the key was used for something else
   */
  change<Result>(
    owner: UserId,
    ids: readonly TaskId[],
    decide: (found: ReadonlyMap<TaskId, Task>) => Decision<Result>,
    once?: Once,
  ): Promise<Result>;

  history(owner: UserId, query: JournalQuery): Promise<JournalEntry[]>;
}

/** What became of an event that was handed to a sink. `reason` is for operators. */
export type Delivery =
  | { readonly outcome: 'accepted' }
  /** The sink will never take this event. */
  | { readonly outcome: 'rejected'; readonly reason: string }
  /** The sink was there, and did not take the event this time. It may be the event's fault. */
  | { readonly outcome: 'failed'; readonly reason: string /** Milliseconds. */; readonly retryAfter?: number }
  /** There was no connection to the sink, which says nothing about this event or any other. */
  | { readonly outcome: 'unreachable'; readonly reason: string };

/** Where events go that other systems are to hear of. */
export interface EventSink {
  /** Hands one event on. Never throws for what the sink does, and never takes longer than some seconds. */
  publish(entry: JournalEntry): Promise<Delivery>;
}

/** Events of one user that have not been handed on, claimed by one relay. */
export interface WaitingEvents {
  readonly userId: UserId;
  /** Tells this claim from every other one of the same user. */
  readonly claim: string;
  /** In their order, without a gap but for those that are no longer kept. */
  readonly entries: readonly JournalEntry[];
  /** The sequence that is reached when all of them have been delivered. */
  readonly upTo: number;
  /** How often the first of them has failed. */
  readonly attempts: number;
}

/** A dead letter that an operator has requeued, claimed by one relay. */
export interface RequeuedEvent {
  readonly entry: JournalEntry;
  /** Tells this claim from every other one of the same event. */
  readonly claim: string;
  /** How often it has failed since it was requeued. */
  readonly attempts: number;
}

/** An event that becomes a dead letter. `reason` is for operators. */
export interface BuriedEvent {
  readonly entry: JournalEntry;
  readonly reason: string;
}

/** When to try again. */
export interface Retry {
  /** How often the event that comes next has failed. */
  readonly attempts: number;
  /** Milliseconds before which nobody should try again. */
  readonly delay: number;
}

/** How far the delivery of one user's events got. */
export interface Settlement extends Retry {
  /** The sequence up to which all is done; `undefined` when nothing new is. */
  readonly reached: number | undefined;
  /** Those of the events up to there that become dead letters, until an operator requeues them. */
  readonly buried: readonly BuriedEvent[];
}

/**
 * The journal of all users as a queue of what is still to be handed on. For the relay, never for a user.
 *
 * A claim ends with its lease. Whoever settles after that changes nothing, and is told so with `false`: somebody else may
 * have claimed the same meanwhile.
 */
export interface Outbox {
  /**
   * Claims some users whose events wait, and some dead letters that an operator has requeued. Nobody else gets them
   * until they are settled, or `lease` milliseconds are over.
   */
  claim(lease: number): Promise<{ waiting: readonly WaitingEvents[]; requeued: readonly RequeuedEvent[] }>;

  /** Says how far a claimed user's delivery got, and gives the user free. */
  settle(claimed: WaitingEvents, settlement: Settlement): Promise<boolean>;

  /** Gives a requeued event free, to be tried again. */
  postpone(claimed: RequeuedEvent, retry: Retry): Promise<boolean>;

  /** Makes a requeued event a dead letter that rests again. */
  bury(claimed: RequeuedEvent, reason: string): Promise<boolean>;

  /** Takes the mark away, whoever has claimed the event: it has been delivered after all. */
  unbury(entry: JournalEntry): Promise<void>;
}

/** Tells the time. */
export type Clock = () => Timestamp;

/** Makes a new, unique, time-ordered id (UUID version 7). */
export type IdGenerator = () => string;

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
