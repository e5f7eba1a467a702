import type { JournalEntry } from '@todo-backend/application';
import type { Task, TaskEvent } from '@todo-backend/domain';
import { type Insertable, type RawBuilder, sql } from 'kysely';
import type { Tables } from '../schema/tables.js';
import { isDeletion } from '../schema/task-events.js';

/** An event as a row, without the owner and the sequence. */
export type NewEventRow = Required<Omit<Insertable<Tables['task_events']>, 'userId' | 'sequence'>>;

/** The row that stores an event. */
export function toEventRow({
  id,
  type,
  time,
  userId: _,
  taskId,
  actor,
  correlationId,
  ...data
}: TaskEvent): NewEventRow {
  return { eventId: id, type, time, taskId, actorType: actor.type, actorId: actor.id, correlationId, data };
}

/** The SQL types of {@link toEventRow}. A missing column is a type error. */
export const EVENT_TYPES = {
  eventId: 'uuid',
  type: 'text',
  time: 'timestamptz',
  taskId: 'uuid',
  actorType: 'text',
  actorId: 'text',
  correlationId: 'text',
  data: 'json',
} as const satisfies Record<keyof NewEventRow, string>;

/** All columns of an event except the owner and the sequence. */
export const EVENT_COLUMNS = Object.keys(EVENT_TYPES) as (keyof NewEventRow)[];

/** The result of {@link storedEntry}. */
export type StoredEntry = Omit<JournalEntry, 'task' | 'changes'> & { readonly data: object };

/** Reads a row of `task_events` as one JSON value. */
export const storedEntry = sql<StoredEntry>`json_build_object(
  'sequence', "sequence", 'id', "eventId", 'type', "type", 'time', ${utcText('time')}, 'userId', "userId",
  'taskId', "taskId", 'actor', json_build_object('type', "actorType", 'id', "actorId"),
  'correlationId', "correlationId", 'data', "data")`;

/** Of a deletion, the id of the last one of the same task, where that is a later one; otherwise null. */
export const lastDeletion = sql<string | null>`
  case when "type" = 'todo.task.deleted.v1' then (
    select later."eventId" from task_events later
    where later."userId" = task_events."userId" and later."taskId" = task_events."taskId"
      and later."sequence" > task_events."sequence" and ${sql.raw(isDeletion('later'))}
    order by later."sequence" desc limit 1
  ) end`;

/** Converts the result of {@link storedEntry} to an entry. */
export function toEntry({ data, ...envelope }: StoredEntry): JournalEntry {
  const payload = 'task' in data ? { ...data, task: { ...FIELDS_SINCE, ...(data.task as object) } } : data;
  return { ...envelope, ...payload } as JournalEntry;
}

/** The fields of a task that the first events do not have, and what they say by that. */
const FIELDS_SINCE: Partial<Task> = { tags: [], recurrence: null, remindAt: null, series: null };

/** A `timestamptz` in the format of the domain: a column, or another expression. */
export function utcText(moment: string | RawBuilder<unknown>) {
  return sql<string>`to_char(${typeof moment === 'string' ? sql.ref(moment) : moment} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}
