import type { Middleware } from 'koa';

/**
 * The headers of helmet 8 that matter for an API, without those for pages or obsolete browsers. Responses belong to one
 * user, so shared caches must not store them.
 */
const HEADERS = Object.entries({
  'Content-Security-Policy': "default-src 'none';frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Cache-Control': 'private, no-cache',
});

/** Sets the headers of every response. `Strict-Transport-Security` is a promise for a whole domain, which only its owner can make. */
export function securityHeaders(transportSecurity?: string): Middleware {
  const headers: [string, string][] =
    transportSecurity === undefined ? HEADERS : [...HEADERS, ['Strict-Transport-Security', transportSecurity]];
  return (ctx, next) => {
    for (const [name, value] of headers) ctx.res.setHeader(name, value);
    return next();
  };
}
