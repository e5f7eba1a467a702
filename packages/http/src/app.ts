import { TodoError } from '@todo-backend/domain';
import Koa, { type Context } from 'koa';
import type { Proxies } from './middleware/address.js';
import { crossOrigin } from './middleware/cors.js';
import { LiveStreams } from './middleware/live-streams.js';
import { noSuchRoute } from './middleware/no-such-route.js';
import { problemDetails } from './middleware/problem-details.js';
import type { RateLimits } from './middleware/rate-limit.js';
import { type RequestLogOptions, requestId, requestLog } from './middleware/request-log.js';
import { securityHeaders } from './middleware/security-headers.js';
import { unambiguousHeaders } from './middleware/unambiguous-headers.js';
import { onlyTheUser } from './middleware/user.js';
import { wellFormedTarget } from './middleware/well-formed-target.js';
import { routes } from './routes/index.js';
import { type McpOptions, mcpRouter } from './routes/mcp.js';
import type { RouteParts } from './routes/route.js';
import { routers } from './routes/router.js';

/** The dependencies and settings of the HTTP host. */
export interface AppOptions extends RequestLogOptions, Proxies, Omit<RouteParts, 'document' | 'streams'> {
  /** The streams of changes that are open. Default: some that end with their clients. */
  readonly streams?: LiveStreams | undefined;
  readonly limits: RateLimits;
  /** The origins whose pages may call the API, exactly as browsers send them. */
  readonly corsOrigins: readonly string[];
  /** Request headers besides those of the API that pages may send. */
  readonly corsHeaders?: readonly string[] | undefined;
  /** The tools for agents; there are none when left out. */
  readonly mcp?: Pick<McpOptions, 'resource' | 'metadataUrl' | 'issuer' | 'tokens' | 'perUser'> | undefined;
  /** The value of `Strict-Transport-Security`; the header is not sent when left out. */
  readonly transportSecurity?: string | undefined;
}

/** The HTTP host: a Koa app over the use cases. Opens no port and no database. */
export function createApp(options: AppOptions): Koa {
  const { logger, tokens, limits, version, mcp, corsOrigins, streams = new LiveStreams() } = options;
  const document = async () => (await import('./openapi/document.js')).openApiDocument(version);
  const app = new Koa();
  app.use(requestId());
  app.use(requestLog(options));
  app.use(securityHeaders(options.transportSecurity));
  app.use(crossOrigin(corsOrigins, options.corsHeaders));
  app.use(problemDetails(logger, options.publicPath));
  app.use(unambiguousHeaders);
  app.use(wellFormedTarget);
  for (const router of routers(routes, { ...options, streams, document }, onlyTheUser(tokens, limits, options)))
    app.use(router.routes());
  if (mcp !== undefined) {
    const { failuresPerAddress } = limits;
    app.use(mcpRouter({ ...options, ...mcp, failuresPerAddress, origins: corsOrigins }).routes());
  }
  app.use(noSuchRoute);
  // A client that disconnects or sends an incomplete request is not a server error.
  app.on('error', (error, ctx?: Context) => {
    const isOurs = error instanceof TodoError || (ctx?.req.complete && !ctx.req.socket.destroyed);
    const level = isOurs ? 'error' : 'debug';
    logger[level]({ err: error }, 'could not answer');
  });
  return app;
}
