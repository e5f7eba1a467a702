import { Migration } from '@mikro-orm/migrations';

/** How often a dead letter has failed since it was requeued: it is as patiently tried again as any other event. */
export class Migration20261124RequeuedAttempts extends Migration {
  override up(): void {
    this.addSql(`alter table "dead_letters" add column "deliveryAttempts" integer not null default 0`);
  }
}
