import { statfs } from 'node:fs/promises';
import { EntityCaseNamingStrategy } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import { MikroORM } from '@mikro-orm/sql';
import { UnavailableError } from '@todo-backend/application';
import { entities, UNMANAGED_TABLES } from '../schema/index.js';
import { warnOfOtherDrivers } from './drivers.js';
import {
  type NotificationClient,
  type NotificationListener,
  type Notifications,
  openNotifications,
} from './notifications.js';
import { DatabaseSetupError } from './permissions.js';
import { type Client, startSession, useSchema } from './session.js';
import { SharedConnections } from './shared-connections.js';
import { BECOME_API_ROLE } from './transactions.js';
import { Lane } from './waiting-line.js';

/** How to reach a PostgreSQL server, and how long to wait for it. */
export interface PostgresOptions {
  /** A `postgres://` URL. `sslmode` is honoured, and where there is TLS the certificate is verified. */
  readonly url: string;
  /**
   * Connections at the most. A third of them is shared by statements that read, a third by single statements that write;
   * the rest is for transactions. At most half of those at once are used by what reads long, and a quarter by lists that
   * are read in parts. Default {@link POSTGRES_DEFAULTS}.
   */
  readonly poolSize?: number | undefined;
  /** Milliseconds to wait for a free connection. */
  readonly connectTimeout?: number | undefined;
  /** Milliseconds that one statement may take, and a transaction may wait for its next one. */
  readonly statementTimeout?: number | undefined;
  /**
   * Whether the URL is that of a transaction pooler (PgBouncer, Neon's pooler), which keeps no settings of a session.
   * Then the login has to be one that row level security applies to, and its statements are limited by the role:
   * `alter role … set statement_timeout`, and `idle_in_transaction_session_timeout`.
   */
  readonly transactionPooler?: boolean | undefined;
}

/** What {@link PostgresOptions} are when they are left out. */
export const POSTGRES_DEFAULTS = {
  poolSize: 10,
  connectTimeout: 3_000,
  statementTimeout: 10_000,
  transactionPooler: false,
} as const satisfies Partial<PostgresOptions>;

/** The state of a pool of connections. */
export interface PoolState {
  readonly size: number;
  readonly idle: number;
  /** Statements that wait for a connection, or on a shared one for those before them. */
  readonly waiting: number;
  /** How many connections there may be. */
  readonly limit: number;
}

/** Runs single statements, each in a transaction of its own. The rows are arrays of their columns. */
export interface SingleStatements {
  query(text: string, values: readonly unknown[]): Promise<{ rows: unknown[] }>;
}

/** The ways to a database. */
export interface Connections {
  /** Transactions, and single statements that need objects for rows. */
  readonly orm: MikroORM;
  /** How many statements that may take long, and lists that are read in parts, use these connections at once. */
  readonly slow: Lane;
  readonly parts: Lane;
  /** For single statements. Missing where there are too few connections, or a pooler keeps none. */
  readonly shared?: { readonly reading: SingleStatements; readonly writing: SingleStatements } | undefined;
  /** Throws when nothing can be written now. */
  readonly beforeWrite?: (() => Promise<void>) | undefined;
  /** What only a server has; the embedded database has one connection for everything. */
  readonly server?: {
    /** Opens connections that keep the role of the login, which migrates and prunes. */
    readonly openLogin: () => Promise<MikroORM>;
    readonly pool: () => PoolState;
    /** Opens one more connection, for notifications. */
    readonly openNotifications: (listener: NotificationListener) => Promise<Notifications>;
  };
  close(): Promise<void>;
}

const ormOptions = {
  entities,
  extensions: [Migrator],
  namingStrategy: EntityCaseNamingStrategy,
  migrations: { snapshot: false },
  // MikroORM would create a database if the URL has a pooler's alias for it.
  ensureDatabase: false,
  schemaGenerator: { skipTables: [...UNMANAGED_TABLES] },
  // MikroORM would log to the console; errors are thrown anyway.
  logger: () => {},
};

/** Milliseconds that a single statement waits for a lock; others wait behind it on the same connection. */
const LOCK_TIMEOUT = 100;

/** Opens pools on a PostgreSQL server. Connects when first used. */
export async function connectToServer(options: PostgresOptions): Promise<Connections> {
  const {
    url,
    poolSize = POSTGRES_DEFAULTS.poolSize,
    connectTimeout = POSTGRES_DEFAULTS.connectTimeout,
    statementTimeout = POSTGRES_DEFAULTS.statementTimeout,
    transactionPooler = POSTGRES_DEFAULTS.transactionPooler,
  } = options;
  const [{ PostgreSqlDriver }, { default: pg }, { parseDatabaseUrl }] = await Promise.all([
    import('@mikro-orm/postgresql'),
    import('pg'),
    import('./database-url.js'),
  ]);
  warnOfOtherDrivers();
  const { schema, ...location } = parseDatabaseUrl(url);
  if (schema !== undefined && transactionPooler) {
    throw new DatabaseSetupError(
      'A transaction pooler keeps no schema for a connection. Leave "schema" out of the URL, and set it for the login: ' +
        `\`alter role ${location.user ?? '…'} in database ${location.database} set search_path = ${schema}\`.`,
    );
  }
  const client = { ...location, connectionTimeoutMillis: connectTimeout, application_name: 'todo-backend' };
  const open = async (driverOptions: object) => {
    const orm = await MikroORM.init({
      ...ormOptions,
      driver: PostgreSqlDriver,
      dbName: location.database,
      driverOptions: { ...client, ...driverOptions },
    });
    return orm satisfies MikroORM as MikroORM;
  };
  // A second longer than the server's own timeout, which gives the better error.
  const patience = statementTimeout + 1_000;
  const session = (rowMode?: 'array') => ({
    ...(!transactionPooler && {
      statement_timeout: statementTimeout,
      // Releases the locks of a process that is frozen, or cut off from the database.
      idle_in_transaction_session_timeout: statementTimeout,
    }),
    // A connection for which this fails is not added to the pool.
    onConnect: (client: Client) => startSession(client, { silence: patience, transactionPooler, schema, rowMode }),
  });
  // A transaction pooler shares the connections itself.
  const third = transactionPooler ? 0 : Math.floor(poolSize / 3);
  const share = (more: object = {}) => {
    // The server's timeout restarts for each of the pipelined statements.
    const limits = { max: third, pipeline: true, query_timeout: patience };
    const pool = new pg.Pool({ ...client, ...session('array'), ...limits, ...more } as object);
    return new SharedConnections(pool, connectTimeout);
  };
  const shared = third > 0 ? { reading: share(), writing: share({ lock_timeout: LOCK_TIMEOUT }) } : undefined;
  let pool: Pool | undefined;
  const onPoolCreated = (created: Pool) => {
    pool = created;
  };
  const rest = poolSize - 2 * third;
  const orm = await open({ ...session(), max: rest, onPoolCreated });
  return {
    orm,
    slow: new Lane(Math.ceil(rest / 2), connectTimeout),
    parts: new Lane(Math.ceil(rest / 4), connectTimeout),
    shared,
    server: {
      // One connection for the lock, one for the migrations.
      openLogin: () =>
        open({ max: 2, ...(schema !== undefined && { onConnect: (client: Client) => useSchema(client, schema) }) }),
      openNotifications(listener) {
        const limits = { statement_timeout: statementTimeout, query_timeout: patience, keepAlive: true };
        // Its types do not know of `processID`.
        return openNotifications(new pg.Client({ ...client, ...limits }) as object as NotificationClient, listener);
      },
      pool: () => poolState(poolSize, pool, shared ? [shared.reading, shared.writing] : []),
    },
    async close() {
      await Promise.all([shared?.reading.close(), shared?.writing.close()]);
      await orm.close();
    },
  };
}

/** Options of {@link openEmbedded}. */
export interface EmbeddedOptions {
  /** Bytes that stay free on the disk: what changes something is refused when there are fewer. Default 96 MB. */
  readonly diskReserve?: number | undefined;
}

/**
 * Bytes that stay free, by default: PostgreSQL stops when it finds no place for its log, whose files have 16 MB, and the
 * largest import takes some 50 MB.
 */
const DISK_RESERVE = 96 * 1024 * 1024;

/**
 * Opens the embedded PostgreSQL (PGlite), in a thread of its own. It does not guard its directory: hold the directory's
 * lock.
 *
 * @param directory where the data lies; in memory when left out
 */
export async function openEmbedded(
  directory = 'memory://',
  { diskReserve = DISK_RESERVE }: EmbeddedOptions = {},
): Promise<Connections> {
  const { PGliteClient } = await import('./pglite-client.js');
  const pglite = await PGliteClient.open(directory);
  const connections = await connectToPGlite(pglite);
  const ask = async (text: string, values: readonly unknown[]) => {
    const result = await pglite.together([{ text: BECOME_API_ROLE }, { text, values, options: { rowMode: 'array' } }]);
    return result as { rows: unknown[] };
  };
  const beforeWrite = directory.includes('://') ? undefined : () => requireSpace(directory, diskReserve);
  return {
    ...connections,
    shared: {
      reading: { query: ask },
      writing: {
        async query(text, values) {
          await beforeWrite?.();
          return ask(text, values);
        },
      },
    },
    beforeWrite,
    async close() {
      await connections.close();
      await pglite.close();
    },
  };
}

async function requireSpace(directory: string, reserve: number): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  if (bavail * bsize >= reserve) return;
  throw new UnavailableError(
    'The disk of the server is almost full, so nothing can be changed until there is more space. Reading still works.',
  );
}

/** Uses a PGlite that somebody else has opened and closes. */
export async function connectToPGlite(pglite: object): Promise<Connections> {
  const { PgliteDriver } = await import('@mikro-orm/pglite');
  const orm = await MikroORM.init({
    ...ormOptions,
    driver: PgliteDriver,
    dbName: 'postgres',
    // As a function, because MikroORM copies objects.
    driverOptions: { pglite: () => pglite },
  });
  const lane = () => new Lane(1, POSTGRES_DEFAULTS.connectTimeout);
  return { orm, slow: lane(), parts: lane(), close: () => orm.close() };
}

/** The part of the driver's pool that is used here. */
interface Pool {
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
}

function poolState(limit: number, pool: Pool | undefined, shared: readonly SharedConnections[]): PoolState {
  const states = [
    { size: pool?.totalCount ?? 0, idle: pool?.idleCount ?? 0, waiting: pool?.waitingCount ?? 0 },
    ...shared.map(({ state }) => state),
  ];
  return {
    size: states.reduce((sum, { size }) => sum + size, 0),
    idle: states.reduce((sum, { idle }) => sum + idle, 0),
    waiting: states.reduce((sum, { waiting }) => sum + waiting, 0),
    limit,
  };
}
