import type { Middleware } from 'koa';
import { RequestError } from './request-error.js';

/** The maximum length of a request target, in characters. */
export const MAX_TARGET_LENGTH = 8 * 1024;

/** Refuses targets that are too long or cannot be decoded: the router would skip them, the query parser change them. */
export const wellFormedTarget: Middleware = (ctx, next) => {
  if (ctx.url.length > MAX_TARGET_LENGTH) {
    throw new RequestError('MALFORMED_REQUEST', `The address must not be longer than ${MAX_TARGET_LENGTH} characters.`);
  }
  // Most are in origin form, with nothing to decode.
  if (ctx.url.startsWith('/') && !ctx.url.includes('%')) return next();
  try {
    decodeURIComponent(ctx.path);
    decodeURIComponent(ctx.querystring);
  } catch (cause) {
    throw new RequestError('MALFORMED_REQUEST', 'The address is not correctly percent-encoded UTF-8.', { cause });
  }
  return next();
};
