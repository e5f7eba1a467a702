import { defineEntity, p } from '@mikro-orm/core';
import { owner, text } from './columns.js';
import { IS_OWN, isTask, isTaskReadOnce } from './policies.js';

/** One row for each user who ever had a task: the journal's sequence, the task counts and the delivery progress. */
export const TaskLedgerRow = defineEntity({
  name: 'TaskLedgerRow',
  tableName: 'task_ledgers',
  properties: {
    userId: owner('task_ledgers_userId_fkey').primary(),
    /** The number of events ever recorded: the sequence of the newest. */
    sequence: p.integer(),
    /** The id of that event. */
    lastEventId: p.uuid().nullable(),
    tasks: p.integer(),
    completed: p.integer(),
    /** The sequence up to which events are delivered. */
    deliveredSequence: p.integer().default(0),
    /** How often the next event has failed. */
    deliveryAttempts: p.integer().default(0),
    /** The end of a relay's claim, or of the delay before the next attempt. */
    deliverAfter: text('timestamptz').default('-infinity'),
  },
  indexes: [
    {
      name: 'task_ledgers_waiting_index',
      expression: `create index "task_ledgers_waiting_index" on "task_ledgers" ("deliverAfter") where "deliveredSequence" < "sequence"`,
    },
  ],
  rowLevelSecurity: 'force',
  policies: [
    { name: 'ledger_of_the_user', using: IS_OWN, check: IS_OWN },
    { name: 'ledgers_for_delivery', using: isTask('delivery') },
    { name: 'ledgers_for_pruning', command: 'select', using: isTask('pruning') },
    { name: 'ledgers_for_the_feed', command: 'select', using: isTaskReadOnce('feed') },
  ],
});
