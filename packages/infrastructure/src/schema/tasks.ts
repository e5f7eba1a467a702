import { defineEntity, p } from '@mikro-orm/core';
import { CATEGORIES, PRIORITIES, type Recurrence, type Series, STATUSES } from '@todo-backend/domain';
import { owner, text } from './columns.js';
import { IS_OWN, IS_OWN_READ_ONCE, isTaskReadOnce } from './policies.js';

/** The reminder of a task is still to come. Formatted as PostgreSQL prints it. */
export const IS_TO_BE_REMINDED = `(("remindAt" IS NOT NULL) AND (("remindedUntil" IS NULL) OR ("remindAt" > "remindedUntil")))`;

/** The tasks. Column names are in camel case, as in Better Auth's tables. */
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
    completed: p.boolean().generated(`(status = 'completed'::task_status) stored`),
    /** The wall clock of a floating due date, or the UTC time of an instant. */
    dueDate: text('timestamp(3)').nullable(),
    dueDateIsFloating: p.boolean(),
    tags: p.array().columnType('text[]').default([]),
    /** How the task repeats, and what its rule counts from. */
    recurrence: p.json<StoredRecurrence>().columnType('json').nullable(),
    seriesId: p.uuid().nullable(),
    occurrence: p.integer().nullable(),
    remindAt: text('timestamptz(3)').nullable(),
    /** The reminders up to this moment have come. */
    remindedUntil: text('timestamptz(3)').nullable(),
    createdAt: text('timestamptz(3)'),
    updatedAt: text('timestamptz(3)'),
    userId: owner('tasks_userId_fkey'),
  },
  indexes: [
    { name: 'tasks_userId_index', properties: ['userId'] },
    // Only tasks that repeat, or whose reminder is still to come, are in these. Neither depends on what often changes.
    {
      name: 'tasks_series_index',
      expression: `create unique index "tasks_series_index" on "tasks" ("userId", "seriesId", "occurrence") where "seriesId" is not null`,
    },
    {
      name: 'tasks_reminders_index',
      expression: `create index "tasks_reminders_index" on "tasks" ("remindAt") where ${IS_TO_BE_REMINDED}`,
    },
  ],
  rowLevelSecurity: 'force',
  policies: [
    { name: 'tasks_of_the_user', using: IS_OWN_READ_ONCE, check: IS_OWN },
    {
      name: 'tasks_with_reminders',
      command: 'select',
      using: `(${isTaskReadOnce('delivery')} AND ${IS_TO_BE_REMINDED})`,
    },
  ],
});

/** A recurrence, as the column has it. */
export type StoredRecurrence = Recurrence & Partial<Pick<Series, 'start' | 'before'>>;
