import { Readable } from 'node:stream';
import type { Middleware } from 'koa';
import compress from 'koa-compress';
import { isLive } from './live-streams.js';

/** Characters from which on an answer is compressed. */
const THRESHOLD = 1024;

const compressAnswer = compress();

/**
 * Compresses long answers for clients who take that. The tag becomes a weak one, because the bytes are others (RFC 9110,
 * section 8.8.3).
 */
export const compressed: Middleware = async (ctx, next) => {
  await next();
  const { body } = ctx;
  const isLong = typeof body === 'string' ? body.length >= THRESHOLD : body instanceof Readable && !isLive(ctx.res);
  if (!isLong) return;
  if (ctx.headers['accept-encoding'] === undefined) {
    ctx.vary('Accept-Encoding');
    return;
  }
  await compressAnswer(ctx, async () => {});
  const tag = ctx.res.getHeader('ETag');
  if (ctx.res.hasHeader('Content-Encoding') && tag !== undefined) ctx.set('ETag', `W/${tag}`);
};
