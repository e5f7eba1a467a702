import { type Readiness, UnavailableError } from '@todo-backend/application';
import { MIGRATION_NAMES } from '../migrations/index.js';
import { isRefusal, missingRightBehind, refusedFor } from './permissions.js';
import type { Statement } from './statements.js';
import type { Run } from './transactions.js';

/** SQLSTATE of a table that is not there, or in a schema that the role may not use. */
const UNDEFINED_TABLE = '42P01';

/** How the database is asked: by a statement that no transaction is waited for, and in any other way. */
interface Asked {
  readonly read: (
    statement: Statement,
  ) => Promise<(readonly [applied: number, rowSecurity: boolean, isReadOnly: boolean])[]>;
  readonly query: <T>(run: Run<T>) => Promise<T>;
}

const STATE = `
  select count(distinct name)::int, coalesce(row_security_active(to_regclass('tasks')), false),
         current_setting('transaction_read_only') = 'on'
  from mikro_orm_migrations where name = any($1)`;

/** Checks the database, as `Database.check` tells. */
export async function checkReadiness({ read, query }: Asked): Promise<Readiness> {
  const rows = await read({ sql: STATE, parameters: [MIGRATION_NAMES] }).catch(async (error) => {
    if (error?.code !== UNDEFINED_TABLE && !isRefusal(error)) throw error;
    const missing = await missingRightBehind(error, query);
    if (missing) throw refusedFor(missing, error);
    return undefined;
  });
  const [applied, rowSecurity = false, isReadOnly = false] = rows?.[0] ?? [];
  if (applied !== MIGRATION_NAMES.length) {
    throw new UnavailableError('The database schema is not up to date. Run the migrations.');
  }
  if (isReadOnly) {
    throw new UnavailableError('The database can only be read: it is a standby, or was set to read-only.');
  }
  return { rowSecurity };
}
