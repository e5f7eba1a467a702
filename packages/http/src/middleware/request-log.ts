import { randomUUID } from 'node:crypto';
import type { Context, Middleware } from 'koa';
import type { Logger } from 'pino';
import type { Refusal } from './authenticate.js';

/** A request that was answered. Nothing in it is a text that a user wrote. */
export interface AnsweredRequest {
  readonly method: string;
  /** The template of its address, such as `/api/:user_id/tasks`; `undefined` where there is nothing at that address. */
  readonly route: string | undefined;
  readonly status: number;
  readonly seconds: number;
  /** Why the caller was not let in, where that is what happened. */
  readonly refusal: Refusal | undefined;
}

/** What is told of each request, and to whom. */
export interface RequestLogOptions {
  readonly logger: Logger;
  /** Hears of every request once it is answered. */
  readonly onAnswer?: ((request: AnsweredRequest) => void) | undefined;
  /** The id of the trace that is being recorded, where one is. */
  readonly activeTraceId?: (() => string | undefined) | undefined;
}

/** Takes a well-formed `X-Request-Id` over and makes one otherwise. */
export function requestId(): Middleware {
  return (ctx, next) => {
    const given = ctx.get('X-Request-Id');
    ctx.state.requestId = /^[\w.-]{1,128}$/.test(given) ? given : randomUUID();
    ctx.set('X-Request-Id', ctx.state.requestId);
    return next();
  };
}

/** One line for each request, with nothing in it that a user wrote. */
export function requestLog({ logger, onAnswer, activeTraceId }: RequestLogOptions): Middleware {
  return async (ctx, next) => {
    const start = performance.now();
    ctx.state.traceId = activeTraceId?.() ?? traceIdOf(ctx.get('traceparent'));
    await next();
    const milliseconds = performance.now() - start;
    const { method, status } = ctx;
    const { requestId, traceId, userId, refusal, evidence } = ctx.state;
    const route = routeOf(ctx);
    logger.info(
      {
        method,
        route: route ?? null,
        status,
        milliseconds: Math.round(milliseconds * 10) / 10,
        requestId,
        traceId,
        userId,
        reason: refusal,
        evidence,
      },
      'request',
    );
    onAnswer?.({ method, route, status, seconds: milliseconds / 1000, refusal });
  };
}

/**
 * The template of the address that was asked for. Not the router's own word for it, `_matchedRoute`: where a request ends
 * early, that is the pattern of the middleware which ended it.
 */
export function routeOf(ctx: Context): string | undefined {
  const layers: { methods: string[]; path: string }[] = ctx.matched ?? [];
  const routes = layers.filter(({ methods }) => methods.length > 0);
  // The first is the one that answers: none hands on to the next.
  return (routes.find(({ methods }) => methods.includes(ctx.method)) ?? routes[0])?.path;
}

/**
 * The trace id of a `traceparent` header (W3C Trace Context), if the header is well-formed. Of a later version, what
 * version 00 knows is read, and more may follow.
 */
function traceIdOf(header: string): string | undefined {
  const [, version, traceId, more] =
    /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-[\da-f]{2}(-.*)?$/.exec(header) ?? [];
  return version === '00' && more !== undefined ? undefined : traceId;
}
