import { type JournalPosition, POSITION_ID_LENGTH } from '@todo-backend/application';
import { type AliasedRawBuilder, type Kysely, type RawBuilder, sql } from 'kysely';
import { asCaller, knowsCaller, noOffset } from '../postgres/caller.js';
import type { Tables } from '../schema/tables.js';

/** As `journalPosition`. */
export const ledgerPosition = sql<JournalPosition>`
  to_hex("sequence") || coalesce(right("lastEventId"::text, ${sql.lit(POSITION_ID_LENGTH)}), ${sql.lit('0'.repeat(POSITION_ID_LENGTH))})`.as(
  'position',
);

/** Selects columns of the caller's ledger: one row, or none. */
export function selectLedger(
  db: Kysely<Tables>,
  columns: readonly AliasedRawBuilder<unknown, string>[],
  isOwn: RawBuilder<boolean>,
) {
  return asCaller(db)
    .selectFrom('caller')
    .innerJoinLateral(
      (eb) =>
        eb
          .selectFrom('task_ledgers')
          .select(columns)
          .where((eb) => eb.and([isOwn, knowsCaller]))
          .offset(noOffset)
          .as('ledger'),
      (join) => join.onTrue(),
    )
    .selectAll('ledger');
}
