import { TodoApiError, TodoNetworkError } from './errors.js';
import type {
  Batch,
  Completion,
  ImportedTask,
  JournalEntry,
  JournalQuery,
  NewTask,
  OperationResult,
  Problem,
  Stats,
  Task,
  TaskChanges,
  TaskQuery,
} from './types.js';

/** How to reach the API. */
export interface TodoClientOptions {
  /** Where the API is, such as `https://api.example.com`. */
  readonly baseUrl: string;
  /** Gives the bearer token; asked before each request. */
  readonly getToken: () => string | Promise<string>;
  /** In place of the global one. */
  readonly fetch?: typeof fetch;
  /** How often a request is repeated that the server had no time for (429, 503). Default 2. */
  readonly retries?: number;
  /** Seconds that are waited for a repetition at the most; where the server asks for more, it is not repeated. Default 10. */
  readonly longestWait?: number;
}

/** What can be said of any request. */
export interface CallOptions {
  readonly signal?: AbortSignal;
}

/** What can be said of a request that changes something. */
export interface ChangeCallOptions extends CallOptions {
  /** Makes it happen once, however often it is sent. A new one for each call when left out. */
  readonly idempotencyKey?: string;
}

/** What can be said of a request that changes a task that is there. */
export interface TaskCallOptions extends ChangeCallOptions {
  /** Only if the task is still as it was here: status 412 otherwise, and nothing is changed. */
  readonly unchangedSince?: Pick<Task, 'updatedAt'>;
}

/** A typed client of the API; see {@link createTodoClient}. */
export type TodoClient = ReturnType<typeof createTodoClient>;

interface Request extends TaskCallOptions {
  readonly query?: object;
  readonly body?: object | undefined;
  /** Whether the request may be known by a key: DELETE may be repeated without one. */
  readonly isKeyed?: boolean;
}

/**
 * A client of the Todo backend, on nothing but `fetch`. Every operation takes the user's id first, which has to be the
 * token's. They reject with {@link TodoApiError} for what the API refuses, with {@link TodoNetworkError} where it cannot
 * be reached, and with the signal's reason when that is aborted.
 *
 * What the server has no time for (429, 503) is repeated when its `Retry-After` is over. That is safe: what changes
 * something carries an `Idempotency-Key`, so that it happens once.
 */
export function createTodoClient(options: TodoClientOptions) {
  const { getToken, retries = 2, longestWait = 10 } = options;
  const baseUrl = options.baseUrl.replace(/\/+$/, '');
  const send = options.fetch ?? ((input, init) => fetch(input, init));

  async function call(method: string, userId: string, path: string, request: Request = {}): Promise<Response> {
    const { query, body, unchangedSince, isKeyed = false, idempotencyKey, signal = null } = request;
    const url = `${baseUrl}/api/${encodeURIComponent(userId)}${path}${searchOf(query)}`;
    const headers: Record<string, string> = {
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
      ...(isKeyed && { 'Idempotency-Key': idempotencyKey ?? newKey() }),
      ...(unchangedSince && { 'If-Match': tagOf(unchangedSince) }),
    };
    for (let attempt = 0; ; attempt++) {
      signal?.throwIfAborted();
      const init = { method, signal, headers: { ...headers, Authorization: `Bearer ${await getToken()}` } };
      const response = await reach(url, body === undefined ? init : { ...init, body: JSON.stringify(body) });
      // A first attempt may have deleted it, and only its answer have been lost.
      if (response.ok || (attempt > 0 && method === 'DELETE' && response.status === 404)) return response;
      const error = await errorOf(response);
      const wait = error.retryAfter ?? 1;
      if (![429, 503].includes(error.status) || attempt >= retries || wait > longestWait) throw error;
      await sleep(wait * 1000, signal);
    }
  }

  async function reach(url: string, init: RequestInit): Promise<Response> {
    try {
      return await send(url, init);
    } catch (cause) {
      if (init.signal?.aborted) throw cause;
      throw new TodoNetworkError('The server cannot be reached.', { cause });
    }
  }

  async function json<T>(method: string, userId: string, path: string, request?: Request): Promise<T> {
    return (await call(method, userId, path, request)).json() as Promise<T>;
  }

  /** The items of a list, part by part. */
  async function* items<T>(userId: string, path: string, query: object, request: CallOptions): AsyncGenerator<T> {
    let part: string | undefined = searchOf({ limit: 100, ...query });
    while (part !== undefined) {
      const response = await call('GET', userId, path + part, request);
      yield* (await response.json()) as T[];
      part = /<([^>]*)>; *rel="next"/.exec(response.headers.get('Link') ?? '')?.[1];
    }
  }

  const task = (id: string) => `/tasks/${encodeURIComponent(id)}`;

  return {
    /** The tasks that `query` asks for: all of them, newest first, when it is left out. */
    listTasks(userId: string, query: TaskQuery = {}, options: CallOptions = {}): Promise<Task[]> {
      return json('GET', userId, '/tasks', { ...options, query });
    },

    /** The same, loaded in parts of `query.limit` (100 when left out) as they are consumed: `for await (const task of …)`. */
    iterateTasks(userId: string, query: TaskQuery = {}, options: CallOptions = {}): AsyncGenerator<Task> {
      return items(userId, '/tasks', query, options);
    },

    getTask(userId: string, id: string, options: CallOptions = {}): Promise<Task> {
      return json('GET', userId, task(id), options);
    },

    createTask(userId: string, body: NewTask, options: ChangeCallOptions = {}): Promise<Task> {
      return json('POST', userId, '/tasks', { ...options, body, isKeyed: true });
    },

    /** Changes what `body` names and leaves the rest. */
    updateTask(userId: string, id: string, body: TaskChanges, options: TaskCallOptions = {}): Promise<Task> {
      return json('PUT', userId, task(id), { ...options, body, isKeyed: true });
    },

    /** Completes or reopens a task, or toggles it when `body` is left out. */
    completeTask(userId: string, id: string, body?: Completion, options: TaskCallOptions = {}): Promise<Task> {
      return json('PATCH', userId, `${task(id)}/complete`, { ...options, body, isKeyed: true });
    },

    async deleteTask(userId: string, id: string, options: Omit<TaskCallOptions, 'idempotencyKey'> = {}): Promise<void> {
      await call('DELETE', userId, task(id), options);
    },

    getStats(userId: string, options: CallOptions = {}): Promise<Stats> {
      return json('GET', userId, '/stats', options);
    },

    /** Does several things at once: all of them or, unless `atomic` is false, none. */
    async batchTasks(userId: string, body: Batch, options: ChangeCallOptions = {}): Promise<OperationResult[]> {
      const request = { ...options, body, isKeyed: true };
      return (await json<{ results: OperationResult[] }>('POST', userId, '/tasks/batch', request)).results;
    },

    /** All tasks, as {@link importTasks} takes them. */
    exportTasks(userId: string, options: CallOptions = {}): Promise<{ tasks: Task[] }> {
      return json('GET', userId, '/tasks/export', options);
    },

    /** All tasks, for a spreadsheet. */
    async exportTasksAsCsv(userId: string, options: CallOptions = {}): Promise<string> {
      return (await call('GET', userId, '/tasks/export?format=csv', options)).text();
    },

    /** Creates tasks with the history that they bring along. */
    importTasks(
      userId: string,
      body: { readonly tasks: readonly ImportedTask[] },
      options: ChangeCallOptions = {},
    ): Promise<{ imported: number }> {
      return json('POST', userId, '/tasks/import', { ...options, body, isKeyed: true });
    },

    /** What happened to the tasks, newest first. */
    listJournal(userId: string, query: JournalQuery = {}, options: CallOptions = {}): Promise<JournalEntry[]> {
      return json('GET', userId, '/audit', { ...options, query });
    },

    /** The same, loaded in parts as it is consumed. */
    iterateJournal(userId: string, query: JournalQuery = {}, options: CallOptions = {}): AsyncGenerator<JournalEntry> {
      return items(userId, '/audit', query, options);
    },
  };
}

/** The entity tag that the API gives a task in this version. */
function tagOf({ updatedAt }: Pick<Task, 'updatedAt'>): string {
  return `"${Date.parse(updatedAt).toString(36)}"`;
}

/** Not `randomUUID`: browsers have that only where the page came over TLS, or from localhost. */
function newKey(): string {
  return crypto.getRandomValues(new Uint32Array(4)).join('-');
}

function searchOf(query: object = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const parameters = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  return given.length === 0 ? '' : `?${parameters}`;
}

async function errorOf(response: Response): Promise<TodoApiError> {
  const isProblem = response.headers.get('Content-Type')?.startsWith('application/problem+json');
  const problem: Partial<Problem> = isProblem ? await response.json().catch(() => ({})) : {};
  const retryAfter = Number(response.headers.get('Retry-After') ?? Number.NaN);
  return new TodoApiError(response.status, problem, Number.isNaN(retryAfter) ? undefined : retryAfter);
}

function sleep(milliseconds: number, signal: AbortSignal | null): Promise<void> {
  return new Promise((resolve, reject) => {
    const giveUp = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', giveUp);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', giveUp, { once: true });
  });
}
