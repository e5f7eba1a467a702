import { parentPort, workerData } from 'node:worker_threads';
import { PGlite, type Transaction } from '@electric-sql/pglite';
import type { Answer, PlainStatement, Question } from './pglite-client.js';

// The thread that the embedded PostgreSQL runs in, so that the event loop goes on while it works.

const port = parentPort;
if (port === null) throw new Error('This module is for a worker thread.');
const pglite = await PGlite.create(workerData as string);

/** The transaction that is open over several questions. */
let open: { readonly db: Transaction; commit(): void; rollback(reason: Error): void } | undefined;
let ended: Promise<unknown> = Promise.resolve();

const run = ({ text, values, options }: PlainStatement, db: Pick<PGlite, 'query'>) =>
  db.query(text, [...(values ?? [])], options);

const perform: { readonly [Kind in Question['kind']]: (question: Extract<Question, { kind: Kind }>) => unknown } = {
  query: ({ statement }) => run(statement, open?.db ?? pglite),
  together: ({ statements }) =>
    pglite.transaction(async (db) => {
      let last: unknown;
      for (const statement of statements) last = await run(statement, db);
      return last;
    }),
  begin: () =>
    new Promise<void>((hasBegun, hasFailed) => {
      ended = pglite.transaction(
        (db) =>
          new Promise<void>((commit, rollback) => {
            open = { db, commit, rollback };
            hasBegun();
          }),
      );
      ended.catch(hasFailed);
    }),
  commit() {
    open?.commit();
    open = undefined;
    return ended;
  },
  async rollback() {
    open?.rollback(new Error('It is rolled back.'));
    open = undefined;
    await ended.catch(() => {});
  },
  close: () => pglite.close(),
};

port.on('message', async ({ id, ...question }: Question & { id: number }) => {
  port.postMessage(await answer(id, () => perform[question.kind](question as never)));
});
port.postMessage({ id: 0, result: null } satisfies Answer);

async function answer(id: number, run: () => unknown): Promise<Answer> {
  try {
    return { id, result: (await run()) ?? null };
  } catch (error) {
    const { message, stack } = error as Error;
    // The fields of PostgreSQL's errors, such as the code, would not be sent with the error itself.
    return { id, error: { ...texts(error as object), message, stack } };
  }
}

function texts(error: object): object {
  return Object.fromEntries(Object.entries(error).filter(([, value]) => typeof value === 'string'));
}
