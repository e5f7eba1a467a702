import { EntityCaseNamingStrategy } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import { MikroORM } from '@mikro-orm/sql';
import { type ReadinessProbe, UnavailableError } from '@todo-backend/application';
import { type Kysely, sql } from 'kysely';
import { translateDatabaseError } from './database-errors.js';
import { migrations } from './migrations/index.js';
import { type Tables, TaskRow } from './task-row.js';

/** How to reach a PostgreSQL server, and how long to wait for it. */
export interface PostgresOptions {
  /** A `postgres://` URL. `sslmode` is honoured, and where there is TLS the certificate is verified. */
  readonly url: string;
  /** Connections at the most. Default 10. At least 2, because migrations hold a lock on one of them. */
  readonly poolSize?: number | undefined;
  /** Milliseconds to wait for a free connection. Default 3,000. */
  readonly connectTimeout?: number | undefined;
  /** Milliseconds that one statement may take. Default 10,000. */
  readonly statementTimeout?: number | undefined;
}

/** The database is not what this system can run on. The message says what to do. */
export class DatabaseSetupError extends Error {
  override readonly name = 'DatabaseSetupError';
}

/** How to migrate. */
export interface MigrateOptions {
  /** Create a stand-in for Better Auth's `user` table where there is none. */
  readonly standaloneUsers: boolean;
}

/** The comment that tells a stand-in for the `user` table from Better Auth's own. */
const STAND_IN_COMMENT = 'stand-in for the table of Better Auth, made by todo-backend';

/**
 * An open database: its connections, transactions and schema. Queries go through Kysely, which sends values as
 * parameters; MikroORM's own `em.*` methods write them into the SQL text.
 */
export class Database implements ReadinessProbe {
  readonly #orm: MikroORM;
  readonly #isShared: boolean;
  readonly #closeEngine: () => Promise<void>;

  private constructor(orm: MikroORM, isShared: boolean, closeEngine: () => Promise<void>) {
    this.#orm = orm;
    this.#isShared = isShared;
    this.#closeEngine = closeEngine;
  }

  /** Opens a pool on a PostgreSQL server. Connects when first used. */
  static async postgres(options: PostgresOptions): Promise<Database> {
    const { url, poolSize = 10, connectTimeout = 3_000, statementTimeout = 10_000 } = options;
    const [{ PostgreSqlDriver }, { parseDatabaseUrl }] = await Promise.all([
      import('@mikro-orm/postgresql'),
      import('./database-url.js'),
    ]);
    const connection = parseDatabaseUrl(url);
    const orm = await MikroORM.init({
      ...ormOptions,
      driver: PostgreSqlDriver,
      dbName: connection.database,
      driverOptions: {
        ...connection,
        max: Math.max(poolSize, 2),
        connectionTimeoutMillis: connectTimeout,
        statement_timeout: statementTimeout,
        application_name: 'todo-backend',
      },
    });
    return new Database(orm, true, async () => {});
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
    return new Database(orm, false, closeEngine);
  }

  /** Runs one statement, which is its own transaction. Errors come as the application knows them. */
  async query<T>(run: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
    try {
      return await run(this.#orm.em.getKysely<Tables>());
    } catch (error) {
      throw translateDatabaseError(error);
    }
  }

  /** Runs statements in one transaction, rolled back when `run` throws. Inside, use no other connection than `db`. */
  async transaction<T>(run: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
    try {
      return await this.#orm.em.fork().transactional((em) => run(em.getKysely<Tables>()));
    } catch (error) {
      throw translateDatabaseError(error);
    }
  }

  /**
   * Brings the schema up to date. Of several processes that start at once, one migrates and the others wait for it.
   *
   * @returns the names of the migrations that were run
   * @throws {@link DatabaseSetupError} when the database lacks the `user` table that tasks refer to
   * @throws `UnavailableError` (`UNAVAILABLE`) when the database cannot be reached
   */
  async migrate(options: MigrateOptions): Promise<string[]> {
    if (!this.#isShared) return this.#migrate(options);
    return this.transaction(async (lock) => {
      // A transaction's lock, not a session's: it works behind a pooler too, and ends with the connection.
      await sql`select set_config('statement_timeout', '0', true),
                       set_config('idle_in_transaction_session_timeout', '0', true)`.execute(lock);
      await sql`select pg_advisory_xact_lock(hashtext('todo-backend migrations'))`.execute(lock);
      return this.#migrate(options);
    });
  }

  async check(): Promise<void> {
    const names = migrations.map(({ name }) => name);
    const applied = await this.query((db) =>
      sql<{ count: number }>`
        select count(distinct name)::int as count from mikro_orm_migrations where name = any(${names})
      `.execute(db),
    ).catch((error) => {
      if (error?.code === UNDEFINED_TABLE) return undefined;
      throw error;
    });
    if (applied?.rows[0]?.count !== names.length) {
      throw new UnavailableError('The database schema is not up to date. Run the migrations.');
    }
  }

  async close(): Promise<void> {
    await this.#orm.close();
    await this.#closeEngine();
  }

  async #migrate({ standaloneUsers }: MigrateOptions): Promise<string[]> {
    if (standaloneUsers) await this.#createStandInUsers();
    await this.#requireUserTable();
    const done = await this.#orm.migrator.up();
    return done.map(({ name }) => name);
  }

  async #createStandInUsers(): Promise<void> {
    const { rows } = await this.query((db) =>
      sql<{ exists: boolean; comment: string | null }>`
        select to_regclass('"user"') is not null as exists, obj_description(to_regclass('"user"'), 'pg_class') as comment
      `.execute(db),
    );
    if (rows[0]?.comment === STAND_IN_COMMENT) return;
    if (rows[0]?.exists) {
      throw new DatabaseSetupError(
        'STANDALONE_USERS is on, but the database already has a "user" table that this backend did not make. ' +
          'If it belongs to Better Auth, turn STANDALONE_USERS off.',
      );
    }
    await this.transaction(async (db) => {
      await sql`
        create table "user" (
          "id" text primary key,
          "name" text not null,
          "email" text not null unique,
          "emailVerified" boolean not null,
          "image" text,
          "createdAt" timestamptz not null default current_timestamp,
          "updatedAt" timestamptz not null default current_timestamp
        )`.execute(db);
      await sql`comment on table "user" is ${sql.lit(STAND_IN_COMMENT)}`.execute(db);
    });
  }

  async #requireUserTable(): Promise<void> {
    const { rows } = await this.query((db) =>
      sql<{ type: string }>`
        select format_type(atttypid, null) as type from pg_attribute
        where attrelid = to_regclass('"user"') and attname = 'id'
      `.execute(db),
    );
    const type = rows[0]?.type;
    if (type === undefined) {
      throw new DatabaseSetupError(
        'The database has no "user" table. Run Better Auth\'s migrations on it first (npx @better-auth/cli migrate), ' +
          'or set STANDALONE_USERS=true to do without Better Auth.',
      );
    }
    if (type !== 'text' && type !== 'character varying') {
      throw new DatabaseSetupError(
        `The "id" of the database's "user" table is of type ${type}; this backend needs text, Better Auth's default.`,
      );
    }
  }
}

const UNDEFINED_TABLE = '42P01';

const ormOptions = {
  entities: [TaskRow],
  extensions: [Migrator],
  namingStrategy: EntityCaseNamingStrategy,
  migrations: { migrationsList: migrations, snapshot: false },
  // The library would print to the console; what matters is thrown.
  logger: () => {},
};
