import { Migration } from '@mikro-orm/migrations';

/** Finds the old idempotency keys of one user, and of all, without reading the others. */
export class Migration20261126IdempotencyExpiry extends Migration {
  override up(): void {
    this.addSql(`create index "idempotency_keys_userId_createdAt_index" on "idempotency_keys" ("userId", "createdAt")`);
    // Rows lie in the order of time, so one entry for each range of pages is enough.
    this.addSql(`create index "idempotency_keys_createdAt_index" on "idempotency_keys" using brin ("createdAt")`);
    this.addSql(`
      create policy "keys_for_expiry" on "idempotency_keys"
        using ((select current_setting('app.task', true)) = 'expiry')`);
  }
}
