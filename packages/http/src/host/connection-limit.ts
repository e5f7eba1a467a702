import type { Server } from 'node:http';
import type { Logger } from 'pino';
import { addressKey } from '../middleware/address.js';

/** Files that are left for everything but connections of clients. */
const OTHER_FILES = 256;

/** Milliseconds between two log lines about refused connections. */
const LOG_INTERVAL = 10_000;

/** Options of {@link ConnectionLimit}. */
export interface ConnectionLimits {
  /** Connections in all. */
  readonly most: number;
  /** Connections of one address; the proxies', when there are some in front. */
  readonly perAddress: number;
}

/** Limits the open connections of a server. A connection beyond a limit is closed, logged and counted. */
export class ConnectionLimit {
  readonly #limits: ConnectionLimits;
  readonly #logger: Logger;
  readonly #open = new Map<string, number>();
  readonly #refused = { all: 0, address: 0 };
  #loggedAt = Number.NEGATIVE_INFINITY;

  constructor(limits: ConnectionLimits, logger: Logger) {
    this.#limits = limits;
    this.#logger = logger;
  }

  /** Refused connections so far, by the limit that they exceeded. */
  get refused(): Readonly<Record<'all' | 'address', number>> {
    return this.#refused;
  }

  applyTo(server: Server): void {
    const { most, perAddress } = this.#limits;
    const possible = openFiles() - OTHER_FILES;
    if (possible < most) {
      this.#logger.warn({ most, possible }, 'the limit of open files allows fewer connections than MAX_CONNECTIONS');
    }
    server.maxConnections = Math.max(1, Math.min(most, possible));
    server.on('drop', () => this.#refuse('all'));
    server.prependListener('connection', (socket) => {
      const address = addressKey(socket.remoteAddress ?? '');
      const open = (this.#open.get(address) ?? 0) + 1;
      this.#open.set(address, open);
      socket.once('close', () => {
        const left = (this.#open.get(address) ?? 1) - 1;
        if (left === 0) this.#open.delete(address);
        else this.#open.set(address, left);
      });
      if (open <= perAddress) return;
      socket.destroy();
      this.#refuse('address');
    });
  }

  #refuse(limit: 'all' | 'address'): void {
    this.#refused[limit]++;
    const now = performance.now();
    if (now - this.#loggedAt < LOG_INTERVAL) return;
    this.#loggedAt = now;
    this.#logger.warn({ refused: this.#refused, ...this.#limits }, 'refused a connection: too many are open');
  }
}

/** How many files this process may have open. */
function openFiles(): number {
  // Without the names of all open connections.
  const report: typeof process.report & { excludeNetwork?: boolean } = process.report;
  report.excludeNetwork = true;
  const { userLimits } = report.getReport() as { userLimits?: { open_files?: { soft?: unknown } } };
  const soft = userLimits?.open_files?.soft;
  return typeof soft === 'number' ? soft : Number.POSITIVE_INFINITY;
}
