import type { JournalEntry, JournalQuery } from '@todo-backend/application';
import { isCompleted, type Task, type TaskEvent, type TaskTransition } from '@todo-backend/domain';
import { type RawBuilder, sql } from 'kysely';
import { value } from './statements.js';
import { utcText } from './task-row.js';

/** An event as a row of `task_events`, but for the owner and the sequence. */
export function toEventRow({ id, type, time, userId: _, taskId, actor, correlationId, ...data }: TaskEvent) {
  return { eventId: id, type, time, taskId, actorType: actor.type, actorId: actor.id, correlationId, data };
}

/** What {@link toEventRow} makes. */
export const EVENT_COLUMNS = {
  eventId: 'uuid',
  type: 'text',
  time: 'timestamptz',
  taskId: 'uuid',
  actorType: 'text',
  actorId: 'text',
  correlationId: 'text',
  data: 'json',
} as const satisfies Record<keyof ReturnType<typeof toEventRow>, string>;

/**
 * By how much changes, each of which has an event, move the counters of the ledger. With the owner and the events
 * themselves, the values of {@link appendToJournal}.
 */
export function gains(changes: readonly TaskTransition[]) {
  const gained = (weight: (task: Task) => number) =>
    changes.reduce((sum, { before, after }) => sum + (after ? weight(after) : 0) - (before ? weight(before) : 0), 0);
  return {
    gainedEvents: changes.length,
    gainedTasks: gained(() => 1),
    gainedCompleted: gained((task) => Number(isCompleted(task))),
  };
}

/**
 * The common table expressions that write events into the owner's journal. The ledger's row stays locked until the
 * commit.
 *
 * @param source a common table expression with one row, or with none where nothing is to be written after all
 * @param events rows of {@link EVENT_COLUMNS}
 */
export function appendToJournal(source: RawBuilder<unknown>, events: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    ledger as (
      insert into "task_ledgers" as l ("userId", "sequence", "tasks", "completed")
      select ${value('owner')}, ${value('gainedEvents')}::int, ${value('gainedTasks')}::int,
             ${value('gainedCompleted')}::int
      from ${source}
      on conflict ("userId") do update set
        "sequence" = l."sequence" + excluded."sequence",
        "tasks" = l."tasks" + excluded."tasks",
        "completed" = l."completed" + excluded."completed"
      returning "sequence"
    ),
    appended as (
      insert into "task_events" ("userId", "sequence", ${EVENT_NAMES})
      select ${value('owner')}, ledger."sequence" - ${value('gainedEvents')}::int + event.position::int, ${EVENT_NAMES}
      from ledger, ${events} as event
    )`;
}

const EVENT_NAMES = sql.join(Object.keys(EVENT_COLUMNS).map((name) => sql.ref(name)));

/** What {@link entry} reads. */
export type StoredEntry = Omit<JournalEntry, 'task' | 'changes'> & { readonly data: object };

/** A row of `task_events` as one JSON value: see {@link toEntry}. */
export const entry = sql<StoredEntry>`json_build_object(
  'sequence', "sequence", 'id', "eventId", 'type', "type", 'time', ${utcText('time')}, 'userId', "userId",
  'taskId', "taskId", 'actor', json_build_object('type', "actorType", 'id', "actorId"),
  'correlationId', "correlationId", 'data', "data")`;

/** The entry that {@link entry} tells of. */
export function toEntry({ data, ...envelope }: StoredEntry): JournalEntry {
  return { ...envelope, ...data } as JournalEntry;
}

/** The conditions of a query, and which they are; the values are the query's own. */
export function journalConditions({ taskId, type, since, until, before }: JournalQuery) {
  const conditions = {
    ...(taskId !== undefined && { taskId: sql`"taskId" = ${value('taskId')}` }),
    ...(type !== undefined && { type: sql`"type" = ${value('type')}` }),
    ...(since !== undefined && { since: sql`"time" >= ${value('since')}` }),
    ...(until !== undefined && { until: sql`"time" < ${value('until')}` }),
    ...(before !== undefined && { before: sql`"sequence" < ${value('before')}` }),
  };
  return { names: Object.keys(conditions), conditions: Object.values(conditions) };
}
