import type { RouterMiddleware } from '@koa/router';
import { ForbiddenError, type TokenVerifier, UnauthenticatedError } from '@todo-backend/application';

/** Lets a request pass whose bearer token (RFC 6750) was issued to the user of its path; both checks, in this order. */
export function authenticate(tokens: TokenVerifier): RouterMiddleware {
  return async (ctx, next) => {
    const userId = await tokens.verify(bearerToken(ctx.get('Authorization')));
    if (ctx.params.user_id !== userId) throw new ForbiddenError();
    ctx.state.userId = userId;
    await next();
  };
}

function bearerToken(header: string): string {
  if (header === '') throw new UnauthenticatedError('Please sign in: the request has no token.', 'missing');
  const [, token] = /^Bearer +(\S+)$/i.exec(header) ?? [];
  if (token === undefined) {
    throw new UnauthenticatedError('The Authorization header must be "Bearer" and a token.', 'malformed');
  }
  return token;
}
