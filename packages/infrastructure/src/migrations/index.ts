import type { Constructor } from '@mikro-orm/core';
import type { Migration } from '@mikro-orm/migrations';
import { migration20261123Idempotency } from './migration-20261123-idempotency.js';
import { migration20261123Journal } from './migration-20261123-journal.js';
import { Migration20261123RateLimits } from './migration-20261123-rate-limits.js';
import { Migration20261123RowSecurity } from './migration-20261123-row-security.js';
import { migration20261123Tasks } from './migration-20261123-tasks.js';
import { Migration20261124RequeuedAttempts } from './migration-20261124-requeued-attempts.js';
import { Migration20261124SettingReadOnce } from './migration-20261124-setting-read-once.js';
import { Migration20261126IdempotencyExpiry } from './migration-20261126-idempotency-expiry.js';
import { Migration20261126JournalPositions } from './migration-20261126-journal-positions.js';
import { Migration20261126Recovery } from './migration-20261126-recovery.js';
import { Migration20261126Recurrence } from './migration-20261126-recurrence.js';
import { Migration20261126Tags } from './migration-20261126-tags.js';
import { Migration20261126TitleOrder } from './migration-20261126-title-order.js';
import type { MigrationFor, UserTable } from './owner.js';

const always = (migration: Constructor<Migration>) => () => migration;

/** Every migration, oldest first, and none that goes back. The names are kept in the database: never change one. */
const MIGRATIONS = {
  Migration20261123Tasks: migration20261123Tasks,
  Migration20261123RowSecurity: always(Migration20261123RowSecurity),
  Migration20261123RateLimits: always(Migration20261123RateLimits),
  Migration20261123Journal: migration20261123Journal,
  Migration20261123Idempotency: migration20261123Idempotency,
  Migration20261124SettingReadOnce: always(Migration20261124SettingReadOnce),
  Migration20261124RequeuedAttempts: always(Migration20261124RequeuedAttempts),
  Migration20261126IdempotencyExpiry: always(Migration20261126IdempotencyExpiry),
  Migration20261126JournalPositions: always(Migration20261126JournalPositions),
  Migration20261126TitleOrder: always(Migration20261126TitleOrder),
  Migration20261126Recovery: always(Migration20261126Recovery),
  Migration20261126Tags: always(Migration20261126Tags),
  Migration20261126Recurrence: always(Migration20261126Recurrence),
} as const satisfies Record<string, MigrationFor>;

/** The names of all migrations. */
export const MIGRATION_NAMES: readonly string[] = Object.keys(MIGRATIONS);

/** The migrations, as MikroORM takes them, for tasks that refer to these users. */
export function migrationsFor(users: UserTable) {
  return Object.entries<MigrationFor>(MIGRATIONS).map(([name, migration]) => ({ name, class: migration(users) }));
}
