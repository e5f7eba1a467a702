import { UnavailableError } from '@todo-backend/application';
import { type Kysely, sql } from 'kysely';
import type { Tables } from '../schema/tables.js';

/** The database is not what this system can run on. The message says what to do. */
export class DatabaseSetupError extends Error {
  override readonly name = 'DatabaseSetupError';
}

/**
 * Whether the login may become `todo_api`, in SQL; null where there is no such role. From PostgreSQL 16 on a member may
 * not always: whoever makes a role becomes a member that may grant it, and no more.
 */
export const MAY_BECOME_API_ROLE = `pg_has_role(session_user, to_regrole('todo_api'),
  case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end)`;

/** SQLSTATE of a right that is missing. */
const INSUFFICIENT_PRIVILEGE = '42501';

/** Whether the database refused something for want of a right. */
export function isRefusal(error: unknown): error is Error {
  return error instanceof Error && (error as Error & { code?: unknown }).code === INSUFFICIENT_PRIVILEGE;
}

/** SQLSTATEs of a table, a type or something else that is there already. */
const DUPLICATES = new Set(['42P07', '42710', '42P06', '42723']);

/** Whether the name of something that was to be made is taken. */
export function isTaken(error: unknown): error is Error {
  return error instanceof Error && DUPLICATES.has(String((error as Error & { code?: unknown }).code));
}

/** A right that a role lacks. */
export interface MissingRight {
  /** What it cannot do, in words that may be shown to anybody. */
  readonly problem: string;
  /** What an operator has to run. It names roles. */
  readonly remedy: string;
}

/** What keeps a role from reading a table that is there; `undefined` where nothing does, or there is no such table. */
export async function missingRightToRead(db: Kysely<Tables>, table: string): Promise<MissingRight | undefined> {
  const [name, givenSchema] = table.split('.').reverse();
  const { rows } = await sql<{ role: string; login: string; schema: string; mayUse: boolean; mayRead: boolean }>`
    select quote_ident(current_user) as role, quote_ident(session_user) as login, quote_ident(nspname) as schema,
           has_schema_privilege(pg_namespace.oid, 'usage') as "mayUse",
           has_table_privilege(pg_class.oid, 'select') as "mayRead"
    from pg_class join pg_namespace on pg_namespace.oid = relnamespace
    where relname = ${name} and relkind in ('r', 'p') and case when ${givenSchema ?? null}::text is null
      then quote_ident(nspname) = any (
        regexp_split_to_array(replace(current_setting('search_path'), '"$user"', quote_ident(current_user)), ', *'))
      else nspname = ${givenSchema ?? null} end
    order by "mayUse" desc`.execute(db);
  const [found] = rows;
  if (found === undefined || (found.mayUse && found.mayRead)) return undefined;
  const { role, login, schema, mayUse } = found;
  if (!mayUse) {
    return {
      problem: 'The role of the server may not use the schema of its tables.',
      remedy: `As the owner of the schema, run \`grant usage on schema ${schema} to ${role}\``,
    };
  }
  return {
    problem: 'The role of the server may not read its tables.',
    remedy:
      role === 'todo_api'
        ? 'Run the migrations as the owner of the tables: they grant todo_api what it needs.'
        : `As the owner of the tables, run the migrations, then \`grant todo_api to ${login}\``,
  };
}

type Ask = (query: (db: Kysely<Tables>) => Promise<MissingRight | undefined>) => Promise<MissingRight | undefined>;

/**
 * Which right was missing when the list of migrations could not be used; `undefined` where it was none.
 *
 * @param ask runs a query as the role that was refused
 */
export async function missingRightBehind(error: Error, ask: Ask): Promise<MissingRight | undefined> {
  try {
    const missing = await ask((db) => missingRightToRead(db, 'mikro_orm_migrations'));
    if (missing) return missing;
  } catch (again) {
    if (!isRefusal(again)) throw again;
    return {
      problem: 'The login of the server may not connect to its database. Grant it CONNECT on the database.',
      remedy: `PostgreSQL says: ${again.message}.`,
    };
  }
  if (!isRefusal(error)) return undefined;
  return {
    problem: 'The role of the server lacks a right in its database.',
    remedy: `PostgreSQL says: ${error.message}. Grant that right, or run the migrations as the owner of the database.`,
  };
}

/** The error of a server that lacks a right. Only its cause names roles, and what the driver said. */
export function refusedFor({ problem, remedy }: MissingRight, error: unknown): UnavailableError {
  return new UnavailableError(problem, { cause: new DatabaseSetupError(remedy, { cause: error }) });
}

/** What keeps the login from becoming `todo_api`; `undefined` where nothing does. */
export async function missingRightToBecomeApiRole(db: Kysely<Tables>): Promise<MissingRight | undefined> {
  const { rows } = await sql<{ login: string; mayBecome: boolean | null }>`
    select quote_ident(session_user) as login, ${sql.raw(MAY_BECOME_API_ROLE)} as "mayBecome"`.execute(db);
  const [found] = rows;
  if (found === undefined || found.mayBecome) return undefined;
  const { login, mayBecome } = found;
  if (mayBecome === null) {
    return {
      problem: 'There is no role todo_api that it could become.',
      remedy: `As a superuser, run \`create role todo_api nologin; grant todo_api to ${login}\``,
    };
  }
  return {
    problem: 'It may not become the role todo_api.',
    remedy: `As the role that made todo_api, or as a superuser, run \`grant todo_api to ${login}\``,
  };
}
