import { type Kysely, sql } from 'kysely';
import type { Tables } from '../schema/tables.js';
import { DatabaseSetupError, MAY_BECOME_API_ROLE, missingRightToRead } from './permissions.js';

/** The comment that tells a stand-in for the `user` table from Better Auth's own. */
const STAND_IN_COMMENT = 'stand-in for the table of Better Auth, made by todo-backend';

/** Makes a stand-in for Better Auth's `user` table where there is none. */
export async function createStandInUsers(db: Kysely<Tables>): Promise<void> {
  const { rows } = await sql<{ exists: boolean; comment: string | null }>`
    select to_regclass('"user"') is not null as exists,
           obj_description(to_regclass('"user"'), 'pg_class') as comment`.execute(db);
  if (rows[0]?.comment === STAND_IN_COMMENT) return;
  if (rows[0]?.exists) {
    throw new DatabaseSetupError(
      'STANDALONE_USERS is on, but the database already has a "user" table that this backend did not make. ' +
        'If it belongs to Better Auth, turn STANDALONE_USERS off.',
    );
  }
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
}

/** @throws {@link DatabaseSetupError} when the database lacks the `user` table that tasks refer to */
export async function requireUserTable(db: Kysely<Tables>): Promise<void> {
  const { rows } = await sql<{ type: string }>`
    select format_type(atttypid, null) as type from pg_attribute
    where attrelid = to_regclass('"user"') and attname = 'id'`.execute(db);
  const type = rows[0]?.type;
  if (type === undefined) {
    const missing = await missingRightToRead(db, 'user');
    if (missing) throw new DatabaseSetupError(`${missing.problem} ${missing.remedy}`);
    throw new DatabaseSetupError(
      'The database has no "user" table. Run Better Auth\'s migrations on it first (npx auth migrate), ' +
        'or set STANDALONE_USERS=true to do without Better Auth.',
    );
  }
  if (type !== 'text' && type !== 'character varying') {
    throw new DatabaseSetupError(
      `The "id" of the database's "user" table is of type ${type}; this backend needs text, Better Auth's default.`,
    );
  }
}

/** Gives the role `todo_api`, where there is one, exactly what queries need. Repeated at every migration. */
export async function grantToApiRole(db: Kysely<Tables>, standaloneUsers: boolean): Promise<void> {
  const { rows } = await sql<{ mayGrant: boolean; mayBecome: boolean }>`
    select pg_has_role(relowner, 'usage') as "mayGrant", ${sql.raw(MAY_BECOME_API_ROLE)} as "mayBecome"
    from pg_class where oid = to_regclass('"user"') and to_regrole('todo_api') is not null`.execute(db);
  const [found] = rows;
  if (!found?.mayGrant) return;
  await sql`grant select, insert, update, delete on "tasks" to todo_api`.execute(db);
  await sql`grant select, insert, update, delete on "rate_limits" to todo_api`.execute(db);
  // The journal is only added to.
  await sql`grant select, insert on "task_events" to todo_api`.execute(db);
  await sql`grant select, insert, update on "task_ledgers" to todo_api`.execute(db);
  await sql`grant select, insert, update, delete on "dead_letters" to todo_api`.execute(db);
  await sql`grant select, insert, update, delete on "idempotency_keys" to todo_api`.execute(db);
  await sql`grant select on "mikro_orm_migrations" to todo_api`.execute(db);
  await sql`grant select ("id") on "user" to todo_api`.execute(db);
  if (standaloneUsers)
    await sql`grant insert ("id", "name", "email", "emailVerified") on "user" to todo_api`.execute(db);
  await grantKeysToApiRole(db);
  if (found.mayBecome) return;
  // Where the login may not grant the role, it stays what it is: row level security applies to it, or the start says so.
  await sql`
    do $$ begin
      grant todo_api to current_user;
    exception when insufficient_privilege then null;
    end $$`.execute(db);
}

/**
 * Lets `todo_api` read the public half of Better Auth's keys, never the private one. Which columns there are depends on
 * the version of Better Auth, which may be upgraded at any time.
 */
export async function grantKeysToApiRole(db: Kysely<Tables>): Promise<void> {
  const { rows } = await sql<{ name: string }>`
    select attname as name from pg_attribute join pg_class on pg_class.oid = attrelid
    where attrelid = to_regclass('jwks') and attname in ('id', 'publicKey', 'alg', 'expiresAt')
      and pg_has_role(relowner, 'usage') and to_regrole('todo_api') is not null`.execute(db);
  if (rows.length === 0) return;
  const columns = sql.join(rows.map(({ name }) => sql.ref(name)));
  await sql`grant select (${columns}) on "jwks" to todo_api`.execute(db);
}
