import type { JournalEntry, Outbox, RequeuedEvent, Retry, Settlement, WaitingEvents } from '@todo-backend/application';
import type { Timestamp, UserId } from '@todo-backend/domain';
import { type Kysely, type RawBuilder, sql } from 'kysely';
import { type StoredEntry, storedEntry, toEntry, utcText } from '../journal/entry.js';
import type { Database } from '../postgres/database.js';
import type { Tables } from '../schema/tables.js';

/** An event that the sink does not take, as an operator sees it. */
export interface DeadLetter {
  readonly eventId: string;
  readonly type: string;
  readonly userId: UserId;
  readonly sequence: number;
  readonly reason: string;
  readonly failedAt: Timestamp;
}

/** Users whose events one relay delivers side by side. */
const USERS_AT_ONCE = 20;

/** Events of one user in a round. */
const EVENTS_AT_ONCE = 100;

/** Dead letters in a round. */
const DEAD_LETTERS_AT_ONCE = 20;

/** Events that one transaction deletes. */
const PRUNED_AT_ONCE = 10_000;

/** The journal in PostgreSQL as a queue, and what an operator does with it. */
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
      for (const { entry, reason } of buried) {
        const failure = { reason, failedAt: sql<string>`now()`, deliverAfter: 'infinity' };
        await db
          .insertInto('dead_letters')
          .values({ userId, sequence: entry.sequence, ...failure })
          .onConflict((conflict) => conflict.columns(['userId', 'sequence']).doUpdateSet(failure))
          .execute();
      }
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

  /** How many events have not been handed on, and how many of those that should have been are dead letters. */
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
   * Has dead letters delivered once more.
   *
   * @param eventId which one; all of them when left out
   * @returns how many
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
   * Deletes the events from before a moment, as the role that owns the tables: the API's own may not.
   *
   * @param onlyDelivered keep those that have not been handed on
   * @param onProgress told the number of events deleted so far
   * @returns how many there were
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

async function claimUsers(db: Kysely<Tables>, lease: number): Promise<WaitingEvents[]> {
  const { rows } = await sql<{
    userId: UserId;
    claim: string;
    attempts: number;
    sequence: number;
    entries: StoredEntry[];
  }>`
    with claimed as (
      update task_ledgers set "deliverAfter" = ${after(lease)}
      where "userId" in (
        select "userId" from task_ledgers where "deliveredSequence" < "sequence" and "deliverAfter" <= now()
        order by "deliverAfter" limit ${USERS_AT_ONCE} for update skip locked
      )
      returning "userId", "deliverAfter", "deliveryAttempts", "sequence", "deliveredSequence"
    )
    select to_json(claimed."userId") as "userId", to_json(claimed."deliverAfter") as claim,
           claimed."deliveryAttempts" as attempts, claimed."sequence", coalesce(events.entries, '[]') as entries
    from claimed, lateral (
      select json_agg(event.entry) as entries from (
        select ${storedEntry} as entry from task_events
        where task_events."userId" = claimed."userId"
          and task_events."sequence" > claimed."deliveredSequence" and task_events."sequence" <= claimed."sequence"
        order by task_events."sequence" limit ${EVENTS_AT_ONCE}
      ) as event
    ) as events`.execute(db);
  return rows.map(({ sequence, entries: stored, ...claimed }) => {
    const entries = stored.map(toEntry);
    const isAll = entries.length < EVENTS_AT_ONCE;
    return { ...claimed, entries, upTo: isAll ? sequence : (entries.at(-1)?.sequence ?? sequence) };
  });
}

async function claimRequeued(db: Kysely<Tables>, lease: number): Promise<RequeuedEvent[]> {
  const { rows } = await sql<{ entry: StoredEntry; claim: string; attempts: number }>`
    with claimed as (
      update dead_letters set "deliverAfter" = ${after(lease)}
      where ("userId", "sequence") in (
        select "userId", "sequence" from dead_letters where "deliverAfter" <= now()
        order by "deliverAfter" limit ${DEAD_LETTERS_AT_ONCE} for update skip locked
      )
      returning "userId", "sequence", "deliverAfter", "deliveryAttempts"
    )
    select ${storedEntry} as entry, to_json(claimed."deliverAfter") as claim, claimed."deliveryAttempts" as attempts
    from task_events join claimed using ("userId", "sequence")`.execute(db);
  return rows.map(({ entry: stored, ...claimed }) => ({ ...claimed, entry: toEntry(stored) }));
}

/** As JSON, because PGlite drops a byte order mark from the beginning of a text that it reads. */
function exactText(column: string) {
  return sql<string>`to_json(${sql.ref(column)})`;
}

function after(milliseconds: number) {
  return sql<string>`now() + ${milliseconds}::float8 * interval '1 millisecond'`;
}

/** A time to the microsecond, as `to_json` has spelt it. */
function moment(text: string) {
  return sql<string>`${text}::timestamptz`;
}
