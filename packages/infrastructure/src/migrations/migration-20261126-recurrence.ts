import { Migration } from '@mikro-orm/migrations';

/** How tasks repeat, and when to remind of them. */
export class Migration20261126Recurrence extends Migration {
  override up(): void {
    this.addSql(`
      alter table "tasks"
        add column "recurrence" json,
        add column "seriesId" uuid,
        add column "occurrence" int,
        add column "remindAt" timestamptz(3),
        add column "remindedUntil" timestamptz(3)`);
    // Only tasks that repeat, or whose reminder is still to come, are in these.
    this.addSql(`
      create unique index "tasks_series_index" on "tasks" ("userId", "seriesId", "occurrence")
        where "seriesId" is not null`);
    const isToBeReminded = `"remindAt" is not null and ("remindedUntil" is null or "remindAt" > "remindedUntil")`;
    this.addSql(`create index "tasks_reminders_index" on "tasks" ("remindAt") where ${isToBeReminded}`);
    // Only to find whom to remind: the reminder itself is written in the name of its user.
    this.addSql(`
      create policy "tasks_with_reminders" on "tasks" for select
        using ((select current_setting('app.task', true)) = 'delivery' and ${isToBeReminded})`);
  }
}
