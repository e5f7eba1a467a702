import { defineEntity, p } from '@mikro-orm/core';
import type { InferKyselyTable } from '@mikro-orm/sql';
import { CATEGORIES, type DueDate, isFloating, PRIORITIES, STATUSES, type Task } from '@todo-backend/domain';
import { type Insertable, type Selectable, type SelectQueryBuilder, type Simplify, sql } from 'kysely';

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
  /** Better Auth's table, or the stand-in for it. Never changed where it is Better Auth's. */
  user: { id: string; name: string; email: string; emailVerified: boolean };
  /** Better Auth's signing keys. The private half is none of our business. */
  jwks: { id: string; publicKey: string; alg: string | null; expiresAt: string | null };
}

/** What {@link selectTask} reads. */
type StoredTask = Selectable<Tables['tasks']>;

/** The columns of a task, with every time already spelt as the domain spells it, whatever the session's settings. */
export function selectTask<DB extends Tables, Output>(query: SelectQueryBuilder<DB, 'tasks', Output>) {
  return (query as unknown as SelectQueryBuilder<Tables, 'tasks', object>).select([
    'id',
    exactText('userId').as('userId'),
    'title',
    exactText('description').as('description'),
    'priority',
    'category',
    'status',
    sql<string | null>`to_char("dueDate", ${sql.lit(ISO_FORMAT)})`.as('dueDate'),
    'dueDateIsFloating',
    sql<string>`to_char("createdAt" at time zone 'UTC', ${sql.lit(`${ISO_FORMAT}"Z"`)})`.as('createdAt'),
    sql<string>`to_char("updatedAt" at time zone 'UTC', ${sql.lit(`${ISO_FORMAT}"Z"`)})`.as('updatedAt'),
  ]);
}

/** As JSON, because PGlite drops a byte order mark from the beginning of a text that it reads. A title has none there. */
function exactText<Column extends 'userId' | 'description'>(column: Column) {
  return sql<StoredTask[Column]>`to_json(${sql.ref(`tasks.${column}`)})`;
}

const ISO_FORMAT = 'YYYY-MM-DD"T"HH24:MI:SS.MS';

/** The task that a row of {@link selectTask} tells of. */
export function toTask({ dueDate, dueDateIsFloating, ...row }: StoredTask): Task {
  return { ...row, dueDate: dueDate === null ? null : toDueDate(dueDate, dueDateIsFloating) };
}

/** The row that keeps a task. */
export function toRow({ dueDate, ...task }: Task): Insertable<Tables['tasks']> {
  return { ...task, dueDate, dueDateIsFloating: dueDate !== null && isFloating(dueDate) };
}

function toDueDate(stored: string, floating: boolean): DueDate {
  return (floating ? stored.replace(/\.000$/, '') : `${stored}Z`) as DueDate;
}
