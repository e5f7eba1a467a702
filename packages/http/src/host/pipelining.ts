import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Handles a request, and never rejects. */
type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

/** Requests of one connection that may be under way at once. */
const MAX_UNDER_WAY = 8;

/** Requests of all connections together that may wait. A connection that adds one more is closed. */
const MAX_WAITING = 10_000;

/**
 * Limits the requests of one connection that are under way at once (HTTP/1.1 pipelining, RFC 9112, section 9.3.2). A
 * request is under way until its answer has been sent, so that answers nobody takes count too. The rest wait in their
 * order, and nothing more is read from the connection meanwhile. When the client leaves, what waits is dropped.
 */
export function limitPipelining(handle: Handler): Handler {
  const connections = new WeakMap<Socket, Connection>();
  const all = { waiting: 0 };
  return (request, response) => {
    let connection = connections.get(request.socket);
    if (connection === undefined) {
      connection = new Connection(request.socket, handle, all);
      connections.set(request.socket, connection);
    }
    return connection.accept(request, response);
  };
}

class Connection {
  readonly #socket: Socket;
  readonly #handle: Handler;
  /** The requests of all connections. */
  readonly #all: { waiting: number };
  #underWay: ServerResponse[] = [];
  #waiting: [IncomingMessage, ServerResponse][] = [];

  constructor(socket: Socket, handle: Handler, all: { waiting: number }) {
    this.#socket = socket;
    this.#handle = handle;
    this.#all = all;
  }

  accept(request: IncomingMessage, response: ServerResponse): unknown {
    // The usual case: the answer to the request before has been sent.
    if (this.#underWay.length === 1 && this.#underWay[0]?.closed) {
      this.#underWay[0] = response;
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
    // Node.js resumes the socket with each request that has been read to its end.
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
