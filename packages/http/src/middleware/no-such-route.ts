import type { Middleware } from 'koa';
import { RequestError } from './request-error.js';

/** Handles requests that no route has handled: 404, 405 with `Allow`, or `OPTIONS`. */
export const noSuchRoute: Middleware = (ctx) => {
  const layers: { methods: string[] }[] = ctx.matched ?? [];
  const methods = new Set(layers.flatMap((layer) => layer.methods));
  if (methods.size === 0) throw new RequestError('ROUTE_NOT_FOUND', 'There is nothing at this address.');
  ctx.set('Allow', [...methods, 'OPTIONS'].join(', '));
  if (ctx.method === 'OPTIONS') {
    ctx.status = 204;
    return;
  }
  throw new RequestError('METHOD_NOT_ALLOWED', `This address does not support ${ctx.method}.`);
};
