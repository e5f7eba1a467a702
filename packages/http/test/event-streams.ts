import type { Person } from './hosts.ts';

/** An event of a stream. */
export interface StreamedEvent {
  readonly id: string;
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server sent; the tests say what it should be
  readonly data: any;
}

/** A stream of changes that is being read. */
export interface EventStream {
  readonly status: number;
  readonly headers: Headers;
  /** What came before the first event. */
  readonly start: () => string;
  /** The events so far. */
  readonly events: StreamedEvent[];
  /** Resolves when there are that many events. */
  until(count: number): Promise<void>;
  /** Resolves when the server has ended it. */
  readonly ended: Promise<void>;
  close(): void;
}

/** Opens a stream of changes of a person at this server. */
export async function openStream(
  url: string,
  { id, token }: Pick<Person, 'id' | 'token'>,
  { query = '', headers = {} }: { query?: string; headers?: Record<string, string> } = {},
): Promise<EventStream> {
  const abort = new AbortController();
  const response = await fetch(`${url}/api/${encodeURIComponent(id)}/changes${query}`, {
    headers: { Authorization: `Bearer ${token}`, Accept: 'text/event-stream', ...headers },
    signal: abort.signal,
  });
  const events: StreamedEvent[] = [];
  let start = '';
  let tell = Promise.withResolvers<void>();
  const read = async () => {
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: ?(.*)/s) as [string, string]));
        if (fields.event === undefined) start += `${block}\n\n`;
        else events.push({ id: fields.id ?? '', event: fields.event, data: JSON.parse(fields.data ?? 'null') });
      }
      tell.resolve();
      tell = Promise.withResolvers();
    }
  };
  const ended = response.ok ? read() : Promise.resolve();
  ended.catch(() => {});
  return {
    status: response.status,
    headers: response.headers,
    start: () => start,
    events,
    async until(count) {
      while (events.length < count) {
        const isAtEnd = await Promise.race([tell.promise.then(() => false), ended.then(() => true)]);
        if (isAtEnd && events.length < count) throw new Error(`The stream ended after ${events.length} events.`);
      }
    },
    ended,
    close: () => abort.abort(),
  };
}
