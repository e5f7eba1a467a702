import type { RouterMiddleware } from '@koa/router';
import {
  type AuthenticationFailure,
  ForbiddenError,
  type TokenVerifier,
  UnauthenticatedError,
  UserUnknownError,
} from '@todo-backend/application';

/** Why a caller was not let in: for logs and counters, not for the caller. */
export type Refusal = AuthenticationFailure | 'forbidden' | 'user_unknown';

/** Lets a request pass whose bearer token (RFC 6750) was issued to the user of its path; both checks, in this order. */
export function authenticate(tokens: TokenVerifier): RouterMiddleware {
  return async (ctx, next) => {
    const userId = await tokens.verify(bearerToken(ctx.req.headersDistinct.authorization));
    ctx.state.userId = userId;
    if (ctx.params.user_id !== userId) throw new ForbiddenError();
    await next();
  };
}

function bearerToken([header = '', ...more]: readonly string[] = []): string {
  // Another scheme is no bearer token at all, rather than a bad one (RFC 6750, section 3.1).
  if (more.length === 0 && !/^Bearer(?![\w-])/i.test(header)) {
    throw new UnauthenticatedError('Please sign in: the request has no bearer token.', 'missing');
  }
  const [, token] = /^Bearer +(\S+)$/i.exec(header) ?? [];
  if (token === undefined || more.length > 0) {
    throw new UnauthenticatedError('There must be one Authorization header, with "Bearer" and a token.', 'malformed');
  }
  return token;
}

/** Why `error` keeps a caller out, if it does. */
export function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof UnauthenticatedError) return error.reason;
  if (error instanceof ForbiddenError) return 'forbidden';
  return error instanceof UserUnknownError ? 'user_unknown' : undefined;
}
