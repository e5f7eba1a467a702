import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PoolState } from '@todo-backend/infrastructure';
import type { Logger } from 'pino';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Refusal } from '../middleware/authenticate.js';
import type { AnsweredRequest } from '../middleware/request-log.js';
import { limitPipelining } from './pipelining.js';

/** The sources of metrics besides requests. */
export interface MetricsOptions {
  readonly logger: Logger;
  /** `undefined` when the database has no pool. */
  readonly pool?: (() => PoolState) | undefined;
  /** The number of dropped log lines. */
  readonly droppedLogLines?: () => number;
  /** The number of refused connections, by the limit that they exceeded. */
  readonly refusedConnections?: () => Readonly<Record<string, number>>;
  /** The number of open streams of changes. */
  readonly openStreams?: () => number;
  /** The number of undelivered events. */
  readonly eventsWaiting?: () => Promise<number>;
  /** The number of dead letters. */
  readonly eventsDead?: () => Promise<number>;
}

/** The Prometheus metrics of one app. */
export interface Metrics {
  /** Counts a request. */
  observe(request: AnsweredRequest): void;
  /** Counts reminders that have come, by the seconds from the moment that was set. */
  remind(seconds: readonly number[]): void;
  /**
   * Collects all metrics, in the text format of Prometheus. A metric that cannot be read is left out, logged and
   * counted in `todo_metric_failures_total`. Never rejects.
   */
  read(): Promise<string>;
}

/** A server of metrics. */
export interface MetricsServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Seconds. Fine enough to tell p50 from p99 of fast requests, up to the 10 s limit of a statement. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Seconds, from a server that has nothing else to do to one that was away for a day. */
const REMINDER_BUCKETS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 600, 3_600, 86_400];

/** The methods with their own label. Other methods share one, because clients can send any. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** All counters start at 0, so that the first failure shows as an increase. A missing reason is a type error. */
const REFUSALS: Record<Refusal, 0> = {
  missing: 0,
  malformed: 0,
  algorithm: 0,
  unknown_key: 0,
  signature: 0,
  expired: 0,
  claims: 0,
  forbidden: 0,
  user_unknown: 0,
};

const FAILURES = 'todo_metric_failures_total';

/** Milliseconds to read one metric: one that hangs must not block the others. */
const READ_TIMEOUT = 2_000;

/** Metrics of one app, in its own registry. */
export function createMetrics(options: MetricsOptions): Metrics {
  const { logger, pool, droppedLogLines, refusedConnections, openStreams, eventsWaiting, eventsDead } = options;
  const registry = new Registry();
  const registers = [registry];
  const requests = new Counter({
    name: 'todo_http_requests_total',
    help: 'Requests that were answered.',
    labelNames: ['method', 'route', 'status'],
    registers,
  });
  const durations = new Histogram({
    name: 'todo_http_request_duration_seconds',
    help: 'Seconds from the arrival of a request to its answer.',
    labelNames: ['method', 'route'],
    buckets: BUCKETS,
    registers,
  });
  const reminders = new Histogram({
    name: 'todo_reminder_delay_seconds',
    help: 'Seconds from the moment that a reminder was set to, to its event in the journal.',
    buckets: REMINDER_BUCKETS,
    registers,
  });
  const refusals = new Counter({
    name: 'todo_authentication_failures_total',
    help: 'Requests whose caller was not let in.',
    labelNames: ['reason'],
    registers,
  });
  for (const reason of Object.keys(REFUSALS)) refusals.inc({ reason }, 0);
  const failures = new Counter({
    name: FAILURES,
    help: 'Metrics that could not be read; the log says why.',
    labelNames: ['metric'],
    registers,
  });
  if (droppedLogLines) {
    new Counter({
      name: 'todo_log_lines_dropped_total',
      help: 'Log lines that could not be written, and were dropped.',
      registers,
      collect() {
        this.reset();
        this.inc(droppedLogLines());
      },
    });
  }
  if (openStreams) {
    new Gauge({
      name: 'todo_streams_open',
      help: 'Streams of changes that are open.',
      registers,
      collect() {
        this.set(openStreams());
      },
    });
  }
  if (refusedConnections) {
    new Counter({
      name: 'todo_connections_refused_total',
      help: 'Connections that were closed because too many were open: in all, or from one address.',
      labelNames: ['limit'],
      registers,
      collect() {
        this.reset();
        for (const [limit, count] of Object.entries(refusedConnections())) this.inc({ limit }, count);
      },
    });
  }
  collectDefaultMetrics({ register: registry });

  const gauge = (name: string, help: string, current: () => number | Promise<number>) => {
    const inTime = withinTime(current);
    return new Gauge({
      name,
      help,
      registers,
      async collect() {
        this.set(await inTime());
      },
    });
  };
  if (pool) {
    gauge('todo_database_pool_size', 'Connections that are open.', () => pool().size);
    gauge('todo_database_pool_in_use', 'Connections that are in use.', () => pool().size - pool().idle);
    gauge(
      'todo_database_pool_waiting',
      'Statements that wait for a connection, or on a shared one for those before them.',
      () => pool().waiting,
    );
    gauge('todo_database_pool_limit', 'Connections that there may be.', () => pool().limit);
  }
  if (eventsWaiting) gauge('todo_events_waiting', 'Events that wait to be delivered.', eventsWaiting);
  if (eventsDead) gauge('todo_events_dead', 'Events that were given up.', eventsDead);

  const readOne = async (metric: string) => {
    try {
      return await registry.getSingleMetricAsString(metric);
    } catch (err) {
      failures.inc({ metric });
      logger.error({ err, metric }, 'could not read a metric');
      return '';
    }
  };
  // Last, so that it includes failures of this collection.
  const names = registry
    .getMetricsAsArray()
    .map(({ name }) => name)
    .filter((name) => name !== FAILURES);
  return {
    observe({ method, route = 'none', status, seconds, refusal }) {
      const labels = { method: METHODS.has(method) ? method : 'other', route };
      requests.inc({ ...labels, status });
      durations.observe(labels, seconds);
      if (refusal !== undefined) refusals.inc({ reason: refusal });
    },
    remind(seconds) {
      for (const delay of seconds) reminders.observe(delay);
    },
    async read() {
      const texts = [...(await Promise.all(names.map(readOne))), await readOne(FAILURES)];
      return `${texts.filter((text) => text !== '').join('\n\n')}\n`;
    },
  };
}

/** Allows one reading at a time: concurrent callers wait for the same one, up to the limit. */
function withinTime(read: () => number | Promise<number>): () => Promise<number> {
  let reading: Promise<number> | undefined;
  return async () => {
    reading ??= Promise.resolve()
      .then(read)
      .finally(() => {
        reading = undefined;
      });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`Not read within ${READ_TIMEOUT} ms.`)), READ_TIMEOUT);
    });
    try {
      return await Promise.race([reading, late]);
    } finally {
      clearTimeout(timer);
    }
  };
}

/** Serves `GET /metrics` only. Rejects with the error of the operating system when the port is not available. */
export async function listenForMetrics(
  metrics: Metrics,
  { host, port }: { host: string; port: number },
): Promise<MetricsServer> {
  const respond = limitPipelining(async ({ method, url }, response) => {
    if (method !== 'GET' || url !== '/metrics') return response.writeHead(404).end();
    return response.setHeader('Content-Type', Registry.PROMETHEUS_CONTENT_TYPE).end(await metrics.read());
  });
  const server = createServer({ requestTimeout: 10_000 }, respond);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
