import { type Readiness, UnavailableError } from '@todo-backend/application';
import { sql } from 'kysely';
import { MIGRATION_NAMES } from '../migrations/index.js';
import { isRefusal, missingRightBehind, refusedFor } from './permissions.js';
import type { Run } from './transactions.js';

/** SQLSTATE of a table that is not there, or in a schema that the role may not use. */
const UNDEFINED_TABLE = '42P01';

/** Checks the database, as `Database.check` tells. */
export async function checkReadiness(query: <T>(run: Run<T>) => Promise<T>): Promise<Readiness> {
  const result = await query((db) =>
    sql<{ applied: number; rowSecurity: boolean }>`
      select count(distinct name)::int as applied,
             coalesce(row_security_active(to_regclass('tasks')), false) as "rowSecurity"
      from mikro_orm_migrations where name = any(${MIGRATION_NAMES})`.execute(db),
  ).catch(async (error) => {
    if (error?.code !== UNDEFINED_TABLE && !isRefusal(error)) throw error;
    const missing = await missingRightBehind(error, query);
    if (missing) throw refusedFor(missing, error);
    return undefined;
  });
  const [found] = result?.rows ?? [];
  if (found?.applied !== MIGRATION_NAMES.length) {
    throw new UnavailableError('The database schema is not up to date. Run the migrations.');
  }
  return { rowSecurity: found.rowSecurity };
}
