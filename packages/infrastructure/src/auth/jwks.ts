import { UnauthenticatedError, UnavailableError } from '@todo-backend/application';
import { createLocalJWKSet, errors, type JWK, type JWTVerifyGetKey } from 'jose';
import { type Kysely, sql } from 'kysely';
import * as v from 'valibot';
import type { Database } from '../postgres/database.js';
import { DatabaseSetupError, isRefusal } from '../postgres/permissions.js';
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

/** A key set that knows when it changes. */
export interface KeySet extends JWTVerifyGetKey {
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
 * Keys from Better Auth's `jwks` table, so that tokens can be checked while the auth server is down. Reads the public
 * half only.
 */
export function keysFromTable(database: Database): KeyLoader {
  const read = () => database.query(readKeys);
  return async () => {
    const rows = await read().catch(async (error) => {
      if (!isRefusal(error)) throw error;
      // Better Auth was installed, or upgraded, since the migration.
      await database.grantKeys();
      return read().catch(sayHowToGrant);
    });
    return rows.flatMap(({ id, publicKey, alg }) => {
      const key = parseKey(publicKey);
      return key ? [{ ...key, kid: id, ...(alg !== null && { alg }) }] : [];
    });
  };
}

function sayHowToGrant(error: unknown): never {
  if (!isRefusal(error)) throw error;
  throw new DatabaseSetupError(
    'The server may not read the public keys in the table "jwks". Run the migrations as the owner of that table, to grant it.',
    { cause: error },
  );
}

interface KeyRow {
  readonly id: string;
  readonly publicKey: string;
  readonly alg: string | null;
}

/** A column that this version of Better Auth does not have is null: its name means that of `absent` then. */
async function readKeys(db: Kysely<Tables>): Promise<KeyRow[]> {
  const { rows } = await sql<KeyRow>`
    select key.id, key."publicKey", key.alg
    from (select null::text as "alg", null::timestamptz as "expiresAt") as absent,
      lateral (select "id", "publicKey", "alg"::text, "expiresAt" from "jwks") as key
    where key."expiresAt" is null or key."expiresAt" > now() - ${GRACE_PERIOD}::interval`.execute(db);
  return rows;
}

/** Keys from the auth server's JWKS endpoint. */
export function keysFromUrl(url: string): KeyLoader {
  return async () => {
    const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(FETCH_TIMEOUT) });
    if (!response.ok) throw new Error(`${url} answered ${response.status}`);
    return v.parse(v.object({ keys: v.array(v.looseObject({ kty: v.string() })) }), await response.json()).keys;
  };
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
  let loading: Promise<void> | undefined;

  const refresh = async () => {
    try {
      // A symmetric key has no place in a public key set.
      const keys = (await load()).filter(({ kty }) => kty !== 'oct');
      // Better Auth makes its first key with its first token: before that there is nothing to know tokens by.
      if (find !== undefined || keys.length > 0) find = createLocalJWKSet({ keys });
    } catch (error) {
      onLoadError(error);
    }
  };
  const refreshUnlessDoneWithin = (milliseconds: number): Promise<void> | undefined => {
    if (loading === undefined && now() - lastAttempt >= milliseconds) {
      lastAttempt = now();
      loading = refresh().finally(() => {
        loading = undefined;
      });
    }
    return loading;
  };

  const generation = () => {
    if (find !== undefined) void refreshUnlessDoneWithin(MAX_AGE);
    return find;
  };
  const keyOf: JWTVerifyGetKey = async (header, token) => {
    if (find === undefined) await refreshUnlessDoneWithin(FIRST_LOAD_COOLDOWN);
    else void refreshUnlessDoneWithin(MAX_AGE);
    if (find === undefined) {
      throw new UnavailableError('Sign-in cannot be checked right now. Please try again in a moment.');
    }
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
  return Object.assign(keyOf, { generation });
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
