import type {
  Batch,
  ChangesPage,
  ChangesQuery,
  Completion,
  ImportedTask,
  JournalEntry,
  JournalQuery,
  NewTask,
  OccurrencesPreview,
  OperationResult,
  Stats,
  StreamedChange,
  TagCount,
  Task,
  TaskChanges,
  TaskFilter,
  TaskQuery,
  TrashedTask,
  TrashQuery,
  Undo,
  UndoResult,
} from './types.js';

/** How to reach the API. */
export interface TodoClientOptions {
  /** The base URL of the API, such as `https://api.example.com`. */
  readonly baseUrl: string;
  /**
   * Returns the bearer token; called before each request. Called with `refresh` when the API has refused that token: if
   * it then returns another one, the request is retried with it.
   */
  readonly getToken: (options: { readonly refresh: boolean }) => string | Promise<string>;
  /** Used instead of the global `fetch`. */
  readonly fetch?: typeof fetch;
  /** How often a request is retried after 429 or 503. Default 2. */
  readonly retries?: number;
  /** The maximum seconds to wait for a retry; when the server asks for more, there is no retry. Default 10. */
  readonly longestWait?: number;
}

/** Options of every request. */
export interface CallOptions {
  readonly signal?: AbortSignal;
  /**
   * Called with the position of the journal that an answer has. A list has all changes up to it, those after it are in
   * `changes` and `watch`; a change has become known once they have come to it. What is loaded in pages has one for each
   * page: the first is where to begin. An older server tells none.
   */
  readonly onPosition?: (position: string) => void;
}

/** Options of a request that changes something. */
export interface ChangeCallOptions extends CallOptions {
  /** Makes retries take effect only once. Default: a new key for each call. */
  readonly idempotencyKey?: string;
  /** The id of the request, a UUID, by which it can be undone. Default: one that the server makes. */
  readonly requestId?: string;
}

/** Options of a request that changes an existing task. */
export interface TaskCallOptions extends ChangeCallOptions {
  /** Changes the task only if it still has this version; otherwise status 412. */
  readonly unchangedSince?: Pick<Task, 'updatedAt'>;
}

/** How to follow the changes. */
export interface WatchOptions {
  /** The position up to which the changes are known, as `onPosition` or an earlier change told it. Default: now. */
  readonly since?: string;
  /**
   * Called when the server cannot tell any more what has changed: everything has to be loaded again. What changes from
   * this call on comes as before. Without it, watching ends with the error 410.
   */
  readonly onResync?: () => void | Promise<void>;
  /** Ends it, without an error. */
  readonly signal?: AbortSignal;
  /** The seconds after which a silent connection is given up for another; the server says something every 20. Default 60. */
  readonly longestSilence?: number;
}

/** The same, with a function that is called for each change. */
export interface WatchHandlers extends WatchOptions {
  /** The next change waits for it. */
  readonly onChange: (change: StreamedChange) => void | Promise<void>;
}

/** A page of a list of tasks. */
export interface TaskPage {
  readonly tasks: Task[];
  /** The `cursor` of the next page, if there is one. */
  readonly next: string | undefined;
}

/** A page of the journal, newest first; oldest first after a position. */
export interface JournalPage {
  readonly entries: JournalEntry[];
  /** The `cursor` of the next, older page, or the `after` of the next, newer one, if there is one. */
  readonly next: string | undefined;
}

/** A page of the deleted tasks, newest first. */
export interface TrashPage {
  readonly tasks: TrashedTask[];
  /** The `cursor` of the next, older page, if there is one. */
  readonly next: string | undefined;
}

/** A typed client of the API; see {@link createTodoClient}. */
export interface TodoClient {
  /** The tasks that match `query`; by default all of them, newest first. */
  listTasks(userId: string, query?: TaskQuery, options?: CallOptions): Promise<Task[]>;

  /** The same, loaded in pages of `query.limit` (default 100) as consumed: `for await (const task of …)`. */
  iterateTasks(userId: string, query?: TaskQuery, options?: CallOptions): AsyncGenerator<Task>;

  /** One page of the same, of `query.limit` tasks (default 100), from `query.cursor` (the previous `next`) on. */
  listTaskPage(userId: string, query?: TaskQuery, options?: CallOptions): Promise<TaskPage>;

  getTask(userId: string, id: string, options?: CallOptions): Promise<Task>;

  createTask(userId: string, body: NewTask, options?: ChangeCallOptions): Promise<Task>;

  /** Changes the fields in `body` and leaves the rest. */
  updateTask(userId: string, id: string, body: TaskChanges, options?: TaskCallOptions): Promise<Task>;

  /** Completes or reopens a task, or toggles it when `body` is omitted. */
  completeTask(userId: string, id: string, body?: Completion, options?: TaskCallOptions): Promise<Task>;

  deleteTask(userId: string, id: string, options?: Omit<TaskCallOptions, 'idempotencyKey'>): Promise<void>;

  /** Deletes all tasks that match, and returns how many. At least one filter is needed. */
  deleteTasks(userId: string, filter: TaskFilter, options?: ChangeCallOptions): Promise<number>;

  getStats(userId: string, options?: CallOptions): Promise<Stats>;

  /** The tags in use, the most used first, at most 1,000. */
  tags(userId: string, options?: CallOptions): Promise<TagCount[]>;

  /** The due dates that follow that of a task, as they come when each is completed in time; by default five. */
  occurrences(userId: string, id: string, query?: { limit?: number }, options?: CallOptions): Promise<string[]>;

  /** The due dates that a rule gives after one, before a task is saved with it. */
  previewOccurrences(userId: string, query: OccurrencesPreview, options?: CallOptions): Promise<string[]>;

  /** Carries out several operations in one request; if one fails, none is done unless `atomic` is false. */
  batchTasks(userId: string, body: Batch, options?: ChangeCallOptions): Promise<OperationResult[]>;

  /** All tasks, in the format of {@link importTasks}. */
  exportTasks(userId: string, options?: CallOptions): Promise<{ tasks: Task[] }>;

  /** All tasks as CSV, for a spreadsheet. */
  exportTasksAsCsv(userId: string, options?: CallOptions): Promise<string>;

  /**
   * Creates tasks, with their status and times. More than one request may have are sent in several: then those before
   * one that fails are created.
   */
  importTasks(
    userId: string,
    body: { readonly tasks: readonly ImportedTask[] },
    options?: ChangeCallOptions,
  ): Promise<{ imported: number }>;

  /** What happened to the tasks, newest first. */
  listJournal(userId: string, query?: JournalQuery, options?: CallOptions): Promise<JournalEntry[]>;

  /** One page of the same, of `query.limit` entries (default 100), from `query.cursor` on. */
  listJournalPage(userId: string, query?: JournalQuery, options?: CallOptions): Promise<JournalPage>;

  /** The same, loaded in pages as it is consumed. */
  iterateJournal(userId: string, query?: JournalQuery, options?: CallOptions): AsyncGenerator<JournalEntry>;

  /**
   * The tasks that have changed since `query.since`, each once, as they are now. Rejects with status 410 when the server
   * does not know any more: then everything has to be loaded again. Without `since`: only the present position.
   */
  changes(userId: string, query?: ChangesQuery, options?: CallOptions): Promise<ChangesPage>;

  /**
   * Calls `onChange` for each change since `options.since`, as it happens, until `options.signal` is aborted. It connects
   * again by itself, from where it was, when the network or the server was away, and with another token when one has
   * ended. Rejects when the API refuses it (401, 403, 404), and with what `onChange` or `onResync` throws.
   */
  watch(userId: string, options: WatchHandlers): Promise<void>;

  /** The same changes, to be consumed: `for await (const change of …)`. It ends with the loop. */
  watch(userId: string, options?: WatchOptions): AsyncGenerator<StreamedChange, void>;

  /**
   * Takes back events, all that one request did, or all that an agent did since a moment: newest first, where nobody has
   * changed the same since; by default all or none (status 409).
   */
  undo(userId: string, body: Undo, options?: ChangeCallOptions): Promise<UndoResult[]>;

  /** The deleted tasks that can be restored, newest first. */
  trash(userId: string, query?: TrashQuery, options?: CallOptions): Promise<TrashedTask[]>;

  /** One page of the same, of `query.limit` tasks (default 100), from `query.cursor` on. */
  listTrashPage(userId: string, query?: TrashQuery, options?: CallOptions): Promise<TrashPage>;

  /** The same, loaded in pages as it is consumed. */
  iterateTrash(userId: string, query?: TrashQuery, options?: CallOptions): AsyncGenerator<TrashedTask>;

  /** Brings a deleted task back, with its id. */
  restore(userId: string, id: string, options?: ChangeCallOptions): Promise<Task>;

  /** Erases a deleted task for good, also what the journal has of its texts. */
  erase(userId: string, id: string, options?: Omit<ChangeCallOptions, 'idempotencyKey'>): Promise<void>;

  /** Erases every deleted task for good. */
  emptyTrash(userId: string, options?: Omit<ChangeCallOptions, 'idempotencyKey'>): Promise<{ erased: number }>;
}
