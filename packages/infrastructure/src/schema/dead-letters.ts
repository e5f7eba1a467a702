import { defineEntity, p } from '@mikro-orm/core';
import { text } from './columns.js';
import { isTask } from './policies.js';
import { TaskEventRow } from './task-events.js';

/** Events that the sink did not accept. */
export const DeadLetterRow = defineEntity({
  name: 'DeadLetterRow',
  tableName: 'dead_letters',
  properties: {
    event: () =>
      p
        .manyToOne(TaskEventRow)
        .mapToPk()
        .joinColumns('userId', 'sequence')
        .primary()
        .deleteRule('cascade')
        .updateRule('no action')
        .foreignKeyName('dead_letters_userId_sequence_fkey')
        .index(false),
    reason: p.text(),
    failedAt: text('timestamptz(3)'),
    /** `infinity` until an operator requeues it. */
    deliverAfter: text('timestamptz').default('infinity'),
    /** How often it has failed since it was requeued. */
    deliveryAttempts: p.integer().default(0),
  },
  rowLevelSecurity: 'force',
  policies: [{ name: 'dead_letters_for_delivery', using: isTask('delivery') }],
});
