import { Migration } from '@mikro-orm/migrations';
import { type MigrationFor, ownerColumns, ownerIndexes } from './owner.js';

/** The `tasks` table. Why it has this index and no other: `docs/decisions.md`. */
export const migration20261123Tasks: MigrationFor = (users) =>
  class extends Migration {
    override up(): void {
      this.addSql(`create type "task_priority" as enum ('low', 'medium', 'high')`);
      this.addSql(`create type "task_category" as enum ('work', 'personal', 'home', 'other')`);
      this.addSql(`create type "task_status" as enum ('pending', 'completed')`);
      this.addSql(`
      create table "tasks" (
        "id" uuid primary key,
        "title" varchar(255) not null,
        "description" text,
        "priority" task_priority not null,
        "category" task_category not null,
        "status" task_status not null,
        "completed" boolean not null generated always as ("status" = 'completed'::task_status) stored,
        "dueDate" timestamp(3),
        "dueDateIsFloating" boolean not null,
        "createdAt" timestamptz(3) not null,
        "updatedAt" timestamptz(3) not null,
        ${ownerColumns(users, 'not null')}
      )`);
      for (const index of ownerIndexes(users, 'tasks')) this.addSql(index);
      this.addSql(`create index "tasks_userId_index" on "tasks" ("userId")`);
    }
  };
