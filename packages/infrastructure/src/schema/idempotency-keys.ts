import { defineEntity, p } from '@mikro-orm/core';
import { owner, text } from './columns.js';
import { IS_OWN } from './policies.js';

/** The results of requests that are carried out once, by the caller's key; kept for a day. */
export const IdempotencyKeyRow = defineEntity({
  name: 'IdempotencyKeyRow',
  tableName: 'idempotency_keys',
  properties: {
    userId: owner('idempotency_keys_userId_fkey').primary().deferMode('deferred'),
    key: p.text().primary(),
    /** Tells the request from others that the same key could be used for by mistake. */
    fingerprint: p.text(),
    result: p.json<unknown>().columnType('json').nullable(),
    createdAt: text('timestamptz').defaultRaw('now()'),
  },
  rowLevelSecurity: 'force',
  policies: [{ name: 'keys_of_the_user', using: IS_OWN, check: IS_OWN }],
});
