import type { Middleware } from 'koa';
import { RequestError } from './request-error.js';

/** Refuses repeated headers, of which Node.js uses the first and a proxy in front may use another. */
export const unambiguousHeaders: Middleware = (ctx, next) => {
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
