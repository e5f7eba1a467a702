import type { AliasedRawBuilder, Kysely, RawBuilder } from 'kysely';
import { asCaller, knowsCaller, noOffset } from '../postgres/caller.js';
import type { Tables } from '../schema/tables.js';

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
