import { randomUUID } from 'node:crypto';
import { createServer, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import { type AddressInfo, Server as NetServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type Koa from 'koa';
import type { Logger } from 'pino';
import { problemOf, statusOf } from '../middleware/problem-details.js';
import { RequestError } from '../middleware/request-error.js';
import type { ConnectionLimit } from './connection-limit.js';
import { limitPipelining } from './pipelining.js';

/** Options of {@link listen}. */
export interface ServerOptions {
  readonly host: string;
  /** 0 selects a free port. */
  readonly port: number;
  /** Milliseconds to receive a whole request; half of them for its headers. */
  readonly requestTimeout: number;
  /** Milliseconds for a client to take an answer, and for the answer itself. Default a minute. */
  readonly answerTimeout?: number | undefined;
  /** The limit of open connections; there is none when left out. */
  readonly connections?: ConnectionLimit | undefined;
  readonly logger: Logger;
}

/** A server that listens. */
export interface RunningServer {
  readonly port: number;
  /** Drains keep-alive connections, stops accepting new ones, waits for requests in progress, then closes the rest. */
  close(): Promise<void>;
}

/** Maximum bytes of the request line and all headers together. */
const MAX_HEADER_SIZE = 16 * 1024;

/**
 * Milliseconds that a keep-alive connection may idle. Longer than the timeout of load balancers (usually 60 s): the
 * side that sends requests should close first, or it may send one on a connection that was just closed.
 */
const KEEP_ALIVE_TIMEOUT = 65_000;

/** Milliseconds before the port is closed, in which responses carry `Connection: close`. */
const DRAIN_TIME = 250;

/** Milliseconds without a connection or a request, after which the port is closed. */
const QUIET_TIME = 20;

/** Maximum milliseconds of an event loop turn in which nothing happens. */
const QUIET_TURN = 0.5;

/** Maximum milliseconds to wait until no connection or request arrives. */
const QUIET_TIMEOUT = 2_000;

/** Milliseconds for requests in progress to finish when the server closes. */
const CLOSE_TIMEOUT = 6_000;

/** Milliseconds for a client to read the response to a request that was refused unread. */
const LINGER_TIMEOUT = 500;

/** Opens the port. Rejects with the error of the operating system when it is not available. */
export async function listen(
  app: Koa,
  { host, port, requestTimeout, answerTimeout, connections, logger }: ServerOptions,
): Promise<RunningServer> {
  const respond = app.callback();
  const gate: Gate = { opening: undefined };
  const handle = limitPipelining((request, response) => {
    if (gate.opening === undefined) return respond(request, response);
    return gate.opening.then(() => respond(request, response));
  }, answerTimeout);
  const server = createServer(
    {
      requestTimeout,
      headersTimeout: requestTimeout / 2,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT,
      // Node checks the timeouts above only this often; the default of 30 s is too long for them.
      connectionsCheckingInterval: 1_000,
      maxHeaderSize: MAX_HEADER_SIZE,
      insecureHTTPParser: false,
      // The app checks this instead, because Node's response has no body.
      requireHostHeader: false,
    },
    handle,
  );
  connections?.applyTo(server);
  // Node silently drops headers after the 2,000th. Their size is limited already.
  server.maxHeadersCount = 0;
  // Node would say "continue" at once; here that is said when the body is wanted, to whoever may send it.
  server.on('checkContinue', (request, response) => {
    response.shouldKeepAlive = false;
    return handle(request, response);
  });
  // Other expectations may be ignored (RFC 9110, section 10.1.1); Node's 417 has no body.
  server.on('checkExpectation', handle);
  refuseInvalidRequests(server, logger);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return { port: (server.address() as AddressInfo).port, close: () => close(server, gate) };
}

/** Requests wait until `opening` resolves. */
interface Gate {
  opening: Promise<void> | undefined;
}

async function close(server: Server, gate: Gate): Promise<void> {
  server.prependListener('request', (_request, response) => response.setHeader('Connection', 'close'));
  await sleep(DRAIN_TIME);
  const cutOff = setTimeout(() => server.closeAllConnections(), CLOSE_TIMEOUT);
  // Holding back responses keeps clients from reconnecting, so that no new connections arrive.
  const { promise, resolve: open } = Promise.withResolvers<void>();
  gate.opening = promise;
  await quiet(server);
  // Closes only the port: the `close` of the http server also closes connections that have not sent a request yet.
  const closed = new Promise((resolve) => NetServer.prototype.close.call(server, resolve));
  open();
  await sleep(DRAIN_TIME);
  await quiet(server);
  server.closeIdleConnections();
  await closed;
  clearTimeout(cutOff);
}

/**
 * Closing loses connections and requests that the operating system has accepted but Node has not read yet. Resolves
 * right after an event loop turn that found none.
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

/** Responds with problem details to requests that the parser refuses or that time out, and closes. */
function refuseInvalidRequests(server: Server, logger: Logger): void {
  const responses = new WeakMap<Duplex, ServerResponse>();
  const refused = new WeakSet<Duplex>();

  const refuse = (socket: Duplex, error: RequestError) => {
    if (!socket.writable) {
      socket.destroy();
      return;
    }
    const requestId = randomUUID();
    logger.info({ status: statusOf(error.code), requestId, err: error.cause }, 'refused');
    // Closing at once, with bytes unread, would reset the connection and lose the response.
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
    // The client must not mistake this response for that of an earlier request, or the other way around.
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
