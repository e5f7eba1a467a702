import { Migration } from '@mikro-orm/migrations';

/** The trash, erasing for good, and the feed of changes. */
export class Migration20261126Recovery extends Migration {
  override up(): void {
    // Only deletions are in these indexes, so that other changes cost nothing more.
    const ofDeletions = `where "type" = 'todo.task.deleted.v1' and ("data" ->> 'erased') is null`;
    this.addSql(`create index "task_events_deletions_index" on "task_events" ("userId", "sequence") ${ofDeletions}`);
    this.addSql(
      `create index "task_events_deleted_tasks_index" on "task_events" ("userId", "taskId", "sequence") ${ofDeletions}`,
    );
    // The only change to events: of the user's own, those of the tasks that the transaction erases. The right is to one column.
    const isErased = `"userId" = (select current_setting('app.user_id', true))
      and "taskId" in (select unnest(string_to_array(current_setting('app.erased_tasks', true), ','))::uuid)`;
    const isBlank = [
      '{task,title}',
      '{task,description}',
      ...['before', 'after'].flatMap((when) => [`{changes,title,${when}}`, `{changes,description,${when}}`]),
    ]
      .map((path) => `coalesce("data" #>> '${path}', '') = ''`)
      .join(' and ');
    this.addSql(`
      create policy "erased_events" on "task_events" for update using (${isErased})
        with check (${isErased} and ("data" ->> 'erased') = 'true' and ${isBlank})`);
    this.addSql(`
      create policy "ledgers_for_the_feed" on "task_ledgers" for select
        using ((select current_setting('app.task', true)) = 'feed')`);
  }
}
