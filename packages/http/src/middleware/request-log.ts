import { randomUUID } from 'node:crypto';
import type { Context, Middleware } from 'koa';
import type { Logger } from 'pino';
import type { Refusal } from './authenticate.js';

/** A completed request. Contains no text from a user. */
export interface AnsweredRequest {
  readonly method: string;
  /** The route template, such as `/api/:user_id/tasks`; `undefined` when no route matches. */
  readonly route: string | undefined;
  readonly status: number;
  readonly seconds: number;
  /** Why the caller was refused, if so. */
  readonly refusal: Refusal | undefined;
}

/** Options of {@link requestLog}. */
export interface RequestLogOptions {
  readonly logger: Logger;
  /** Called for every completed request. */
  readonly onAnswer?: ((request: AnsweredRequest) => void) | undefined;
  /** The id of the trace being recorded, if any. */
  readonly activeTraceId?: (() => string | undefined) | undefined;
}

/** Accepts a well-formed `X-Request-Id`, and generates one otherwise. */
export function requestId(): Middleware {
  return (ctx, next) => {
    const given = ctx.get('X-Request-Id');
    ctx.state.requestId = /^[\w.-]{1,128}$/.test(given) ? given : randomUUID();
    ctx.set('X-Request-Id', ctx.state.requestId);
    return next();
  };
}

/** Routes that machines call all the time. */
const PROBES = new Set(['/health', '/ready']);

/** Logs one line per request, without any text from a user: at the level `debug` for probes. */
export function requestLog({ logger, onAnswer, activeTraceId }: RequestLogOptions): Middleware {
  return async (ctx, next) => {
    const start = performance.now();
    ctx.state.traceId = activeTraceId?.() ?? traceIdOf(ctx.get('traceparent'));
    await next();
    const milliseconds = performance.now() - start;
    const { method, status } = ctx;
    const { requestId, traceId, userId, agent, refusal, evidence } = ctx.state;
    const route = routeOf(ctx);
    logger[route !== undefined && PROBES.has(route) ? 'debug' : 'info'](
      {
        method,
        route: route ?? null,
        status,
        milliseconds: Math.round(milliseconds * 10) / 10,
        requestId,
        traceId,
        userId,
        agentId: agent?.agentId,
        reason: refusal,
        evidence,
      },
      'request',
    );
    onAnswer?.({ method, route, status, seconds: milliseconds / 1000, refusal });
  };
}

/**
 * The route template of a request. Not the router's `_matchedRoute`, which is the pattern of a middleware when that
 * ends the request early.
 */
export function routeOf(ctx: Context): string | undefined {
  const layers: { methods: string[]; path: string }[] = ctx.matched ?? [];
  const routes = layers.filter(({ methods }) => methods.length > 0);
  // The first match handles the request: no route calls the next one.
  return (routes.find(({ methods }) => methods.includes(ctx.method)) ?? routes[0])?.path;
}

/**
 * The trace id of a `traceparent` header (W3C Trace Context), if it is well-formed. Later versions may have more fields
 * after those of version 00.
 */
function traceIdOf(header: string): string | undefined {
  const [, version, traceId, more] =
    /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-[\da-f]{2}(-.*)?$/.exec(header) ?? [];
  return version === '00' && more !== undefined ? undefined : traceId;
}
