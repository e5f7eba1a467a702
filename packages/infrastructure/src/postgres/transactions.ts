import type { MikroORM } from '@mikro-orm/sql';
import { type Kysely, sql } from 'kysely';
import type { Tables } from '../schema/tables.js';
import { isConflict, translateDatabaseError } from './errors.js';

/** Runs statements on one connection. */
export type Run<T> = (db: Kysely<Tables>) => Promise<T>;

/** Whose rows a transaction may see: those of one user, or those that a background task of the server needs. */
export type Scope = { readonly user: string } | { readonly task: 'delivery' | 'pruning' };

/** Maximum attempts of a transaction that conflicts with others. */
const MAX_ATTEMPTS = 3;

/** Runs statements in a transaction, which is rolled back when one of them fails. */
export function inTransaction<T>(orm: MikroORM, run: Run<T>): Promise<T> {
  return translated(() => orm.em.fork().transactional((em) => run(em.getKysely<Tables>())));
}

/** Sets the user or the task for row level security, until the end of the transaction. */
export function within<T>(scope: Scope, run: Run<T>): Run<T> {
  const [name, value] = 'user' in scope ? ['app.user_id', scope.user] : ['app.task', scope.task];
  return async (db) => {
    await sql`select set_config(${name}, ${value}, true)`.execute(db);
    return run(db);
  };
}

/** Runs statements as `todo_api`, if that role exists, until the end of the transaction. */
export function asApiRole<T>(run: Run<T>): Run<T> {
  return async (db) => {
    await sql`select set_config('role', rolname, true) from pg_roles where rolname = 'todo_api'`.execute(db);
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
