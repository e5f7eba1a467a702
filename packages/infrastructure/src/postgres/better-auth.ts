import { type Kysely, sql } from 'kysely';
import type { Tables } from '../schema/tables.js';

/** Where Better Auth keeps what is read here. A name may have a schema in front (`auth.users`); case matters. */
export interface BetterAuthTables {
  /** Default `user`. */
  readonly userTable?: string | undefined;
  /** Of the public keys. Default `jwks`. */
  readonly keysTable?: string | undefined;
}

/** The names that Better Auth gives its tables unless it is told others. */
export const BETTER_AUTH_TABLES = { userTable: 'user', keysTable: 'jwks' } as const satisfies BetterAuthTables;

/** A table's name as SQL has it: `auth.users` is `"auth"."users"`. */
export function quoted(table: string): string {
  return table
    .split('.')
    .map((part) => `"${part.replaceAll('"', '""')}"`)
    .join('.');
}

/** The names of the columns that hold what is known of a public key. None but these is ever read. */
export interface KeyColumns {
  readonly id: string;
  readonly publicKey: string;
  readonly alg?: string;
  readonly expiresAt?: string;
}

/** As Better Auth writes the names, and as Drizzle's generated schema does. */
const KEY_COLUMNS = {
  id: 'id',
  publicKey: 'publicKey',
  public_key: 'publicKey',
  alg: 'alg',
  expiresAt: 'expiresAt',
  expires_at: 'expiresAt',
} as const;

/**
 * The columns of a table of keys: which there are depends on the version of Better Auth, which may be upgraded at any
 * time.
 *
 * @returns `undefined` where there is no such table
 */
export async function keyColumns(db: Kysely<Tables>, table: string): Promise<Partial<KeyColumns> | undefined> {
  const { rows } = await sql<{ name: keyof typeof KEY_COLUMNS | null }>`
    select attname as name
    from (select to_regclass(${quoted(table)}) as oid) as found
    left join pg_attribute on attrelid = found.oid and attname = any(${Object.keys(KEY_COLUMNS)})
    where found.oid is not null`.execute(db);
  if (rows.length === 0) return undefined;
  return Object.fromEntries(rows.flatMap(({ name }) => (name === null ? [] : [[KEY_COLUMNS[name], name]])));
}
