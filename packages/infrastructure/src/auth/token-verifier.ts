import { hash } from 'node:crypto';
import {
  type AccessTokenVerifier,
  type AgentAccess,
  type TokenVerifier,
  UnauthenticatedError,
  UnavailableError,
} from '@todo-backend/application';
import { textProblem } from '@todo-backend/domain';
import {
  type CryptoKey,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose';
import { LRUCache } from 'lru-cache';
import * as v from 'valibot';
import type { KeySet } from './jwks.js';

/** Which tokens are accepted. At least one of `secret` and `keys`. */
export interface TokenVerifierOptions {
  /** Verifies HS256 tokens. At least 32 characters. */
  readonly secret?: string | undefined;
  /** Verifies tokens of Better Auth's `jwt()` plugin. Needs `issuers`. */
  readonly keys?: KeySet | undefined;
  /** What `iss` may be, in tokens of Better Auth. */
  readonly issuers?: readonly string[] | undefined;
  /** What `aud` may be; one of them is enough. Default: the issuers. */
  readonly audiences?: readonly string[] | undefined;
  /** Seconds that clocks may differ. Default 5. */
  readonly clockTolerance?: number | undefined;
  /** Maximum lifetime of a token in seconds. Default one day. */
  readonly maxLifetime?: number | undefined;
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
}

/** The algorithms that Better Auth's `jwt()` plugin supports. */
const ASYMMETRIC_ALGORITHMS = ['EdDSA', 'ES256', 'ES512', 'RS256', 'PS256'];

/** Better Auth puts the whole user into its tokens by default. All headers together may have 16 KiB. */
const MAX_TOKEN_LENGTH = 12_288;

const CLOCK_TOLERANCE = 5;

const DAY = 86_400;

/** Verified tokens that are cached, by their hashes. */
const REMEMBERED_TOKENS = 20_000;

/** jose accepts a `sub` of any type, and times that are not finite. */
const ClaimsSchema = v.object({
  sub: v.pipe(
    v.string(),
    v.nonEmpty(),
    v.maxLength(255),
    v.check((sub) => textProblem('sub', sub) === undefined),
  ),
  exp: v.pipe(v.number(), v.finite()),
  iat: v.optional(v.pipe(v.number(), v.finite())),
});

/**
 * Verifies JSON Web Tokens (RFC 7519, RFC 8725). Each kind of token is tied to key material of its own, so that neither
 * can pass for the other: HS256 to the secret, the asymmetric algorithms to the key set. Access tokens for agents
 * (RFC 9068) are refused: {@link accessTokenVerifier} takes them.
 */
export function tokenVerifier({
  secret,
  keys,
  issuers = [],
  audiences = issuers,
  ...options
}: TokenVerifierOptions): TokenVerifier {
  const secretKey = secret === undefined ? undefined : importSecret(secret);

  const signed: SignatureCheck = async (token, options) => {
    const { alg, kid, typ } = decodeProtectedHeader(token);
    if (isAccessToken(typ)) throw invalid('The token is one for agents, which this is not for.', 'claims');
    if (alg === 'HS256' && secretKey !== undefined) {
      const { payload } = await jwtVerify(token, await secretKey, { ...options, algorithms: ['HS256'] });
      // With the secret, issuer and audience are optional, but must not be wrong.
      if (issuers.length > 0) {
        if (payload.iss !== undefined) assertOneOf(issuers, payload.iss, 'iss');
        if (payload.aud !== undefined) assertOneOf(audiences, payload.aud, 'aud');
      }
      return payload;
    }
    if (alg !== undefined && ASYMMETRIC_ALGORITHMS.includes(alg) && keys !== undefined) {
      return signedByKey(token, kid, keys, options, { issuers, audiences });
    }
    throw notAccepted();
  };

  const verify = rememberingVerifier(signed, { ...options, keys }, ({ sub }) => sub);
  return { verify, expiresAt: (token) => Number(decodeJwt(token).exp) * 1000 };
}

/** Which access tokens are accepted. */
export interface AccessTokenVerifierOptions
  extends Pick<TokenVerifierOptions, 'clockTolerance' | 'maxLifetime' | 'now'> {
  readonly keys: KeySet;
  /** What `iss` has to be: the authorization server. */
  readonly issuer: string;
  /** What `aud` has to have: this resource (RFC 8707). */
  readonly resource: string;
}

const AccessClaimsSchema = v.object({
  client_id: v.pipe(
    v.string(),
    v.nonEmpty(),
    v.maxLength(255),
    v.check((id) => textProblem('client_id', id) === undefined),
  ),
  scope: v.optional(v.string(), ''),
});

/**
 * Verifies access tokens (RFC 9068) that an authorization server has issued to an agent, for this resource and on behalf
 * of a user. A token that a client has got for itself is refused: it has no user.
 */
export function accessTokenVerifier({
  keys,
  issuer,
  resource,
  ...options
}: AccessTokenVerifierOptions): AccessTokenVerifier {
  const signed: SignatureCheck = async (token, options) => {
    const { alg, kid, typ } = decodeProtectedHeader(token);
    if (!isAccessToken(typ)) throw invalid('The token is not an access token for agents (typ at+jwt).', 'claims');
    if (alg === undefined || !ASYMMETRIC_ALGORITHMS.includes(alg)) throw notAccepted();
    return signedByKey(token, kid, keys, options, { issuers: [issuer], audiences: [resource] });
  };

  const verify = rememberingVerifier(signed, { ...options, keys }, ({ sub }, payload): AgentAccess => {
    const claims = v.safeParse(AccessClaimsSchema, payload);
    if (!claims.success) throw invalid('The token does not name the client that it was issued to.', 'claims');
    const { client_id: agentId, scope } = claims.output;
    // RFC 9068, section 2.2: without a user, `sub` is the client.
    if (sub === agentId) throw invalid('The token was issued to a client, not to a user.', 'claims');
    return { userId: sub, agentId, scopes: scope.split(' ').filter((one) => one !== '') };
  });
  return { verify };
}

/** Media types of access tokens (RFC 9068, section 4). */
function isAccessToken(typ: unknown): boolean {
  return typeof typ === 'string' && /^(?:application\/)?at\+jwt$/i.test(typ);
}

/** Verifies a signature, and whom the token is from and for. */
type SignatureCheck = (token: string, options: JWTVerifyOptions) => Promise<JWTPayload>;

async function signedByKey(
  token: string,
  kid: unknown,
  keys: KeySet,
  options: JWTVerifyOptions,
  { issuers, audiences }: { readonly issuers: readonly string[]; readonly audiences: readonly string[] },
): Promise<JWTPayload> {
  if (typeof kid !== 'string') throw invalid('The token does not name its key (kid).', 'unknown_key');
  const { payload } = await jwtVerify(token, keys, { ...options, algorithms: ASYMMETRIC_ALGORITHMS });
  assertOneOf(issuers, payload.iss, 'iss');
  assertOneOf(audiences, payload.aud, 'aud');
  return payload;
}

/**
 * Verifies tokens, and remembers them: verifying a signature takes longer than the rest of a small request.
 *
 * @param read what a token says, once its signature and its times are verified
 */
function rememberingVerifier<Meaning>(
  signed: SignatureCheck,
  {
    keys,
    clockTolerance = CLOCK_TOLERANCE,
    maxLifetime = DAY,
    now = Date.now,
  }: Pick<TokenVerifierOptions, 'keys' | 'clockTolerance' | 'maxLifetime' | 'now'>,
  read: (claims: v.InferOutput<typeof ClaimsSchema>, payload: JWTPayload) => Meaning,
): (token: string) => Promise<Meaning> {
  const remembered = new LRUCache<string, { meaning: Meaning; until: number; generation: unknown }>({
    max: REMEMBERED_TOKENS,
  });

  return async (token) => {
    if (token.length > MAX_TOKEN_LENGTH) {
      throw invalid(
        `The token is too long: it has ${token.length} characters, and may have ${MAX_TOKEN_LENGTH}. ` +
          "Put less into it, with definePayload of Better Auth's jwt() plugin.",
        'malformed',
      );
    }
    const name = hash('sha256', token, 'base64');
    const known = remembered.get(name);
    const time = now();
    const generation = keys?.generation();
    if (known !== undefined && time < known.until && known.generation === generation) return known.meaning;

    assertWellFormed(token);
    const options = { requiredClaims: ['exp', 'sub'], clockTolerance, currentDate: new Date(time) };
    const payload = await signed(token, options).catch((error) => rethrow(error, time));
    const claims = v.safeParse(ClaimsSchema, payload);
    if (!claims.success) throw invalid('The token does not name a user, or its times are not valid.', 'claims');
    const { exp, iat } = claims.output;
    const seconds = Math.floor(time / 1000);
    if (iat !== undefined && iat > seconds + clockTolerance) {
      const evidence = `iat ${iat} is after the time of this server, ${seconds}: AUTH_CLOCK_TOLERANCE_S is ${clockTolerance}`;
      throw invalid('The token was issued in the future.', 'claims', { evidence });
    }
    if (exp - Math.min(iat ?? seconds, seconds) > maxLifetime + clockTolerance) {
      const evidence = `exp ${exp} is more than ${maxLifetime} s (TOKEN_MAX_LIFETIME_S) after iat ${iat ?? 'none'}`;
      throw invalid('The token is good for longer than is accepted here.', 'claims', { evidence });
    }
    const meaning = read(claims.output, payload);
    remembered.set(name, { meaning, until: exp * 1000, generation });
    return meaning;
  };
}

function notAccepted(): UnauthenticatedError {
  return invalid('The token is signed in a way that is not accepted here.', 'algorithm');
}

/** Requires three parts in canonical base64url, so that each token has one spelling. */
function assertWellFormed(token: string): void {
  const parts = token.split('.');
  const canonical = parts.every((part) => part !== '' && Buffer.from(part, 'base64url').toString('base64url') === part);
  if (parts.length !== 3 || !canonical) throw notAToken();
}

function notAToken(): UnauthenticatedError {
  return invalid('This is not a JSON Web Token.', 'malformed');
}

function assertOneOf(accepted: readonly string[], claim: unknown, name: 'iss' | 'aud'): void {
  // Only an audience can be a list (RFC 7519, section 4.1).
  const values = name === 'aud' && Array.isArray(claim) ? claim : [claim];
  if (!values.some((value) => accepted.includes(value))) {
    const evidence = `${name} is ${shown(claim)}, and should be ${accepted.map((one) => JSON.stringify(one)).join(' or ')}`;
    throw invalid(`The token is meant for somebody else (${name}).`, 'claims', { evidence });
  }
}

/** A claim as the log shows it, truncated. */
function shown(claim: unknown): string {
  return claim === undefined ? 'missing' : JSON.stringify(claim).slice(0, 200);
}

function rethrow(error: unknown, time: number): never {
  if (error instanceof UnauthenticatedError || error instanceof UnavailableError) throw error;
  if (error instanceof errors.JWTExpired)
    throw invalid('The token has expired. Please sign in again.', 'expired', {
      cause: error,
      evidence: `exp is ${shown(error.payload.exp)}, and the time of this server ${Math.floor(time / 1000)}`,
    });
  if (error instanceof errors.JWTClaimValidationFailed) {
    throw invalid(`The token is not valid here (${error.claim}).`, 'claims', {
      cause: error,
      evidence: `${error.claim} is ${shown(error.payload[error.claim])}, and the time of this server ${Math.floor(time / 1000)}`,
    });
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    throw invalid("The token's signature is not valid.", 'signature', { cause: error });
  }
  // Anything else is a malformed token, or one that does not fit its key.
  if (error instanceof errors.JOSEError || error instanceof TypeError || error instanceof DOMException) {
    throw invalid('The token is not valid.', 'malformed', { cause: error });
  }
  throw error;
}

function invalid(
  message: string,
  reason: UnauthenticatedError['reason'],
  options?: ConstructorParameters<typeof UnauthenticatedError>[2],
): UnauthenticatedError {
  return new UnauthenticatedError(message, reason, options);
}

async function importSecret(secret: string): Promise<CryptoKey> {
  const bytes = new TextEncoder().encode(secret);
  return crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
}
