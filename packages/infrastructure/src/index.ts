export { type DataDirectory, DataDirectoryError, openDataDirectory, signingSecret } from './data-directory.js';
export { Database, type MigrateOptions, type PostgresOptions, type SqlClient } from './database.js';
export { type DatabaseLocation, parseDatabaseUrl } from './database-url.js';
export { cachedKeySet, type KeyLoader, type KeySetOptions, keysFromTable, keysFromUrl } from './jwks.js';
export { DatabaseSetupError } from './schema.js';
export { SqlTaskRepository, type SqlTaskRepositoryOptions } from './task-repository.js';
export { issueToken, type TokenRequest } from './token-issuer.js';
export { type TokenVerifierOptions, tokenVerifier } from './token-verifier.js';
