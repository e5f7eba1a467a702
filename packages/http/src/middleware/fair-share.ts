import { Readable } from 'node:stream';
import type { Context, Middleware } from 'koa';
import { isLive } from './live-streams.js';

/** Reads of one user that are under way at once. There are more connections for reads than that. */
const READS = 2;

/** What changes the tasks of one user waits for the row of their counts, so it can as well wait without a connection. */
const WRITES = 1;

/** Large bodies of one user at once, in memory and worked on. */
const LARGE_BODIES = 1;

/** Characters of an answer that the operating system takes at once. */
const SHORT_ANSWER = 64 * 1024;

/**
 * Gives each user a share of the server: a few requests at once. The others wait for their turn, in their order and
 * without a connection to the database. How many may wait follows from the limit of requests in a minute.
 */
export class FairShare {
  readonly #reads = new Turns(READS);
  readonly #writes = new Turns(WRITES);
  readonly #largeBodies = new Turns(LARGE_BODIES);

  /** The turns of the requests with this method. */
  turnsOf(method: string): Turns {
    return method === 'GET' || method === 'HEAD' ? this.#reads : this.#writes;
  }

  /** For a route with a large body, which is not read before its turn. */
  readonly largeBody: Middleware = async (ctx, next) => {
    const { userId } = ctx.state;
    const turn = this.#largeBodies.begin(userId);
    try {
      if (turn !== undefined) await turn;
      await next();
    } finally {
      this.#largeBodies.end(userId);
    }
  };
}

/**
 * Calls back when a long answer has been taken by the client, or there is no client any more: until then it is in
 * memory. For a short answer that is now.
 */
export function whenTaken(ctx: Context, callback: () => void): void {
  const { body, res } = ctx;
  const isLong = typeof body === 'string' ? body.length > SHORT_ANSWER : body instanceof Readable && !isLive(res);
  if (isLong) whenClosed(ctx, callback);
  else callback();
}

/** Calls back when the response is at its end, or there is no client any more. */
export function whenClosed({ res, req: { socket } }: Pick<Context, 'res' | 'req'>, callback: () => void): void {
  if (res.closed || socket.destroyed) {
    callback();
    return;
  }
  const end = () => {
    res.off('close', end);
    socket.off('close', end);
    callback();
  };
  // A response that waits for an earlier one on its connection does not hear of its end.
  res.once('close', end);
  socket.once('close', end);
}

/** So many requests of each user at once. */
class Turns {
  readonly #most: number;
  /** The users of whom a request is under way. */
  readonly #users = new Map<string, { underWay: number; waiting: (() => void)[] | undefined }>();

  constructor(most: number) {
    this.#most = most;
  }

  /** @returns `undefined` where it is the turn of a request of the user at once */
  begin(userId: string): Promise<void> | undefined {
    const user = this.#users.get(userId);
    if (user === undefined) {
      this.#users.set(userId, { underWay: 1, waiting: undefined });
      return undefined;
    }
    if (user.underWay < this.#most) {
      user.underWay++;
      return undefined;
    }
    const waiting = user.waiting ?? [];
    user.waiting = waiting;
    return new Promise((resolve) => waiting.push(resolve));
  }

  /** Ends what {@link begin} has begun. */
  end(userId: string): void {
    const user = this.#users.get(userId);
    if (user === undefined) return;
    const next = user.waiting?.shift();
    if (next !== undefined) next();
    else if (--user.underWay === 0) this.#users.delete(userId);
  }
}
