import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { Tables } from '../schema/tables.js';
import { value } from './statements.js';
import type { Scope } from './transactions.js';

/** The tables of a statement that sets its user in the common table expression `caller`. */
export type CallerTables = Tables & { caller: { known: string } };

/**
 * Sets the user for row level security in the statement itself, which saves a round trip. Whatever reads or changes rows
 * must be a subquery with {@link knowsCaller} and an offset: then no plan reads a row before the setting is made. If one
 * did, it would find no rows.
 */
export function asCaller(db: Kysely<Tables>) {
  return withSetting(db, 'app.user_id', value('owner'));
}

/** As {@link asCaller}, for a background task of the server: {@link Scope}. */
export function asTask(db: Kysely<Tables>, { task }: Extract<Scope, { task: string }>) {
  return withSetting(db, 'app.task', sql.lit(task));
}

function withSetting(db: Kysely<Tables>, name: string, setting: RawBuilder<unknown>) {
  return db.with(
    (cte) => cte('caller').materialized(),
    (db) => db.selectNoFrom((eb) => eb.fn<string>('set_config', [sql.lit(name), setting, sql.lit(true)]).as('known')),
  );
}

/** Always true; makes a subquery depend on the setting. */
export const knowsCaller = sql<boolean>`"caller"."known" is not null`;

/** Prevents PostgreSQL from merging a subquery into the query around it. */
export const noOffset: RawBuilder<number> = sql.lit(0);
