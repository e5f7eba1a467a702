import type { Context } from 'koa';
import { RequestError } from './request-error.js';

/** Reads of one user that are under way at once. There are more connections for reads than that. */
const READS = 2;

/** What changes the tasks of one user waits for the row of their counts, so it can as well wait without a connection. */
const WRITES = 1;

/**
 * Gives each user a share of the server: a few requests at once, and the rest wait their turn, in their order and without
 * a connection to the database. How many may wait is what the limit of requests in a minute allows.
 */
export class FairShare {
  readonly #users = new Map<string, Turns>();

  /** Runs what a request of the user asks for, when it is its turn. */
  async run(ctx: Context, userId: string, handle: () => unknown): Promise<void> {
    const isRead = ctx.method === 'GET' || ctx.method === 'HEAD';
    const key = `${isRead ? 'r' : 'w'}${userId}`;
    let turns = this.#users.get(key);
    if (turns === undefined) {
      turns = { underWay: 0, waiting: [] };
      this.#users.set(key, turns);
    }
    if (turns.underWay < (isRead ? READS : WRITES)) turns.underWay++;
    else await new Promise<void>((resolve) => turns.waiting.push(resolve));
    try {
      // Nobody would hear of what is done from here on.
      if (ctx.req.socket.destroyed) throw new RequestError('MALFORMED_REQUEST', 'The client has left.');
      await handle();
    } finally {
      const next = turns.waiting.shift();
      if (next !== undefined) next();
      else if (--turns.underWay === 0) this.#users.delete(key);
    }
  }
}

interface Turns {
  underWay: number;
  /** Each call gives the turn on. */
  readonly waiting: (() => void)[];
}
