import type { MikroORM } from '@mikro-orm/sql';
import { type Kysely, sql } from 'kysely';
import type { Tables } from '../schema/tables.js';
import { isConflict, translateDatabaseError } from './errors.js';
import { runIn, type Statement } from './statements.js';

/** Runs statements on one connection. */
export type Run<T> = (db: Kysely<Tables>) => Promise<T>;

/** Whose rows a transaction may see: those of one user, or those that a background task of the server needs. */
export type Scope = { readonly user: string } | { readonly task: 'delivery' | 'pruning' | 'expiry' | 'feed' };

/** Maximum attempts of a transaction that conflicts with others. */
const MAX_ATTEMPTS = 3;

/** Runs statements in a transaction, which is rolled back when one of them fails. */
export function inTransaction<T>(orm: MikroORM, run: Run<T>): Promise<T> {
  return translated(() => orm.em.fork().transactional((em) => run(em.getKysely<Tables>())));
}

/** Rows of each part of {@link partsOf}. */
const PART = 500;

/** Reads the rows of a statement in parts, as `make` makes them, in a transaction that lasts until the last one is read. */
export async function* partsOf<Row, Part>(
  orm: MikroORM,
  { sql, parameters }: Statement,
  make: (rows: Row[]) => Part,
  prepared: (run: Run<void>) => Run<void> = (run) => run,
): AsyncGenerator<Part, void> {
  const em = orm.em.fork();
  await translated(() => em.begin());
  try {
    const db = em.getKysely<Tables>();
    const declare = prepared(async (db) => {
      await runIn(db, { sql: `declare parts no scroll cursor for ${sql}`, parameters });
    });
    await translated(() => declare(db));
    for (;;) {
      const rows = await translated(() => runIn<Row>(db, { sql: `fetch ${PART} from parts`, parameters: [] }));
      if (rows.length > 0) yield make(rows);
      if (rows.length < PART) return;
    }
  } finally {
    // Nothing was changed; a connection that is lost has ended the transaction itself.
    await em.rollback().catch(() => {});
  }
}

/** Reads all parts before it gives the first. */
export async function* readAtOnce<Part>(parts: AsyncGenerator<Part, void>): AsyncGenerator<Part, void> {
  const all: Part[] = [];
  for await (const part of parts) all.push(part);
  yield* all;
}

/** Sets the user or the task for row level security, until the end of the transaction. */
export function within<T>(scope: Scope, run: Run<T>): Run<T> {
  const [name, value] = 'user' in scope ? ['app.user_id', scope.user] : ['app.task', scope.task];
  return async (db) => {
    await sql`select set_config(${name}, ${value}, true)`.execute(db);
    return run(db);
  };
}

/** Becomes `todo_api`, if that role exists, until the end of the transaction. */
export const BECOME_API_ROLE = `select set_config('role', rolname, true) from pg_roles where rolname = 'todo_api'`;

/** Runs statements as `todo_api`, if that role exists, until the end of the transaction. */
export function asApiRole<T>(run: Run<T>): Run<T> {
  return async (db) => {
    await sql.raw(BECOME_API_ROLE).execute(db);
    return run(db);
  };
}

/** Retries a transaction that was rolled back because of a conflict with another one. */
export async function retried<T>(attempt: () => Promise<T>): Promise<T> {
  for (let attempts = 1; ; attempts++) {
    try {
      return await attempt();
    } catch (error) {
      if (attempts === MAX_ATTEMPTS || !isConflict(error)) throw error;
    }
  }
}

/** Turns the errors of the driver into those of the application. */
export async function translated<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw translateDatabaseError(error);
  }
}
