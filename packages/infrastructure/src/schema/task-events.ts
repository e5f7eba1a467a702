import { defineEntity, p } from '@mikro-orm/core';
import { text } from './columns.js';
import { IS_OWN, IS_OWN_BLANK, IS_OWN_ERASED, IS_OWN_READ_ONCE, isTaskReadOnce } from './policies.js';
import { TaskLedgerRow } from './task-ledgers.js';

/** Deletions that were not erased since, in SQL. The indexes of these have the same condition. */
export function isDeletion(table?: string): string {
  const prefix = table === undefined ? '' : `${table}.`;
  return `${prefix}"type" = 'todo.task.deleted.v1' and (${prefix}"data" ->> 'erased') is null`;
}

const ofDeletions = `where ${isDeletion()}`;

/** The journal. The policies allow an update only to erase texts, and deletion only by pruning. */
export const TaskEventRow = defineEntity({
  name: 'TaskEventRow',
  tableName: 'task_events',
  properties: {
    userId: p
      .manyToOne(TaskLedgerRow)
      .mapToPk()
      .joinColumn('userId')
      .primary()
      .deleteRule('cascade')
      .updateRule('no action')
      .foreignKeyName('task_events_userId_fkey')
      .index(false),
    /** Numbers the events of a user from 1, without gaps. */
    sequence: p.integer().primary(),
    eventId: p.uuid(),
    type: p.text(),
    time: text('timestamptz(3)'),
    taskId: p.uuid(),
    actorType: p.text(),
    actorId: p.text(),
    correlationId: p.text().nullable(),
    /** The payload, which depends on the type. */
    data: p.json<object>().columnType('json'),
  },
  // Rows are stored in the order of time, so a small BRIN index is enough.
  indexes: [
    {
      name: 'task_events_time_index',
      expression: `create index "task_events_time_index" on "task_events" using brin ("time")`,
    },
    // Only deletions are in these, so that other changes cost nothing more.
    {
      name: 'task_events_deletions_index',
      expression: `create index "task_events_deletions_index" on "task_events" ("userId", "sequence") ${ofDeletions}`,
    },
    {
      name: 'task_events_deleted_tasks_index',
      expression: `create index "task_events_deleted_tasks_index" on "task_events" ("userId", "taskId", "sequence") ${ofDeletions}`,
    },
  ],
  rowLevelSecurity: 'force',
  policies: [
    { name: 'events_of_the_user', command: 'select', using: IS_OWN_READ_ONCE },
    { name: 'new_events_of_the_user', command: 'insert', check: IS_OWN },
    { name: 'erased_events', command: 'update', using: IS_OWN_ERASED, check: IS_OWN_BLANK },
    { name: 'events_for_delivery', command: 'select', using: isTaskReadOnce('delivery') },
    { name: 'events_for_pruning', command: 'select', using: isTaskReadOnce('pruning') },
    { name: 'pruned_events', command: 'delete', using: isTaskReadOnce('pruning') },
  ],
});
