import { Migration } from '@mikro-orm/migrations';

/**
 * The second wall: PostgreSQL itself shows and changes only the rows of the user in `app.user_id`, and none where that is
 * not set. Forced, so that it holds for the owner of the table as well.
 */
export class Migration20261123RowSecurity extends Migration {
  override up(): void {
    this.addSql(`alter table "tasks" enable row level security`);
    this.addSql(`alter table "tasks" force row level security`);
    this.addSql(`
      create policy "tasks_of_the_user" on "tasks"
        using ("userId" = current_setting('app.user_id', true))
        with check ("userId" = current_setting('app.user_id', true))`);
    // Superusers and roles with BYPASSRLS pass every policy. Where the login role is one, queries run as this one. It
    // belongs to the whole server: another database may have made it, even at this moment.
    this.addSql(`
      do $$ begin
        if to_regrole('todo_api') is null
          and (select rolsuper or rolcreaterole from pg_roles where rolname = current_user)
        then
          create role todo_api nologin;
        end if;
      exception when duplicate_object or unique_violation then null;
      end $$`);
  }
}
