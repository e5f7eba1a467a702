import type { MikroORM } from '@mikro-orm/sql';
import { type Kysely, sql } from 'kysely';
import { migrationsFor } from '../migrations/index.js';
import type { Tables } from '../schema/tables.js';
import { BETTER_AUTH_TABLES, type BetterAuthTables } from './better-auth.js';
import { DatabaseSetupError, isRefusal, isTaken, missingRightBehind } from './permissions.js';
import {
  createApiRole,
  createStandInUsers,
  findPlace,
  grantKeysToApiRole,
  grantToApiRole,
  requireReferenceTo,
  requireUserTable,
} from './setup.js';
import { inTransaction, translated } from './transactions.js';

/** Options of a migration. */
export interface MigrateOptions extends BetterAuthTables {
  /** Create a stand-in for Better Auth's `user` table where there is none. */
  readonly standaloneUsers: boolean;
}

/** Connects as the role of the login, for as long as something takes. */
type AsLogin = <T>(run: (orm: MikroORM) => Promise<T>) => Promise<T>;

/**
 * Brings the schema up to date, as `Database.migrate` tells.
 *
 * @param isAlone whether no other process can migrate at the same time; a lock would need a second connection
 */
export async function migrate(asLogin: AsLogin, options: MigrateOptions, isAlone: boolean): Promise<string[]> {
  const run = (orm: MikroORM) => runMigrations(orm, options);
  try {
    return await asLogin((orm) => (isAlone ? run(orm) : withLock(orm, () => run(orm))));
  } catch (error) {
    if (isTaken(error)) {
      throw new DatabaseSetupError(
        `PostgreSQL says: ${error.message}. It belongs to something else than this backend. ` +
          'Put these tables into a schema of their own: add ?schema=todo to DATABASE_URL.',
        { cause: error },
      );
    }
    if (!isRefusal(error)) throw error;
    const missing = await missingRightBehind(error, (query) => asLogin((orm) => inTransaction(orm, query)));
    if (missing === undefined) throw error;
    throw new DatabaseSetupError(`${missing.problem} ${missing.remedy}`, { cause: error });
  }
}

async function runMigrations(orm: MikroORM, options: MigrateOptions): Promise<string[]> {
  const {
    standaloneUsers,
    userTable = BETTER_AUTH_TABLES.userTable,
    keysTable = BETTER_AUTH_TABLES.keysTable,
  } = options;
  const { database, schema } = await inTransaction(orm, findPlace);
  if (standaloneUsers) await inTransaction(orm, createStandInUsers);
  const users = await inTransaction(orm, (db) => requireUserTable(db, userTable));
  // MikroORM would look for its table of migrations in "public", and for a database with the pooler's alias.
  orm.config.set('dbName', database);
  orm.config.set('schema', schema);
  orm.config.set('migrations', { ...orm.config.get('migrations'), migrationsList: migrationsFor(users) });
  const done = await translated(() => orm.migrator.up());
  await inTransaction(orm, async (db) => {
    await requireReferenceTo(db, users);
    await createApiRole(db);
    await grantToApiRole(db, { userTable, keysTable, standaloneUsers });
  });
  return done.map(({ name }) => name);
}

/** Lets the API read the public keys of Better Auth, where the login may grant that. */
export function grantKeys(orm: MikroORM, keysTable: string): Promise<void> {
  return inTransaction(orm, async (db) => {
    // Concurrent grants on the same table fail, so take turns; but requests are waiting for this one.
    await sql`select set_config('lock_timeout', '3s', true)`.execute(db);
    await lockMigrations(db);
    await grantKeysToApiRole(db, keysTable);
  });
}

function withLock<T>(orm: MikroORM, run: () => Promise<T>): Promise<T> {
  return inTransaction(orm, async (db) => {
    await sql`select set_config('statement_timeout', '0', true),
                     set_config('idle_in_transaction_session_timeout', '0', true)`.execute(db);
    await lockMigrations(db);
    return run();
  });
}

/** A transaction-level advisory lock: it also works behind a pooler, and ends with the connection. */
async function lockMigrations(db: Kysely<Tables>): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext('todo-backend migrations'))`.execute(db);
}
