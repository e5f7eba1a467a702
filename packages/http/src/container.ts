import 'reflect-metadata';
import {
  type Clock,
  type IdGenerator,
  type ReadinessProbe,
  type TaskRepository,
  type TaskUseCases,
  type TokenVerifier,
  taskUseCases,
} from '@todo-backend/application';
import { timestamp } from '@todo-backend/domain';
import {
  cachedKeySet,
  type Database,
  keysFromTable,
  keysFromUrl,
  SqlOutbox,
  SqlTaskRepository,
  tokenVerifier,
} from '@todo-backend/infrastructure';
import type Koa from 'koa';
import type { Logger } from 'pino';
import { RateLimiterMemory, RateLimiterPostgres } from 'rate-limiter-flexible';
import { type DependencyContainer, type InjectionToken, instanceCachingFactory, container as root } from 'tsyringe';
import { uuidv7 } from 'uuidv7';
import { createApp } from './app.js';
import type { Config } from './config.js';
import type { Metrics } from './metrics.js';
import type { RateLimits } from './rate-limit.js';
import { version } from './version.js';

/** What the system is made of, and where each part is looked up. */
export const parts = {
  config: token<Config>('config'),
  logger: token<Logger>('logger'),
  database: token<Database>('database'),
  clock: token<Clock>('clock'),
  newId: token<IdGenerator>('newId'),
  taskRepository: token<TaskRepository>('taskRepository'),
  tasks: token<TaskUseCases>('tasks'),
  tokens: token<TokenVerifier>('tokens'),
  readiness: token<ReadinessProbe>('readiness'),
  limits: token<RateLimits>('limits'),
  outbox: token<SqlOutbox>('outbox'),
  /** Registered where they are asked for, as is the next. */
  metrics: token<Metrics>('metrics'),
  activeTraceId: token<() => string | undefined>('activeTraceId'),
  app: token<Koa>('app'),
};

/** What has to be there before the rest can be made. */
export interface Foundations {
  readonly config: Config;
  readonly logger: Logger;
  readonly database: Database;
}

/** Wires the system. Every part is made when it is first asked for, once. */
export function createContainer({ config, logger, database }: Foundations): DependencyContainer {
  const container = root.createChildContainer();
  const part = <T>(token: InjectionToken<T>, make: (c: DependencyContainer) => T) =>
    container.register(token, { useFactory: instanceCachingFactory(make) });

  container.register(parts.config, { useValue: config });
  container.register(parts.logger, { useValue: logger });
  container.register(parts.database, { useValue: database });

  part(parts.clock, () => () => timestamp(new Date()));
  part(parts.newId, () => uuidv7);
  part(parts.taskRepository, (c) => new SqlTaskRepository(c.resolve(parts.database), c.resolve(parts.config)));
  part(parts.tasks, (c) =>
    taskUseCases({
      tasks: c.resolve(parts.taskRepository),
      clock: c.resolve(parts.clock),
      newId: c.resolve(parts.newId),
    }),
  );
  part(parts.tokens, (c) => {
    const { auth } = c.resolve(parts.config);
    const logger = c.resolve(parts.logger);
    const load =
      auth.keys === 'url' ? keysFromUrl(`${auth.url}/api/auth/jwks`) : keysFromTable(c.resolve(parts.database));
    return tokenVerifier({
      secret: auth.secret,
      keys:
        auth.url === undefined
          ? undefined
          : cachedKeySet(load, {
              onLoadError: (err) => logger.error({ err }, 'could not load the keys of the auth server'),
            }),
      issuer: auth.url,
      maxLifetime: auth.maxLifetime,
    });
  });
  part(parts.outbox, (c) => new SqlOutbox(c.resolve(parts.database)));
  part(parts.readiness, (c) => c.resolve(parts.database));
  part(parts.limits, (c) => {
    const { perUser, failuresPerAddress, store } = c.resolve(parts.config).limits;
    const limiter = (keyPrefix: string, points: number) => {
      const inMemory = new RateLimiterMemory({ keyPrefix, points, duration: 60 });
      if (store === 'memory') return inMemory;
      return new RateLimiterPostgres({
        keyPrefix,
        points,
        duration: 60,
        storeClient: c.resolve(parts.database).client(),
        storeType: 'client',
        tableName: 'rate_limits',
        tableCreated: true,
        // A limit must not be what keeps people out while the database is away.
        insuranceLimiter: inMemory,
      });
    };
    return { perUser: limiter('user', perUser), failuresPerAddress: limiter('address', failuresPerAddress) };
  });
  const optional = <T>(token: InjectionToken<T>) =>
    container.isRegistered(token) ? container.resolve(token) : undefined;
  part(parts.app, (c) =>
    createApp({
      tasks: c.resolve(parts.tasks),
      tokens: c.resolve(parts.tokens),
      readiness: c.resolve(parts.readiness),
      clock: c.resolve(parts.clock),
      logger: c.resolve(parts.logger),
      corsOrigins: c.resolve(parts.config).corsOrigins,
      version,
      limits: c.resolve(parts.limits),
      trustedProxies: c.resolve(parts.config).trustedProxies,
      onAnswer: optional(parts.metrics)?.observe,
      activeTraceId: optional(parts.activeTraceId),
    }),
  );
  return container;
}

function token<T>(name: string): InjectionToken<T> {
  return Symbol(name);
}
