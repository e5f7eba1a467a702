import { UnauthenticatedError, UnavailableError } from '@todo-backend/application';
import { createLocalJWKSet, errors, type JWK, type JWTVerifyGetKey } from 'jose';
import { type Kysely, sql } from 'kysely';
import * as v from 'valibot';
import { BETTER_AUTH_TABLES, type BetterAuthTables, keyColumns } from '../postgres/better-auth.js';
import type { Database } from '../postgres/database.js';
import { isRefusal } from '../postgres/permissions.js';
import type { Tables } from '../schema/tables.js';

/** Loads the public keys that are good now. */
export type KeyLoader = () => Promise<JWK[]>;

/** How {@link cachedKeySet} behaves. */
export interface KeySetOptions {
  /** Hears of every failure to load, so that it can be logged. */
  readonly onLoadError: (error: unknown) => void;
  /** Milliseconds, of any steady clock. */
  readonly now?: () => number;
}

/** Whether there are keys: `none` before Better Auth has made its first, `unreachable` where that passes by itself. */
export type KeySetState = 'loaded' | 'none' | 'unreachable';

/** A key set that knows when it changes. */
export interface KeySet extends JWTVerifyGetKey {
  /**
   * Whether there are keys. Loads them where nobody has asked for any yet.
   *
   * @throws UnavailableError (`UNAVAILABLE`) where that does not pass by itself
   */
  state(): Promise<KeySetState>;
  /**
   * Something that stays the same as long as the keys do: what was found out with the keys of then holds no longer. Has
   * the keys loaded anew, in the background, where that is due.
   */
  generation(): unknown;
}

/** At the most one refresh in this many milliseconds, whether or not it succeeds. */
const REFRESH_COOLDOWN = 10_000;

/** As long as there is no key at all, every request fails: try again sooner. */
const FIRST_LOAD_COOLDOWN = 1_000;

/** After this many milliseconds keys are loaded anew, in the background, so that withdrawn ones end. */
const MAX_AGE = 300_000;

const FETCH_TIMEOUT = 5_000;

/** How long Better Auth's keys go on verifying after their `expiresAt`. */
const GRACE_PERIOD = '30 days';

/**
 * The keys cannot be loaded because of how things are set up, which does not pass by itself. `problem` may be shown to
 * anybody; the message says what to do besides.
 */
export class KeySourceError extends Error {
  override readonly name = 'KeySourceError';
  readonly problem: string;

  constructor(problem: string, remedy: string, options?: ErrorOptions) {
    super(`${problem} ${remedy}`, options);
    this.problem = problem;
  }
}

/**
 * Keys from Better Auth's `jwks` table, so that tokens can be checked while the auth server is down. Reads the public
 * half only. The loader throws {@link KeySourceError} where there is no such table, or a right is missing.
 */
export function keysFromTable(
  database: Database,
  { keysTable = BETTER_AUTH_TABLES.keysTable }: Pick<BetterAuthTables, 'keysTable'> = {},
): KeyLoader {
  const read = () => database.query((db) => readKeys(db, keysTable));
  return async () => {
    const rows = await read().catch(async (error) => {
      if (!isRefusal(error)) throw error;
      // Better Auth was installed, or upgraded, since the migration.
      await database.grantKeys(keysTable);
      return read().catch((again) => {
        if (!isRefusal(again)) throw again;
        throw new KeySourceError(
          'The server may not read the table of public keys.',
          `Run the migrations as the owner of the table "${keysTable}", to grant it. PostgreSQL says: ${again.message}.`,
          { cause: again },
        );
      });
    });
    return rows.flatMap(({ id, publicKey, alg }) => {
      const key = parseKey(publicKey);
      return key ? [{ ...key, kid: id, ...(alg !== null && { alg }) }] : [];
    });
  };
}

interface KeyRow {
  readonly id: string;
  readonly publicKey: string;
  readonly alg: string | null;
}

/** What a version of Better Auth has no column for is null. */
async function readKeys(db: Kysely<Tables>, table: string): Promise<KeyRow[]> {
  const columns = await keyColumns(db, table);
  if (columns?.id === undefined || columns.publicKey === undefined) {
    throw new KeySourceError(
      columns === undefined
        ? 'The database has no table of public keys.'
        : 'The table of public keys does not have the columns of Better Auth.',
      `It should be "${table}". Run Better Auth's migrations with its jwt() plugin, name the table in AUTH_JWKS_TABLE ` +
        'where it is called otherwise, or have the keys fetched from Better Auth with AUTH_JWKS=url.',
    );
  }
  const { id, publicKey, alg, expiresAt } = columns;
  const { rows } = await sql<KeyRow>`
    select ${sql.ref(id)}::text as "id", ${sql.ref(publicKey)} as "publicKey",
           ${alg === undefined ? sql`null` : sql`${sql.ref(alg)}::text`} as "alg"
    from ${sql.table(table)}
    ${expiresAt === undefined ? sql`` : sql`where ${sql.ref(expiresAt)} is null or ${sql.ref(expiresAt)} > now() - ${GRACE_PERIOD}::interval`}`.execute(
    db,
  );
  return rows;
}

const JwksSchema = v.object({ keys: v.array(v.looseObject({ kty: v.string() })) });

/** How often a JWKS address may redirect. */
const MAX_REDIRECTS = 3;

/**
 * Keys from the auth server's JWKS endpoint, which may redirect within its origin. The loader throws
 * {@link KeySourceError} where there are none at that address.
 */
export function keysFromUrl(url: string): KeyLoader {
  return async () => {
    const response = await fetchWithin(new URL(url).origin, url, AbortSignal.timeout(FETCH_TIMEOUT));
    if (!response.ok) await response.body?.cancel();
    if (response.status >= 500 || response.status === 429) throw new Error(`${url} answered ${response.status}`);
    if (!response.ok) throw noKeysAt(url, `it answered ${response.status}`);
    const result = v.safeParse(JwksSchema, parseJson(await textOf(response, url)));
    if (!result.success) throw noKeysAt(url, 'what is there is not a JSON Web Key Set');
    return result.output.keys;
  };
}

/** A set of keys is some kilobytes; whatever is larger is none, and is not read to its end. */
const MAX_JWKS_SIZE = 1024 * 1024;

async function textOf(response: Response, url: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > MAX_JWKS_SIZE) throw noKeysAt(url, 'what is there is larger than 1 MB');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Follows redirects, but to no other origin: whoever is there would say whose tokens are good. */
async function fetchWithin(origin: string, url: string, signal: AbortSignal, redirects = 0): Promise<Response> {
  const response = await fetch(url, { redirect: 'manual', signal });
  const location = response.headers.get('location');
  if (response.status < 300 || response.status >= 400 || location === null) return response;
  await response.body?.cancel();
  const target = URL.parse(location, url);
  if (target?.origin !== origin) throw noKeysAt(url, `it redirects to another origin (${target?.origin ?? location})`);
  if (redirects === MAX_REDIRECTS) throw noKeysAt(url, 'it redirects too often');
  return fetchWithin(origin, target.href, signal, redirects + 1);
}

function noKeysAt(url: string, found: string): KeySourceError {
  return new KeySourceError(
    'The auth server has no public keys where they are looked for.',
    `They are looked for at ${url}: ${found}. Set BETTER_AUTH_URL to the base URL of Better Auth, with its path where it ` +
      'has one, or AUTH_JWKS_URL to the address of its keys.',
  );
}

/**
 * A key set that survives its source. Keys are cached; an unknown `kid` has them loaded once more, at most once in ten
 * seconds; old keys serve on while loading fails.
 *
 * The returned function throws `UnauthenticatedError` (`UNAUTHENTICATED`) when no key fits, and `UnavailableError`
 * (`UNAVAILABLE`) when none was ever loaded.
 */
export function cachedKeySet(load: KeyLoader, { onLoadError, now = Date.now }: KeySetOptions): KeySet {
  let find: JWTVerifyGetKey | undefined;
  let lastAttempt = Number.NEGATIVE_INFINITY;
  let lastLook = Number.NEGATIVE_INFINITY;
  let loading: Promise<void> | undefined;
  /** Why the last attempt to load failed. */
  let failure: unknown;

  const refresh = async () => {
    try {
      // A symmetric key has no place in a public key set.
      const keys = (await load()).filter(({ kty }) => kty !== 'oct');
      // Better Auth makes its first key with its first token: before that there is nothing to know tokens by.
      if (find !== undefined || keys.length > 0) find = createLocalJWKSet({ keys });
      failure = undefined;
    } catch (error) {
      failure = error;
      onLoadError(error);
    }
  };
  const refreshNow = (): Promise<void> => {
    loading ??= refresh().finally(() => {
      loading = undefined;
    });
    return loading;
  };
  const refreshUnlessDoneWithin = (milliseconds: number): Promise<void> | undefined => {
    if (loading === undefined && now() - lastAttempt >= milliseconds) {
      lastAttempt = now();
      return refreshNow();
    }
    return loading;
  };

  const generation = () => {
    if (find !== undefined) void refreshUnlessDoneWithin(MAX_AGE);
    return find;
  };
  const state = async (): Promise<KeySetState> => {
    const isFirst = lastLook === Number.NEGATIVE_INFINITY;
    // On a clock of its own: the first user, whose key was made just now, does not wait for whoever looked before.
    if (find === undefined && now() - lastLook >= FIRST_LOAD_COOLDOWN) {
      lastLook = now();
      // Later on, the last attempt tells enough: whoever asks wants an answer at once.
      if (isFirst || failure === undefined) await refreshNow();
      else void refreshNow();
    }
    if (find !== undefined) return 'loaded';
    if (failure === undefined) return 'none';
    if (failure instanceof KeySourceError) throw cannotCheck(failure);
    return 'unreachable';
  };
  const keyOf: JWTVerifyGetKey = async (header, token) => {
    if (find === undefined) await refreshUnlessDoneWithin(FIRST_LOAD_COOLDOWN);
    else void refreshUnlessDoneWithin(MAX_AGE);
    if (find === undefined) throw cannotCheck(failure);
    try {
      return await find(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
    }
    await refreshUnlessDoneWithin(REFRESH_COOLDOWN);
    try {
      return await find(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      throw new UnauthenticatedError('The token was signed with a key that is not known.', 'unknown_key');
    }
  };
  return Object.assign(keyOf, { generation, state });
}

function cannotCheck(cause: unknown): UnavailableError {
  const message =
    cause instanceof KeySourceError
      ? `Sign-in cannot be checked. ${cause.problem}`
      : 'Sign-in cannot be checked right now. Please try again in a moment.';
  return new UnavailableError(message, { cause });
}

function parseKey(text: string): JWK | undefined {
  try {
    const key: unknown = JSON.parse(text);
    return v.is(v.looseObject({ kty: v.string() }), key) ? key : undefined;
  } catch {
    // A row that is no key is no key: the others still serve.
    return undefined;
  }
}
