import type { RequeuedEvent, WaitingEvents } from '@todo-backend/application';
import type { UserId } from '@todo-backend/domain';
import { type Kysely, sql } from 'kysely';
import { type StoredEntry, storedEntry, toEntry } from '../journal/entry.js';
import type { Tables } from '../schema/tables.js';

/** Users whose events one relay delivers concurrently. */
const USERS_AT_ONCE = 20;

/** Events of one user per round. */
const EVENTS_AT_ONCE = 100;

/** Dead letters per round. */
const DEAD_LETTERS_AT_ONCE = 20;

/** Claims some users with waiting events, and reads the events. */
export async function claimUsers(db: Kysely<Tables>, lease: number): Promise<WaitingEvents[]> {
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

/** Claims some dead letters that an operator has requeued. */
export async function claimRequeued(db: Kysely<Tables>, lease: number): Promise<RequeuedEvent[]> {
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

/** The time this many milliseconds from now. */
export function after(milliseconds: number) {
  return sql<string>`now() + ${milliseconds}::float8 * interval '1 millisecond'`;
}

/** The end of a claim, with microseconds, as formatted by `to_json`. */
export function moment(text: string) {
  return sql<string>`${text}::timestamptz`;
}
