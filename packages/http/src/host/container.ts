import 'reflect-metadata';
import {
  type ChangeFeed,
  type Clock,
  type EventSink,
  eventRelay,
  type IdGenerator,
  type Journal,
  type JournalUseCases,
  journalUseCases,
  localFeed,
  type ReadinessProbe,
  type RecoveryUseCases,
  recoveryUseCases,
  reminderRounds,
  type TaskRepository,
  type TaskUseCases,
  type TokenVerifier,
  taskUseCases,
  UnavailableError,
} from '@todo-backend/application';
import { timestamp } from '@todo-backend/domain';
import {
  accessTokenVerifier,
  cachedKeySet,
  cloudEventsSink,
  type Database,
  type KeySet,
  keysFromTable,
  keysFromUrl,
  SqlJournal,
  SqlOutbox,
  SqlReminders,
  SqlTaskRepository,
  serverFeed,
  tokenVerifier,
} from '@todo-backend/infrastructure';
import type Koa from 'koa';
import type { Logger } from 'pino';
import { type RateLimiterAbstract, RateLimiterMemory, RateLimiterPostgres } from 'rate-limiter-flexible';
import { instanceCachingFactory, container as root } from 'tsyringe';
import { uuidv7 } from 'uuidv7';
import { type AppOptions, createApp } from '../app.js';
import { MCP_PATH, METADATA_PATHS } from '../middleware/agent.js';
import { LiveStreams } from '../middleware/live-streams.js';
import type { RateLimits } from '../middleware/rate-limit.js';
import { version } from '../version.js';
import type { Config } from './config.js';
import { ConnectionLimit } from './connection-limit.js';
import { droppedLogLines } from './logger.js';
import type { createMetrics, Metrics } from './metrics.js';

/** The parts that are given from outside. */
export interface Foundations {
  readonly config: Config;
  readonly logger: Logger;
  readonly database: Database;
  /** Loaded only where metrics are asked for: their library is large. */
  readonly createMetrics?: typeof createMetrics | undefined;
  /** The id of the trace that is being recorded, where traces are asked for. */
  readonly activeTraceId?: (() => string | undefined) | undefined;
}

/** What the system is made of, besides its foundations. */
export interface Parts extends Foundations {
  readonly clock: Clock;
  readonly newId: IdGenerator;
  readonly taskRepository: TaskRepository;
  readonly tasks: TaskUseCases;
  readonly journalReader: Journal;
  readonly journal: JournalUseCases;
  readonly recovery: RecoveryUseCases;
  readonly feed: ChangeFeed & { readonly close?: () => Promise<void> };
  readonly streams: LiveStreams;
  /** `undefined` where tokens are verified with a secret only. */
  readonly keys: KeySet | undefined;
  readonly tokens: TokenVerifier;
  readonly limits: RateLimits;
  /** The tools for agents; `undefined` where there are none. */
  readonly mcp: AppOptions['mcp'];
  readonly connections: ConnectionLimit;
  readonly outbox: SqlOutbox;
  /** `undefined` where events go nowhere. */
  readonly sink: EventSink | undefined;
  /** Does one round of delivery; `undefined` where events go nowhere. */
  readonly relay: ReturnType<typeof eventRelay> | undefined;
  /** Does one round of reminders. */
  readonly reminders: ReturnType<typeof reminderRounds>;
  readonly metrics: Metrics | undefined;
  /** Says that the server is shutting down, from `begin` on. */
  readonly shutdown: Shutdown;
  readonly readiness: ReadinessProbe;
  readonly app: Koa;
}

interface Shutdown {
  readonly hasBegun: boolean;
  begin(): void;
}

type Factories = { readonly [Name in Exclude<keyof Parts, keyof Foundations>]: (parts: Parts) => Parts[Name] };

/** How each part is made of others. A part without a factory does not compile. */
const factories: Factories = {
  clock: () => () => timestamp(new Date()),
  newId: () => uuidv7,
  taskRepository: ({ database, config }) => new SqlTaskRepository(database, config),
  tasks: ({ taskRepository: tasks, clock, newId, feed }) => taskUseCases({ tasks, clock, newId, feed }),
  journalReader: ({ database }) => new SqlJournal(database),
  journal: ({ journalReader: journal }) => journalUseCases({ journal }),
  recovery: ({ taskRepository: tasks, journalReader: journal, clock, newId, feed, config: { events } }) =>
    recoveryUseCases({ tasks, journal, clock, newId, feed, retentionDays: events.retentionDays }),
  feed({ config: { postgres }, database, logger }) {
    // The embedded database belongs to one process, which knows of all changes.
    if (postgres === undefined) return localFeed();
    return serverFeed(database, {
      pollsOnly: postgres.transactionPooler,
      onProblem: (err) => logger.warn({ err }, 'could not look for changes of other servers'),
    });
  },
  streams: ({ config }) => new LiveStreams(config.maxStreams),
  keys({ config, database, logger }) {
    const { auth } = config;
    if (auth.keys === undefined) return undefined;
    const load = auth.keys === 'table' ? keysFromTable(database, config) : keysFromUrl(auth.keys.url);
    return cachedKeySet(load, {
      onLoadError: (err) => logger.error({ err }, 'could not load the keys of the auth server'),
    });
  },
  tokens: ({ config: { auth }, keys }) => tokenVerifier({ ...auth, keys }),
  limits(parts) {
    const { perUser, failuresPerAddress } = parts.config.limits;
    return {
      perUser: limiter(parts, 'user', perUser),
      failuresPerAddress: limiter(parts, 'address', failuresPerAddress),
    };
  },
  mcp(parts) {
    const { mcp, auth } = parts.config;
    if (mcp === undefined || parts.keys === undefined) return undefined;
    const { publicUrl, issuer, perUser } = mcp;
    // As clients write it, who ask for tokens with it: without capitals in the host, or a port that goes without saying.
    const { href: resource } = new URL(publicUrl + MCP_PATH);
    return {
      resource,
      issuer,
      metadataUrl: new URL(publicUrl + METADATA_PATHS[0]).href,
      tokens: accessTokenVerifier({ ...auth, keys: parts.keys, issuer, resource }),
      perUser: limiter(parts, 'agents', perUser),
    };
  },
  connections({ config: { connections, trustedProxies }, logger }) {
    // Behind proxies, all connections are theirs.
    return new ConnectionLimit(
      trustedProxies > 0 ? { ...connections, perAddress: connections.most } : connections,
      logger,
    );
  },
  outbox: ({ database }) => new SqlOutbox(database),
  sink: ({ config: { events }, clock }) =>
    events.sinkUrl === undefined ? undefined : cloudEventsSink(events.sinkUrl, { secrets: events.sinkSecrets, clock }),
  relay: ({ outbox, sink }) => sink && eventRelay({ outbox, sink }),
  reminders: ({ database, newId, feed }) => reminderRounds({ reminders: new SqlReminders(database), newId, feed }),
  metrics: ({ createMetrics, logger, database, connections, streams, sink, outbox }) =>
    createMetrics?.({
      logger,
      pool: database.pool,
      droppedLogLines,
      refusedConnections: () => connections.refused,
      openStreams: () => streams.open,
      // Without a sink no event is waiting.
      ...(sink && {
        eventsWaiting: async () => (await outbox.backlog()).waiting,
        eventsDead: async () => (await outbox.backlog()).dead,
      }),
    }),
  shutdown({ streams }) {
    let hasBegun = false;
    return {
      get hasBegun() {
        return hasBegun;
      },
      begin: () => {
        hasBegun = true;
        streams.end();
      },
    };
  },
  readiness: ({ database, keys, shutdown }) => ({
    async check() {
      if (shutdown.hasBegun) throw new UnavailableError('The server is shutting down.');
      const ready = await database.check();
      return keys === undefined ? ready : { ...ready, keys: await keys.state() };
    },
  }),
  app: (parts) => {
    const { corsOrigins, corsHeaders, transportSecurity, trustedProxies, proxyHeader, publicPath } = parts.config;
    const settings = { corsOrigins, corsHeaders, transportSecurity, trustedProxies, proxyHeader, publicPath };
    return createApp({ ...pick(parts), ...settings, version, onAnswer: parts.metrics?.observe });
  },
};

/** Limits requests by a key to so many in a minute. */
function limiter({ config, database }: Parts, keyPrefix: string, points: number): RateLimiterAbstract {
  const inMemory = new RateLimiterMemory({ keyPrefix, points, duration: 60 });
  if (config.limits.store === 'memory') return inMemory;
  return new RateLimiterPostgres({
    keyPrefix,
    points,
    duration: 60,
    storeClient: database.client(),
    storeType: 'client',
    tableName: 'rate_limits',
    tableCreated: true,
    // While the database is unavailable, limits are counted in memory.
    insuranceLimiter: inMemory,
  });
}

/** The parts that the app takes as they are. */
function pick(parts: Parts) {
  const { tasks, journal, recovery, feed, streams, tokens, limits, mcp, readiness, clock, logger, activeTraceId } =
    parts;
  return { tasks, journal, recovery, feed, streams, tokens, limits, mcp, readiness, clock, logger, activeTraceId };
}

/** Wires the system. Every part is made when it is first asked for, once. */
export function createContainer(foundations: Foundations): Parts {
  const container = root.createChildContainer();
  const given: Record<keyof Foundations, unknown> = {
    createMetrics: undefined,
    activeTraceId: undefined,
    ...foundations,
  };
  const parts = {} as Parts;
  for (const name of [...Object.keys(given), ...Object.keys(factories)]) {
    Object.defineProperty(parts, name, { enumerable: true, get: () => container.resolve(name) });
  }
  for (const [name, value] of Object.entries(given)) {
    container.register(name, { useFactory: () => value });
  }
  for (const [name, make] of Object.entries<(parts: Parts) => unknown>(factories)) {
    container.register(name, { useFactory: instanceCachingFactory(() => make(parts)) });
  }
  return parts;
}
