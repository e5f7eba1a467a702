import {
  type NewTask as AnyNewTask,
  type TaskChanges as AnyTaskChanges,
  createTodoClient,
  type Task,
  TodoApiError,
  TodoNetworkError,
} from '@todo-backend/client';

export type {
  CallOptions,
  JournalEntry,
  Stats,
  StreamedChange,
  Task,
  TaskQuery,
  TodoClient,
  TrashedTask,
  UndoResult,
} from '@todo-backend/client';
export { newIdempotencyKey } from '@todo-backend/client';
export { TodoApiError, TodoNetworkError };
export type Priority = Task['priority'];
export type Category = Task['category'];
export type Recurrence = NonNullable<Task['recurrence']>;

/** This app says all of a recurrence, so that what is sent is what comes back. */
interface Whole {
  recurrence?: Recurrence | null;
}

export type NewTask = AnyNewTask & Whole;
export type TaskChanges = AnyTaskChanges & Whole;

/** Milliseconds after which a request has failed, unless said otherwise. */
const PATIENCE = 10_000;

/** Milliseconds before its end at which a token is not used any more. */
const MARGIN = 60_000;

/**
 * The API, as the user who is signed in. Tokens come from Better Auth, are kept in memory alone, and are replaced shortly
 * before they end, or when the API refuses one. Who has no session any more is sent to sign in.
 *
 * @param baseUrl where the API is
 * @param patience milliseconds after which a request has failed
 */
export function connect(baseUrl: string, patience = PATIENCE) {
  let known: Token | undefined;
  let coming: Promise<Token> | undefined;

  async function getToken({ refresh }: { refresh: boolean }): Promise<string> {
    if (refresh || known === undefined || known.end - MARGIN < Date.now()) {
      // Many who ask at the same time wait for the same answer.
      coming ??= fetchToken().finally(() => {
        coming = undefined;
      });
      known = await coming;
    }
    return known.text;
  }

  const patient: typeof fetch = (input, init) => {
    // Watching goes on for as long as somebody looks, and the client sees to it that it does not wait for nothing.
    if (new Headers(init?.headers).get('Accept') === 'text/event-stream') return fetch(input, init);
    const limits = [AbortSignal.timeout(patience), ...(init?.signal ? [init.signal] : [])];
    return fetch(input, { ...init, signal: AbortSignal.any(limits) });
  };

  return createTodoClient({ baseUrl, getToken, fetch: patient });
}

interface Token {
  readonly text: string;
  /** Milliseconds since 1970. */
  readonly end: number;
}

async function fetchToken(): Promise<Token> {
  const response = await fetch('/api/auth/token', { signal: AbortSignal.timeout(PATIENCE) }).catch((cause) => {
    throw new TodoNetworkError('This app cannot be reached.', { cause });
  });
  if (response.status === 401) {
    // The session is over. Nobody gets an answer: this page is about to be left.
    location.assign('/sign-in');
    return new Promise(() => {});
  }
  if (!response.ok) throw new TodoNetworkError('This app gives no token at the moment.');
  const { token } = (await response.json()) as { token: string };
  const payload = token.split('.')[1] ?? '';
  const { exp } = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/'))) as { exp: number };
  return { text: token, end: exp * 1000 };
}

/** Whether the API may well be there again in a moment. */
export function isAway(error: unknown): boolean {
  return (
    error instanceof TodoNetworkError || (error instanceof TodoApiError && [429, 502, 503, 504].includes(error.status))
  );
}

/** Whether the API has said that it will not, and would say so again. */
export function isRefused(error: unknown): boolean {
  return error instanceof TodoApiError && !isAway(error) && error.status < 500;
}

/** Whether there is no such task (any more). */
export function isGone(error: unknown): boolean {
  return error instanceof TodoApiError && error.status === 404;
}

/** Whether somebody else has changed the task in the meantime. */
export function isOutdated(error: unknown): boolean {
  return error instanceof TodoApiError && error.status === 412;
}

/** What a person is told. The API's `detail` is made for that. */
export function explain(error: unknown): string {
  if (error instanceof TodoApiError) return error.detail;
  if (error instanceof TodoNetworkError) return 'Your tasks cannot be reached at the moment.';
  return 'Something went wrong. Please try again.';
}
