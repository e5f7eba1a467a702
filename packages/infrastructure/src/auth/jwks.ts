import { setTimeout as wait } from 'node:timers/promises';
import { type Readiness, UnauthenticatedError, UnavailableError } from '@todo-backend/application';
import { createLocalJWKSet, errors, type JWK, type JWTVerifyGetKey } from 'jose';
import { type Kysely, sql } from 'kysely';
import * as v from 'valibot';
import { BETTER_AUTH_TABLES, type BetterAuthTables, keyColumns } from '../postgres/better-auth.js';
import type { Database } from '../postgres/database.js';
import { isRefusal } from '../postgres/permissions.js';
import type { Tables } from '../schema/tables.js';

/** Loads the public keys that are currently valid. */
export type KeyLoader = () => Promise<JWK[]>;

/** Options of {@link cachedKeySet}. */
export interface KeySetOptions {
  /** Called with every error of loading, for the log. */
  readonly onLoadError: (error: unknown) => void;
  /** A monotonic clock, in milliseconds. Default `Date.now`. */
  readonly now?: () => number;
  /** Waits so many milliseconds of that clock. */
  readonly sleep?: (milliseconds: number) => Promise<unknown>;
}

/** Whether there are keys: `none` before Better Auth has made its first, `unreachable` where that passes by itself. */
export type KeySetState = NonNullable<Readiness['keys']>;

/** A key set for jose that also tells its state. */
export interface KeySet extends JWTVerifyGetKey {
  /**
   * Whether there are keys. Loads them if that has not been tried yet.
   *
   * @throws UnavailableError (`UNAVAILABLE`) when loading fails because of the configuration
   */
  state(): Promise<KeySetState>;
  /**
   * A value that changes whenever the keys do, to invalidate cached results. Starts a refresh in the background when one
   * is due.
   */
  generation(): unknown;
}

/** Minimum time between two refreshes in milliseconds, whether or not they succeed. */
const REFRESH_COOLDOWN = 2_000;

/** Requests with an unknown key that wait for the next refresh; the others are refused at once. */
const MAX_WAITING = 100;

/** The same as long as there is no key at all: every request fails until then. */
const FIRST_LOAD_COOLDOWN = 1_000;

/** Age in milliseconds after which keys are refreshed in the background, so that removed ones stop working. */
const MAX_AGE = 300_000;

const FETCH_TIMEOUT = 5_000;

/** How long keys still verify tokens after their `expiresAt`: the default `gracePeriod` of Better Auth. */
const GRACE_PERIOD = '30 days';

/**
 * The keys cannot be loaded because of the configuration, so trying again does not help. `problem` may be shown to
 * clients; the message also says what to do.
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
 * half only. The loader throws {@link KeySourceError} when the table or a privilege is missing.
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

/** A column that this version of Better Auth does not have is null. */
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

const KeySchema = v.looseObject({ kty: v.string() });

const JwksSchema = v.object({ keys: v.array(KeySchema) });

/** Redirects that are followed. */
const MAX_REDIRECTS = 3;

/**
 * Keys from the auth server's JWKS endpoint, which may redirect within its origin. The loader throws
 * {@link KeySourceError} when there is no key set at that address.
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

/** Maximum bytes of a key set; a real one has some kilobytes. */
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

/** Follows redirects within the origin only: another one must not decide which tokens are valid. */
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
 * A key set that outlives its source. Keys are cached; an unknown `kid` triggers a refresh, at most once in two seconds,
 * and its request waits for that; while loading fails, the old keys stay in use.
 *
 * The returned function throws `UnauthenticatedError` (`UNAUTHENTICATED`) when no key fits, and `UnavailableError`
 * (`UNAVAILABLE`) when none was ever loaded.
 */
export function cachedKeySet(load: KeyLoader, { onLoadError, now = Date.now, sleep = wait }: KeySetOptions): KeySet {
  let find: JWTVerifyGetKey | undefined;
  let lastAttempt = Number.NEGATIVE_INFINITY;
  let lastLook = Number.NEGATIVE_INFINITY;
  let loading: Promise<void> | undefined;
  /** Why the last attempt to load failed. */
  let failure: unknown;

  const refresh = async () => {
    try {
      // A public key set must not contain a symmetric key.
      const keys = (await load()).filter(({ kty }) => kty !== 'oct');
      // Better Auth creates its first key together with its first token.
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

  let waiting = 0;
  let scheduled: Promise<void> | undefined;
  /** Refreshes as soon as that may be, once for all who wait for it. */
  const nextRefresh = async (): Promise<void> => {
    if (waiting >= MAX_WAITING) return;
    waiting++;
    scheduled ??= sleep(Math.max(0, lastAttempt + REFRESH_COOLDOWN - now())).then(() => {
      scheduled = undefined;
      lastAttempt = now();
      return refreshNow();
    });
    await scheduled.finally(() => {
      waiting--;
    });
  };

  const generation = () => {
    if (find !== undefined) void refreshUnlessDoneWithin(MAX_AGE);
    return find;
  };
  const state = async (): Promise<KeySetState> => {
    const isFirst = lastLook === Number.NEGATIVE_INFINITY;
    // Separate from the cooldown of requests: a readiness probe must not delay the first user.
    if (find === undefined && now() - lastLook >= FIRST_LOAD_COOLDOWN) {
      lastLook = now();
      // After the first attempt, answer at once with the last result.
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
    await nextRefresh();
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
  const key = parseJson(text);
  // Ignore an invalid row; the other keys still work.
  return v.is(KeySchema, key) ? key : undefined;
}
