import { STATUS_CODES } from 'node:http';
import { type ApplicationError, UnauthenticatedError } from '@todo-backend/application';
import { type Problem, ProblemsError, TodoError } from '@todo-backend/domain';
import type { Context, Middleware } from 'koa';
import type { Logger } from 'pino';
import { refusalOf } from './authenticate.js';
import type { RequestError } from './request-error.js';

/** Every error that a client may get, and its status. A missing code is a type error. */
const STATUS_BY_CODE: Record<ApplicationError['code'] | RequestError['code'] | 'INTERNAL_ERROR', number> = {
  MALFORMED_REQUEST: 400,
  UNAUTHENTICATED: 401,
  USER_UNKNOWN: 401,
  FORBIDDEN: 403,
  TASK_NOT_FOUND: 404,
  EVENT_NOT_FOUND: 404,
  ROUTE_NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  REQUEST_TIMEOUT: 408,
  TASK_LIMIT_REACHED: 409,
  TASK_EXISTS: 409,
  CHANGED_SINCE: 409,
  RESYNC_REQUIRED: 410,
  TASK_CHANGED: 412,
  BODY_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  INVALID_INPUT: 422,
  IDEMPOTENCY_KEY_REUSED: 422,
  RATE_LIMITED: 429,
  HEADERS_TOO_LARGE: 431,
  INTERNAL_ERROR: 500,
  UNAVAILABLE: 503,
};

/** The code of an error that a client may get. */
export type ProblemCode = keyof typeof STATUS_BY_CODE;

/** All problem codes. */
export const PROBLEM_CODES = Object.keys(STATUS_BY_CODE) as ProblemCode[];

/** The HTTP status of `code`. */
export function statusOf(code: ProblemCode): number {
  return STATUS_BY_CODE[code];
}

interface Occurrence {
  readonly detail: string;
  /** The requested path, if it could be read. */
  readonly instance?: string;
  readonly requestId: string;
  readonly errors?: readonly Problem[];
}

/** Problem details (RFC 9457) of one occurrence of `code`. */
export function problemOf(code: ProblemCode, occurrence: Occurrence): object {
  return { type: problemType(code), title: STATUS_CODES[statusOf(code)], status: statusOf(code), ...occurrence };
}

/** The `type` of the problem details of `code`. */
export function problemType(code: ProblemCode): string {
  return `/problems/${code.toLowerCase().replaceAll('_', '-')}`;
}

/** Seconds after which a client may try again. */
const RETRY_AFTER = 1;

/** Headers of an answer that is not given after all. */
const HEADERS_OF_ANSWERS = ['ETag', 'Link', 'Location', 'Content-Disposition', 'Content-Encoding', 'Journal-Position'];

/**
 * Converts errors to problem details (RFC 9457), and logs those that matter to an operator.
 *
 * @param publicPath the path at which proxies show the server
 */
export function problemDetails(logger: Logger, publicPath = ''): Middleware {
  return async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      const code = codeOf(error);
      const status = statusOf(code);
      const { requestId, traceId } = ctx.state;
      ctx.state.refusal = refusalOf(error);
      ctx.state.evidence = error instanceof UnauthenticatedError ? error.evidence : undefined;
      if (status >= 500) logger.error({ err: error, requestId, traceId }, `answered ${status}`);
      for (const name of HEADERS_OF_ANSWERS) ctx.remove(name);
      setHeaders(ctx, code, error);
      ctx.status = status;
      ctx.type = 'application/problem+json';
      ctx.body = JSON.stringify(
        problemOf(code, {
          detail: code === 'INTERNAL_ERROR' ? INTERNAL_DETAIL : (error as Error).message,
          instance: publicPath + pathOf(ctx),
          requestId,
          ...(error instanceof ProblemsError && { errors: error.problems }),
        }),
      );
    }
  };
}

/** The message of an unexpected error. */
export const INTERNAL_DETAIL =
  'Something went wrong on our side. Please try again, and tell us the request id if it stays so.';

function codeOf(error: unknown): ProblemCode {
  return error instanceof TodoError && error.code in STATUS_BY_CODE ? (error.code as ProblemCode) : 'INTERNAL_ERROR';
}

function pathOf(ctx: Context): string {
  try {
    // A client may send characters that a URI reference (RFC 9457) cannot have, such as a bare percent sign.
    return ctx.path.replaceAll(/%(?![\da-f]{2})|[^\w.~!$&'()*+,;=:@%/-]/gi, encodeURIComponent);
  } catch {
    // An absolute target whose host cannot be parsed, as in `GET http://[/`.
    return '/';
  }
}

function setHeaders(ctx: Context, code: ProblemCode, error: unknown): void {
  if (code === 'UNAVAILABLE') ctx.set('Retry-After', String(RETRY_AFTER));
  // RFC 6750, section 3: no error code when there was no token.
  if (code === 'UNAUTHENTICATED' || code === 'USER_UNKNOWN') {
    const { message, reason } = error as TodoError & { reason?: string };
    const description = message.replaceAll(/["\\]/g, "'");
    const problem = ['error="invalid_token"', `error_description="${description}"`];
    const parameters = [...(reason === 'missing' ? [] : problem), ...(ctx.state.challenge ?? [])];
    ctx.set('WWW-Authenticate', parameters.length === 0 ? 'Bearer' : `Bearer ${parameters.join(', ')}`);
  }
}
