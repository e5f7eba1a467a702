import { Migration } from '@mikro-orm/migrations';
import { type MigrationFor, ownerColumns, ownerIndexes } from './owner.js';

/** The results of what is to be done only once, by the caller's key; kept for a day. */
export const migration20261123Idempotency: MigrationFor = (users) =>
  class extends Migration {
    override up(): void {
      // Deferred: a user who is seen for the first time gets their row later in the same transaction.
      this.addSql(`
      create table "idempotency_keys" (
        ${ownerColumns(users, 'not null', 'deferrable initially deferred')},
        "key" text not null,
        "fingerprint" text not null,
        "result" json,
        "createdAt" timestamptz not null default now(),
        primary key ("userId", "key")
      )`);
      for (const index of ownerIndexes(users, 'idempotency_keys')) this.addSql(index);
      this.addSql(`alter table "idempotency_keys" enable row level security`);
      this.addSql(`alter table "idempotency_keys" force row level security`);
      this.addSql(`
      create policy "keys_of_the_user" on "idempotency_keys"
        using ("userId" = current_setting('app.user_id', true))
        with check ("userId" = current_setting('app.user_id', true))`);
    }
  };
