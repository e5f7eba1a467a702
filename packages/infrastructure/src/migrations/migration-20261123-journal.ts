import { Migration } from '@mikro-orm/migrations';
import { type MigrationFor, ownerColumns, ownerIndexes } from './owner.js';

/**
 * The journal of every change, and one ledger for each user: the sequence that the journal has reached, how much of it
 * has been handed on, and how many tasks there are. Whoever writes holds the ledger's row until the commit; so the
 * sequence has no gap, and a later number never becomes visible before an earlier one.
 */
export const migration20261123Journal: MigrationFor = (users) =>
  class extends Migration {
    override up(): void {
      this.addSql(`
      create table "task_ledgers" (
        ${ownerColumns(users, 'primary key')},
        "sequence" integer not null,
        "tasks" integer not null,
        "completed" integer not null,
        "deliveredSequence" integer not null default 0,
        "deliveryAttempts" integer not null default 0,
        "deliverAfter" timestamptz not null default '-infinity'
      )`);
      for (const index of ownerIndexes(users, 'task_ledgers')) this.addSql(index);
      this.addSql(`
      create index "task_ledgers_waiting_index" on "task_ledgers" ("deliverAfter")
      where "deliveredSequence" < "sequence"`);
      // The owner of the table counts what is there already, and is kept from it by row level security.
      this.addSql(`alter table "tasks" no force row level security`);
      this.addSql(`
      insert into "task_ledgers" ("userId", "sequence", "tasks", "completed")
      select "userId", 0, count(*), count(*) filter (where "completed") from "tasks" group by "userId"`);
      this.addSql(`alter table "tasks" force row level security`);

      this.addSql(`
      create table "task_events" (
        "userId" text not null references "task_ledgers" ("userId") on delete cascade,
        "sequence" integer not null,
        "eventId" uuid not null,
        "type" text not null,
        "time" timestamptz(3) not null,
        "taskId" uuid not null,
        "actorType" text not null,
        "actorId" text not null,
        "correlationId" text,
        "data" json not null,
        primary key ("userId", "sequence")
      )`);
      // For pruning: rows lie in the order of time, so one entry for each range of pages is enough.
      this.addSql(`create index "task_events_time_index" on "task_events" using brin ("time")`);

      this.addSql(`
      create table "dead_letters" (
        "userId" text not null,
        "sequence" integer not null,
        "reason" text not null,
        "failedAt" timestamptz(3) not null,
        "deliverAfter" timestamptz not null default 'infinity',
        primary key ("userId", "sequence"),
        foreign key ("userId", "sequence") references "task_events" ("userId", "sequence") on delete cascade
      )`);

      for (const table of ['task_ledgers', 'task_events', 'dead_letters']) {
        this.addSql(`alter table "${table}" enable row level security`);
        this.addSql(`alter table "${table}" force row level security`);
      }
      const isOwn = `"userId" = current_setting('app.user_id', true)`;
      const isFor = (task: string) => `current_setting('app.task', true) = '${task}'`;
      this.addSql(`create policy "ledger_of_the_user" on "task_ledgers" using (${isOwn}) with check (${isOwn})`);
      this.addSql(`create policy "ledgers_for_delivery" on "task_ledgers" using (${isFor('delivery')})`);
      // No policy lets anybody change an event, and none but the pruning lets anybody delete one.
      this.addSql(`create policy "events_of_the_user" on "task_events" for select using (${isOwn})`);
      this.addSql(`create policy "new_events_of_the_user" on "task_events" for insert with check (${isOwn})`);
      this.addSql(`create policy "events_for_delivery" on "task_events" for select using (${isFor('delivery')})`);
      this.addSql(`create policy "events_for_pruning" on "task_events" for select using (${isFor('pruning')})`);
      this.addSql(`create policy "pruned_events" on "task_events" for delete using (${isFor('pruning')})`);
      this.addSql(`create policy "ledgers_for_pruning" on "task_ledgers" for select using (${isFor('pruning')})`);
      this.addSql(`create policy "dead_letters_for_delivery" on "dead_letters" using (${isFor('delivery')})`);
    }
  };
