import { TodoApiError, TodoNetworkError } from './errors.js';
import { EventStreamParser } from './event-stream.js';
import type { WatchOptions } from './todo-client.js';
import { overNetwork, sleep } from './transport.js';
import type { StreamedChange } from './types.js';

/** What watching needs of the API. */
interface Feed {
  /** The stream of changes since a position, or from now on. */
  readonly open: (since: string | undefined, signal: AbortSignal) => Promise<Response>;
  /** The present position. */
  readonly present: (signal: AbortSignal) => Promise<string>;
}

/** Milliseconds to wait before connecting again, until the server asks for others; and the most that they grow to. */
const RETRY = 1_000;
const LONGEST_RETRY = 30_000;

/** The longest time that timers know. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** The server answers, but not with what was asked for: the next answer would be no better. */
class UnreadableError extends TodoNetworkError {}

/** The changes as they happen, over as many connections as it takes. */
export async function* watchChanges(
  { open, present }: Feed,
  { since, onResync, signal, longestSilence = 60 }: WatchOptions,
): AsyncGenerator<StreamedChange, void> {
  let position = since;
  let retry = RETRY;
  let failures = 0;
  let isLost = false;
  while (!signal?.aborted) {
    const connection = connect(signal, longestSilence * 1000);
    let failure: unknown;
    try {
      if (isLost) {
        position = await connection.until(present);
      } else {
        const parser = new EventStreamParser();
        for await (const piece of connection.read((until) => open(position, until))) {
          for (const { type, data } of parser.push(piece)) {
            if (type === 'change') yield changeOf(data);
          }
          // All of the piece is consumed, or this is over. A stream begins with a position that comes without data.
          position = parser.lastEventId || position;
          retry = parser.retry ?? retry;
          if (parser.lastEventId !== '') failures = 0;
        }
      }
    } catch (error) {
      failure = error;
    } finally {
      connection.close();
    }
    if (signal?.aborted) return;
    if (isLost && failure === undefined) {
      // What changes from here on comes with the stream: whoever loads the list now misses nothing.
      isLost = false;
      await onResync?.();
      continue;
    }
    const isGone = failure instanceof TodoApiError && failure.status === 410 && onResync !== undefined;
    if (failure !== undefined && !isGone && !isPassing(failure)) throw failure;
    isLost ||= isGone;
    if (!isGone || failures > 0) {
      const asked = failure instanceof TodoApiError ? (failure.retryAfter ?? 0) * 1000 : 0;
      const grown = Math.min(retry * 2 ** failures, Math.max(retry, LONGEST_RETRY)) * (1 + Math.random() / 2);
      // Only an aborted signal ends the wait early, and the loop with it.
      await sleep(Math.min(Math.max(asked, grown), LONGEST_TIMER), signal ?? null).catch(() => {});
    }
    failures++;
  }
}

/** Whether another attempt may succeed. What `fetch` throws without a network is a `TypeError`, also in `getToken`. */
function isPassing(error: unknown): boolean {
  if (error instanceof TodoApiError) return error.status >= 500 || [408, 425, 429].includes(error.status);
  return (error instanceof TodoNetworkError && !(error instanceof UnreadableError)) || error instanceof TypeError;
}

function changeOf(data: string): StreamedChange {
  try {
    return JSON.parse(data);
  } catch (cause) {
    throw new UnreadableError('The answer of the server cannot be read.', { cause });
  }
}

/** A connection that ends with the signal, and when nothing comes for too long. */
function connect(signal: AbortSignal | undefined, silence: number) {
  const controller = new AbortController();
  const end = () => controller.abort(signal?.reason);
  signal?.addEventListener('abort', end, { once: true });

  /** Waits for `work`, but no longer than the connection lasts: `getToken` may never answer. */
  async function until<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    controller.signal.throwIfAborted();
    const { promise: ended, reject } = Promise.withResolvers<never>();
    const fail = () => reject(controller.signal.reason);
    const isSilent = () => controller.abort(new TodoNetworkError('Nothing has come from the server for too long.'));
    controller.signal.addEventListener('abort', fail, { once: true });
    const timer = setTimeout(isSilent, silence);
    try {
      return await Promise.race([work(controller.signal), ended]);
    } finally {
      clearTimeout(timer);
      controller.signal.removeEventListener('abort', fail);
    }
  }

  /** The text of a stream. It is read as it is consumed: what is not taken yet stays with the server. */
  async function* read(open: (signal: AbortSignal) => Promise<Response>): AsyncGenerator<string, void> {
    const { headers, body } = await until(open);
    if (body === null || !/^text\/event-stream\b/i.test(headers.get('Content-Type') ?? '')) {
      throw new UnreadableError('The answer of the server is no event stream.');
    }
    const reader = body.getReader();
    const decoder = new TextDecoder();
    for (;;) {
      const part = () => until(() => reader.read());
      const { done, value } = await overNetwork(part, controller.signal, 'The stream of the server broke off.');
      if (done) return;
      yield decoder.decode(value, { stream: true });
    }
  }

  function close(): void {
    signal?.removeEventListener('abort', end);
    controller.abort();
  }

  return { until, read, close };
}
