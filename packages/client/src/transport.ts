import { TodoApiError, TodoNetworkError } from './errors.js';
import type { Problem } from './types.js';

/** Turns failures of the network into `TodoNetworkError`, except when the caller has aborted. */
export async function overNetwork<T>(
  work: () => Promise<T>,
  signal: AbortSignal | null | undefined,
  failure: string,
): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    signal?.throwIfAborted();
    throw new TodoNetworkError(failure, { cause });
  }
}

/** Reads a body, which may be cut off. */
export function read<T>(body: () => Promise<T>, { signal }: { readonly signal?: AbortSignal }): Promise<T> {
  return overNetwork(body, signal, 'The answer of the server cannot be read.');
}

/** The error of a response. */
export async function errorOf(response: Response): Promise<TodoApiError> {
  const isProblem = response.headers.get('Content-Type')?.startsWith('application/problem+json');
  const problem: Partial<Problem> = isProblem ? await response.json().catch(() => ({})) : {};
  const retryAfter = Number(response.headers.get('Retry-After') ?? Number.NaN);
  return new TodoApiError(response.status, problem, Number.isNaN(retryAfter) ? undefined : retryAfter);
}

/** Waits, unless the signal is aborted. */
export function sleep(milliseconds: number, signal: AbortSignal | null): Promise<void> {
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
