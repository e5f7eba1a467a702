import { IDEMPOTENCY_HOURS, IdempotencyKeyReusedError, type Once } from '@todo-backend/application';
import type { UserId } from '@todo-backend/domain';
import { type Kysely, sql } from 'kysely';
import type { Tables } from '../schema/tables.js';

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
  const isExpired = sql<boolean>`"createdAt" < now() - ${IDEMPOTENCY_HOURS}::int * interval '1 hour'`;
  await db.deleteFrom('idempotency_keys').where('userId', '=', owner).where(isExpired).execute();
  const isFirst = await db
    .insertInto('idempotency_keys')
    .values({ userId: owner, key, fingerprint })
    .onConflict((conflict) => conflict.doNothing())
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
