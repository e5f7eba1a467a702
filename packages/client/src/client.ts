import { newIdempotencyKey } from './idempotency-key.js';
import { errorOf, overNetwork, read, sleep } from './transport.js';
import type {
  Batch,
  Completion,
  ImportedTask,
  JournalEntry,
  JournalQuery,
  NewTask,
  OperationResult,
  Stats,
  Task,
  TaskChanges,
  TaskQuery,
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
}

/** Options of a request that changes something. */
export interface ChangeCallOptions extends CallOptions {
  /** Makes retries take effect only once. Default: a new key for each call. */
  readonly idempotencyKey?: string;
}

/** Options of a request that changes an existing task. */
export interface TaskCallOptions extends ChangeCallOptions {
  /** Changes the task only if it still has this version; otherwise status 412. */
  readonly unchangedSince?: Pick<Task, 'updatedAt'>;
}

/** A page of a list of tasks. */
export interface TaskPage {
  readonly tasks: Task[];
  /** The `cursor` of the next page, if there is one. */
  readonly next: string | undefined;
}

/** A page of the journal, newest first. */
export interface JournalPage {
  readonly entries: JournalEntry[];
  /** The `cursor` of the next, older page, if there is one. */
  readonly next: number | undefined;
}

/** A typed client of the API; see {@link createTodoClient}. */
export type TodoClient = ReturnType<typeof createTodoClient>;

interface PageQuery {
  readonly limit?: number | undefined;
  readonly cursor?: string | number | undefined;
}

interface Request extends TaskCallOptions {
  readonly query?: object;
  readonly body?: object | undefined;
  /** Whether the request takes an idempotency key. DELETE can be retried without one. */
  readonly isKeyed?: boolean;
}

/**
 * A client of the Todo backend, based on `fetch`. Every operation takes the user's id first, which must be that of the
 * token. Operations reject with `TodoApiError` when the API refuses the request, with `TodoNetworkError` when it cannot
 * be reached or its response cannot be read, and with the signal's reason when that is aborted.
 *
 * Responses with 429 or 503 are retried after their `Retry-After`. That is safe: requests that change something carry
 * an `Idempotency-Key`, so that they take effect only once.
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
      ...(isKeyed && { 'Idempotency-Key': idempotencyKey ?? newIdempotencyKey() }),
      ...(unchangedSince && { 'If-Match': tagOf(unchangedSince) }),
    };
    const init = { method, signal, headers, ...(body !== undefined && { body: JSON.stringify(body) }) };
    // Whether an earlier attempt may have succeeded and only its response was lost.
    let mayBeDone = false;
    for (let attempt = 0; ; attempt++) {
      signal?.throwIfAborted();
      const response = await sendWithToken(url, init);
      if (response.ok || (mayBeDone && method === 'DELETE' && response.status === 404)) return response;
      const error = await errorOf(response);
      signal?.throwIfAborted();
      const wait = error.retryAfter ?? 1;
      if (![429, 503].includes(error.status) || attempt >= retries || wait > longestWait) throw error;
      mayBeDone ||= error.status === 503;
      await sleep(wait * 1000, signal);
    }
  }

  async function sendWithToken(url: string, init: RequestInit): Promise<Response> {
    const sendWith = (token: string) => {
      const headers = { ...init.headers, Authorization: `Bearer ${token}` };
      return overNetwork(() => send(url, { ...init, headers }), init.signal, 'The server cannot be reached.');
    };
    const token = await getToken({ refresh: false });
    const response = await sendWith(token);
    if (response.status !== 401) return response;
    const fresh = await getToken({ refresh: true });
    return fresh === token ? response : sendWith(fresh);
  }

  async function json<T>(method: string, userId: string, path: string, request: Request = {}): Promise<T> {
    const response = await call(method, userId, path, request);
    return read(() => response.json() as Promise<T>, request);
  }

  /** A page of a list, and the link to the next one. */
  async function page<T>(userId: string, path: string, query: PageQuery, options: CallOptions) {
    const request = { ...options, query: { ...query, limit: query.limit ?? 100 } };
    const response = await call('GET', userId, path, request);
    const items = await read(() => response.json() as Promise<T[]>, options);
    const link = /<\?([^>]*)>; *rel="next"/.exec(response.headers.get('Link') ?? '')?.[1];
    return { items, next: new URLSearchParams(link).get('cursor') ?? undefined };
  }

  /** The items of a list, page by page. */
  async function* items<T>(userId: string, path: string, query: PageQuery, options: CallOptions): AsyncGenerator<T> {
    let { cursor } = query;
    do {
      const part = await page<T>(userId, path, { ...query, cursor }, options);
      yield* part.items;
      cursor = part.next;
    } while (cursor !== undefined);
  }

  const task = (id: string) => `/tasks/${encodeURIComponent(id)}`;

  return {
    /** The tasks that match `query`; by default all of them, newest first. */
    listTasks(userId: string, query: TaskQuery = {}, options: CallOptions = {}): Promise<Task[]> {
      return json('GET', userId, '/tasks', { ...options, query });
    },

    /** The same, loaded in pages of `query.limit` (default 100) as consumed: `for await (const task of …)`. */
    iterateTasks(userId: string, query: TaskQuery = {}, options: CallOptions = {}): AsyncGenerator<Task> {
      return items(userId, '/tasks', query, options);
    },

    /** One page of the same, of `query.limit` tasks (default 100), from `query.cursor` (the previous `next`) on. */
    async listTaskPage(userId: string, query: TaskQuery = {}, options: CallOptions = {}): Promise<TaskPage> {
      const { items: tasks, next } = await page<Task>(userId, '/tasks', query, options);
      return { tasks, next };
    },

    getTask(userId: string, id: string, options: CallOptions = {}): Promise<Task> {
      return json('GET', userId, task(id), options);
    },

    createTask(userId: string, body: NewTask, options: ChangeCallOptions = {}): Promise<Task> {
      return json('POST', userId, '/tasks', { ...options, body, isKeyed: true });
    },

    /** Changes the fields in `body` and leaves the rest. */
    updateTask(userId: string, id: string, body: TaskChanges, options: TaskCallOptions = {}): Promise<Task> {
      return json('PUT', userId, task(id), { ...options, body, isKeyed: true });
    },

    /** Completes or reopens a task, or toggles it when `body` is omitted. */
    completeTask(userId: string, id: string, body?: Completion, options: TaskCallOptions = {}): Promise<Task> {
      return json('PATCH', userId, `${task(id)}/complete`, { ...options, body, isKeyed: true });
    },

    async deleteTask(userId: string, id: string, options: Omit<TaskCallOptions, 'idempotencyKey'> = {}): Promise<void> {
      await call('DELETE', userId, task(id), options);
    },

    getStats(userId: string, options: CallOptions = {}): Promise<Stats> {
      return json('GET', userId, '/stats', options);
    },

    /** Carries out several operations in one request; if one fails, none is done unless `atomic` is false. */
    async batchTasks(userId: string, body: Batch, options: ChangeCallOptions = {}): Promise<OperationResult[]> {
      const request = { ...options, body, isKeyed: true };
      return (await json<{ results: OperationResult[] }>('POST', userId, '/tasks/batch', request)).results;
    },

    /** All tasks, in the format of {@link importTasks}. */
    exportTasks(userId: string, options: CallOptions = {}): Promise<{ tasks: Task[] }> {
      return json('GET', userId, '/tasks/export', options);
    },

    /** All tasks as CSV, for a spreadsheet. */
    async exportTasksAsCsv(userId: string, options: CallOptions = {}): Promise<string> {
      const response = await call('GET', userId, '/tasks/export?format=csv', options);
      return read(() => response.text(), options);
    },

    /**
     * Creates tasks, with their status and times. More than one request may have are sent in several: then those before
     * one that fails are created.
     */
    async importTasks(
      userId: string,
      { tasks }: { readonly tasks: readonly ImportedTask[] },
      { idempotencyKey = newIdempotencyKey(), ...options }: ChangeCallOptions = {},
    ): Promise<{ imported: number }> {
      let imported = 0;
      for (const [index, part] of partsOf(tasks).entries()) {
        const key = index === 0 ? idempotencyKey : `${idempotencyKey}.${index}`;
        const request = { ...options, body: { tasks: part }, isKeyed: true, idempotencyKey: key };
        imported += (await json<{ imported: number }>('POST', userId, '/tasks/import', request)).imported;
      }
      return { imported };
    },

    /** What happened to the tasks, newest first. */
    listJournal(userId: string, query: JournalQuery = {}, options: CallOptions = {}): Promise<JournalEntry[]> {
      return json('GET', userId, '/audit', { ...options, query });
    },

    /** One page of the same, of `query.limit` entries (default 100), from `query.cursor` on. */
    async listJournalPage(userId: string, query: JournalQuery = {}, options: CallOptions = {}): Promise<JournalPage> {
      const { items: entries, next } = await page<JournalEntry>(userId, '/audit', query, options);
      return { entries, next: next === undefined ? undefined : Number(next) };
    },

    /** The same, loaded in pages as it is consumed. */
    iterateJournal(userId: string, query: JournalQuery = {}, options: CallOptions = {}): AsyncGenerator<JournalEntry> {
      return items(userId, '/audit', query, options);
    },
  };
}

/** The most tasks of one import, and bytes of its tasks, less than the 10 MB of its body. */
const MOST_TASKS = 10_000;
const MOST_BYTES = 9_000_000;

/** Tasks in as few parts as the limits of an import allow. */
function partsOf(tasks: readonly ImportedTask[]): (readonly ImportedTask[])[] {
  const parts: ImportedTask[][] = [[]];
  let bytes = 0;
  for (const task of tasks) {
    const size = new TextEncoder().encode(JSON.stringify(task)).length + 1;
    bytes += size;
    if (bytes > MOST_BYTES || parts.at(-1)?.length === MOST_TASKS) {
      parts.push([]);
      bytes = size;
    }
    parts.at(-1)?.push(task);
  }
  return parts;
}

/** The entity tag of this version of a task. */
function tagOf({ updatedAt }: Pick<Task, 'updatedAt'>): string {
  const time = Date.parse(updatedAt);
  return `"${time < 0 ? (-time).toString(36).padStart(10, '0') : time.toString(36)}"`;
}

function searchOf(query: object = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const parameters = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  return given.length === 0 ? '' : `?${parameters}`;
}
