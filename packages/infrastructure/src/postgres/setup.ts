import { type Kysely, sql } from 'kysely';
import type { UserIdType, UserTable } from '../migrations/owner.js';
import type { Tables } from '../schema/tables.js';
import { keyColumns, quoted } from './better-auth.js';
import { DatabaseSetupError, MAY_BECOME_API_ROLE, missingRightToRead } from './permissions.js';

/** The oldest version of PostgreSQL that is supported, as `server_version_num` has it. */
const OLDEST_SERVER = 150_000;

/** Where the tables of this backend are. */
export interface Place {
  /** The real name; a pooler may have an alias for it. */
  readonly database: string;
  readonly schema: string;
}

interface FoundPlace {
  readonly version: number;
  readonly name: string;
  readonly encoding: string;
  readonly path: string;
  readonly database: string;
  readonly schema: string | null;
}

/**
 * Finds the place for the tables: the first schema of the search path. Creates the schema if the path names only one,
 * and that does not exist.
 *
 * @throws {@link DatabaseSetupError} when the server is too old, the encoding is not UTF-8, or there is no schema
 */
export async function findPlace(db: Kysely<Tables>): Promise<Place> {
  const { rows } = await sql<FoundPlace>`
    select current_setting('server_version_num')::int as version, current_setting('server_version') as name,
           current_setting('server_encoding') as encoding,
           current_setting('search_path') as path, current_database() as database,
           current_schema() as schema`.execute(db);
  const [found] = rows;
  if (found === undefined) throw new TypeError('A query for one row gave none.');
  const { version, name, encoding, path, database, schema } = found;
  if (version < OLDEST_SERVER) {
    throw new DatabaseSetupError(`This needs PostgreSQL 15 or newer, and the server is PostgreSQL ${name}.`);
  }
  if (encoding !== 'UTF8') {
    throw new DatabaseSetupError(
      `The database ${database} stores texts as ${encoding}, which has no place for all of them. ` +
        "Make one with `create database … encoding 'UTF8' template template0`.",
    );
  }
  if (schema !== null) return { database, schema };
  if (!/^(?:"(?:[^"]|"")+"|[a-z_][a-z0-9_]*)$/.test(path) || path === '"$user"') {
    throw new DatabaseSetupError(
      `There is no schema for the tables: the search path is ${path || 'empty'}, and none of it is there. ` +
        'Make the schema, or name another one in DATABASE_URL (?schema=name).',
    );
  }
  await sql`create schema ${sql.raw(path)}`.execute(db);
  return findPlace(db);
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

/** The types that ids of users may have, and how they are referred to. */
const ID_TYPES: Readonly<Record<string, UserIdType>> = {
  text: 'text',
  'character varying': 'text',
  uuid: 'uuid',
  integer: 'bigint',
  bigint: 'bigint',
};

/** @throws {@link DatabaseSetupError} when the database lacks the table of users that tasks refer to */
export async function requireUserTable(db: Kysely<Tables>, userTable: string): Promise<UserTable> {
  const { rows } = await sql<{ type: string }>`
    select format_type(atttypid, null) as type from pg_attribute
    where attrelid = to_regclass(${quoted(userTable)}) and attname = 'id'`.execute(db);
  const type = rows[0]?.type;
  if (type === undefined) {
    const missing = await missingRightToRead(db, userTable);
    if (missing) throw new DatabaseSetupError(`${missing.problem} ${missing.remedy}`);
    throw new DatabaseSetupError(
      `The database has no "${userTable}" table. Run Better Auth's migrations on it first (npx auth migrate), ` +
        'name the table in AUTH_USER_TABLE where it is called otherwise, ' +
        'or set STANDALONE_USERS=true to do without Better Auth.',
    );
  }
  const idType = ID_TYPES[type];
  if (idType === undefined) {
    throw new DatabaseSetupError(
      `The "id" of the database's "${userTable}" table is of type ${type}; this backend knows ${Object.keys(ID_TYPES).join(', ')}.`,
    );
  }
  await requireRead(db, userTable, 'current_user');
  return { name: quoted(userTable), idType };
}

/** @throws {@link DatabaseSetupError} when a role lacks the privilege to read the ids of users */
async function requireRead(db: Kysely<Tables>, userTable: string, role: 'todo_api' | 'current_user'): Promise<void> {
  const name = quoted(userTable);
  const { rows } = await sql<{ name: string; schema: string; mayUse: boolean; mayRead: boolean }>`
    select quote_ident(rolname) as name, quote_ident(nspname) as schema,
           has_schema_privilege(rolname, pg_namespace.oid, 'usage') as "mayUse",
           has_column_privilege(rolname, pg_class.oid, 'id', 'select') as "mayRead"
    from pg_class join pg_namespace on pg_namespace.oid = relnamespace, pg_roles
    where pg_class.oid = to_regclass(${name})
      and rolname = ${role === 'todo_api' ? sql.lit(role) : sql`current_user`}`.execute(db);
  const [found] = rows;
  if (found === undefined || (found.mayUse && found.mayRead)) return;
  const usage = found.mayUse ? '' : `grant usage on schema ${found.schema} to ${found.name}; `;
  throw new DatabaseSetupError(
    `The role ${found.name} may not read the ids in ${name}. As the owner of that table, run ` +
      `\`${usage}grant select ("id") on ${name} to ${found.name}\``,
  );
}

/** @throws {@link DatabaseSetupError} when the tasks refer to users in another table than this one */
export async function requireReferenceTo(db: Kysely<Tables>, { name }: UserTable): Promise<void> {
  const { rows } = await sql<{ other: string }>`
    select confrelid::regclass::text as other from pg_constraint
    where conrelid = to_regclass('tasks') and contype = 'f' and confrelid <> to_regclass(${name})`.execute(db);
  const [found] = rows;
  if (found === undefined) return;
  throw new DatabaseSetupError(
    `The tasks refer to the users in ${found.other}, and AUTH_USER_TABLE names ${name}. Set AUTH_USER_TABLE to the first one.`,
  );
}

/**
 * Creates the role `todo_api` if it is missing and the login may create roles. Superusers and roles with BYPASSRLS bypass
 * every policy: if the login is one, queries run as this role. Roles belong to the whole server, so another database may
 * create it at the same time, and a backup of one database does not contain it.
 */
export async function createApiRole(db: Kysely<Tables>): Promise<void> {
  await sql`
    do $$ begin
      if to_regrole('todo_api') is null
        and (select rolsuper or rolcreaterole from pg_roles where rolname = current_user)
      then
        create role todo_api nologin;
      end if;
    exception when duplicate_object or unique_violation then null;
    end $$`.execute(db);
}

/** Gives the role `todo_api`, where there is one, exactly what queries need. Repeated at every migration. */
export async function grantToApiRole(
  db: Kysely<Tables>,
  { userTable, keysTable, standaloneUsers }: { userTable: string; keysTable: string; standaloneUsers: boolean },
): Promise<void> {
  const { rows } = await sql<{ mayGrant: boolean; mayBecome: boolean }>`
    select pg_has_role(relowner, 'usage') as "mayGrant", ${sql.raw(MAY_BECOME_API_ROLE)} as "mayBecome"
    from pg_class where oid = to_regclass('tasks') and to_regrole('todo_api') is not null`.execute(db);
  const [found] = rows;
  if (!found?.mayGrant) return;
  await grantSchemaOf(db, 'tasks');
  await sql`grant select, insert, update, delete on "tasks" to todo_api`.execute(db);
  await sql`grant select, insert, update, delete on "rate_limits" to todo_api`.execute(db);
  // The journal is append-only.
  await sql`grant select, insert, update ("data") on "task_events" to todo_api`.execute(db);
  await sql`grant select, insert, update on "task_ledgers" to todo_api`.execute(db);
  await sql`grant select, insert, update, delete on "dead_letters" to todo_api`.execute(db);
  await sql`grant select, insert, update, delete on "idempotency_keys" to todo_api`.execute(db);
  await sql`grant select on "mikro_orm_migrations" to todo_api`.execute(db);
  if (!(await ownsTable(db, userTable))) await requireRead(db, userTable, 'todo_api');
  else {
    await grantSchemaOf(db, userTable);
    await sql`grant select ("id") on ${sql.table(userTable)} to todo_api`.execute(db);
    if (standaloneUsers) {
      await sql`grant insert ("id", "name", "email", "emailVerified") on "user" to todo_api`.execute(db);
    }
  }
  await grantKeysToApiRole(db, keysTable);
  if (found.mayBecome) return;
  // Without the privilege to grant the role, the login is used as it is; the start checks row level security.
  await sql`
    do $$ begin
      grant todo_api to current_user;
    exception when insufficient_privilege then null;
    end $$`.execute(db);
}

/** Lets `todo_api` read the public half of Better Auth's keys, never the private one, where the login may grant that. */
export async function grantKeysToApiRole(db: Kysely<Tables>, keysTable: string): Promise<void> {
  const columns = Object.values((await keyColumns(db, keysTable)) ?? {});
  if (columns.length === 0 || !(await ownsTable(db, keysTable))) return;
  await grantSchemaOf(db, keysTable);
  await sql`grant select (${sql.join(columns.map((name) => sql.ref(name)))}) on ${sql.table(keysTable)} to todo_api`.execute(
    db,
  );
}

/** Whether the login may grant rights on a table to `todo_api`. */
async function ownsTable(db: Kysely<Tables>, table: string): Promise<boolean> {
  const { rows } = await sql`
    select 1 from pg_class
    where oid = to_regclass(${quoted(table)}) and pg_has_role(relowner, 'usage')
      and to_regrole('todo_api') is not null`.execute(db);
  return rows.length > 0;
}

/** Lets `todo_api` use the schema of a table where it may not yet, and the login may grant that. */
async function grantSchemaOf(db: Kysely<Tables>, table: string): Promise<void> {
  const { rows } = await sql<{ schema: string }>`
    select nspname as schema from pg_class join pg_namespace on pg_namespace.oid = relnamespace
    where pg_class.oid = to_regclass(${quoted(table)}) and pg_has_role(nspowner, 'usage')
      and not has_schema_privilege('todo_api', pg_namespace.oid, 'usage')`.execute(db);
  for (const { schema } of rows) await sql`grant usage on schema ${sql.id(schema)} to todo_api`.execute(db);
}
