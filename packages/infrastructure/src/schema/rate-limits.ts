import { defineEntity, p } from '@mikro-orm/core';

/** Where servers that share their limits count. Unlogged: after a crash, counting starts anew. */
export const RateLimitRow = defineEntity({
  name: 'RateLimitRow',
  tableName: 'rate_limits',
  properties: {
    key: p.text().primary(),
    points: p.integer().default(0),
    /** Milliseconds since 1970. */
    expire: p.bigint('number').nullable(),
  },
});
