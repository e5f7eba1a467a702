import { defineEntity, p } from '@mikro-orm/core';
import { owner, text } from './columns.js';
import { IS_OWN } from './policies.js';

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
  rowLevelSecurity: 'force',
  policies: [{ name: 'keys_of_the_user', using: IS_OWN, check: IS_OWN }],
});
