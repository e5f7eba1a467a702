import { Migration20261123Idempotency } from './migration-20261123-idempotency.js';
import { Migration20261123Journal } from './migration-20261123-journal.js';
import { Migration20261123RateLimits } from './migration-20261123-rate-limits.js';
import { Migration20261123RowSecurity } from './migration-20261123-row-security.js';
import { Migration20261123Tasks } from './migration-20261123-tasks.js';
import { Migration20261124RequeuedAttempts } from './migration-20261124-requeued-attempts.js';
import { Migration20261124SettingReadOnce } from './migration-20261124-setting-read-once.js';

/** Every migration, oldest first, and none that goes back. The names are kept in the database: never change one. */
export const migrations = [
  { name: 'Migration20261123Tasks', class: Migration20261123Tasks },
  { name: 'Migration20261123RowSecurity', class: Migration20261123RowSecurity },
  { name: 'Migration20261123RateLimits', class: Migration20261123RateLimits },
  { name: 'Migration20261123Journal', class: Migration20261123Journal },
  { name: 'Migration20261123Idempotency', class: Migration20261123Idempotency },
  { name: 'Migration20261124SettingReadOnce', class: Migration20261124SettingReadOnce },
  { name: 'Migration20261124RequeuedAttempts', class: Migration20261124RequeuedAttempts },
];
