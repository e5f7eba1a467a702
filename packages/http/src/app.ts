import type { IncomingMessage, ServerResponse } from 'node:http';
import cors from '@koa/cors';
import Router from '@koa/router';
import type { Clock, ReadinessProbe, TaskUseCases, TokenVerifier } from '@todo-backend/application';
import helmet from 'helmet';
import Koa, { type Context, type Middleware } from 'koa';
import { docsRoutes } from './docs-routes.js';
import { problemDetails, RequestError } from './problem-details.js';
import type { RateLimits } from './rate-limit.js';
import { type RequestLogOptions, requestId, requestLog } from './request-log.js';
import { taskRoutes } from './task-routes.js';

/** What the HTTP host needs from outside. */
export interface AppOptions extends RequestLogOptions {
  readonly tasks: TaskUseCases;
  readonly tokens: TokenVerifier;
  readonly readiness: ReadinessProbe;
  readonly clock: Clock;
  /** The origins whose pages may call the API, exactly as browsers send them. */
  readonly corsOrigins: readonly string[];
  readonly version: string;
  readonly limits: RateLimits;
  /** How many proxies stand in front, each of which adds the address that it sees to `X-Forwarded-For`. */
  readonly trustedProxies: number;
}

/** The HTTP host: Koa over the use cases. Opens no port and touches no database of its own. */
export function createApp(options: AppOptions): Koa {
  const app = new Koa({ proxy: options.trustedProxies > 0, maxIpsCount: options.trustedProxies });
  app.use(requestId());
  app.use(requestLog(options));
  app.use(commonHeaders);
  app.use(crossOrigin(options.corsOrigins));
  app.use(problemDetails(options.logger));
  app.use(unambiguousHeaders);
  app.use(wellFormedTarget);
  // What is asked for most comes first.
  for (const router of [
    taskRoutes(options.tasks, options.tokens, options.limits),
    systemRoutes(options),
    docsRoutes(options.version),
  ]) {
    app.use(router.routes());
  }
  app.use(noSuchRoute);
  // A client that went away, or never sent what it promised, is not the server's error.
  app.on('error', (error, ctx?: Context) => {
    options.logger[ctx?.req.socket.destroyed || !ctx?.req.complete ? 'debug' : 'error'](
      { err: error },
      'could not answer',
    );
  });
  return app;
}

function systemRoutes({ version, readiness, clock }: AppOptions): Router {
  const router = new Router({ sensitive: true, strict: true });

  router.get('/', (ctx) => {
    ctx.body = {
      name: 'todo-backend',
      version,
      links: {
        health: '/health',
        ready: '/ready',
        tasks: '/api/{user_id}/tasks',
        docs: '/docs',
        openapi: '/openapi.json',
      },
    };
  });

  router.get('/health', (ctx) => {
    ctx.body = { status: 'healthy', timestamp: clock() };
  });

  router.get('/ready', async (ctx) => {
    const { rowSecurity } = await readiness.check();
    ctx.body = { status: 'ready', timestamp: clock(), rowSecurity };
  });

  return router;
}

/**
 * What suits an API: what is only for pages, or for browsers long gone, would be sent with every answer for nothing. It
 * is the same for every answer, so helmet is asked once.
 */
const SECURITY_HEADERS = headersOf(
  helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"] },
    },
    xFrameOptions: { action: 'deny' },
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
    xDnsPrefetchControl: false,
    xDownloadOptions: false,
    xPermittedCrossDomainPolicies: false,
    xPoweredBy: false,
    xXssProtection: false,
  }),
);

function headersOf(setHeaders: ReturnType<typeof helmet>): [name: string, value: string][] {
  const headers: [string, string][] = [];
  const response = { setHeader: (...header: [string, string]) => headers.push(header) };
  setHeaders({} as IncomingMessage, response as unknown as ServerResponse, (error) => {
    if (error) throw error;
  });
  return headers;
}

/** Also, that answers are one user's own: nothing between may keep them. */
const commonHeaders: Middleware = (ctx, next) => {
  for (const [name, value] of SECURITY_HEADERS) ctx.res.setHeader(name, value);
  ctx.res.setHeader('Cache-Control', 'private, no-cache');
  return next();
};

/** Outside of the error handling, so that errors carry these headers too: without them a browser hides the message. */
function crossOrigin(origins: readonly string[]): Middleware {
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
    // All that there is to say where no page of another origin asks.
    ctx.set('Vary', 'Origin');
    return next();
  };
}

/** Of a header that may come only once Node takes the first; a proxy in front may have taken another. */
const unambiguousHeaders: Middleware = (ctx, next) => {
  const { httpVersion, headersDistinct } = ctx.req;
  const { host, 'content-type': types, 'transfer-encoding': codings = [] } = headersDistinct;
  if (!['1.0', '1.1'].includes(httpVersion)) {
    throw new RequestError('MALFORMED_REQUEST', 'The request must be one of HTTP/1.1.');
  }
  if (host === undefined ? httpVersion === '1.1' : !isHost(host)) {
    throw new RequestError('MALFORMED_REQUEST', 'The request must have one Host header, a well-formed one.');
  }
  if (types !== undefined && types.length > 1) {
    throw new RequestError('MALFORMED_REQUEST', 'The request must not have two Content-Type headers.');
  }
  if (codings.some((coding) => coding.toLowerCase() !== 'chunked' || httpVersion !== '1.1')) {
    throw new RequestError('MALFORMED_REQUEST', 'The only Transfer-Encoding is chunked, in HTTP/1.1.');
  }
  return next();
};

function isHost([host, ...more]: readonly string[]): boolean {
  return more.length === 0 && /^(?:[\w.~!$&'()*+,;=%-]*|\[[\da-f:.]+\])(?::\d*)?$/i.test(host ?? '');
}

/** The longest address, in characters. */
const MAX_TARGET_LENGTH = 8 * 1024;

/** The router passes over what it cannot decode, and the query parser alters it. */
const wellFormedTarget: Middleware = (ctx, next) => {
  if (ctx.url.length > MAX_TARGET_LENGTH) {
    throw new RequestError('MALFORMED_REQUEST', `The address must not be longer than ${MAX_TARGET_LENGTH} characters.`);
  }
  // In origin form, and with nothing to decode: what nearly all are.
  if (ctx.url.startsWith('/') && !ctx.url.includes('%')) return next();
  try {
    decodeURIComponent(ctx.path);
    decodeURIComponent(ctx.querystring);
  } catch (cause) {
    throw new RequestError('MALFORMED_REQUEST', 'The address is not correctly percent-encoded UTF-8.', { cause });
  }
  return next();
};

const noSuchRoute: Middleware = (ctx) => {
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
