import type { Context, Middleware } from 'koa';
import { RequestError } from './request-error.js';

/** Handles requests that no route has handled: 404, 405 with `Allow`, or `OPTIONS`. */
export const noSuchRoute: Middleware = (ctx) => {
  // The server as a whole (RFC 9110, section 9.3.7).
  if (ctx.method === 'OPTIONS' && ctx.url === '*') return refuseMethod(ctx, ALL_METHODS);
  const layers: { methods: string[] }[] = ctx.matched ?? [];
  const methods = new Set(layers.flatMap((layer) => layer.methods));
  if (methods.size === 0) throw new RequestError('ROUTE_NOT_FOUND', 'There is nothing at this address.');
  return refuseMethod(ctx, methods);
};

const ALL_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** Says which methods an address has: as an answer to `OPTIONS`, or with the error 405. */
export function refuseMethod(ctx: Context, methods: Iterable<string>): void {
  const allowed = new Set(methods);
  if (allowed.has('GET')) allowed.add('HEAD');
  ctx.set('Allow', [...allowed, 'OPTIONS'].join(', '));
  if (ctx.method !== 'OPTIONS') {
    throw new RequestError('METHOD_NOT_ALLOWED', `This address does not support ${ctx.method}.`);
  }
  ctx.status = 204;
}
