import type {
  BuriedEvent,
  JournalEntry,
  Outbox,
  RequeuedEvent,
  Retry,
  Settlement,
  WaitingEvents,
} from '@todo-backend/application';
import type { Timestamp, UserId } from '@todo-backend/domain';
import { type Kysely, type RawBuilder, sql } from 'kysely';
import { utcText } from '../journal/entry.js';
import type { Database } from '../postgres/database.js';
import type { Tables } from '../schema/tables.js';
import { after, claimRequeued, claimUsers, moment } from './claims.js';

/** An event that the sink did not accept, as shown to an operator. */
export interface DeadLetter {
  readonly eventId: string;
  readonly type: string;
  readonly userId: UserId;
  readonly sequence: number;
  readonly reason: string;
  readonly failedAt: Timestamp;
}

/** Events deleted per transaction. */
const PRUNED_AT_ONCE = 10_000;

/** The journal in PostgreSQL as a queue, with the commands of an operator. */
export class SqlOutbox implements Outbox {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  claim(lease: number): Promise<{ waiting: WaitingEvents[]; requeued: RequeuedEvent[] }> {
    return this.#database.transaction({ task: 'delivery' }, async (db) => ({
      waiting: await claimUsers(db, lease),
      requeued: await claimRequeued(db, lease),
    }));
  }

  settle({ userId, claim }: WaitingEvents, { reached, attempts, delay, buried }: Settlement): Promise<boolean> {
    return this.#database.transaction({ task: 'delivery' }, async (db) => {
      const { numUpdatedRows } = await db
        .updateTable('task_ledgers')
        .where('userId', '=', userId)
        .where('deliverAfter', '=', moment(claim))
        .set({
          ...(reached !== undefined && {
            deliveredSequence: sql<number>`greatest("deliveredSequence", ${reached}::int)`,
          }),
          deliveryAttempts: attempts,
          deliverAfter: after(delay),
        })
        .executeTakeFirst();
      if (numUpdatedRows === 0n) return false;
      for (const event of buried) await buryEvent(db, event);
      return true;
    });
  }

  postpone(claimed: RequeuedEvent, { attempts, delay }: Retry): Promise<boolean> {
    return this.#settleRequeued(claimed, sql`"deliveryAttempts" = ${attempts}::int, "deliverAfter" = ${after(delay)}`);
  }

  bury(claimed: RequeuedEvent, reason: string): Promise<boolean> {
    return this.#settleRequeued(claimed, sql`"reason" = ${reason}, "failedAt" = now(), "deliverAfter" = 'infinity'`);
  }

  async unbury({ userId, sequence }: JournalEntry): Promise<void> {
    await this.#database.transaction({ task: 'delivery' }, (db) =>
      db.deleteFrom('dead_letters').where('userId', '=', userId).where('sequence', '=', sequence).execute(),
    );
  }

  async #settleRequeued({ entry, claim }: RequeuedEvent, change: RawBuilder<unknown>): Promise<boolean> {
    const { userId, sequence } = entry;
    const { numAffectedRows } = await this.#database.transaction({ task: 'delivery' }, (db) =>
      sql`update dead_letters set ${change}
          where "userId" = ${userId} and "sequence" = ${sequence} and "deliverAfter" = ${moment(claim)}`.execute(db),
    );
    return numAffectedRows === 1n;
  }

  /** The numbers of undelivered events and of dead letters. */
  async backlog(): Promise<{ waiting: number; dead: number }> {
    return this.#database.transaction({ task: 'delivery' }, (db) =>
      db
        .selectNoFrom([
          sql<number>`(select coalesce(sum("sequence" - "deliveredSequence"), 0)::float8 from task_ledgers
                       where "deliveredSequence" < "sequence")`.as('waiting'),
          sql<number>`(select count(*)::float8 from dead_letters)`.as('dead'),
        ])
        .executeTakeFirstOrThrow(),
    );
  }

  /** The dead letters, oldest first. */
  deadLetters(): Promise<DeadLetter[]> {
    return this.#database.transaction({ task: 'delivery' }, (db) =>
      db
        .selectFrom('dead_letters')
        .innerJoin('task_events', (join) =>
          join
            .onRef('task_events.userId', '=', 'dead_letters.userId')
            .onRef('task_events.sequence', '=', 'dead_letters.sequence'),
        )
        .select([
          'eventId',
          'type',
          exactText('dead_letters.userId').as('userId'),
          'dead_letters.sequence',
          'reason',
          utcText('failedAt').as('failedAt'),
        ])
        .orderBy('failedAt')
        .execute(),
    );
  }

  /**
   * Requeues dead letters.
   *
   * @param eventId the event; default all
   * @returns the number of requeued events
   */
  async requeue(eventId?: string): Promise<number> {
    return this.#database.transaction({ task: 'delivery' }, async (db) => {
      let query = db.updateTable('dead_letters').set({ deliveryAttempts: 0, deliverAfter: sql<string>`now()` });
      if (eventId !== undefined) {
        query = query.where(({ exists, selectFrom }) =>
          exists(
            selectFrom('task_events')
              .whereRef('task_events.userId', '=', 'dead_letters.userId')
              .whereRef('task_events.sequence', '=', 'dead_letters.sequence')
              .where('eventId', '=', eventId)
              .select('eventId'),
          ),
        );
      }
      return Number((await query.executeTakeFirst()).numUpdatedRows);
    });
  }

  /**
   * Deletes the events older than `before`, as the owner of the tables, because the API's role may not.
   *
   * @param onlyDelivered keep undelivered events
   * @param onProgress called with the number of events deleted so far
   * @returns the number of deleted events
   */
  async prune(before: Timestamp, onlyDelivered: boolean, onProgress: (events: number) => void): Promise<number> {
    const delivered = onlyDelivered ? sql`e."sequence" <= l."deliveredSequence"` : sql`true`;
    for (let total = 0; ; ) {
      const deleted = await this.#database.transaction({ task: 'pruning' }, async (db) => {
        const { rows } = await sql<{ count: number }>`
          with old as (
            select e."userId", e."sequence" from task_events e join task_ledgers l using ("userId")
            where e."time" < ${before} and ${delivered} limit ${PRUNED_AT_ONCE}
          ),
          deleted as (
            delete from task_events e using old
            where e."userId" = old."userId" and e."sequence" = old."sequence" returning 1
          )
          select count(*)::int as count from deleted`.execute(db);
        return rows[0]?.count ?? 0;
      });
      total += deleted;
      if (deleted < PRUNED_AT_ONCE) return total;
      onProgress(total);
    }
  }
}

/** Creates a dead letter, unless the event was pruned meanwhile. */
async function buryEvent(db: Kysely<Tables>, { entry: { userId, sequence }, reason }: BuriedEvent): Promise<void> {
  const failure = { reason: sql<string>`${reason}::text`, failedAt: sql<string>`now()` };
  await db
    .insertInto('dead_letters')
    .columns(['userId', 'sequence', 'reason', 'failedAt'])
    .expression(({ selectFrom }) =>
      selectFrom('task_events')
        .where('userId', '=', userId)
        .where('sequence', '=', sequence)
        .select(['userId', 'sequence', failure.reason.as('reason'), failure.failedAt.as('failedAt')]),
    )
    .onConflict((conflict) =>
      conflict.columns(['userId', 'sequence']).doUpdateSet({ ...failure, deliverAfter: 'infinity' }),
    )
    .execute();
}

/** As JSON, because PGlite drops a byte order mark from the beginning of a text that it reads. */
function exactText(column: string) {
  return sql<string>`to_json(${sql.ref(column)})`;
}
