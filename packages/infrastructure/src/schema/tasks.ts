import { defineEntity, p } from '@mikro-orm/core';
import { CATEGORIES, PRIORITIES, STATUSES } from '@todo-backend/domain';
import { owner, text } from './columns.js';
import { IS_OWN, IS_OWN_READ_ONCE } from './policies.js';

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
    createdAt: text('timestamptz(3)'),
    updatedAt: text('timestamptz(3)'),
    userId: owner('tasks_userId_fkey'),
  },
  indexes: [{ name: 'tasks_userId_index', properties: ['userId'] }],
  rowLevelSecurity: 'force',
  policies: [{ name: 'tasks_of_the_user', using: IS_OWN_READ_ONCE, check: IS_OWN }],
});
