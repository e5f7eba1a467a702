import { Migration } from '@mikro-orm/migrations';

/**
 * Where servers that share their limits count. Not worth a write-ahead log: after a crash, counting starts anew. It holds
 * nothing of a user but the id, and no row level security, because it is the server that counts.
 */
export class Migration20261123RateLimits extends Migration {
  override up(): void {
    this.addSql(`
      create unlogged table "rate_limits" (
        "key" text primary key,
        "points" integer not null default 0,
        "expire" bigint
      )`);
  }
}
