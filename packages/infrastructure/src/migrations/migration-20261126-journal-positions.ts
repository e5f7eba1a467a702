import { Migration } from '@mikro-orm/migrations';

/** The ledger names the newest event, so that a position in the journal is never that of another history. */
export class Migration20261126JournalPositions extends Migration {
  override up(): void {
    this.addSql(`alter table "task_ledgers" add column "lastEventId" uuid`);
    // The owner of the tables reads what is there already, and is kept from it by row level security.
    for (const table of ['task_ledgers', 'task_events']) {
      this.addSql(`alter table "${table}" no force row level security`);
    }
    this.addSql(`
      update "task_ledgers" l set "lastEventId" = e."eventId"
      from "task_events" e where e."userId" = l."userId" and e."sequence" = l."sequence"`);
    for (const table of ['task_ledgers', 'task_events']) {
      this.addSql(`alter table "${table}" force row level security`);
    }
  }
}
