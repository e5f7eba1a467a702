import { newIdempotencyKey } from './idempotency-key.js';
import type {
  CallOptions,
  TaskCallOptions,
  TodoClient,
  TodoClientOptions,
  WatchHandlers,
  WatchOptions,
} from './todo-client.js';
import { errorOf, overNetwork, read, sleep } from './transport.js';
import type {
  ImportedTask,
  JournalEntry,
  Occurrences,
  OperationResult,
  StreamedChange,
  Task,
  TrashedTask,
  UndoResult,
} from './types.js';

interface PageQuery {
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
  readonly after?: string | undefined;
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
export function createTodoClient(options: TodoClientOptions): TodoClient {
  const { getToken, retries = 2, longestWait = 10 } = options;
  const baseUrl = options.baseUrl.replace(/\/+$/, '');
  const send = options.fetch ?? ((input, init) => fetch(input, init));

  const urlOf = (userId: string, path: string, query?: object) =>
    `${baseUrl}/api/${encodeURIComponent(userId)}${path}${searchOf(query)}`;

  async function call(method: string, userId: string, path: string, request: Request = {}): Promise<Response> {
    const { query, body, unchangedSince, isKeyed = false, idempotencyKey, requestId, signal = null } = request;
    const url = urlOf(userId, path, query);
    const headers: Record<string, string> = {
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
      ...(isKeyed && { 'Idempotency-Key': idempotencyKey ?? newIdempotencyKey() }),
      ...(unchangedSince && { 'If-Match': tagOf(unchangedSince) }),
      ...(requestId !== undefined && { 'X-Request-Id': requestId }),
    };
    const init = { method, signal, headers, ...(body !== undefined && { body: JSON.stringify(body) }) };
    // Whether an earlier attempt may have succeeded and only its response was lost.
    let mayBeDone = false;
    for (let attempt = 0; ; attempt++) {
      signal?.throwIfAborted();
      const response = await sendWithToken(url, init);
      if (response.ok || (mayBeDone && method === 'DELETE' && response.status === 404)) {
        const position = response.headers.get('Journal-Position');
        if (position !== null) request.onPosition?.(position);
        return response;
      }
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
    const next = new URLSearchParams(link);
    return { items, next: next.get(wayOf(query)) ?? undefined };
  }

  /** The items of a list, page by page. */
  async function* items<T>(userId: string, path: string, query: PageQuery, options: CallOptions): AsyncGenerator<T> {
    const way = wayOf(query);
    let from = query[way];
    do {
      const part = await page<T>(userId, path, { ...query, [way]: from }, options);
      yield* part.items;
      from = part.next;
    } while (from !== undefined);
  }

  function watch(userId: string, options: WatchHandlers): Promise<void>;
  function watch(userId: string, options?: WatchOptions): AsyncGenerator<StreamedChange, void>;
  function watch(userId: string, options: WatchOptions & Partial<WatchHandlers> = {}) {
    const { onChange } = options;
    const changes = follow(userId, options);
    if (onChange === undefined) return changes;
    return (async () => {
      for await (const change of changes) await onChange(change);
    })();
  }

  async function* follow(userId: string, options: WatchOptions): AsyncGenerator<StreamedChange, void> {
    // A part of its own: who does not watch does not load it.
    const { watchChanges } = await import('./watch.js');
    yield* watchChanges(
      {
        open: async (since, signal) => {
          const headers = { Accept: 'text/event-stream' };
          const response = await sendWithToken(urlOf(userId, '/changes', { since }), { signal, headers });
          if (!response.ok) throw await errorOf(response);
          return response;
        },
        present: async (signal) => (await client.changes(userId, {}, { signal })).position,
      },
      options,
    );
  }

  const task = (id: string) => `/tasks/${encodeURIComponent(id)}`;

  const client: TodoClient = {
    listTasks: (userId, query = {}, options = {}) => json('GET', userId, '/tasks', { ...options, query }),

    iterateTasks: (userId, query = {}, options = {}) => items(userId, '/tasks', query, options),

    async listTaskPage(userId, query = {}, options = {}) {
      const { items: tasks, next } = await page<Task>(userId, '/tasks', query, options);
      return { tasks, next };
    },

    getTask: (userId, id, options = {}) => json('GET', userId, task(id), options),

    createTask: (userId, body, options = {}) => json('POST', userId, '/tasks', { ...options, body, isKeyed: true }),

    updateTask: (userId, id, body, options = {}) => json('PUT', userId, task(id), { ...options, body, isKeyed: true }),

    completeTask: (userId, id, body, options = {}) =>
      json('PATCH', userId, `${task(id)}/complete`, { ...options, body, isKeyed: true }),

    async deleteTasks(userId, filter, options = {}) {
      const request = { ...options, query: filter, isKeyed: true };
      return (await json<{ deleted: number }>('DELETE', userId, '/tasks', request)).deleted;
    },

    async deleteTask(userId, id, options = {}) {
      await call('DELETE', userId, task(id), options);
    },

    getStats: (userId, options = {}) => json('GET', userId, '/stats', options),

    tags: (userId, options = {}) => json('GET', userId, '/tags', options),

    async occurrences(userId, id, query = {}, options = {}) {
      const path = `${task(id)}/occurrences`;
      return (await json<Occurrences>('GET', userId, path, { ...options, query })).occurrences;
    },

    async previewOccurrences(userId, query, options = {}) {
      return (await json<Occurrences>('GET', userId, '/occurrences', { ...options, query })).occurrences;
    },

    async batchTasks(userId, body, options = {}) {
      const request = { ...options, body, isKeyed: true };
      return (await json<{ results: OperationResult[] }>('POST', userId, '/tasks/batch', request)).results;
    },

    exportTasks: (userId, options = {}) => json('GET', userId, '/tasks/export', options),

    async exportTasksAsCsv(userId, options = {}) {
      const response = await call('GET', userId, '/tasks/export?format=csv', options);
      return read(() => response.text(), options);
    },

    async importTasks(userId, { tasks }, { idempotencyKey = newIdempotencyKey(), ...options } = {}) {
      let imported = 0;
      for (const [index, part] of partsOf(tasks).entries()) {
        const key = index === 0 ? idempotencyKey : `${idempotencyKey}.${index}`;
        const request = { ...options, body: { tasks: part }, isKeyed: true, idempotencyKey: key };
        imported += (await json<{ imported: number }>('POST', userId, '/tasks/import', request)).imported;
      }
      return { imported };
    },

    listJournal: (userId, query = {}, options = {}) => json('GET', userId, '/audit', { ...options, query }),

    async listJournalPage(userId, query = {}, options = {}) {
      const { items: entries, next } = await page<JournalEntry>(userId, '/audit', query, options);
      return { entries, next };
    },

    iterateJournal: (userId, query = {}, options = {}) => items(userId, '/audit', query, options),

    changes: (userId, query = {}, options = {}) => json('GET', userId, '/changes', { ...options, query }),

    watch,

    async undo(userId, body, options = {}) {
      const request = { ...options, body, isKeyed: true };
      return (await json<{ results: UndoResult[] }>('POST', userId, '/undo', request)).results;
    },

    trash: (userId, query = {}, options = {}) => json('GET', userId, '/trash', { ...options, query }),

    async listTrashPage(userId, query = {}, options = {}) {
      const { items: tasks, next } = await page<TrashedTask>(userId, '/trash', query, options);
      return { tasks, next };
    },

    iterateTrash: (userId, query = {}, options = {}) => items(userId, '/trash', query, options),

    restore: (userId, id, options = {}) => json('POST', userId, `${task(id)}/restore`, { ...options, isKeyed: true }),

    async erase(userId, id, options = {}) {
      await call('DELETE', userId, `/trash/${encodeURIComponent(id)}`, options);
    },

    emptyTrash: (userId, options = {}) => json('DELETE', userId, '/trash', options),
  };
  return client;
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

/** The parameter by which the pages of a list follow each other. */
function wayOf({ after }: PageQuery): 'after' | 'cursor' {
  return after === undefined ? 'cursor' : 'after';
}

/** The entity tag of this version of a task. */
function tagOf({ updatedAt }: Pick<Task, 'updatedAt'>): string {
  const time = Date.parse(updatedAt);
  return `"${time < 0 ? (-time).toString(36).padStart(10, '0') : time.toString(36)}"`;
}

function searchOf(query: object = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const parameters = new URLSearchParams(
    given.flatMap(([name, value]) => [value].flat().map((one) => [name, String(one)])),
  );
  return given.length === 0 ? '' : `?${parameters}`;
}
