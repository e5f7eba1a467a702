import type { RouterMiddleware } from '@koa/router';
import { ForbiddenError, type TokenVerifier, UnauthenticatedError } from '@todo-backend/application';

/** Lets a request pass whose bearer token (RFC 6750) was issued to the user of its path; both checks, in this order. */
export function authenticate(tokens: TokenVerifier): RouterMiddleware {
  return async (ctx, next) => {
    const userId = await tokens.verify(bearerToken(ctx.req.headersDistinct.authorization));
    if (ctx.params.user_id !== userId) throw new ForbiddenError();
    ctx.state.userId = userId;
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
