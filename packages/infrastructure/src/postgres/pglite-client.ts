import { Worker } from 'node:worker_threads';
import { UnavailableError } from '@todo-backend/application';

/** A statement as PGlite takes it. */
export interface PlainStatement {
  readonly text: string;
  readonly values?: readonly unknown[] | undefined;
  readonly options?: object | undefined;
}

/** What the thread of PGlite is asked to do. */
export type Question =
  | { readonly kind: 'query'; readonly statement: PlainStatement }
  | { readonly kind: 'together'; readonly statements: readonly PlainStatement[] }
  | { readonly kind: 'begin' | 'commit' | 'rollback' | 'close' };

/** The result of the question with this id. */
export type Answer = { readonly id: number } & ({ readonly result: unknown } | { readonly error: object });

/** Milliseconds that an answer may take. */
const TIMEOUT = 60_000;

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** As much of PGlite as MikroORM uses, for a PGlite that runs in a thread of its own. */
export class PGliteClient {
  readonly ready = true;
  readonly waitReady = Promise.resolve();
  closed = false;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.on('message', (answer: Answer) => {
      const { resolve, reject } = this.#waiting.get(answer.id) ?? {};
      this.#waiting.delete(answer.id);
      // Like a file, the database keeps no process alive.
      if (this.#waiting.size === 0) worker.unref();
      if ('result' in answer) resolve?.(answer.result);
      else reject?.(Object.assign(new Error(), answer.error));
    });
    worker.on('error', (error) => this.#end(error));
    worker.on('exit', () => this.#end(new Error('The thread of the embedded database has ended.')));
  }

  /** Opens the database in this directory. */
  static async open(directory: string): Promise<PGliteClient> {
    const worker = new Worker(new URL('./pglite-thread.js', import.meta.url), { workerData: directory, execArgv: [] });
    const client = new PGliteClient(worker);
    await client.#answerTo(0);
    return client;
  }

  /** Runs one statement. */
  query(text: string, values?: readonly unknown[], options?: object): Promise<unknown> {
    return this.#ask({ kind: 'query', statement: { text, values, options } });
  }

  /** Runs statements in one transaction, without a round trip for each. Returns the result of the last. */
  together(statements: readonly PlainStatement[]): Promise<unknown> {
    return this.#ask({ kind: 'together', statements });
  }

  /** Runs statements in one transaction. The caller sees to it that there is but one of these at once. */
  async transaction<T>(run: (client: PGliteClient) => Promise<T>): Promise<T> {
    await this.#ask({ kind: 'begin' });
    try {
      const result = await run(this);
      await this.#ask({ kind: 'commit' });
      return result;
    } catch (error) {
      await this.#ask({ kind: 'rollback' });
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.closed) return;
    await this.#ask({ kind: 'close' });
    this.closed = true;
    await this.#worker.terminate();
  }

  async #ask(question: Question): Promise<unknown> {
    if (this.closed) throw new UnavailableError('The embedded database is closed.');
    const id = ++this.#lastId;
    this.#worker.ref();
    this.#worker.postMessage({ ...question, id });
    const timer = setTimeout(() => this.#giveUp(), TIMEOUT);
    try {
      return await this.#answerTo(id);
    } finally {
      clearTimeout(timer);
    }
  }

  #answerTo(id: number): Promise<unknown> {
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  /** PostgreSQL stands still, as on a full disk: only a new start helps. */
  #giveUp(): void {
    void this.#worker.terminate();
    throw new Error('The embedded database does not answer. Look whether its disk is full, and start again.');
  }

  #end(cause: Error): void {
    this.closed = true;
    for (const { reject } of this.#waiting.values()) {
      reject(new UnavailableError('The embedded database has stopped.', { cause }));
    }
    this.#waiting.clear();
  }
}
