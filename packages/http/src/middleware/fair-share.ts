/** Reads of one user that are under way at once. There are more connections for reads than that. */
const READS = 2;

/** What changes the tasks of one user waits for the row of their counts, so it can as well wait without a connection. */
const WRITES = 1;

/**
 * Gives each user a share of the server: a few requests at once. The others wait for their turn, in their order and
 * without a connection to the database. How many may wait follows from the limit of requests in a minute.
 */
export class FairShare {
  readonly #reads = new Turns(READS);
  readonly #writes = new Turns(WRITES);

  /** The turns of the requests with this method. */
  turnsOf(method: string): Turns {
    return method === 'GET' || method === 'HEAD' ? this.#reads : this.#writes;
  }
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
