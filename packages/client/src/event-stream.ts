/** An event of a stream. */
export interface ServerEvent {
  readonly type: string;
  readonly data: string;
}

/**
 * Reads server-sent events as the HTML standard has it (9.2.6), from decoded text in pieces of any size. A parser that
 * only tells of events with data would lose the position that a stream begins with.
 */
export class EventStreamParser {
  /** The id of the last block; also of one without data. */
  lastEventId = '';
  /** Milliseconds that the server asks to wait before connecting again. */
  retry: number | undefined;
  #rest = '';
  #isAfterReturn = false;
  #type = '';
  #data: string[] = [];
  #id = '';

  /** The events that this piece completes. At each of them `lastEventId` is its id. */
  *push(piece: string): Generator<ServerEvent, void> {
    if (piece === '') return;
    // A line that ends with a carriage return is complete; a line feed in the next piece still belongs to it.
    const text = this.#isAfterReturn && piece.startsWith('\n') ? piece.slice(1) : piece;
    this.#isAfterReturn = piece.endsWith('\r');
    const lines = (this.#rest + text).split(/\r\n|\r|\n/);
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line !== '') this.#read(line);
      else yield* this.#dispatch();
    }
  }

  #read(line: string): void {
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'data') this.#data.push(value);
    if (field === 'event') this.#type = value;
    if (field === 'id' && !value.includes('\0')) this.#id = value;
    if (field === 'retry' && /^\d+$/.test(value)) this.retry = Number(value);
  }

  *#dispatch(): Generator<ServerEvent, void> {
    const [type, data] = [this.#type || 'message', this.#data];
    this.lastEventId = this.#id;
    this.#type = '';
    this.#data = [];
    if (data.length > 0) yield { type, data: data.join('\n') };
  }
}
