import { type Kysely, sql } from 'kysely';
import type { Tables } from './task-row.js';

/** The database is not what this system can run on. The message says what to do. */
export class DatabaseSetupError extends Error {
  override readonly name = 'DatabaseSetupError';
}

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

/**
 * Gives the role `todo_api`, where there is one, exactly what queries need: of Better Auth's tables only the columns that
 * are read, never the private half of a key. Repeated at every start, because Better Auth may have made `jwks` since.
 */
export async function grantToApiRole(db: Kysely<Tables>, standaloneUsers: boolean): Promise<void> {
  const { rows } = await sql<{ mayGrant: boolean; hasKeys: boolean; isMember: boolean }>`
    select pg_has_role(relowner, 'usage') as "mayGrant",
           (select count(*) = 4 from pg_attribute where attrelid = to_regclass('jwks')
            and attname in ('id', 'publicKey', 'alg', 'expiresAt')) as "hasKeys",
           pg_has_role('todo_api', 'member') as "isMember"
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
  if (found.hasKeys) await sql`grant select ("id", "publicKey", "alg", "expiresAt") on "jwks" to todo_api`.execute(db);
  if (found.isMember) return;
  // An owner without the right to grant the role has no use for it either: the policies apply to it as it is.
  await sql`
    do $$ begin
      grant todo_api to current_user;
    exception when insufficient_privilege then null;
    end $$`.execute(db);
}
