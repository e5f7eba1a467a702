import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type Koa from 'koa';

/** Where to listen, and for how long to wait for a client. */
export interface ServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Milliseconds that a client may take to send a whole request. */
  readonly requestTimeout: number;
}

/** A server that listens. */
export interface RunningServer {
  readonly port: number;
  /** Stops accepting connections, lets the requests under way finish, and cuts off those that take too long. */
  close(): Promise<void>;
}

/** Milliseconds that requests under way have to finish when the server closes. */
const CLOSE_TIMEOUT = 8_000;

/** Opens the port. Rejects with the error of the operating system when it cannot be had. */
export async function listen(app: Koa, { host, port, requestTimeout }: ServerOptions): Promise<RunningServer> {
  const server = createServer(
    {
      requestTimeout,
      headersTimeout: requestTimeout,
      // Node looks for late clients only this often; its own 30 s would make the limits above mean little.
      connectionsCheckingInterval: 1_000,
    },
    app.callback(),
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return { port: (server.address() as AddressInfo).port, close: () => close(server) };
}

async function close(server: Server): Promise<void> {
  const cutOff = setTimeout(() => server.closeAllConnections(), CLOSE_TIMEOUT);
  await new Promise((resolve) => server.close(resolve));
  clearTimeout(cutOff);
}
