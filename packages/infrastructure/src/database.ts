import type { Socket } from 'node:net';
import { EntityCaseNamingStrategy } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import { MikroORM } from '@mikro-orm/sql';
import { type Readiness, type ReadinessProbe, UnavailableError } from '@todo-backend/application';
import type { UserId } from '@todo-backend/domain';
import { CompiledQuery, type Kysely, sql } from 'kysely';
import { isConflict, translateDatabaseError } from './database-errors.js';
import { migrations } from './migrations/index.js';
import { createStandInUsers, grantToApiRole, requireUserTable } from './schema.js';
import { type Tables, TaskRow } from './task-row.js';

/** How to reach a PostgreSQL server, and how long to wait for it. */
export interface PostgresOptions {
  /** A `postgres://` URL. `sslmode` is honoured, and where there is TLS the certificate is verified. */
  readonly url: string;
  /** Connections at the most. Default 10. */
  readonly poolSize?: number | undefined;
  /** Milliseconds to wait for a free connection. Default 3,000. */
  readonly connectTimeout?: number | undefined;
  /** Milliseconds that one statement may take. Default 10,000. */
  readonly statementTimeout?: number | undefined;
  /**
   * Whether the URL is that of a transaction pooler (PgBouncer, Neon's pooler), which keeps no settings of a session.
   * Then the URL's user has to be one whom row level security applies to, and whose statements are timed otherwise:
   * `alter role … set statement_timeout`.
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

type OpenOrm = () => Promise<MikroORM>;

/**
 * An open database: its connections, transactions and schema. Queries go through Kysely, which sends values as
 * parameters; MikroORM's own `em.*` methods write them into the SQL text.
 *
 * Queries never run as a role that passes row level security, where that can be helped: a superuser, or one with
 * BYPASSRLS, becomes `todo_api` first.
 */
export class Database implements ReadinessProbe {
  readonly #orm: MikroORM;
  /** Opens connections that keep the role of the login; `undefined` where there is but one connection. */
  readonly #openLogin: OpenOrm | undefined;
  readonly #closeEngine: () => Promise<void>;

  private constructor(orm: MikroORM, openLogin: OpenOrm | undefined, closeEngine: () => Promise<void>) {
    this.#orm = orm;
    this.#openLogin = openLogin;
    this.#closeEngine = closeEngine;
  }

  /**
   * Opens a pool on a PostgreSQL server. Connects when first used. Migrate first: a superuser's connection that was made
   * before there is a role to become stays what it is.
   */
  static async postgres(options: PostgresOptions): Promise<Database> {
    const { url, poolSize = 10, connectTimeout = 3_000, statementTimeout = 10_000, transactionPooler } = options;
    const [{ PostgreSqlDriver }, { parseDatabaseUrl }] = await Promise.all([
      import('@mikro-orm/postgresql'),
      import('./database-url.js'),
    ]);
    const connection = parseDatabaseUrl(url);
    const open = async (driverOptions: object) => {
      const orm = await MikroORM.init({
        ...ormOptions,
        driver: PostgreSqlDriver,
        dbName: connection.database,
        driverOptions: {
          ...connection,
          connectionTimeoutMillis: connectTimeout,
          application_name: 'todo-backend',
          ...driverOptions,
        },
      });
      return orm satisfies MikroORM as MikroORM;
    };
    const orm = await open({
      max: poolSize,
      ...(!transactionPooler && { statement_timeout: statementTimeout }),
      // A connection on which this fails never gets into the pool.
      onConnect: async (client: Client) => {
        cutOffWhenSilent(client, statementTimeout + ANSWER_MARGIN);
        if (!transactionPooler) await client.query(BECOME_API_ROLE);
      },
    });
    // One connection for the lock, one for the migrations.
    return new Database(
      orm,
      () => open({ max: 2 }),
      async () => {},
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
    return new Database(orm, undefined, closeEngine);
  }

  /** Runs one statement, which is its own transaction. Errors come as the application knows them. */
  async statement<T>(run: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
    if (this.#openLogin === undefined) return this.#asApiRole(run);
    return translated(() => run(this.#orm.em.getKysely<Tables>()));
  }

  /**
   * Runs statements in one transaction, in which the owner's rows are all there is. Rolled back when `run` throws, and
   * run again, three times at the most, when it met another transaction. Inside, use no other connection than `db`.
   */
  async transaction<T>(owner: UserId, run: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
    const asOwner = async (db: Kysely<Tables>) => {
      await sql`select set_config('app.user_id', ${owner}, true)`.execute(db);
      return run(db);
    };
    if (this.#openLogin === undefined) return this.#asApiRole(asOwner);
    for (let attempt = 1; ; attempt++) {
      try {
        return await inTransaction(this.#orm, asOwner);
      } catch (error) {
        if (attempt === MAX_ATTEMPTS || !isConflict(error)) throw error;
      }
    }
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
   * @throws `DatabaseSetupError` when the database lacks the `user` table that tasks refer to
   * @throws `UnavailableError` (`UNAVAILABLE`) when the database cannot be reached
   */
  async migrate({ standaloneUsers }: MigrateOptions): Promise<string[]> {
    const migrate = async (orm: MikroORM) => {
      const inOwnTransaction = (run: (db: Kysely<Tables>) => Promise<void>) => inTransaction(orm, run);
      if (standaloneUsers) await inOwnTransaction(createStandInUsers);
      await inOwnTransaction(requireUserTable);
      const done = await orm.migrator.up();
      await inOwnTransaction((db) => grantToApiRole(db, standaloneUsers));
      return done.map(({ name }) => name);
    };
    if (this.#openLogin === undefined) return translated(() => migrate(this.#orm));

    const orm = await this.#openLogin();
    try {
      return await inTransaction(orm, async (lock) => {
        // A transaction's lock, not a session's: it works behind a pooler too, and ends with the connection.
        await sql`select set_config('statement_timeout', '0', true),
                         set_config('idle_in_transaction_session_timeout', '0', true)`.execute(lock);
        await sql`select pg_advisory_xact_lock(hashtext('todo-backend migrations'))`.execute(lock);
        return migrate(orm);
      });
    } finally {
      await orm.close();
    }
  }

  async check(): Promise<Readiness> {
    const names = migrations.map(({ name }) => name);
    const result = await this.statement((db) =>
      sql<{ applied: number; rowSecurity: boolean }>`
        select count(distinct name)::int as applied,
               coalesce(row_security_active(to_regclass('tasks')), false) as "rowSecurity"
        from mikro_orm_migrations where name = any(${names})`.execute(db),
    ).catch((error) => {
      if (NOT_MIGRATED.includes(error?.code)) return undefined;
      throw error;
    });
    const [found] = result?.rows ?? [];
    if (found?.applied !== names.length) {
      throw new UnavailableError('The database schema is not up to date. Run the migrations.');
    }
    return { rowSecurity: found.rowSecurity };
  }

  async close(): Promise<void> {
    await this.#orm.close();
    await this.#closeEngine();
  }

  /** The one connection of the embedded database is also the one that migrates: the role lasts for a transaction. */
  #asApiRole<T>(run: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
    return inTransaction(this.#orm, async (db) => {
      await sql`select set_config('role', rolname, true) from pg_roles where rolname = 'todo_api'`.execute(db);
      return run(db);
    });
  }
}

/** As much of the driver's client as is used here. */
interface Client {
  query(text: string): Promise<unknown>;
  readonly connection: { readonly stream: Socket };
}

/** Milliseconds that the server has to say that a statement took too long. */
const ANSWER_MARGIN = 1_000;

/**
 * A server that hangs does not keep its own time limits. A connection on which nothing has moved for that long is given
 * up, and whatever waits for it fails; an idle one is nothing lost.
 */
function cutOffWhenSilent({ connection: { stream } }: Client, milliseconds: number): void {
  const error = Object.assign(new Error('The database server does not answer.'), { code: 'ETIMEDOUT' });
  stream.setTimeout(milliseconds, () => stream.destroy(error));
}

/** Where the login role would pass row level security, and there is a role that does not. */
const BECOME_API_ROLE = `
  select set_config('role', 'todo_api', false) from pg_roles
  where rolname = session_user and (rolsuper or rolbypassrls) and to_regrole('todo_api') is not null`;

/** How often a transaction is tried that was rolled back because of another. */
const MAX_ATTEMPTS = 3;

/** No such table; no such privilege, or role, yet. */
const NOT_MIGRATED = ['42P01', '42501'];

async function inTransaction<T>(orm: MikroORM, run: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
  return translated(() => orm.em.fork().transactional((em) => run(em.getKysely<Tables>())));
}

async function translated<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw translateDatabaseError(error);
  }
}

const ormOptions = {
  entities: [TaskRow],
  extensions: [Migrator],
  namingStrategy: EntityCaseNamingStrategy,
  migrations: { migrationsList: migrations, snapshot: false },
  // The library would print to the console; what matters is thrown.
  logger: () => {},
};
