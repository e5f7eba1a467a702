import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { Tables } from '../schema/tables.js';
import { value } from './statements.js';

/** A statement that has told PostgreSQL whose rows it may see, in the common table expression `caller`. */
export type CallerTables = Tables & { caller: { known: string } };

/**
 * Sets the user for row level security in the statement itself, so that it takes no round trip of its own. What reads or
 * changes rows must be a subquery that {@link knowsCaller}, with an offset: then no plan can look at a row before the
 * setting is made. Should one do so all the same, it finds none.
 */
export function asCaller(db: Kysely<Tables>) {
  return db.with(
    (cte) => cte('caller').materialized(),
    (db) =>
      db.selectNoFrom((eb) =>
        eb.fn<string>('set_config', [sql.lit('app.user_id'), value('owner'), sql.lit(true)]).as('known'),
      ),
  );
}

/** True, and known only once the setting is made. */
export const knowsCaller = sql<boolean>`"caller"."known" is not null`;

/** Keeps a subquery a subquery: PostgreSQL does not merge one that has an offset into the query around it. */
export const noOffset: RawBuilder<number> = sql.lit(0);
