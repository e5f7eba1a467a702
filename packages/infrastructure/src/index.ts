export {
  cachedKeySet,
  type KeyLoader,
  type KeySet,
  type KeySetOptions,
  type KeySetState,
  KeySourceError,
  keysFromTable,
  keysFromUrl,
} from './auth/jwks.js';
export { issueToken, type TokenRequest } from './auth/token-issuer.js';
export {
  type AccessTokenVerifierOptions,
  accessTokenVerifier,
  type TokenVerifierOptions,
  tokenVerifier,
} from './auth/token-verifier.js';
export { type CloudEventsSinkOptions, cloudEventsSink } from './delivery/cloud-events.js';
export { type DeadLetter, SqlOutbox } from './delivery/outbox.js';
export { SqlReminders } from './delivery/reminders.js';
export { type RunningFeed, type ServerFeedOptions, serverFeed } from './feed/server-feed.js';
export { SqlJournal } from './journal/journal.js';
export { BETTER_AUTH_TABLES, type BetterAuthTables } from './postgres/better-auth.js';
export {
  type EmbeddedOptions,
  POSTGRES_DEFAULTS,
  type PoolState,
  type PostgresOptions,
} from './postgres/connections.js';
export { type DataDirectory, DataDirectoryError, openDataDirectory, signingSecret } from './postgres/data-directory.js';
export { Database, type SqlClient } from './postgres/database.js';
export { type DatabaseLocation, parseDatabaseUrl } from './postgres/database-url.js';
export type { MigrateOptions } from './postgres/migrate.js';
export { DatabaseSetupError, type MissingRight } from './postgres/permissions.js';
export { onceReachable, type StartOptions } from './postgres/startup.js';
export { expireIdempotencyKeys } from './tasks/idempotency.js';
export { SqlTaskRepository, type SqlTaskRepositoryOptions } from './tasks/task-repository.js';
