import type { Context, Middleware } from 'koa';
import bodyParser from 'koa-bodyparser';
import { RequestError } from './request-error.js';

/** The default maximum of bytes, both on the wire and decompressed. */
export const BODY_LIMIT = 100 * 1024;

/** The maximum nesting of objects and arrays; a task has one level. */
export const MAX_DEPTH = 64;

/** How many times as large as it arrived a body of more than {@link BODY_LIMIT} may be when it is decompressed. */
export const MAX_RATIO = 100;

/** Values in a body, objects and arrays included: an import of the most tasks, with five tags each, has 190,000. */
export const MAX_VALUES = 200_000;

/**
 * Reads a JSON body of up to `limit` bytes into `ctx.request.body`; leaves it `undefined` when there is none.
 *
 * The parser only collects the bytes (it decompresses and limits them). They are decoded here, because its decoder
 * silently replaces invalid UTF-8, and texts must be stored exactly as sent.
 */
export function jsonBody(limit = BODY_LIMIT): Middleware {
  const collect = bodyParser({
    enableTypes: ['text'],
    extendTypes: { text: ['json', '+json'] },
    textLimit: String(limit),
    encoding: null,
    onerror: (error, ctx) => {
      // Unread bytes would block the next request on this connection.
      ctx.req.unpipe();
      ctx.req.resume();
      throw bodyError(error, limit);
    },
  } as bodyParser.Options);

  return async (ctx, next) => {
    if (!hasBody(ctx)) return next();
    const charset = ctx.request.charset.toLowerCase();
    if (!ctx.is('json', '+json') || !['', 'utf-8', 'utf8'].includes(charset)) {
      // Some clients send `Transfer-Encoding: chunked` without a body, and so without a type.
      if (ctx.headers['content-length'] === undefined && (await isEmpty(ctx))) return next();
      throw new RequestError('UNSUPPORTED_MEDIA_TYPE', 'Send the body as JSON, with Content-Type: application/json.');
    }
    // The parser truncates the length to 32 bits, and would wait for the rest.
    if (Number(ctx.headers['content-length'] ?? 0) > limit) throw tooLarge(limit);
    if (ctx.headers.expect?.toLowerCase() === '100-continue') ctx.res.writeContinue();
    const received = ctx.headers['content-encoding'] === undefined ? undefined : countReceived(ctx);
    await collect(ctx, async () => {});
    const bytes = ctx.request.body as unknown as Buffer;
    if (received !== undefined && bytes.length > BODY_LIMIT && bytes.length > received.bytes * MAX_RATIO) {
      throw new RequestError(
        'MALFORMED_REQUEST',
        `The body must not become more than ${MAX_RATIO} times as large when it is decompressed.`,
      );
    }
    ctx.request.body = bytes.length === 0 ? undefined : parseJson(bytes);
    await next();
  };
}

/** Counts the bytes of a body with a coding as they arrive, and writes the name of the coding as the parser knows it. */
function countReceived({ req, headers }: Context): { readonly bytes: number } {
  // Names of codings are case-insensitive, and have an alias (RFC 9110, section 8.4.1).
  const coding = headers['content-encoding']?.toLowerCase();
  headers['content-encoding'] = coding === 'x-gzip' ? 'gzip' : coding;
  const received = { bytes: 0 };
  req.on('data', (chunk: Buffer) => {
    received.bytes += chunk.length;
  });
  return received;
}

async function isEmpty(ctx: Context): Promise<boolean> {
  for await (const _ of ctx.req.iterator({ destroyOnReturn: false })) return false;
  return true;
}

function hasBody(ctx: Context): boolean {
  return ctx.headers['transfer-encoding'] !== undefined || Number(ctx.headers['content-length'] ?? 0) > 0;
}

function parseJson(bytes: Buffer): object {
  assertBounded(bytes);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new RequestError('MALFORMED_REQUEST', 'The body is not valid JSON in UTF-8.', { cause });
  }
}

const [QUOTE, COMMA, BACKSLASH, OPEN_BRACKET, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = Buffer.from('",\\[]{}');

/**
 * Looks at the brackets and commas alone, before anything is made of them: a few bytes become an object, and what is
 * nested deeply overflows the stack of whoever walks it.
 */
function assertBounded(bytes: Buffer): void {
  let [depth, values] = [0, 1];
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index];
    if (byte === QUOTE) index = endOfString(bytes, index);
    else if (byte === COMMA) values++;
    else if (byte === CLOSE_BRACKET || byte === CLOSE_BRACE) depth--;
    else if (byte === OPEN_BRACKET || byte === OPEN_BRACE) {
      values++;
      if (++depth > MAX_DEPTH) {
        throw new RequestError('MALFORMED_REQUEST', `The body must not be nested more than ${MAX_DEPTH} levels deep.`);
      }
    }
    if (values > MAX_VALUES) {
      throw new RequestError('MALFORMED_REQUEST', `The body must not have more than ${MAX_VALUES} values.`);
    }
  }
}

/** The place of the quote that ends the string that begins at `start`. */
function endOfString(bytes: Buffer, start: number): number {
  let end = start + 1;
  while (end < bytes.length && bytes[end] !== QUOTE) end += bytes[end] === BACKSLASH ? 2 : 1;
  return end;
}

/** A number of bytes in words, such as `100 KB`. */
export function sizeOf(bytes: number): string {
  const kilobytes = bytes / 1024;
  return kilobytes < 1024 ? `${kilobytes} KB` : `${kilobytes / 1024} MB`;
}

/** The error of a body of more than `limit` bytes. */
export function tooLarge(limit: number, options?: ErrorOptions): RequestError {
  return new RequestError('BODY_TOO_LARGE', `The body must not be larger than ${sizeOf(limit)}.`, options);
}

function bodyError(error: Error & { status?: number; code?: string }, limit: number): Error {
  if (error.status === 413) return tooLarge(limit, { cause: error });
  if (error.status === 415) {
    return new RequestError('UNSUPPORTED_MEDIA_TYPE', 'Send the body uncompressed, or with gzip, deflate or br.', {
      cause: error,
    });
  }
  // Aborted, shorter or longer than announced, or not what its Content-Encoding says.
  return new RequestError('MALFORMED_REQUEST', 'The body could not be read.', { cause: error });
}
