import { Migration } from '@mikro-orm/migrations';

/**
 * The second wall: PostgreSQL itself shows and changes only the rows of the user in `app.user_id`, and none where that is
 * not set. Forced, so that it holds for the owner of the table as well. The role of the API is made in `postgres/setup.ts`.
 */
export class Migration20261123RowSecurity extends Migration {
  override up(): void {
    this.addSql(`alter table "tasks" enable row level security`);
    this.addSql(`alter table "tasks" force row level security`);
    this.addSql(`
      create policy "tasks_of_the_user" on "tasks"
        using ("userId" = current_setting('app.user_id', true))
        with check ("userId" = current_setting('app.user_id', true))`);
  }
}
