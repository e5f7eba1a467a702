import { defineEntity, p } from '@mikro-orm/core';
import type { InferKyselyTable } from '@mikro-orm/sql';
import {
  CATEGORIES,
  type DueDate,
  isFloating,
  PRIORITIES,
  STATUSES,
  type Task,
  type UserId,
} from '@todo-backend/domain';
import { type Generated, type Insertable, type Simplify, sql } from 'kysely';

/**
 * The `tasks` table. Only a row: MikroORM patches the prototype of every class that it maps, so it never gets to see
 * the domain's `Task`. The column names are camel-case because those of Better Auth's tables, their neighbours, are.
 */
export const TaskRow = defineEntity({
  name: 'TaskRow',
  tableName: 'tasks',
  properties: {
    id: p.uuid().primary(),
    title: p.string().length(255),
    description: p.text().nullable(),
    priority: p.enum(PRIORITIES).nativeEnumName('task_priority'),
    category: p.enum(CATEGORIES).nativeEnumName('task_category'),
    status: p.enum(STATUSES).nativeEnumName('task_status'),
    completed: p.boolean().generated(`("status" = 'completed'::task_status) stored`),
    /** The wall clock of a floating due date, or the UTC time of an instant. */
    dueDate: p.string().columnType('timestamp(3)').nullable(),
    dueDateIsFloating: p.boolean(),
    createdAt: p.string().columnType('timestamptz(3)'),
    updatedAt: p.string().columnType('timestamptz(3)'),
    userId: p.text(),
  },
});

/** The tables that queries may use, as Kysely wants them described. */
export interface Tables {
  tasks: Simplify<Omit<InferKyselyTable<typeof TaskRow, { columnNamingStrategy: 'property' }>, 'completed'>>;
  /** One row for each user who ever had a task. */
  task_ledgers: {
    userId: string;
    /** How many events the journal has ever had, and so the sequence of the newest. */
    sequence: number;
    tasks: number;
    completed: number;
    deliveredSequence: number;
    deliveryAttempts: number;
    /** Until then somebody delivers, or waits before the next attempt. */
    deliverAfter: Generated<string>;
  };
  /** The journal: only added to. */
  task_events: {
    userId: string;
    sequence: number;
    eventId: string;
    type: string;
    time: string;
    taskId: string;
    actorType: string;
    actorId: string;
    correlationId: string | null;
    data: object;
  };
  /** Events that the sink does not take. */
  dead_letters: {
    userId: string;
    sequence: number;
    reason: string;
    failedAt: string;
    /** Infinitely late, until an operator says otherwise. */
    deliverAfter: Generated<string>;
    /** How often it has failed since then. */
    deliveryAttempts: Generated<number>;
  };
  idempotency_keys: {
    userId: string;
    key: string;
    fingerprint: string;
    result: Generated<unknown>;
    createdAt: Generated<string>;
  };
  /** Better Auth's table, or the stand-in for it. Never changed where it is Better Auth's. */
  user: { id: string; name: string; email: string; emailVerified: boolean };
}

/** What {@link TASK_COLUMNS} reads. */
export type StoredTask = readonly [facts: string, title: string, description: string | null];

/**
 * A task, but for the owner, whom one knows who may read it. What nobody writes freely comes as one text with commas in
 * between: the driver takes as long for a column of a word as for a title. The due date is the last of them, because
 * nulls are left out. Times are spelt by PostgreSQL's own output, whatever the session's time zone; `to_char` would take
 * most of the time of a list. A description has a dot put before it, because PGlite drops a byte order mark from the
 * beginning of a text that it reads.
 */
export const TASK_COLUMNS = sql`
  concat_ws(',', "id", "priority", "category", "status", "createdAt" at time zone 'UTC', "updatedAt" at time zone 'UTC',
            "dueDateIsFloating", "dueDate") as "facts",
  "title", '.' || "description" as "description"`;

/** The task that a row of {@link TASK_COLUMNS} tells of. */
export function toTask(owner: UserId, [facts, title, description]: readonly [...StoredTask, ...unknown[]]): Task {
  const [id, priority, category, status, createdAt, updatedAt, dueDateIsFloating, dueDate] = facts.split(',') as Facts;
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
  };
}

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

/** As JSON, because PGlite drops a byte order mark from the beginning of a text that it reads. */
export function exactText(column: string) {
  return sql<string>`to_json(${sql.ref(column)})`;
}

/** A `timestamptz` as the domain spells it. */
export function utcText(column: string) {
  return sql<string>`to_char(${sql.ref(column)} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}

/** The row that keeps a task. */
export function toRow({ dueDate, ...task }: Task): Insertable<Tables['tasks']> {
  return { ...task, dueDate, dueDateIsFloating: dueDate !== null && isFloating(dueDate) };
}

/** What {@link toRow} makes. */
export const ROW_COLUMNS = {
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
} as const satisfies Record<keyof ReturnType<typeof toRow>, string>;

/** A wall clock has a fraction only where there is one. */
function toDueDate(stored: string, isFloating: boolean): DueDate {
  if (!isFloating) return `${toIso(stored)}Z` as DueDate;
  return (stored.includes('.') ? toIso(stored) : stored.replace(' ', 'T')) as DueDate;
}
