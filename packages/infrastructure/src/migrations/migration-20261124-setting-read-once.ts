import { Migration } from '@mikro-orm/migrations';

/**
 * The second wall for less: a policy asks for the setting once for each statement, not once for each row. What is
 * written is checked as before.
 */
export class Migration20261124SettingReadOnce extends Migration {
  override up(): void {
    const isOwn = `"userId" = (select current_setting('app.user_id', true))`;
    const isFor = (task: string) => `(select current_setting('app.task', true)) = '${task}'`;
    this.addSql(`alter policy "tasks_of_the_user" on "tasks" using (${isOwn})`);
    this.addSql(`alter policy "events_of_the_user" on "task_events" using (${isOwn})`);
    this.addSql(`alter policy "events_for_delivery" on "task_events" using (${isFor('delivery')})`);
    this.addSql(`alter policy "events_for_pruning" on "task_events" using (${isFor('pruning')})`);
    this.addSql(`alter policy "pruned_events" on "task_events" using (${isFor('pruning')})`);
  }
}
