import { defineEntity, p } from '@mikro-orm/core';
import { owner, text } from './columns.js';
import { IS_OWN, isTaskReadOnce } from './policies.js';

/** The results of idempotent requests by the client's key, kept for a day. */
export const IdempotencyKeyRow = defineEntity({
  name: 'IdempotencyKeyRow',
  tableName: 'idempotency_keys',
  properties: {
    userId: owner('idempotency_keys_userId_fkey').primary().deferMode('deferred'),
    key: p.text().primary(),
    /** Identifies the request, to detect that its key is reused for another one. */
    fingerprint: p.text(),
    result: p.json<unknown>().columnType('json').nullable(),
    createdAt: text('timestamptz').defaultRaw('now()'),
  },
  indexes: [
    { name: 'idempotency_keys_userId_createdAt_index', properties: ['userId', 'createdAt'] },
    {
      name: 'idempotency_keys_createdAt_index',
      // Rows are stored in the order of time, so a small BRIN index is enough.
      expression: `create index "idempotency_keys_createdAt_index" on "idempotency_keys" using brin ("createdAt")`,
    },
  ],
  rowLevelSecurity: 'force',
  policies: [
    { name: 'keys_of_the_user', using: IS_OWN, check: IS_OWN },
    { name: 'keys_for_expiry', using: isTaskReadOnce('expiry') },
  ],
});
