import type { ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { JournalPosition } from '@todo-backend/application';
import type { UserId } from '@todo-backend/domain';
import type { ParameterizedContext } from 'koa';
import { RequestError } from './request-error.js';

/** The media type of server-sent events. */
export const EVENT_STREAM = 'text/event-stream';

/** Streams that one user may have open, unless it is set. */
export const DEFAULT_MAX_STREAMS = 20;

/** Milliseconds for a client to take what it was sent, unless it is set. */
const STALLED = 60_000;

/** Seconds after which a client may try again that has too many streams. */
const RETRY_AFTER = 10;

/** Whether a response goes on for as long as the client wants. */
export function isLive(response: Pick<ServerResponse, 'getHeader'>): boolean {
  return String(response.getHeader('Content-Type') ?? '').startsWith(EVENT_STREAM);
}

/** A stream that is open: what wakes it, and what ends it. */
export class LiveStream {
  /** Up to where it has read. */
  position: JournalPosition | undefined;
  #hasEnded = false;
  #isAwake = false;
  #continue: (() => void) | undefined;

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Ends it, as soon as what it is sending has been taken. */
  readonly end = (): void => {
    this.#hasEnded = true;
    this.wake();
  };

  /** Wakes it, unless it is there already. */
  readonly hint = (reached?: JournalPosition): void => {
    if (reached === undefined || reached !== this.position) this.wake();
  };

  /** Has it look for changes. */
  wake(): void {
    this.#isAwake = true;
    this.#continue?.();
  }

  /**
   * Waits until it is woken, or was since it last waited.
   *
   * @returns whether it was, within so many milliseconds
   */
  async wakes(milliseconds: number): Promise<boolean> {
    if (!this.#isAwake) {
      await new Promise<void>((resolve) => {
        const timeout = setTimeout(resolve, milliseconds);
        this.#continue = () => {
          clearTimeout(timeout);
          resolve();
        };
      });
      this.#continue = undefined;
    }
    const isAwake = this.#isAwake;
    this.#isAwake = false;
    return isAwake;
  }
}

/** The open streams of a server: so many of each user, and what they read at the same time is read once. */
export class LiveStreams {
  /** Milliseconds for a client to take what it was sent. */
  readonly patience: number;
  readonly #most: number;
  readonly #ofUsers = new Map<UserId, Set<LiveStream>>();
  readonly #waiting = new Map<string, Promise<unknown>>();
  #open = 0;
  #haveEnded = false;

  /**
   * @param most streams of one user
   * @param patience milliseconds after which a client that does not read is cut off
   */
  constructor(most = DEFAULT_MAX_STREAMS, patience = STALLED) {
    this.#most = most;
    this.patience = patience;
  }

  /** How many are open. */
  get open(): number {
    return this.#open;
  }

  /** @throws `RequestError` (`RATE_LIMITED`) when the user has as many as a user may have */
  start(ctx: Pick<ParameterizedContext, 'set'>, user: UserId): LiveStream {
    const ofUser = this.#ofUsers.get(user) ?? new Set();
    if (ofUser.size >= this.#most) {
      ctx.set('Retry-After', String(RETRY_AFTER));
      throw new RequestError(
        'RATE_LIMITED',
        `You have ${this.#most} streams of changes open, and may not have more. Close one, or try again in ${RETRY_AFTER} seconds.`,
      );
    }
    const stream = new LiveStream();
    this.#ofUsers.set(user, ofUser.add(stream));
    this.#open++;
    if (this.#haveEnded) stream.end();
    return stream;
  }

  /** What {@link start} has returned is closed. */
  finish(user: UserId, stream: LiveStream): void {
    const ofUser = this.#ofUsers.get(user);
    if (ofUser?.delete(stream) !== true) return;
    this.#open--;
    if (ofUser.size === 0) this.#ofUsers.delete(user);
  }

  /** Ends all streams, and those that are started later. */
  end(): void {
    this.#haveEnded = true;
    for (const ofUser of this.#ofUsers.values()) for (const stream of ofUser) stream.end();
  }

  /**
   * Streams of one user that are at the same place, and are woken together, share one read. Not one that has begun: it may
   * not see what a later one was woken for.
   */
  share<T>(name: string, read: () => Promise<T>): Promise<T> {
    const others = this.#waiting.get(name);
    if (others !== undefined) return others as Promise<T>;
    const reading = nextTurn().then(() => {
      this.#waiting.delete(name);
      return read();
    });
    this.#waiting.set(name, reading);
    return reading;
  }
}
