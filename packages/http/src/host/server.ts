import { randomUUID } from 'node:crypto';
import { createServer, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import { type AddressInfo, Server as NetServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type Koa from 'koa';
import type { Logger } from 'pino';
import { problemOf, statusOf } from '../middleware/problem-details.js';
import { RequestError } from '../middleware/request-error.js';
import { limitPipelining } from './pipelining.js';

/** Where to listen, and for how long to wait for a client. */
export interface ServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Milliseconds that a client may take to send a whole request; half of them for its headers. */
  readonly requestTimeout: number;
  readonly logger: Logger;
}

/** A server that listens. */
export interface RunningServer {
  readonly port: number;
  /** Sends kept connections away, then takes no more, lets the requests under way finish, and cuts off what is left. */
  close(): Promise<void>;
}

/** Bytes of the request line and all headers together. */
const MAX_HEADER_SIZE = 16 * 1024;

/**
 * Milliseconds that a kept connection may idle. Longer than the balancers in front keep theirs (60 s is usual): the side
 * that sends requests has to be the one that closes, or a request meets a connection that was just closed.
 */
const KEEP_ALIVE_TIMEOUT = 65_000;

/** Milliseconds in which kept connections are told to close, with their next answer, before the port is closed. */
const DRAIN_TIME = 250;

/** Milliseconds without a connection or a request, after which the port is closed. */
const QUIET_TIME = 20;

/** Milliseconds that a turn of the event loop takes at the most in which nothing happens. */
const QUIET_TURN = 0.5;

/** Milliseconds to wait for quiet. */
const QUIET_TIMEOUT = 2_000;

/** Milliseconds that requests under way have to finish when the server closes. */
const CLOSE_TIMEOUT = 6_000;

/** Milliseconds that a client has to read the answer to a request that was refused unread. */
const LINGER_TIMEOUT = 500;

/** Opens the port. Rejects with the error of the operating system when it cannot be had. */
export async function listen(app: Koa, { host, port, requestTimeout, logger }: ServerOptions): Promise<RunningServer> {
  const respond = app.callback();
  const gate: Gate = { opening: undefined };
  const handle = limitPipelining((request, response) => {
    if (gate.opening === undefined) return respond(request, response);
    return gate.opening.then(() => respond(request, response));
  });
  const server = createServer(
    {
      requestTimeout,
      headersTimeout: requestTimeout / 2,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT,
      // Node looks for late clients only this often; its own 30 s would make the limits above mean little.
      connectionsCheckingInterval: 1_000,
      maxHeaderSize: MAX_HEADER_SIZE,
      insecureHTTPParser: false,
      // Node would answer without a body; the app says what is wrong.
      requireHostHeader: false,
    },
    handle,
  );
  // Node drops the headers after the 2,000th without a word. Their size limits them already.
  server.maxHeadersCount = 0;
  // Node would say "continue" at once; here that is said when the body is wanted, to whoever may send it.
  server.on('checkContinue', (request, response) => {
    response.shouldKeepAlive = false;
    return handle(request, response);
  });
  // Other expectations may be ignored (RFC 9110, section 10.1.1); Node's 417 has no body.
  server.on('checkExpectation', handle);
  refuseWhatIsNoRequest(server, logger);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return { port: (server.address() as AddressInfo).port, close: () => close(server, gate) };
}

/** Behind which requests wait until `opening` resolves. */
interface Gate {
  opening: Promise<void> | undefined;
}

async function close(server: Server, gate: Gate): Promise<void> {
  server.prependListener('request', (_request, response) => response.setHeader('Connection', 'close'));
  await sleep(DRAIN_TIME);
  const cutOff = setTimeout(() => server.closeAllConnections(), CLOSE_TIMEOUT);
  // Whoever waits for an answer does not connect again; so it gets quiet.
  const { promise, resolve: open } = Promise.withResolvers<void>();
  gate.opening = promise;
  await quiet(server);
  // Closes the port alone; the http server's own `close` would also cut off whoever has connected, and not asked yet.
  const closed = new Promise((resolve) => NetServer.prototype.close.call(server, resolve));
  open();
  await sleep(DRAIN_TIME);
  await quiet(server);
  server.closeIdleConnections();
  await closed;
  clearTimeout(cutOff);
}

/**
 * What the operating system has taken and we have not seen yet is lost when we close: connections at the port, requests
 * on a connection. Resolves right after a look at all of them that found nothing.
 */
async function quiet(server: Server): Promise<void> {
  let [start, lastEvent] = [performance.now(), performance.now()];
  const end = start + QUIET_TIMEOUT;
  const note = () => {
    lastEvent = performance.now();
  };
  server.on('connection', note).on('request', note);
  for (let now = start; now < end; now = performance.now()) {
    if (now - lastEvent > QUIET_TIME && now - start < QUIET_TURN) break;
    start = now;
    await nextTurn();
  }
  server.off('connection', note).off('request', note);
}

/** Answers what the parser refuses, or waits for in vain, with problem details too, and closes. */
function refuseWhatIsNoRequest(server: Server, logger: Logger): void {
  const responses = new WeakMap<Duplex, ServerResponse>();
  const refused = new WeakSet<Duplex>();

  const refuse = (socket: Duplex, error: RequestError) => {
    if (!socket.writable) {
      socket.destroy();
      return;
    }
    const requestId = randomUUID();
    logger.info({ status: statusOf(error.code), requestId, err: error.cause }, 'refused');
    // Closed at once, with bytes unread, the connection would be reset and the answer lost.
    socket.end(answer(error, requestId));
    const cutOff = setTimeout(() => socket.destroy(), LINGER_TIMEOUT);
    socket.once('close', () => clearTimeout(cutOff));
  };

  server.prependListener('request', (request, response) => responses.set(request.socket, response));
  server.on('connect', (_request, socket) => {
    socket.on('error', () => socket.destroy());
    socket.resume();
    refuse(socket, new RequestError('MALFORMED_REQUEST', 'This server is not a proxy.'));
  });
  server.on('clientError', (cause: NodeJS.ErrnoException, socket) => {
    if (refused.has(socket)) return;
    refused.add(socket);
    const error = parserError(cause);
    const last = responses.get(socket);
    // An earlier request's answer must not be mistaken for this one's, nor the other way around.
    if (last?.req.complete && !last.closed) last.once('close', () => refuse(socket, error));
    else if (last && !last.req.complete && last.headersSent) socket.destroy();
    else refuse(socket, error);
  });
}

function parserError(cause: NodeJS.ErrnoException): RequestError {
  switch (cause.code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new RequestError('REQUEST_TIMEOUT', 'The request took too long to arrive.', { cause });
    case 'HPE_HEADER_OVERFLOW':
      return new RequestError('HEADERS_TOO_LARGE', 'The address and the headers are too long.', { cause });
    default:
      return new RequestError('MALFORMED_REQUEST', 'This is not a well-formed HTTP request.', { cause });
  }
}

function answer(error: RequestError, requestId: string): string {
  const status = statusOf(error.code);
  const body = JSON.stringify(problemOf(error.code, { detail: error.message, requestId }));
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `Date: ${new Date().toUTCString()}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-Id: ${requestId}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}
