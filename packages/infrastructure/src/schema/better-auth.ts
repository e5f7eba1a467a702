import { defineEntity, p } from '@mikro-orm/core';

/** Better Auth's table, which is never changed, or the stand-in for it: only the columns that are used here. */
export const UserRow = defineEntity({
  name: 'UserRow',
  tableName: 'user',
  properties: {
    id: p.text().primary(),
    name: p.text(),
    email: p.text(),
    emailVerified: p.boolean(),
  },
});
