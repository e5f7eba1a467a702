import { setTimeout as sleep } from 'node:timers/promises';
import {
  Database,
  DatabaseSetupError,
  expireIdempotencyKeys,
  issueToken,
  onceReachable,
  openDataDirectory,
  signingSecret,
} from '@todo-backend/infrastructure';
import type { Logger } from 'pino';
import { version } from '../version.js';
import type { Config } from './config.js';
import { createContainer } from './container.js';
import { createLogger, flushLog } from './logger.js';
import type { MetricsServer } from './metrics.js';
import { startRelay } from './relay.js';
import { startReminders } from './reminders.js';
import { listen } from './server.js';

/** An open database, and how to close it and what it holds. */
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
  /** @param error the uncaught error that ends the process, if there is one */
  close(error?: Error): Promise<void>;
}

/** Milliseconds to wait for the connections to PostgreSQL to close. */
const DATABASE_CLOSE_TIMEOUT = 1_000;

/** Milliseconds between two deletions of expired idempotency keys. */
const SWEEP_INTERVAL = 600_000;

/** Options of {@link serve}. */
export interface ServeOptions {
  /** Gives the id of the trace that is being recorded, for the log. */
  readonly activeTraceId?: (() => string | undefined) | undefined;
  /** Aborts the start. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Migrates the database and serves the API. Rejects, and holds nothing, when it cannot start.
 *
 * @throws the reason of `signal` when it is aborted meanwhile
 */
export async function serve(given: Config, options: ServeOptions = {}): Promise<Service> {
  const { activeTraceId, signal } = options;
  const config = await withSecret(given);
  const logger = await createLogger(config);
  const { database, close: closeDatabase } = await openDatabase(config);
  let metrics: MetricsServer | undefined;
  try {
    await prepare(database, config, logger, signal);
    signal?.throwIfAborted();
    const { createMetrics, listenForMetrics } = config.metricsPort === undefined ? {} : await import('./metrics.js');
    const parts = createContainer({ config, logger, database, createMetrics, activeTraceId });
    if (parts.metrics && listenForMetrics) {
      metrics = await listenForMetrics(parts.metrics, { host: config.metricsHost, port: config.metricsPort ?? 0 });
      logger.info({ host: config.metricsHost, port: metrics.port }, 'listening for metrics');
    }
    // Loads the keys early, so that the log tells of a wrong configuration at the start.
    void parts.keys?.state().catch(() => {});
    const server = await listen(parts.app, { ...config, connections: parts.connections, logger });
    logger.info({ host: config.host, port: server.port, version }, 'listening');
    const relay = parts.relay && startRelay(parts.relay, logger);
    const reminders = startReminders(parts.reminders, { logger, onReminders: parts.metrics?.remind });
    const sweeping = setInterval(() => {
      expireIdempotencyKeys(database).catch((err) => logger.warn({ err }, 'could not delete expired idempotency keys'));
    }, SWEEP_INTERVAL);
    const { generateSecret, secret } = config.auth;
    if (generateSecret && secret !== undefined) await printTour(config, server.port, secret);
    return {
      port: server.port,
      async close(error) {
        if (error) logger.fatal({ err: error }, 'stopping because of an error that nobody caught');
        parts.shutdown.begin();
        clearInterval(sweeping);
        await Promise.all([server.close(), relay?.stop(), reminders.stop()]);
        await metrics?.close();
        await Promise.race([Promise.resolve(parts.feed.close?.()).then(closeDatabase), sleep(DATABASE_CLOSE_TIMEOUT)]);
        logger.info('stopped');
        await flushLog(logger);
      },
    };
  } catch (error) {
    await metrics?.close();
    await closeDatabase();
    throw error;
  }
}

/** Migrates the database, and looks whether it can be used. */
export async function prepare(database: Database, config: Config, logger: Logger, signal?: AbortSignal): Promise<void> {
  const { startTimeout } = config;
  const onWait = (reason: string) => logger.warn({ reason, startTimeout }, 'waiting for the database');
  const rowSecurity = await onceReachable(
    async () => {
      const migrations = await database.migrate(config);
      if (migrations.length > 0) logger.info({ migrations }, 'migrated the database');
      return (await database.check()).rowSecurity;
    },
    { startTimeout, onWait, signal },
  );
  logger.info({ rowSecurity }, 'row level security');
  if (!rowSecurity) await withoutRowSecurity(config, database, logger);
}

/** Row level security is not active: the login bypasses it, and could not become `todo_api`. */
async function withoutRowSecurity(
  { requireRowSecurity, postgres }: Config,
  database: Database,
  logger: Logger,
): Promise<void> {
  // Behind a transaction pooler a connection cannot change its role.
  const missing = postgres?.transactionPooler ? undefined : await database.missingRightToBecomeApiRole();
  const advice =
    missing === undefined
      ? 'Log in as a role without SUPERUSER and BYPASSRLS that is a member of todo_api'
      : `${missing.problem} ${missing.remedy}`;
  const message = `PostgreSQL does not keep one user's tasks from another itself: the user of DATABASE_URL passes row level security. ${advice}`;
  if (requireRowSecurity) throw new DatabaseSetupError(`${message}, or accept it with ROW_SECURITY=optional.`);
  logger.warn(`${message}.`);
}

/** Prints what helps after the first start. */
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
