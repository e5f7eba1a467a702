import { UnavailableError } from '@todo-backend/application';
import {
  Database,
  DatabaseSetupError,
  issueToken,
  openDataDirectory,
  signingSecret,
} from '@todo-backend/infrastructure';
import type { Logger } from 'pino';
import type { Config } from './config.js';
import { createContainer, parts } from './container.js';
import { createLogger } from './logger.js';
import { listen } from './server.js';
import { version } from './version.js';

/** An open database, and what to let go of after it. */
export interface OpenDatabase {
  readonly database: Database;
  close(): Promise<void>;
}

/** Opens the database that the configuration names. */
export async function openDatabase({ postgres, dataDirectory }: Config): Promise<OpenDatabase> {
  if (postgres !== undefined) {
    const database = await Database.postgres(postgres);
    return { database, close: () => database.close() };
  }
  const directory = await openDataDirectory(dataDirectory);
  const database = await Database.embedded(directory.databasePath).catch(async (cause) => {
    await directory.release();
    throw new DatabaseSetupError(
      `The embedded database in ${directory.databasePath} cannot be opened. Restore it from a copy, or move it away to start anew.`,
      { cause },
    );
  });
  return {
    database,
    async close() {
      await database.close();
      await directory.release();
    },
  };
}

/** The configuration with the secret that signs and verifies HS256 tokens here, generated where that is allowed. */
export async function withSecret(config: Config): Promise<Config> {
  if (!config.auth.generateSecret) return config;
  return { ...config, auth: { ...config.auth, secret: await signingSecret(config.dataDirectory) } };
}

/** A system that serves. */
export interface Service {
  readonly port: number;
  close(): Promise<void>;
}

/** Migrates the database and serves the API. Rejects, and holds nothing, when it cannot start. */
export async function serve(given: Config): Promise<Service> {
  const config = await withSecret(given);
  const logger = await createLogger(config);
  const { database, close: closeDatabase } = await openDatabase(config);
  try {
    const migrations = await database.migrate(config);
    if (migrations.length > 0) logger.info({ migrations }, 'migrated the database');
    const { rowSecurity } = await database.check();
    logger.info({ rowSecurity }, 'row level security');
    if (!rowSecurity) withoutRowSecurity(config, logger);
    const container = createContainer({ config, logger, database });
    let isClosing = false;
    const check = async () => {
      if (isClosing) throw new UnavailableError('The server is shutting down.');
      return database.check();
    };
    container.register(parts.readiness, { useValue: { check } });
    const server = await listen(container.resolve(parts.app), { ...config, logger });
    logger.info({ host: config.host, port: server.port, version }, 'listening');
    const { generateSecret, secret } = config.auth;
    if (generateSecret && secret !== undefined) await printTour(config, server.port, secret);
    return {
      port: server.port,
      async close() {
        isClosing = true;
        await server.close();
        await closeDatabase();
        logger.info('stopped');
      },
    };
  } catch (error) {
    await closeDatabase();
    throw error;
  }
}

/** The second wall does not stand: the login role passes every policy, and could not become one that does not. */
function withoutRowSecurity({ requireRowSecurity }: Config, logger: Logger): void {
  const message =
    "PostgreSQL does not keep one user's tasks from another itself: the user of DATABASE_URL passes row level security. " +
    'Log in as a role without SUPERUSER and BYPASSRLS that is a member of todo_api';
  if (requireRowSecurity) throw new DatabaseSetupError(`${message}, or accept it with ROW_SECURITY=optional.`);
  logger.warn(`${message}.`);
}

/** What somebody who has just started this for the first time wants to know. */
async function printTour({ dataDirectory, auth }: Config, port: number, secret: string): Promise<void> {
  const address = `http://localhost:${port}`;
  const token = await issueToken({ secret, userId: 'alice', lifetime: auth.maxLifetime });
  console.log(`
  Todo backend ${version}

  Address   ${address}
  Data      ${dataDirectory} (embedded PostgreSQL)
  Try it    as alice, who has no tasks yet; the token is good for ${Math.round(auth.maxLifetime / 60)} minutes:

curl -H 'Authorization: Bearer ${token}' ${address}/api/alice/tasks

  Another   npm run -s token -- --user bob
`);
}
