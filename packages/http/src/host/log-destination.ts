import { write, writeSync } from 'node:fs';

/** Buffered characters that trigger a write. */
const CHUNK_LENGTH = 4_096;

/** Milliseconds after which fewer characters are written, and a failed write is retried. */
const DELAY = 100;

/** Milliseconds after which a write to a full pipe is retried: its reader is only slow. */
const DELAY_OF_FULL_PIPE = 5;

/** The maximum number of buffered characters. Lines beyond that are dropped. */
const MAX_WAITING = 1024 * 1024;

/**
 * Writes log lines to a file descriptor in batches, so that no request waits for the disk. A log that cannot be written
 * (a full disk, a pipe without a reader) never stops the server: lines that do not fit into the buffer are dropped and
 * counted, and the write is retried.
 */
export class LogDestination {
  /** Called with the number of lines that were dropped, once lines can be written again. */
  onRecovery: (dropped: number) => void = () => {};
  readonly #fd: number;
  #waiting = '';
  /** The bytes being written or retried. */
  #chunk: Uint8Array = new Uint8Array();
  #isWriting = false;
  #isFailing = false;
  #timer: NodeJS.Timeout | undefined;
  #flushed: (() => void)[] = [];
  #dropped = 0;
  #reported = 0;

  /** @param fd a pipe or socket must be non-blocking, or a stalled reader keeps the process from exiting */
  constructor(fd: number) {
    this.#fd = fd;
    process.once('exit', () => this.#writeRest());
  }

  /** The number of lines dropped so far. */
  get dropped(): number {
    return this.#dropped;
  }

  write(line: string): void {
    if (this.#waiting.length + this.#chunk.length + line.length > MAX_WAITING) {
      this.#dropped++;
      return;
    }
    this.#waiting += line;
    if (!this.#isWriting) this.#schedule();
  }

  /** Calls back when all lines have been written. */
  flush(callback: () => void): void {
    this.#flushed.push(callback);
    if (!this.#isWriting) this.#writeNext();
  }

  #schedule(delay = DELAY): void {
    if (this.#waiting.length >= CHUNK_LENGTH && !this.#isFailing) this.#writeNext();
    else this.#timer ??= setTimeout(() => this.#writeNext(), delay).unref();
  }

  #writeNext(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#chunk.length === 0) {
      this.#chunk = Buffer.from(this.#waiting);
      this.#waiting = '';
    }
    if (this.#chunk.length === 0) {
      for (const callback of this.#flushed.splice(0)) callback();
      return;
    }
    this.#isWriting = true;
    write(this.#fd, this.#chunk, (error, written) => {
      this.#isWriting = false;
      this.#isFailing = error !== null;
      if (error) {
        this.#schedule(error.code === 'EAGAIN' ? DELAY_OF_FULL_PIPE : DELAY);
        return;
      }
      this.#chunk = this.#chunk.subarray(written);
      this.#report();
      if (this.#chunk.length > 0 || this.#flushed.length > 0) this.#writeNext();
      else if (this.#waiting !== '') this.#schedule();
    });
  }

  #report(): void {
    const dropped = this.#dropped - this.#reported;
    if (dropped === 0) return;
    this.#reported = this.#dropped;
    this.onRecovery(dropped);
  }

  /** For the exit of the process, where nothing asynchronous runs: one attempt, which must not block. */
  #writeRest(): void {
    try {
      let rest: Uint8Array = Buffer.from(this.#waiting);
      if (!this.#isWriting) rest = Buffer.concat([this.#chunk, rest]);
      while (rest.length > 0) rest = rest.subarray(writeSync(this.#fd, rest));
    } catch {
      // Nothing more can be done at exit.
    }
  }
}
