import type { Pool, PoolClient } from 'pg';
import type { Client } from './session.js';
import { WaitingLine } from './waiting-line.js';

/** How many statements one connection may have before it: enough that it never waits for us, and no long queue. */
const MOST_PENDING = 32;

/** How many connections are open, how many of them have nothing to do, and how many statements wait for another to end. */
export interface SharedState {
  readonly size: number;
  readonly idle: number;
  readonly waiting: number;
}

/**
 * A few connections for many statements: each is sent without waiting for those before it (pipelining), and is a
 * transaction of its own all the same. That spares both sides most of what they would wait for, and wake each other up
 * for. Nothing has a connection to itself here, so nothing that needs more than one statement can be done.
 */
export class SharedConnections {
  readonly #pool: Pool;
  readonly #connections: readonly SharedConnection[];
  readonly #line: WaitingLine<SharedConnection>;

  /**
   * @param pool of clients that pipeline; its `max` is how many connections there will be
   * @param patience milliseconds to wait for one that has room
   */
  constructor(pool: Pool, patience: number) {
    this.#pool = pool;
    // The statements that were under way have told.
    pool.on('error', () => {});
    this.#line = new WaitingLine(patience);
    this.#connections = Array.from({ length: pool.options.max }, () => new SharedConnection(pool));
  }

  get state(): SharedState {
    const open = this.#connections.filter(({ isOpen }) => isOpen);
    const behind = this.#connections.reduce((sum, { pending }) => sum + Math.max(0, pending - 1), 0);
    return {
      size: open.length,
      idle: open.filter(({ pending }) => pending === 0).length,
      waiting: behind + this.#line.length,
    };
  }

  /** Runs one statement. Fails as the driver and its pool do. */
  async query(text: string, values: readonly unknown[]): Promise<{ rows: unknown[] }> {
    const connection = await this.#take();
    try {
      return await connection.query(text, values);
    } finally {
      this.#giveBack(connection);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#connections.map((connection) => connection.close()));
    await this.#pool.end();
  }

  /** A place on the least busy connection. @throws what the driver's own pool throws when none gets free in time */
  #take(): SharedConnection | Promise<SharedConnection> {
    const connection = this.#connections.reduce((least, other) => (other.pending < least.pending ? other : least));
    if (connection.pending === MOST_PENDING) return this.#line.wait();
    connection.pending++;
    return connection;
  }

  #giveBack(connection: SharedConnection): void {
    if (!this.#line.serve(connection)) connection.pending--;
  }
}

/** A client of the driver's that was taken from its pool. */
type HeldClient = PoolClient & Pick<Client, 'connection'>;

/** A connection that is made when it is first needed, and anew after it was lost. */
class SharedConnection {
  /** Statements that were sent, or will be at once. */
  pending = 0;
  readonly #pool: Pool;
  #connecting: Promise<HeldClient> | undefined;
  #held: HeldClient | undefined;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  get isOpen(): boolean {
    return this.#held !== undefined && !this.#held.connection.stream.destroyed;
  }

  async query(text: string, values: readonly unknown[]): Promise<{ rows: unknown[] }> {
    const client = this.#usable() ?? (await this.#connected());
    sendTogether(client.connection.stream);
    return client.query(text, values as unknown[]);
  }

  async close(): Promise<void> {
    await this.#connecting?.catch(() => {});
    this.#letGo();
  }

  /** What was under way on a connection that is lost has failed, or will at once; the next statement gets another. */
  #usable(): HeldClient | undefined {
    if (!this.isOpen) this.#letGo();
    return this.#held;
  }

  #letGo(): void {
    this.#held?.release(true);
    this.#held = undefined;
  }

  #connected(): Promise<HeldClient> {
    this.#connecting ??= this.#connect();
    return this.#connecting;
  }

  async #connect(): Promise<HeldClient> {
    try {
      const client = (await this.#pool.connect()) as HeldClient;
      // That the connection is lost shows when it is used next.
      client.on('error', () => {});
      this.#held = client;
      return client;
    } finally {
      this.#connecting = undefined;
    }
  }
}

/** What is asked for at the same time goes out at once: that is one system call, and wakes the server up once. */
function sendTogether(stream: Client['connection']['stream']): void {
  if (stream.writableCorked > 0) return;
  stream.cork();
  setImmediate(() => stream.uncork());
}
