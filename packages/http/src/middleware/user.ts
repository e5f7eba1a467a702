import type { RouterContext } from '@koa/router';
import type { TokenVerifier } from '@todo-backend/application';
import type { Proxies } from './address.js';
import { authenticate } from './authenticate.js';
import { limitFailures, limitUser, type RateLimits } from './rate-limit.js';
import { RequestError } from './request-error.js';

/** The message for requests to the path of another user. */
export const FORBIDDEN_DETAIL = "You can only use your own tasks: the user in the path is not the token's user.";

/**
 * Lets the user in whose token it is, if the path is theirs: limits failures, authenticates, limits requests, compares, in
 * this order: every request of a user counts, whatever becomes of it. It is one step because the router looks at the address anew for each.
 */
export function onlyTheUser(tokens: TokenVerifier, limits: RateLimits, proxies: Proxies) {
  return async (ctx: RouterContext, next: () => Promise<unknown>) => {
    const userId = await limitFailures(ctx, limits.failuresPerAddress, proxies, () => authenticate(ctx, tokens));
    ctx.state.userId = userId;
    await limitUser(ctx, limits.perUser, userId);
    if (ctx.params.user_id !== userId) throw new RequestError('FORBIDDEN', FORBIDDEN_DETAIL);
    assertListening(ctx);
    return next();
  };
}

/** @throws RequestError where the client has left: nobody would hear of what is done for it */
export function assertListening(ctx: Pick<RouterContext, 'req'>): void {
  if (ctx.req.socket.destroyed) throw new RequestError('MALFORMED_REQUEST', 'The client has left.');
}
