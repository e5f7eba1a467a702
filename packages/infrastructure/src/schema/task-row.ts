import {
  type DueDate,
  isFloating,
  type Recurrence,
  type Task,
  type Timestamp,
  type UserId,
} from '@todo-backend/domain';
import { type Insertable, sql } from 'kysely';
import type { Tables } from './tables.js';
import type { StoredRecurrence } from './tasks.js';

/** A task as a row to insert. */
export type NewRow = Required<Insertable<Tables['tasks']>>;

/** The fields of a task that no column stores. If there are any, {@link toRow} is a type error. */
type Unstored = { readonly [Field in Exclude<keyof Task, keyof NewRow | 'series'>]: never };

/**
 * The row that stores a task.
 *
 * @param remindedUntil only for a new row: others keep what they have
 */
export function toRow(
  { dueDate, recurrence, series, ...task }: Task,
  remindedUntil: Timestamp | null = null,
): NewRow & Unstored {
  return {
    ...task,
    dueDate,
    dueDateIsFloating: dueDate !== null && isFloating(dueDate),
    recurrence: recurrence && { ...recurrence, ...(series && { start: series.start, before: series.before }) },
    seriesId: series?.id ?? null,
    occurrence: series?.occurrence ?? null,
    remindedUntil,
  };
}

/** The SQL types of {@link toRow}. A missing column is a type error. */
export const ROW_TYPES = {
  id: 'uuid',
  title: 'text',
  description: 'text',
  priority: 'task_priority',
  category: 'task_category',
  status: 'task_status',
  dueDate: 'timestamp',
  dueDateIsFloating: 'boolean',
  createdAt: 'timestamptz',
  updatedAt: 'timestamptz',
  userId: 'text',
  tags: 'text[]',
  recurrence: 'json',
  seriesId: 'uuid',
  occurrence: 'integer',
  remindAt: 'timestamptz',
  remindedUntil: 'timestamptz',
} as const satisfies Record<keyof NewRow, string>;

/** All writable columns. */
export const ROW_COLUMNS = Object.keys(ROW_TYPES) as (keyof NewRow)[];

/** The columns that an update of the task leaves alone. */
const FIXED = ['id', 'userId', 'createdAt', 'remindedUntil'] as const satisfies (keyof NewRow)[];

/** The columns that an update writes. */
export const CONTENT_COLUMNS = ROW_COLUMNS.filter(
  (column): column is Exclude<keyof NewRow, (typeof FIXED)[number]> => !FIXED.some((fixed) => fixed === column),
);

/** The result of {@link storedTask}. */
export type StoredTask = readonly [facts: string, title: string, description: string | null];

/**
 * Reads a task without its owner, who is known. All columns except the free texts come as one comma-separated text,
 * because the driver's cost is per column; the due date comes last, because nulls are left out. After it, what most tasks
 * have none of is JSON, and only there when there is any of it. Times are in PostgreSQL's own format, because
 * `to_char` is slow. The description is prefixed with a dot, because PGlite drops a byte order mark from the beginning of
 * a text.
 */
export const storedTask = [
  sql<string>`concat_ws(',', "id", "priority", "category", "status", "createdAt" at time zone 'UTC',
    "updatedAt" at time zone 'UTC', "dueDateIsFloating", "dueDate",
    case when cardinality("tags") > 0 or "recurrence" is not null or "remindAt" is not null then
      json_build_array("tags", "remindAt" at time zone 'UTC', "recurrence", "seriesId", "occurrence") end)`.as('facts'),
  sql<string>`"title"`.as('title'),
  sql<string | null>`'.' || "description"`.as('description'),
] as const;

/** Converts the result of {@link storedTask} to a task. */
export function toTask(owner: UserId, [facts, title, description]: readonly [...StoredTask, ...unknown[]]): Task {
  // Nothing else has a bracket in it.
  const end = facts.indexOf('[');
  const [id, priority, category, status, createdAt, updatedAt, dueDateIsFloating, dueDate] = (
    end === -1 ? facts : facts.slice(0, end - 1)
  ).split(',') as Facts;
  return {
    id,
    userId: owner,
    title,
    description: description === null ? null : description.slice(1),
    priority,
    category,
    status,
    dueDate: dueDate === undefined ? null : toDueDate(dueDate, dueDateIsFloating === 't'),
    createdAt: `${toIso(createdAt)}Z`,
    updatedAt: `${toIso(updatedAt)}Z`,
    ...(end === -1 ? NO_MORE_FACTS : toMoreFacts(JSON.parse(facts.slice(end)))),
  };
}

/** What most tasks have none of. */
type MoreFacts = Pick<Task, 'tags' | 'recurrence' | 'remindAt' | 'series'>;

const NO_MORE_FACTS: MoreFacts = { tags: [], recurrence: null, remindAt: null, series: null };

function toMoreFacts([tags, remindAt, stored, id, occurrence]: StoredFacts): MoreFacts {
  const { start, before, ...recurrence } = stored ?? {};
  const isOfSeries = id !== null && occurrence !== null && start !== undefined && before !== undefined;
  return {
    tags,
    recurrence: stored && (recurrence as Recurrence),
    remindAt: remindAt && `${toIso(remindAt)}Z`,
    series: isOfSeries ? { id, occurrence, start, before } : null,
  };
}

type StoredFacts = [
  tags: string[],
  remindAt: string | null,
  recurrence: StoredRecurrence | null,
  seriesId: string | null,
  occurrence: number | null,
];

type Facts = [
  id: string,
  priority: Task['priority'],
  category: Task['category'],
  status: Task['status'],
  createdAt: string,
  updatedAt: string,
  dueDateIsFloating: 't' | 'f',
  dueDate?: string,
];

/** PostgreSQL's `2026-03-10 09:30:00.5` as `2026-03-10T09:30:00.500`. */
function toIso(text: string): string {
  return `${text.slice(0, 10)}T${text.slice(11)}${'.000'.slice(text.length - 19)}`;
}

/** A wall clock has a fraction only if it is not zero. */
function toDueDate(stored: string, isFloating: boolean): DueDate {
  if (!isFloating) return `${toIso(stored)}Z` as DueDate;
  return (stored.includes('.') ? toIso(stored) : stored.replace(' ', 'T')) as DueDate;
}
