import cors from '@koa/cors';
import type { Middleware } from 'koa';

/** CORS for these origins. Wraps the error handling, because browsers hide errors without these headers. */
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
    // Even without an `Origin`, caches must know that the response depends on it.
    ctx.set('Vary', 'Origin');
    return next();
  };
}
