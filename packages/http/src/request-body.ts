import type { Context, Middleware } from 'koa';
import bodyParser from 'koa-bodyparser';
import { RequestError } from './problem-details.js';

const BODY_LIMIT = '100kb';

/**
 * Reads a JSON body into `ctx.request.body`; leaves it `undefined` where there is none.
 *
 * The parser only collects the bytes (it decompresses and limits them). Decoding is done here, because its own decoder
 * replaces invalid UTF-8 silently, and what is stored has to be what was sent.
 */
export function jsonBody(): Middleware {
  const collect = bodyParser({
    enableTypes: ['text'],
    extendTypes: { text: ['json', '+json'] },
    textLimit: BODY_LIMIT,
    encoding: null,
    onerror: (error) => {
      throw bodyError(error);
    },
  } as bodyParser.Options);

  return async (ctx, next) => {
    if (!hasBody(ctx)) return next();
    const charset = ctx.request.charset.toLowerCase();
    if (!ctx.is('json', '+json') || !['', 'utf-8', 'utf8'].includes(charset)) {
      throw new RequestError('UNSUPPORTED_MEDIA_TYPE', 'Send the body as JSON, with Content-Type: application/json.');
    }
    await collect(ctx, async () => {});
    ctx.request.body = parseJson(ctx.request.body as unknown as Buffer);
    await next();
  };
}

function hasBody(ctx: Context): boolean {
  return ctx.headers['transfer-encoding'] !== undefined || Number(ctx.headers['content-length'] ?? 0) > 0;
}

function parseJson(bytes: Buffer): object {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new RequestError('MALFORMED_REQUEST', 'The body is not valid JSON in UTF-8.', { cause });
  }
}

function bodyError(error: Error & { status?: number; code?: string }): Error {
  if (error.status === 413) {
    return new RequestError('BODY_TOO_LARGE', `The body must not be larger than ${BODY_LIMIT}.`, { cause: error });
  }
  if (error.status === 415) {
    return new RequestError('UNSUPPORTED_MEDIA_TYPE', 'Send the body uncompressed, or with gzip, deflate or br.', {
      cause: error,
    });
  }
  // Aborted, shorter or longer than announced, or not what its Content-Encoding says.
  return new RequestError('MALFORMED_REQUEST', 'The body could not be read.', { cause: error });
}
