import cors from '@koa/cors';
import type { Middleware } from 'koa';

/** Lets the pages of these origins call the API. Goes outside of the error handling: without these headers a browser hides the message of an error. */
export function crossOrigin(origins: readonly string[]): Middleware {
  const answerPage = cors({
    origin: (ctx) => (origins.includes(ctx.get('Origin')) ? ctx.get('Origin') : ''),
    credentials: true,
    allowMethods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowHeaders: ['Authorization', 'Content-Type', 'X-Request-Id', 'If-Match', 'If-None-Match', 'Idempotency-Key'],
    exposeHeaders: [
      'Location',
      'Link',
      'ETag',
      'Content-Disposition',
      'X-Request-Id',
      'Retry-After',
      'RateLimit',
      'RateLimit-Policy',
      'WWW-Authenticate',
      'Allow',
    ],
    maxAge: 600,
  });
  return (ctx, next) => {
    if (ctx.headers.origin !== undefined) return answerPage(ctx, next);
    // No page asks: caches still have to know that the answer depends on the origin.
    ctx.set('Vary', 'Origin');
    return next();
  };
}
