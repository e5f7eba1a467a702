import type { Middleware } from 'koa';

/**
 * The headers of helmet 8 that matter for an API; those that are for pages only, or for browsers long gone, would be sent
 * with every answer for nothing. Answers are one user's own, so no cache between may keep them.
 */
const HEADERS = Object.entries({
  'Content-Security-Policy': "default-src 'none';frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Cache-Control': 'private, no-cache',
});

/** Sets the headers that every answer has. */
export const securityHeaders: Middleware = (ctx, next) => {
  for (const [name, value] of HEADERS) ctx.res.setHeader(name, value);
  return next();
};
