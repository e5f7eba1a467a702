import { EntityCaseNamingStrategy } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import { MikroORM } from '@mikro-orm/sql';
import { type Readiness, type ReadinessProbe, UnavailableError } from '@todo-backend/application';
import type { UserId } from '@todo-backend/domain';
import { CompiledQuery, type Kysely, sql } from 'kysely';
import { migrations } from '../migrations/index.js';
import { entities } from '../schema/index.js';
import type { Tables } from '../schema/tables.js';
import { isConflict, translateDatabaseError } from './errors.js';
import {
  DatabaseSetupError,
  isRefusal,
  type MissingRight,
  missingRightBehind,
  missingRightToBecomeApiRole,
  refusedFor,
} from './permissions.js';
import { type Client, startSession } from './session.js';
import { createStandInUsers, grantKeysToApiRole, grantToApiRole, requireUserTable } from './setup.js';
import { SharedConnections, type SharedState } from './shared-connections.js';
import { runIn, type Statement } from './statements.js';

/** How to reach a PostgreSQL server, and how long to wait for it. */
export interface PostgresOptions {
  /** A `postgres://` URL. `sslmode` is honoured, and where there is TLS the certificate is verified. */
  readonly url: string;
  /**
   * Connections at the most. Default 10. A third of them is shared by statements that read, a third by single statements
   * that write; the rest is for transactions.
   */
  readonly poolSize?: number | undefined;
  /** Milliseconds to wait for a free connection. Default 3,000. */
  readonly connectTimeout?: number | undefined;
  /** Milliseconds that one statement may take, and a transaction wait for the next one. Default 10,000. */
  readonly statementTimeout?: number | undefined;
  /**
   * Whether the URL is that of a transaction pooler (PgBouncer, Neon's pooler), which keeps no settings of a session.
   * Then the URL's user has to be one whom row level security applies to, and whose statements are timed otherwise:
   * `alter role … set statement_timeout`, and the same of `idle_in_transaction_session_timeout`.
   */
  readonly transactionPooler?: boolean | undefined;
}

/** How to migrate. */
export interface MigrateOptions {
  /** Create a stand-in for Better Auth's `user` table where there is none. */
  readonly standaloneUsers: boolean;
}

/** As much of a client of the driver `pg` as libraries use that keep something in PostgreSQL. */
export interface SqlClient {
  query(query: { text: string; values: unknown[] }): Promise<{ rows: unknown[]; rowCount: number }>;
}

/** The connections of a pool. */
export interface PoolState {
  readonly size: number;
  readonly idle: number;
  /** Statements that wait for a connection, or on a shared one for those before them. */
  readonly waiting: number;
  /** How many connections there may be. */
  readonly limit: number;
}

type OpenOrm = () => Promise<MikroORM>;

/**
 * An open database: its connections, transactions and schema. Queries go through Kysely, which sends values as
 * parameters; MikroORM's own `em.*` methods write them into the SQL text.
 *
 * Queries never run as a role that passes row level security, where that can be helped: a superuser, or one with
 * BYPASSRLS, becomes `todo_api` first.
 */
export class Database implements ReadinessProbe {
  /** Looks at the pool; `undefined` where there is but one connection. */
  readonly pool: (() => PoolState) | undefined;
  readonly #orm: MikroORM;
  /** For single statements; `undefined` where there are too few connections, or they keep nothing. */
  readonly #shared: { readonly reading: SharedConnections; readonly writing: SharedConnections } | undefined;
  /** Opens connections that keep the role of the login; `undefined` where there is but one connection. */
  readonly #openLogin: OpenOrm | undefined;
  readonly #closeEngine: () => Promise<void>;

  private constructor(
    orm: MikroORM,
    pool: (() => PoolState) | undefined,
    openLogin: OpenOrm | undefined,
    closeEngine: () => Promise<void>,
    shared?: { readonly reading: SharedConnections; readonly writing: SharedConnections },
  ) {
    this.#orm = orm;
    this.#shared = shared;
    this.pool = pool;
    this.#openLogin = openLogin;
    this.#closeEngine = closeEngine;
  }

  /**
   * Opens a pool on a PostgreSQL server. Connects when first used. Migrate first: a superuser's connection that was made
   * before there is a role to become stays what it is.
   */
  static async postgres(options: PostgresOptions): Promise<Database> {
    const { url, poolSize = 10, connectTimeout = 3_000, statementTimeout = 10_000, transactionPooler } = options;
    const [{ PostgreSqlDriver }, { default: pg }, { parseDatabaseUrl }] = await Promise.all([
      import('@mikro-orm/postgresql'),
      import('pg'),
      import('./database-url.js'),
    ]);
    const connection = parseDatabaseUrl(url);
    const clientOptions = {
      ...connection,
      connectionTimeoutMillis: connectTimeout,
      application_name: 'todo-backend',
    };
    const open = async (driverOptions: object) => {
      const orm = await MikroORM.init({
        ...ormOptions,
        driver: PostgreSqlDriver,
        dbName: connection.database,
        driverOptions: { ...clientOptions, ...driverOptions },
      });
      return orm satisfies MikroORM as MikroORM;
    };
    // The server has a second to say that a statement took too long.
    const patience = statementTimeout + 1_000;
    const sessionOptions = (rowMode?: 'array') => ({
      ...(!transactionPooler && {
        statement_timeout: statementTimeout,
        // A server that is frozen, or cut off from the database, holds the locks of a user no longer than a slow one.
        idle_in_transaction_session_timeout: statementTimeout,
      }),
      // A connection on which this fails never gets into the pool.
      onConnect: (client: Client) =>
        startSession(client, { silence: patience, transactionPooler: transactionPooler === true, rowMode }),
    });
    // Behind a transaction pooler connections belong to nobody, and the pooler itself is what shares them.
    const third = transactionPooler ? 0 : Math.floor(poolSize / 3);
    let pool: Pool | undefined;
    const orm = await open({
      ...sessionOptions(),
      max: poolSize - 2 * third,
      onPoolCreated: (created: Pool) => {
        pool = created;
      },
    });
    const share = (options: object = {}) => {
      // The server's own time limit begins anew for each of the statements that wait for one another.
      const limits = { max: third, pipeline: true, query_timeout: patience };
      return new SharedConnections(
        new pg.Pool({ ...clientOptions, ...sessionOptions('array'), ...limits, ...options } as object),
        connectTimeout,
      );
    };
    const shared = third > 0 ? { reading: share(), writing: share({ lock_timeout: LOCK_TIMEOUT }) } : undefined;
    const poolState = () => {
      const states = [shared?.reading.state, shared?.writing.state].filter((state) => state !== undefined);
      const sum = (count: (state: SharedState) => number) => states.reduce((sum, state) => sum + count(state), 0);
      return {
        size: (pool?.totalCount ?? 0) + sum(({ size }) => size),
        idle: (pool?.idleCount ?? 0) + sum(({ idle }) => idle),
        waiting: (pool?.waitingCount ?? 0) + sum(({ waiting }) => waiting),
        limit: poolSize,
      };
    };
    // One connection for the lock, one for the migrations.
    return new Database(
      orm,
      poolState,
      () => open({ max: 2 }),
      async () => {},
      shared,
    );
  }

  /**
   * Opens the embedded PostgreSQL (PGlite). It does not guard its directory: hold the directory's lock.
   *
   * @param directory where the data lies; in memory when left out
   */
  static async embedded(directory = 'memory://'): Promise<Database> {
    const { PGlite } = await import('@electric-sql/pglite');
    const pglite = await PGlite.create(directory);
    return Database.onPGlite(pglite, () => pglite.close());
  }

  /** Uses a PGlite that somebody else has opened and closes. */
  static async onPGlite(pglite: object, closeEngine = async () => {}): Promise<Database> {
    const { PgliteDriver } = await import('@mikro-orm/pglite');
    const orm = await MikroORM.init({
      ...ormOptions,
      driver: PgliteDriver,
      dbName: 'postgres',
      driverOptions: { pglite },
    });
    return new Database(orm, undefined, undefined, closeEngine);
  }

  /** Runs one statement, which is its own transaction. Errors come as the application knows them. */
  async statement<T>(run: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
    if (this.#openLogin === undefined) return this.#asApiRole(run);
    return translated(() => run(this.#orm.em.getKysely<Tables>()));
  }

  /**
   * Runs one statement that only reads, and is done soon: others may be waiting for it on the same connection. Errors
   * come as the application knows them.
   *
   * @returns each row as the array of its columns: objects by their names take a tenth of the time of a list to make
   */
  read<Row extends readonly unknown[]>(statement: Statement): Promise<Row[]> {
    return this.#share(this.#shared?.reading, statement);
  }

  /**
   * As {@link read}, of one that writes. It waits for the disk, and so do those behind it: never for what reads. For a
   * row that somebody has locked it waits a moment only; where that {@link isInTheWay}, a transaction of its own can wait.
   */
  write<Row extends readonly unknown[]>(statement: Statement): Promise<Row[]> {
    return this.#share(this.#shared?.writing, statement);
  }

  async #share<Row>(shared: SharedConnections | undefined, statement: Statement): Promise<Row[]> {
    if (shared === undefined) return this.statement((db) => runIn<Row>(db, statement));
    try {
      return (await shared.query(statement.sql, statement.parameters)).rows as Row[];
    } catch (error) {
      throw translateDatabaseError(error);
    }
  }

  /** Puts statements together, and does not run them. */
  get builder(): Kysely<Tables> {
    return this.#orm.em.getKysely<Tables>();
  }

  /**
   * Runs statements in one transaction, in which the owner's rows are all there is. Rolled back when `run` throws, and
   * run again, three times at the most, when it met another transaction. Inside, use no other connection than `db`.
   */
  transaction<T>(owner: UserId, run: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
    return this.#transaction('app.user_id', owner, run);
  }

  /** As {@link transaction}, with the journal of every user, for delivering it. Never for a request of a user. */
  delivery<T>(run: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
    return this.#transaction('app.task', 'delivery', run);
  }

  /** As {@link transaction}, with the journal of every user and as the role of the login, for pruning it. */
  async pruning<T>(run: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
    return this.#asLogin((orm) => inTransaction(orm, withSetting('app.task', 'pruning', run)));
  }

  /**
   * Lets the API read the public keys of Better Auth, where the login may grant that: the table, or a column of it, may
   * have been made since the migration.
   */
  grantKeys(): Promise<void> {
    return this.#asLogin((orm) =>
      inTransaction(orm, async (db) => {
        // Two servers that grant the same at once would fail; users are waiting for this one.
        await sql`select set_config('lock_timeout', '3s', true)`.execute(db);
        await lockMigrations(db);
        await grantKeysToApiRole(db);
      }),
    );
  }

  /** The database as libraries know it that speak to the driver `pg`. */
  client(): SqlClient {
    return {
      query: async ({ text, values }) => {
        const { rows } = await this.statement((db) => db.executeQuery(CompiledQuery.raw(text, values)));
        return { rows, rowCount: rows.length };
      },
    };
  }

  /**
   * Brings the schema up to date. Of several processes that start at once, one migrates and the others wait for it.
   *
   * @returns the names of the migrations that were run
   * @throws `DatabaseSetupError` when the database lacks the `user` table that tasks refer to, or the login a right
   * @throws `UnavailableError` (`UNAVAILABLE`) when the database cannot be reached
   */
  async migrate(options: MigrateOptions): Promise<string[]> {
    try {
      return await this.#migrate(options);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const missing = await missingRightBehind(error, (query) => this.#asLogin((orm) => inTransaction(orm, query)));
      if (missing === undefined) throw error;
      throw new DatabaseSetupError(`${missing.problem} ${missing.remedy}`, { cause: error });
    }
  }

  async #migrate({ standaloneUsers }: MigrateOptions): Promise<string[]> {
    const migrate = async (orm: MikroORM) => {
      const inOwnTransaction = (run: (db: Kysely<Tables>) => Promise<void>) => inTransaction(orm, run);
      if (standaloneUsers) await inOwnTransaction(createStandInUsers);
      await inOwnTransaction(requireUserTable);
      const done = await orm.migrator.up();
      await inOwnTransaction((db) => grantToApiRole(db, standaloneUsers));
      return done.map(({ name }) => name);
    };
    if (this.#openLogin === undefined) return translated(() => migrate(this.#orm));
    return this.#asLogin((orm) =>
      inTransaction(orm, async (lock) => {
        await sql`select set_config('statement_timeout', '0', true),
                         set_config('idle_in_transaction_session_timeout', '0', true)`.execute(lock);
        await lockMigrations(lock);
        return migrate(orm);
      }),
    );
  }

  /**
   * Looks whether the schema is up to date, and whether row level security applies.
   *
   * @throws `UnavailableError` (`UNAVAILABLE`) when it is not up to date, the role lacks a right, or the database cannot
   * be reached. Where a right is missing, the cause is a `DatabaseSetupError` that says how to grant it.
   */
  async check(): Promise<Readiness> {
    const names = migrations.map(({ name }) => name);
    const result = await this.statement((db) =>
      sql<{ applied: number; rowSecurity: boolean }>`
        select count(distinct name)::int as applied,
               coalesce(row_security_active(to_regclass('tasks')), false) as "rowSecurity"
        from mikro_orm_migrations where name = any(${names})`.execute(db),
    ).catch(async (error) => {
      if (error?.code !== UNDEFINED_TABLE && !isRefusal(error)) throw error;
      const missing = await missingRightBehind(error, (query) => this.statement(query));
      if (missing) throw refusedFor(missing, error);
      return undefined;
    });
    const [found] = result?.rows ?? [];
    if (found?.applied !== names.length) {
      throw new UnavailableError('The database schema is not up to date. Run the migrations.');
    }
    return { rowSecurity: found.rowSecurity };
  }

  /** What keeps a login that passes row level security from becoming `todo_api`; `undefined` where nothing does. */
  missingRightToBecomeApiRole(): Promise<MissingRight | undefined> {
    return this.statement(missingRightToBecomeApiRole);
  }

  async close(): Promise<void> {
    await Promise.all([this.#shared?.reading.close(), this.#shared?.writing.close()]);
    await this.#orm.close();
    await this.#closeEngine();
  }

  async #transaction<T>(setting: string, value: string, run: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
    const runWithSetting = withSetting(setting, value, run);
    if (this.#openLogin === undefined) return this.#asApiRole(runWithSetting);
    for (let attempt = 1; ; attempt++) {
      try {
        return await inTransaction(this.#orm, runWithSetting);
      } catch (error) {
        if (attempt === MAX_ATTEMPTS || !isConflict(error)) throw error;
      }
    }
  }

  /** Connects as the role of the login, which migrates and grants, for as long as `run` takes. */
  async #asLogin<T>(run: (orm: MikroORM) => Promise<T>): Promise<T> {
    if (this.#openLogin === undefined) return run(this.#orm);
    const orm = await this.#openLogin();
    return run(orm).finally(() => orm.close());
  }

  /** The one connection of the embedded database is also the one that migrates: the role lasts for a transaction. */
  #asApiRole<T>(run: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
    return inTransaction(this.#orm, async (db) => {
      await sql`select set_config('role', rolname, true) from pg_roles where rolname = 'todo_api'`.execute(db);
      return run(db);
    });
  }
}

/** As much of the driver's pool as is used here. */
interface Pool {
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
}

/** Milliseconds that a single statement waits for a lock, and those of other users behind it. */
const LOCK_TIMEOUT = 100;

/** How often a transaction is tried that was rolled back because of another. */
const MAX_ATTEMPTS = 3;

/** SQLSTATE of a table that is not there, or in a schema that the role may not use. */
const UNDEFINED_TABLE = '42P01';

async function inTransaction<T>(orm: MikroORM, run: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
  return translated(() => orm.em.fork().transactional((em) => run(em.getKysely<Tables>())));
}

/** A transaction's lock, not a session's: it works behind a pooler too, and ends with the connection. */
async function lockMigrations(db: Kysely<Tables>): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext('todo-backend migrations'))`.execute(db);
}

/** What row level security goes by, until the end of the transaction. */
function withSetting<T>(name: string, value: string, run: (db: Kysely<Tables>) => Promise<T>) {
  return async (db: Kysely<Tables>) => {
    await sql`select set_config(${name}, ${value}, true)`.execute(db);
    return run(db);
  };
}

async function translated<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw translateDatabaseError(error);
  }
}

const ormOptions = {
  entities,
  extensions: [Migrator],
  namingStrategy: EntityCaseNamingStrategy,
  migrations: { migrationsList: migrations, snapshot: false },
  // The library would print to the console; what matters is thrown.
  logger: () => {},
};
