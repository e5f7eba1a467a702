import type { MikroORM } from '@mikro-orm/sql';
import type { Readiness, ReadinessProbe } from '@todo-backend/application';
import { CompiledQuery, type Kysely } from 'kysely';
import type { Tables } from '../schema/tables.js';
import {
  type Connections,
  connectToPGlite,
  connectToServer,
  type EmbeddedOptions,
  openEmbedded,
  type PoolState,
  type PostgresOptions,
  type SingleStatements,
} from './connections.js';
import { grantKeys, type MigrateOptions, migrate } from './migrate.js';
import type { NotificationListener, Notifications } from './notifications.js';
import { type MissingRight, missingRightToBecomeApiRole } from './permissions.js';
import { checkReadiness } from './readiness.js';
import { runIn, type Statement } from './statements.js';
import {
  asApiRole,
  inTransaction,
  partsOf,
  type Run,
  readAtOnce,
  retried,
  type Scope,
  translated,
  within,
} from './transactions.js';

/** As much of a client of the driver `pg` as libraries use that store something in PostgreSQL. */
export interface SqlClient {
  query(query: { text: string; values: unknown[] }): Promise<{ rows: unknown[]; rowCount: number }>;
}

/**
 * An open database. Queries go through Kysely, which sends values as parameters; MikroORM's own `em.*` methods would
 * write them into the SQL text. Errors come as the application knows them.
 *
 * Queries never run as a role that passes row level security, where that can be avoided: a superuser, or a login with
 * BYPASSRLS, becomes `todo_api` first.
 */
export class Database implements ReadinessProbe {
  readonly #connections: Connections;

  private constructor(connections: Connections) {
    this.#connections = connections;
  }

  /**
   * Opens pools on a PostgreSQL server. Connects when first used. Migrate first: a superuser's connection that was made
   * before there was a role to become stays what it is.
   */
  static async postgres(options: PostgresOptions): Promise<Database> {
    return new Database(await connectToServer(options));
  }

  /**
   * Opens the embedded PostgreSQL (PGlite). It does not guard its directory: hold the directory's lock.
   *
   * @param directory where the data lies; in memory when left out
   */
  static async embedded(directory?: string, options?: EmbeddedOptions): Promise<Database> {
    return new Database(await openEmbedded(directory, options));
  }

  /** Uses a PGlite that somebody else has opened and closes. */
  static async onPGlite(pglite: object): Promise<Database> {
    return new Database(await connectToPGlite(pglite));
  }

  /** The state of the pool; `undefined` where there is but one connection. */
  get pool(): (() => PoolState) | undefined {
    return this.#connections.server?.pool;
  }

  /** Puts statements together, and does not run them. */
  get builder(): Kysely<Tables> {
    return this.#connections.orm.em.getKysely<Tables>();
  }

  /**
   * Runs one statement that only reads, and is done soon: others may be waiting for it on the same connection.
   *
   * @returns each row as the array of its columns: objects by their names take a tenth of the time of a list to make
   */
  read<Row extends readonly unknown[]>(statement: Statement): Promise<Row[]> {
    return this.#share(this.#connections.shared?.reading, statement);
  }

  /** As {@link read}, for one that may take long: it has a connection to itself, and only a few run at once. */
  readSlowly<Row extends readonly unknown[]>(statement: Statement): Promise<Row[]> {
    return this.#connections.slow.run(() => this.query((db) => runIn<Row>(db, statement)));
  }

  /**
   * Runs one statement that reads, and gives its rows in parts, all of the same moment, as `make` makes them. Until the
   * last part is read, or `return` is called, it has a connection to itself, and only a few run at once. The embedded
   * database has one connection for everybody, so there the parts are read at once.
   */
  readInParts<Row extends readonly unknown[], Part>(
    statement: Statement,
    make: (rows: Row[]) => Part,
  ): AsyncGenerator<Part, void> {
    const { orm, parts, server } = this.#connections;
    return parts.stream(() =>
      server === undefined ? readAtOnce(partsOf(orm, statement, make, asApiRole)) : partsOf(orm, statement, make),
    );
  }

  /**
   * As {@link read}, for one that writes. It waits for the disk, and so do those behind it, but never those that read.
   * For a locked row it waits a moment only; where that is not enough (`isInTheWay`), a transaction of its own can wait.
   */
  write<Row extends readonly unknown[]>(statement: Statement): Promise<Row[]> {
    return this.#share(this.#connections.shared?.writing, statement);
  }

  /** Runs one statement that belongs to no user, with objects for rows. */
  query<T>(run: Run<T>): Promise<T> {
    // The one connection of the embedded database also migrates: there the role lasts for a transaction only.
    if (this.#connections.server === undefined) return inTransaction(this.#connections.orm, asApiRole(run));
    return translated(() => run(this.builder));
  }

  /**
   * Runs statements in one transaction, in which the rows of the scope are all there is. Rolled back when `run` throws,
   * and run again, three times at the most, when it met another transaction. Inside, use no other connection than `db`.
   * Pruning runs as the role of the login, because the API's own may not delete events.
   */
  transaction<T>(scope: Scope, run: Run<T>): Promise<T> {
    const scoped = within(scope, run);
    if ('task' in scope && scope.task === 'pruning') return this.#asLogin((orm) => inTransaction(orm, scoped));
    const { server, beforeWrite } = this.#connections;
    if (server === undefined) {
      return this.query(async (db) => {
        await beforeWrite?.();
        return scoped(db);
      });
    }
    return retried(() => inTransaction(this.#connections.orm, scoped));
  }

  /**
   * Opens a connection of its own for notifications.
   *
   * @throws `Error` on the embedded database, which has one connection and one process
   */
  openNotifications(listener: NotificationListener): Promise<Notifications> {
    const { server } = this.#connections;
    if (server === undefined) throw new Error('The embedded database has no second connection.');
    return translated(() => server.openNotifications(listener));
  }

  /** The database as libraries know it that speak to the driver `pg`. */
  client(): SqlClient {
    return {
      query: async ({ text, values }) => {
        const { rows } = await this.query((db) => db.executeQuery(CompiledQuery.raw(text, values)));
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
  migrate(options: MigrateOptions): Promise<string[]> {
    const isAlone = this.#connections.server === undefined;
    return migrate((run) => this.#asLogin(run), options, isAlone);
  }

  /** Lets the API read the public keys of Better Auth, where the login may grant that: they may be newer than the migration. */
  grantKeys(keysTable: string): Promise<void> {
    return this.#asLogin((orm) => grantKeys(orm, keysTable));
  }

  /**
   * Checks whether the schema is up to date, and whether row level security applies.
   *
   * @throws `UnavailableError` (`UNAVAILABLE`) when it is not up to date, the role lacks a right, or the database cannot
   *   be reached. Where a right is missing, the cause is a `DatabaseSetupError` that says how to grant it
   */
  check(): Promise<Readiness> {
    return checkReadiness({ read: (statement) => this.read(statement), query: (run) => this.query(run) });
  }

  /** What keeps a login that passes row level security from becoming `todo_api`; `undefined` where nothing does. */
  missingRightToBecomeApiRole(): Promise<MissingRight | undefined> {
    return this.query(missingRightToBecomeApiRole);
  }

  close(): Promise<void> {
    return this.#connections.close();
  }

  async #share<Row>(shared: SingleStatements | undefined, { sql, parameters }: Statement): Promise<Row[]> {
    if (shared === undefined) return this.query((db) => runIn<Row>(db, { sql, parameters }));
    const { rows } = await translated(() => shared.query(sql, parameters));
    return rows as Row[];
  }

  /** Connects as the role of the login, which migrates and grants, for as long as `run` takes. */
  async #asLogin<T>(run: (orm: MikroORM) => Promise<T>): Promise<T> {
    const { orm, server } = this.#connections;
    if (server === undefined) return run(orm);
    const login = await server.openLogin();
    return run(login).finally(() => login.close());
  }
}
