import type { RouterContext } from '@koa/router';
import {
  type AuthenticationFailure,
  type TokenVerifier,
  UnauthenticatedError,
  UserUnknownError,
} from '@todo-backend/application';
import type { UserId } from '@todo-backend/domain';
import { RequestError } from './request-error.js';

/** Why a caller was refused: for logs and counters, not for the caller. */
export type Refusal = AuthenticationFailure | 'forbidden' | 'user_unknown';

/** Verifies the bearer token (RFC 6750) of a request, and returns its user. */
export async function authenticate(ctx: RouterContext, tokens: TokenVerifier): Promise<UserId> {
  return tokens.verify(bearerToken(ctx.req.headersDistinct.authorization));
}

/** When the token of a request that was let in expires, in milliseconds since 1970. */
export function expiryOf(ctx: RouterContext, tokens: TokenVerifier): number {
  return tokens.expiresAt(bearerToken(ctx.req.headersDistinct.authorization));
}

/** The bearer token (RFC 6750) of an `Authorization` header. */
export function bearerToken([header = '', ...more]: readonly string[] = []): string {
  // Another scheme counts as a missing token, not as an invalid one (RFC 6750, section 3.1).
  if (more.length === 0 && !/^Bearer(?![\w-])/i.test(header)) {
    throw new UnauthenticatedError('Please sign in: the request has no bearer token.', 'missing');
  }
  const [, token] = /^Bearer +(\S+)$/i.exec(header) ?? [];
  if (token === undefined || more.length > 0) {
    throw new UnauthenticatedError('There must be one Authorization header, with "Bearer" and a token.', 'malformed');
  }
  return token;
}

/** The refusal that `error` stands for, if any. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof UnauthenticatedError) return error.reason;
  if (error instanceof RequestError && error.code === 'FORBIDDEN') return 'forbidden';
  return error instanceof UserUnknownError ? 'user_unknown' : undefined;
}
