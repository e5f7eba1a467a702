import { defineEntity, p } from '@mikro-orm/core';

/** Better Auth's table, or the stand-in for it: only the columns that are used here. Never changed where it is Better Auth's. */
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
