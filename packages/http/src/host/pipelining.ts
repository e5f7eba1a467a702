import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { isLive } from '../middleware/live-streams.js';

/** Handles a request, and never rejects. */
type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

/** The maximum number of concurrent requests of one connection. */
const MAX_UNDER_WAY = 8;

/** The maximum number of queued requests of all connections. A connection that exceeds it is closed. */
const MAX_WAITING = 10_000;

/** How often the timeout of answers is checked while it passes. */
const CHECKS = 6;

/**
 * Limits the concurrent requests of one connection (HTTP/1.1 pipelining, RFC 9112, section 9.3.2). A request counts
 * until its response has been sent, so that responses the client does not read count too. The rest are queued, and the
 * connection is not read meanwhile. When the client disconnects, its queue is dropped. A connection on which no response
 * is sent to its end for a time, such as that of a client who does not read, is closed; streams look after that themselves.
 *
 * @param answerTimeout that time, in milliseconds
 */
export function limitPipelining(handle: Handler, answerTimeout = 60_000): Handler {
  const connections = new Map<Socket, Connection>();
  const all = { waiting: 0, checks: 0 };
  let checking: NodeJS.Timeout | undefined;
  const check = () => {
    all.checks++;
    for (const connection of connections.values()) connection.check();
  };
  return (request, response) => {
    const { socket } = request;
    let connection = connections.get(socket);
    if (connection === undefined) {
      connection = new Connection(socket, handle, all);
      connections.set(socket, connection);
      checking ??= setInterval(check, answerTimeout / CHECKS).unref();
      socket.once('close', () => {
        connections.delete(socket);
        if (connections.size > 0) return;
        clearInterval(checking);
        checking = undefined;
      });
    }
    return connection.accept(request, response);
  };
}

class Connection {
  readonly #socket: Socket;
  readonly #handle: Handler;
  /** Shared by all connections. */
  readonly #all: { waiting: number; readonly checks: number };
  /** The check before the last progress. */
  #since: number;
  #underWay: ServerResponse[] = [];
  #waiting: [IncomingMessage, ServerResponse][] = [];

  constructor(socket: Socket, handle: Handler, all: { waiting: number; readonly checks: number }) {
    this.#socket = socket;
    this.#handle = handle;
    this.#all = all;
    this.#since = all.checks;
    // Each response may listen for the end of its connection.
    socket.setMaxListeners(4 * MAX_UNDER_WAY);
  }

  /** Closes the connection when a response is under way, and none has been sent for too long. */
  check(): void {
    if (this.#underWay.every((response) => response.closed || isLive(response))) this.#since = this.#all.checks;
    else if (this.#all.checks - this.#since > CHECKS) this.#socket.destroy();
  }

  accept(request: IncomingMessage, response: ServerResponse): unknown {
    // The usual case: the previous response has been sent.
    if (this.#underWay.length === 1 && this.#underWay[0]?.closed) {
      this.#underWay[0] = response;
      this.#since = this.#all.checks;
      return this.#handle(request, response);
    }
    if (this.#waiting.length === 0 && this.#underWay.length < MAX_UNDER_WAY) {
      this.#underWay.push(response);
      return this.#handle(request, response);
    }
    if (this.#all.waiting >= MAX_WAITING) this.#socket.destroy();
    if (this.#socket.destroyed) return undefined;
    this.#all.waiting++;
    if (this.#waiting.push([request, response]) === 1) this.#stopReading();
    return undefined;
  }

  #stopReading(): void {
    this.#socket.pause();
    // Node.js resumes the socket after each request that was read to its end.
    this.#socket.on('resume', this.#pause);
    this.#socket.once('close', this.#drop);
    for (const response of this.#underWay) response.once('close', this.#next);
    this.#next();
  }

  #readOn(): void {
    this.#socket.off('resume', this.#pause);
    this.#socket.off('close', this.#drop);
    this.#socket.resume();
  }

  readonly #pause = () => {
    this.#socket.pause();
  };

  readonly #drop = () => {
    this.#all.waiting -= this.#waiting.length;
    this.#waiting = [];
  };

  readonly #next = () => {
    this.#underWay = this.#underWay.filter(({ closed }) => !closed);
    this.#since = this.#all.checks;
    while (this.#underWay.length < MAX_UNDER_WAY) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#all.waiting--;
      const [request, response] = next;
      this.#underWay.push(response);
      response.once('close', this.#next);
      if (this.#waiting.length === 0) this.#readOn();
      this.#handle(request, response);
    }
  };
}
