import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { POSTGRES_DEFAULTS } from '@todo-backend/infrastructure';
import * as v from 'valibot';
import { baseUrl, databaseUrlProblem, digits, isOrigin, isSinkUrl, originProblem, wholeNumber } from './validators.js';

/** What the environment says, checked. Made by {@link loadConfig}. */
export interface Config {
  readonly host: string;
  readonly port: number;
  /** Where to serve metrics; nowhere when left out. */
  readonly metricsPort?: number;
  /** The base URL of the OTLP/HTTP collector that traces are sent to; there are none when left out. */
  readonly tracesTo?: string;
  readonly corsOrigins: readonly string[];
  readonly logLevel: (typeof LOG_LEVELS)[number];
  /** Milliseconds that a client may take to send a whole request; half of them for its headers. */
  readonly requestTimeout: number;
  readonly limits: {
    /** Requests that one user may make in a minute. */
    readonly perUser: number;
    /** Requests that one address may make in a minute without proving who it is. */
    readonly failuresPerAddress: number;
    /** `database` where several servers share the limits. */
    readonly store: 'memory' | 'database';
  };
  /** Proxies in front of the server. */
  readonly trustedProxies: number;
  /** Where the embedded database and the generated secret lie. */
  readonly dataDirectory: string;
  /** The PostgreSQL server to use; the embedded database when left out. */
  readonly postgres?: {
    readonly url: string;
    readonly poolSize: number;
    readonly connectTimeout: number;
    readonly statementTimeout: number;
    readonly transactionPooler: boolean;
  };
  readonly events: {
    /** Where events are handed on to, as CloudEvents. */
    readonly sinkUrl?: string;
    /** Days that the journal is kept, at the least. */
    readonly retentionDays: number;
  };
  /** Refuse to start where the database does not keep one user's tasks from another itself. */
  readonly requireRowSecurity: boolean;
  /** Stand in for Better Auth's `user` table. */
  readonly standaloneUsers: boolean;
  readonly auth: {
    /** The secret of HS256 tokens. */
    readonly secret?: string;
    /** Where neither secret nor URL is given and nothing is at stake, a secret is generated. */
    readonly generateSecret: boolean;
    /** Better Auth's base URL, without a slash at the end. */
    readonly url?: string;
    readonly keys: 'table' | 'url';
    /** Seconds that a token may be good for in all. */
    readonly maxLifetime: number;
  };
}

/** The environment is not one to start in. Names every problem. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(problems: readonly string[]) {
    super(`The configuration is not valid:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
  }
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/** Every setting, and how it is checked. */
export const EnvironmentSchema = v.object({
  NODE_ENV: v.optional(v.string()),
  API_HOST: v.optional(v.string(), '0.0.0.0'),
  API_PORT: wholeNumber(8000, 0, 65_535),
  METRICS_PORT: v.optional(digits(0, 65_535)),
  OTEL_EXPORTER_OTLP_ENDPOINT: v.optional(baseUrl('of an OTLP/HTTP collector, such as http://localhost:4318')),
  CORS_ORIGINS: v.optional(
    v.pipe(
      v.string(),
      v.transform((list) => list.split(',').map((origin) => origin.trim())),
      v.array(
        v.pipe(
          v.string(),
          v.check(isOrigin, ({ input }) => originProblem(input)),
        ),
      ),
    ),
    'http://localhost:3000',
  ),
  LOG_LEVEL: v.optional(v.picklist(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`), 'info'),
  REQUEST_TIMEOUT_MS: wholeNumber(10_000, 100, 600_000),
  RATE_LIMIT_PER_USER: wholeNumber(1_200, 1, 1_000_000),
  RATE_LIMIT_FAILURES_PER_ADDRESS: wholeNumber(300, 1, 1_000_000),
  RATE_LIMIT_STORE: v.optional(v.picklist(['memory', 'database'], 'must be memory or database'), 'memory'),
  TRUSTED_PROXIES: wholeNumber(0, 0, 10),
  DATA_DIR: v.optional(v.string(), '.data'),
  DATABASE_URL: v.optional(
    v.pipe(
      v.string(),
      v.rawCheck(({ dataset, addIssue }) => {
        const problem = dataset.typed && databaseUrlProblem(dataset.value);
        if (problem) addIssue({ message: problem });
      }),
    ),
  ),
  DATABASE_POOL_SIZE: wholeNumber(POSTGRES_DEFAULTS.poolSize, 2, 1000),
  DATABASE_CONNECT_TIMEOUT_MS: wholeNumber(POSTGRES_DEFAULTS.connectTimeout, 100, 60_000),
  DATABASE_STATEMENT_TIMEOUT_MS: wholeNumber(POSTGRES_DEFAULTS.statementTimeout, 100, 600_000),
  DATABASE_POOLER: v.optional(v.picklist(['none', 'transaction'], 'must be none or transaction'), 'none'),
  ROW_SECURITY: v.optional(v.picklist(['required', 'optional'], 'must be required or optional')),
  STANDALONE_USERS: v.optional(
    v.pipe(
      v.picklist(['true', 'false'], 'must be true or false'),
      v.transform((text) => text === 'true'),
    ),
  ),
  BETTER_AUTH_SECRET: v.optional(v.pipe(v.string(), v.minLength(32, 'must have at least 32 characters'))),
  BETTER_AUTH_URL: v.optional(baseUrl('of the app that runs Better Auth, such as https://app.example.com')),
  AUTH_JWKS: v.optional(v.picklist(['table', 'url'], 'must be table or url')),
  TOKEN_MAX_LIFETIME_S: wholeNumber(86_400, 60, 31_536_000),
  EVENTS_SINK_URL: v.optional(
    v.pipe(v.string(), v.check(isSinkUrl, 'must be an http(s) URL without user and password')),
  ),
  JOURNAL_RETENTION_DAYS: wholeNumber(90, 1, 36_500),
});

/**
 * Reads a `.env` file, where there is one, into `process.env`; what is set there already wins.
 *
 * @returns `process.env`
 */
export function loadEnvironment(): NodeJS.ProcessEnv {
  if (existsSync('.env')) process.loadEnvFile('.env');
  return process.env;
}

/**
 * Checks the environment. An empty variable is as if absent.
 *
 * @throws {@link ConfigError} with every problem at once
 */
export function loadConfig(environment: NodeJS.ProcessEnv): Config {
  const given = Object.entries(environment).filter(([, value]) => value?.trim());
  const result = v.safeParse(EnvironmentSchema, Object.fromEntries(given));
  const problems = (result.issues ?? []).map((issue) => `${issue.path?.[0].key} ${issue.message}`);

  // These hold whatever the rest looks like, so that one start shows every problem.
  const isSet = (name: string) => given.some(([key]) => key === name);
  const isEmbedded = !isSet('DATABASE_URL');
  const isProduction = environment.NODE_ENV === 'production';
  const hasKey = isSet('BETTER_AUTH_SECRET') || isSet('BETTER_AUTH_URL');
  if (!hasKey && (!isEmbedded || isProduction)) {
    problems.push(
      'BETTER_AUTH_URL or BETTER_AUTH_SECRET is missing: without one of them no token can be checked ' +
        '(a secret is generated only for the embedded database outside production)',
    );
  }
  if (isSet('AUTH_JWKS') && !isSet('BETTER_AUTH_URL')) {
    problems.push('AUTH_JWKS needs BETTER_AUTH_URL, which says whose keys they are');
  }
  if (environment.AUTH_JWKS === 'table' && isEmbedded) {
    problems.push('AUTH_JWKS=table needs DATABASE_URL: the embedded database has no table of keys');
  }
  if (!result.success || problems.length > 0) throw new ConfigError(problems);

  const env = result.output;
  return {
    host: env.API_HOST,
    port: env.API_PORT,
    ...(env.METRICS_PORT !== undefined && { metricsPort: env.METRICS_PORT }),
    ...(env.OTEL_EXPORTER_OTLP_ENDPOINT !== undefined && { tracesTo: env.OTEL_EXPORTER_OTLP_ENDPOINT }),
    corsOrigins: env.CORS_ORIGINS,
    logLevel: env.LOG_LEVEL,
    requestTimeout: env.REQUEST_TIMEOUT_MS,
    limits: {
      perUser: env.RATE_LIMIT_PER_USER,
      failuresPerAddress: env.RATE_LIMIT_FAILURES_PER_ADDRESS,
      store: env.RATE_LIMIT_STORE,
    },
    trustedProxies: env.TRUSTED_PROXIES,
    dataDirectory: resolve(env.DATA_DIR),
    ...(env.DATABASE_URL !== undefined && {
      postgres: {
        url: env.DATABASE_URL,
        poolSize: env.DATABASE_POOL_SIZE,
        connectTimeout: env.DATABASE_CONNECT_TIMEOUT_MS,
        statementTimeout: env.DATABASE_STATEMENT_TIMEOUT_MS,
        transactionPooler: env.DATABASE_POOLER === 'transaction',
      },
    }),
    events: {
      ...(env.EVENTS_SINK_URL !== undefined && { sinkUrl: env.EVENTS_SINK_URL }),
      retentionDays: env.JOURNAL_RETENTION_DAYS,
    },
    requireRowSecurity: (env.ROW_SECURITY ?? (isProduction ? 'required' : 'optional')) === 'required',
    standaloneUsers: env.STANDALONE_USERS ?? isEmbedded,
    auth: {
      ...(env.BETTER_AUTH_SECRET !== undefined && { secret: env.BETTER_AUTH_SECRET }),
      generateSecret: !hasKey,
      ...(env.BETTER_AUTH_URL !== undefined && { url: env.BETTER_AUTH_URL }),
      keys: env.AUTH_JWKS ?? (isEmbedded ? 'url' : 'table'),
      maxLifetime: env.TOKEN_MAX_LIFETIME_S,
    },
  };
}
