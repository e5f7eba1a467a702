import cors from '@koa/cors';
import type { Middleware } from 'koa';

/** The request headers that the API reads. */
const OWN_HEADERS = ['Authorization', 'Content-Type', 'X-Request-Id', 'If-Match', 'If-None-Match', 'Idempotency-Key'];

/** Request headers that are named only to pages that ask for them. */
const OTHER_HEADERS = ['Last-Event-ID', 'MCP-Protocol-Version', 'Mcp-Method', 'Mcp-Name'];

/** What tracing in browsers adds to requests: W3C Trace Context and Baggage, and the headers of common tools. */
const TRACE_HEADERS = [
  'traceparent',
  'tracestate',
  'baggage',
  'b3',
  'x-b3-traceid',
  'x-b3-spanid',
  'x-b3-parentspanid',
  'x-b3-sampled',
  'x-b3-flags',
  'sentry-trace',
  'x-datadog-trace-id',
  'x-datadog-parent-id',
  'x-datadog-origin',
  'x-datadog-sampling-priority',
  'x-datadog-tags',
  'newrelic',
  'elastic-apm-traceparent',
  'uber-trace-id',
  'x-cloud-trace-context',
  'x-amzn-trace-id',
  'request-id',
  'request-context',
  'x-requested-with',
];

const ALLOW_HEADERS = 'Access-Control-Allow-Headers';

/**
 * CORS for these origins, of which `*` stands for one label. Wraps the error handling, because browsers hide errors without
 * these headers.
 *
 * @param headers request headers that pages may send besides those of the API and of tracing
 */
export function crossOrigin(origins: readonly string[], headers: readonly string[] = []): Middleware {
  const isAllowed = originMatcher(origins);
  const more = new Set([...OTHER_HEADERS, ...TRACE_HEADERS, ...headers].map((name) => name.toLowerCase()));
  const answerPage = cors({
    origin: (ctx) => (isAllowed(ctx.get('Origin')) ? ctx.get('Origin') : ''),
    credentials: true,
    allowMethods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowHeaders: OWN_HEADERS,
    exposeHeaders: [
      'Location',
      'Link',
      'ETag',
      'Journal-Position',
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
  return async (ctx, next) => {
    if (ctx.headers.origin !== undefined) {
      await answerPage(ctx, next);
      if (!ctx.res.hasHeader(ALLOW_HEADERS)) return;
      // Of so many possible headers, only those that are asked for are named.
      const asked = ctx
        .get('Access-Control-Request-Headers')
        .toLowerCase()
        .split(/[\s,]+/);
      ctx.set(ALLOW_HEADERS, [...OWN_HEADERS, ...asked.filter((name) => more.has(name))].join());
      return;
    }
    // Even without an `Origin`, caches must know that the response depends on it.
    ctx.set('Vary', 'Origin');
    await next();
  };
}

/** Whether an origin is one of these, of which `*` stands for one label. */
export function originMatcher(origins: readonly string[]): (origin: string) => boolean {
  const exact = new Set(origins.filter((origin) => !origin.includes('*')));
  const wildcards = origins
    .filter((origin) => origin.includes('*'))
    .map((origin) => {
      const [start = '', end = ''] = origin.split('*');
      return { start, end };
    });
  return (origin) =>
    exact.has(origin) ||
    wildcards.some(
      ({ start, end }) =>
        origin.startsWith(start) && origin.endsWith(end) && isLabel(origin.slice(start.length, -end.length)),
    );
}

function isLabel(text: string): boolean {
  return text.length <= 63 && /^[\da-z-]+$/.test(text);
}
