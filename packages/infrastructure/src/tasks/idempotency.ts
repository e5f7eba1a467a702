import {
  IDEMPOTENCY_HOURS,
  IdempotencyKeyReusedError,
  MAX_IDEMPOTENCY_KEYS,
  type Once,
} from '@todo-backend/application';
import type { UserId } from '@todo-backend/domain';
import { type Kysely, sql } from 'kysely';
import type { Database } from '../postgres/database.js';
import type { Tables } from '../schema/tables.js';

/** The time of the oldest key that counts. */
const OLDEST = sql<string>`now() - ${sql.lit(IDEMPOTENCY_HOURS)} * interval '1 hour'`;

/** Keys that one keyed request deletes at the most. */
const FORGOTTEN_AT_ONCE = 100;

/** Keys that one transaction of {@link expireIdempotencyKeys} deletes. */
const EXPIRED_AT_ONCE = 1_000;

/**
 * Calls `run` only once per key, in the transaction of `db`, which stores the result together with the change. Of
 * concurrent requests with one key, one runs and the others wait for its commit.
 *
 * @returns the result of `run`, from now or from the first time
 */
export async function onlyOnce<Result>(
  db: Kysely<Tables>,
  owner: UserId,
  { key, fingerprint }: Once,
  run: () => Promise<Result>,
): Promise<Result> {
  await forgetOldKeys(db, owner);
  const isFirst = await db
    .insertInto('idempotency_keys')
    .values({ userId: owner, key, fingerprint })
    .onConflict((conflict) =>
      conflict
        .columns(['userId', 'key'])
        .doUpdateSet({ fingerprint, result: null, createdAt: sql`now()` })
        .where('idempotency_keys.createdAt', '<', OLDEST),
    )
    .returning('key')
    .executeTakeFirst();
  const entry = db.updateTable('idempotency_keys').where('userId', '=', owner).where('key', '=', key);
  if (isFirst) {
    const result = await run();
    await entry.set({ result: sql`${JSON.stringify(result ?? null)}::text::json` }).execute();
    return result;
  }
  const earlier = await db
    .selectFrom('idempotency_keys')
    .where('userId', '=', owner)
    .where('key', '=', key)
    .select(['fingerprint', 'result'])
    .executeTakeFirstOrThrow();
  if (earlier.fingerprint !== fingerprint) throw new IdempotencyKeyReusedError();
  return earlier.result as Result;
}

/** Deletes some keys of a user that have expired, or are more than a user may have. */
async function forgetOldKeys(db: Kysely<Tables>, owner: UserId): Promise<void> {
  await sql`
    delete from idempotency_keys where "userId" = ${owner} and "key" in (
      select "key" from idempotency_keys where "userId" = ${owner} and "createdAt" < greatest(${OLDEST}, (
        select "createdAt" from idempotency_keys where "userId" = ${owner}
        order by "createdAt" desc offset ${sql.lit(MAX_IDEMPOTENCY_KEYS - 1)} limit 1
      ))
      order by "createdAt" limit ${sql.lit(FORGOTTEN_AT_ONCE)}
    )`.execute(db);
}

/**
 * Deletes the expired idempotency keys of all users, also of those who never come back. In small steps, so that nobody
 * waits for it.
 *
 * @returns the number of deleted keys
 */
export async function expireIdempotencyKeys(database: Database): Promise<number> {
  for (let total = 0; ; ) {
    const deleted = await database.transaction({ task: 'expiry' }, async (db) => {
      const { numAffectedRows } = await sql`
        delete from idempotency_keys where ctid = any(array(
          select ctid from idempotency_keys where "createdAt" < ${OLDEST}
          limit ${sql.lit(EXPIRED_AT_ONCE)} for update skip locked
        ))`.execute(db);
      return Number(numAffectedRows ?? 0);
    });
    total += deleted;
    if (deleted < EXPIRED_AT_ONCE) return total;
  }
}
