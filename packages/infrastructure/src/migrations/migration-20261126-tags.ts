import { Migration } from '@mikro-orm/migrations';

/** The tags of tasks, which are also texts that erasing removes from the journal. */
export class Migration20261126Tags extends Migration {
  override up(): void {
    // A constant default is kept in the catalog: no row is written.
    this.addSql(`alter table "tasks" add column "tags" text[] not null default '{}'`);
    const isErased = `"userId" = (select current_setting('app.user_id', true))
      and "taskId" in (select unnest(string_to_array(current_setting('app.erased_tasks', true), ','))::uuid)`;
    const isBlank = [
      ...['task,title', 'task,description'].map((path) => [path, '']),
      ...['before', 'after'].flatMap((when) => [
        [`changes,title,${when}`, ''],
        [`changes,description,${when}`, ''],
      ]),
      ...['task,tags', 'changes,tags,before', 'changes,tags,after'].map((path) => [path, '[]']),
    ]
      .map(([path, blank]) => `coalesce("data" #>> '{${path}}', '${blank}') = '${blank}'`)
      .join(' and ');
    this.addSql(`
      alter policy "erased_events" on "task_events"
        with check (${isErased} and ("data" ->> 'erased') = 'true' and ${isBlank})`);
  }
}
