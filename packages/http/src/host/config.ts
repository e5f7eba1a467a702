import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { DEFAULT_MAX_TASKS } from '@todo-backend/application';
import { BETTER_AUTH_TABLES, POSTGRES_DEFAULTS } from '@todo-backend/infrastructure';
import * as v from 'valibot';
import { PROXY_HEADERS } from '../middleware/address.js';
import { DEFAULT_MAX_STREAMS } from '../middleware/live-streams.js';
import {
  baseUrl,
  databaseUrlProblem,
  digits,
  headerName,
  isOrigin,
  isPlainUrl,
  list,
  originProblem,
  tableName,
  webhookSecrets,
  wholeNumber,
} from './validators.js';

/** What the environment says, checked. Made by {@link loadConfig}. */
export interface Config {
  readonly host: string;
  readonly port: number;
  /** Where to serve metrics; nowhere when left out. */
  readonly metricsPort?: number;
  readonly metricsHost: string;
  /** The base URL of the OTLP/HTTP collector that traces are sent to; there are none when left out. */
  readonly tracesTo?: string;
  readonly corsOrigins: readonly string[];
  /** Request headers that pages may send besides those of the API. */
  readonly corsHeaders: readonly string[];
  /** The value of `Strict-Transport-Security`; not sent when left out. */
  readonly transportSecurity?: string;
  /** The path at which proxies show the server, without a slash at the end. */
  readonly publicPath: string;
  /** The tools for agents; there are none when left out. */
  readonly mcp?: {
    /** The base URL at which clients reach the server. */
    readonly publicUrl: string;
    /** The authorization server, as tokens name it. */
    readonly issuer: string;
    /** Requests that the agents of one user may make in a minute. */
    readonly perUser: number;
  };
  /** The token of the user for whom tools are served over the standard input. */
  readonly mcpToken?: string;
  readonly logLevel: (typeof LOG_LEVELS)[number];
  /** Milliseconds that a client may take to send a whole request; half of them for its headers. */
  readonly requestTimeout: number;
  /** Tasks that one user may have. */
  readonly maxTasks: number;
  /** Streams of changes that one user may have open. */
  readonly maxStreams: number;
  /** Connections of clients that may be open, in all and from one address. */
  readonly connections: { readonly most: number; readonly perAddress: number };
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
  /** The header in which they tell whom they forward for. */
  readonly proxyHeader: (typeof PROXY_HEADERS)[number];
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
  /** Milliseconds that a start waits for the database. */
  readonly startTimeout: number;
  /** Better Auth's table of users. */
  readonly userTable: string;
  /** Better Auth's table of public keys. */
  readonly keysTable: string;
  readonly events: {
    /** Where events are handed on to, as CloudEvents. */
    readonly sinkUrl?: string;
    /** What signs them, as Standard Webhooks; two while they are rotated. */
    readonly sinkSecrets: readonly string[];
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
    /** Where the public keys are; nowhere when left out. */
    readonly keys?: 'table' | { readonly url: string };
    /** What `iss` may be. */
    readonly issuers: readonly string[];
    /** What `aud` may be. */
    readonly audiences: readonly string[];
    /** Seconds that clocks may differ. */
    readonly clockTolerance: number;
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
  API_PORT: v.optional(digits(0, 65_535)),
  PORT: v.optional(digits(0, 65_535)),
  METRICS_PORT: v.optional(digits(0, 65_535)),
  METRICS_HOST: v.optional(v.string(), '127.0.0.1'),
  OTEL_EXPORTER_OTLP_ENDPOINT: v.optional(baseUrl('of an OTLP/HTTP collector, such as http://localhost:4318')),
  CORS_ORIGINS: v.optional(
    v.pipe(
      list(),
      v.array(
        v.pipe(
          v.string(),
          v.check(isOrigin, ({ input }) => originProblem(input)),
        ),
      ),
    ),
    'http://localhost:3000',
  ),
  CORS_ALLOWED_HEADERS: v.optional(v.pipe(list(), v.array(headerName()))),
  STRICT_TRANSPORT_SECURITY: v.optional(
    v.pipe(v.string(), v.regex(/^max-age=\d+(?:; ?[A-Za-z]+)*$/, 'must be such as max-age=31536000')),
  ),
  PUBLIC_URL: v.optional(baseUrl('at which clients reach the API, such as https://example.com/todo')),
  MCP_ENABLED: v.optional(v.picklist(['true', 'false'], 'must be true or false'), 'false'),
  MCP_TOKEN: v.optional(v.pipe(v.string(), v.trim())),
  RATE_LIMIT_MCP_PER_USER: wholeNumber(300, 1, 1_000_000),
  LOG_LEVEL: v.optional(v.picklist(LOG_LEVELS, `must be one of ${LOG_LEVELS.join(', ')}`), 'info'),
  REQUEST_TIMEOUT_MS: wholeNumber(10_000, 100, 600_000),
  MAX_TASKS_PER_USER: wholeNumber(DEFAULT_MAX_TASKS, 1, 1_000_000),
  MAX_STREAMS_PER_USER: wholeNumber(DEFAULT_MAX_STREAMS, 1, 10_000),
  MAX_CONNECTIONS: wholeNumber(10_000, 1, 1_000_000),
  MAX_CONNECTIONS_PER_ADDRESS: wholeNumber(1_000, 1, 1_000_000),
  RATE_LIMIT_PER_USER: wholeNumber(1_200, 1, 1_000_000),
  RATE_LIMIT_FAILURES_PER_ADDRESS: wholeNumber(300, 1, 1_000_000),
  RATE_LIMIT_STORE: v.optional(v.picklist(['memory', 'database'], 'must be memory or database'), 'memory'),
  TRUSTED_PROXIES: wholeNumber(0, 0, 10),
  PROXY_HEADER: v.optional(
    v.pipe(v.string(), v.toLowerCase(), v.picklist(PROXY_HEADERS, `must be ${PROXY_HEADERS.join(' or ')}`)),
    'x-forwarded-for',
  ),
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
  DATABASE_START_TIMEOUT_MS: wholeNumber(60_000, 0, 3_600_000),
  DATABASE_STATEMENT_TIMEOUT_MS: wholeNumber(POSTGRES_DEFAULTS.statementTimeout, 100, 600_000),
  DATABASE_POOLER: v.optional(v.picklist(['none', 'transaction'], 'must be none or transaction'), 'none'),
  ROW_SECURITY: v.optional(v.picklist(['required', 'optional'], 'must be required or optional')),
  STANDALONE_USERS: v.optional(
    v.pipe(
      v.picklist(['true', 'false'], 'must be true or false'),
      v.transform((text) => text === 'true'),
    ),
  ),
  DATABASE_URL_FILE: v.optional(v.string()),
  BETTER_AUTH_SECRET_FILE: v.optional(v.string()),
  BETTER_AUTH_SECRET: v.optional(v.pipe(v.string(), v.minLength(32, 'must have at least 32 characters'))),
  BETTER_AUTH_URL: v.optional(baseUrl('of the app that runs Better Auth, such as https://app.example.com')),
  AUTH_JWKS: v.optional(v.picklist(['table', 'url'], 'must be table or url')),
  AUTH_JWKS_URL: v.optional(
    v.pipe(v.string(), v.check(isPlainUrl, 'must be an http(s) URL without user and password')),
  ),
  AUTH_JWKS_TABLE: v.optional(tableName(), BETTER_AUTH_TABLES.keysTable),
  AUTH_USER_TABLE: v.optional(tableName(), BETTER_AUTH_TABLES.userTable),
  AUTH_ISSUER: v.optional(v.string()),
  AUTH_AUDIENCE: v.optional(list()),
  AUTH_CLOCK_TOLERANCE_S: wholeNumber(5, 0, 600),
  TOKEN_MAX_LIFETIME_S: wholeNumber(86_400, 60, 31_536_000),
  EVENTS_SINK_URL: v.optional(
    v.pipe(v.string(), v.check(isPlainUrl, 'must be an http(s) URL without user and password')),
  ),
  EVENTS_SINK_SECRET: v.optional(webhookSecrets()),
  EVENTS_SINK_SECRET_FILE: v.optional(v.string()),
  JOURNAL_RETENTION_DAYS: wholeNumber(90, 1, 36_500),
});

/**
 * Reads a `.env` file, where there is one, into `process.env`; what is set there already wins.
 *
 * @returns `process.env`, {@link withFiles}
 */
export function loadEnvironment(): NodeJS.ProcessEnv {
  if (existsSync('.env')) process.loadEnvFile('.env');
  return withFiles(process.env);
}

/** Settings that may lie in a file, as platforms hand out secrets. */
const SECRETS = ['DATABASE_URL', 'BETTER_AUTH_SECRET', 'EVENTS_SINK_SECRET'] as const;

/**
 * Reads secrets that lie in files: the content of the file that `BETTER_AUTH_SECRET_FILE` names is `BETTER_AUTH_SECRET`.
 *
 * @throws {@link ConfigError} where a file cannot be read or is empty, or a secret is given twice
 */
export function withFiles(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const problems: string[] = [];
  const secrets = SECRETS.map((name) => {
    const file = environment[`${name}_FILE`]?.trim();
    const value = environment[name]?.trim();
    if (!file) return [name, value];
    if (value) problems.push(`${name} and ${name}_FILE are both set: choose one`);
    try {
      const content = readFileSync(file, 'utf8').trim();
      if (!content) problems.push(`${name}_FILE is an empty file: without a value the setting would be ignored`);
      return [name, content];
    } catch (error) {
      problems.push(`${name}_FILE cannot be read: ${(error as Error).message}`);
      return [name, value];
    }
  });
  if (problems.length > 0) throw new ConfigError(problems);
  return { ...environment, ...Object.fromEntries(secrets.filter(([, value]) => value !== undefined)) };
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
  for (const name of ['AUTH_JWKS', 'AUTH_JWKS_URL', 'AUTH_JWKS_TABLE', 'AUTH_ISSUER', 'AUTH_AUDIENCE']) {
    if (isSet(name) && !isSet('BETTER_AUTH_URL')) {
      problems.push(`${name} needs BETTER_AUTH_URL, which says whose keys they are`);
    }
  }
  if (environment.AUTH_JWKS === 'table' && isEmbedded) {
    problems.push('AUTH_JWKS=table needs DATABASE_URL: the embedded database has no table of keys');
  }
  if (environment.AUTH_JWKS === 'table' && isSet('AUTH_JWKS_URL')) {
    problems.push('AUTH_JWKS_URL is for AUTH_JWKS=url, and AUTH_JWKS is table: choose one');
  }
  if (isSet('AUTH_USER_TABLE') && (environment.STANDALONE_USERS ?? String(isEmbedded)) === 'true') {
    problems.push('AUTH_USER_TABLE names the table of Better Auth, and STANDALONE_USERS=true does without: choose one');
  }
  if (isSet('EVENTS_SINK_SECRET') && !isSet('EVENTS_SINK_URL')) {
    problems.push('EVENTS_SINK_SECRET needs EVENTS_SINK_URL, which says where the signed events go');
  }
  for (const name of ['PUBLIC_URL', 'BETTER_AUTH_URL']) {
    if (environment.MCP_ENABLED === 'true' && !isSet(name)) {
      const what = name === 'PUBLIC_URL' ? 'whom tokens of agents are for' : 'who issues tokens to agents';
      problems.push(`MCP_ENABLED needs ${name}, which says ${what}`);
    }
  }
  if (!result.success || problems.length > 0) throw new ConfigError(problems);

  const env = result.output;
  return {
    host: env.API_HOST,
    port: env.API_PORT ?? env.PORT ?? 8000,
    ...(env.METRICS_PORT !== undefined && { metricsPort: env.METRICS_PORT }),
    metricsHost: env.METRICS_HOST,
    ...(env.OTEL_EXPORTER_OTLP_ENDPOINT !== undefined && { tracesTo: env.OTEL_EXPORTER_OTLP_ENDPOINT }),
    corsOrigins: env.CORS_ORIGINS,
    corsHeaders: env.CORS_ALLOWED_HEADERS ?? [],
    ...(env.STRICT_TRANSPORT_SECURITY !== undefined && { transportSecurity: env.STRICT_TRANSPORT_SECURITY }),
    publicPath: env.PUBLIC_URL === undefined ? '' : new URL(env.PUBLIC_URL).pathname.replace(/\/$/, ''),
    ...(env.MCP_ENABLED === 'true' &&
      env.PUBLIC_URL !== undefined &&
      env.BETTER_AUTH_URL !== undefined && {
        mcp: {
          publicUrl: env.PUBLIC_URL,
          issuer: env.AUTH_ISSUER ?? apiOfBetterAuth(env.BETTER_AUTH_URL),
          perUser: env.RATE_LIMIT_MCP_PER_USER,
        },
      }),
    ...(env.MCP_TOKEN !== undefined && { mcpToken: env.MCP_TOKEN }),
    logLevel: env.LOG_LEVEL,
    requestTimeout: env.REQUEST_TIMEOUT_MS,
    maxTasks: env.MAX_TASKS_PER_USER,
    maxStreams: env.MAX_STREAMS_PER_USER,
    connections: { most: env.MAX_CONNECTIONS, perAddress: env.MAX_CONNECTIONS_PER_ADDRESS },
    limits: {
      perUser: env.RATE_LIMIT_PER_USER,
      failuresPerAddress: env.RATE_LIMIT_FAILURES_PER_ADDRESS,
      store: env.RATE_LIMIT_STORE,
    },
    trustedProxies: env.TRUSTED_PROXIES,
    proxyHeader: env.PROXY_HEADER,
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
    startTimeout: env.DATABASE_START_TIMEOUT_MS,
    userTable: env.AUTH_USER_TABLE,
    keysTable: env.AUTH_JWKS_TABLE,
    events: {
      ...(env.EVENTS_SINK_URL !== undefined && { sinkUrl: env.EVENTS_SINK_URL }),
      sinkSecrets: env.EVENTS_SINK_SECRET ?? [],
      retentionDays: env.JOURNAL_RETENTION_DAYS,
    },
    requireRowSecurity: (env.ROW_SECURITY ?? (isProduction ? 'required' : 'optional')) === 'required',
    standaloneUsers: env.STANDALONE_USERS ?? isEmbedded,
    auth: {
      ...(env.BETTER_AUTH_SECRET !== undefined && { secret: env.BETTER_AUTH_SECRET }),
      generateSecret: !hasKey,
      ...betterAuth(env, isEmbedded),
      clockTolerance: env.AUTH_CLOCK_TOLERANCE_S,
      maxLifetime: env.TOKEN_MAX_LIFETIME_S,
    },
  };
}

/** What follows from the base URL of Better Auth, unless settings say something else. */
function betterAuth(
  { BETTER_AUTH_URL: url, ...env }: v.InferOutput<typeof EnvironmentSchema>,
  isEmbedded: boolean,
): Pick<Config['auth'], 'keys' | 'issuers' | 'audiences'> {
  if (url === undefined) return { issuers: [], audiences: [] };
  const { origin } = new URL(url);
  const keysUrl = env.AUTH_JWKS_URL ?? `${apiOfBetterAuth(url)}/jwks`;
  const fromTable =
    env.AUTH_JWKS === undefined ? env.AUTH_JWKS_URL === undefined && !isEmbedded : env.AUTH_JWKS === 'table';
  // The issuer is the origin, whatever the path; an app may have copied its base URL into the settings of the plugin.
  const issuers =
    env.AUTH_ISSUER === undefined ? [...new Set([origin, url])].flatMap((one) => [one, `${one}/`]) : [env.AUTH_ISSUER];
  return { keys: fromTable ? 'table' : { url: keysUrl }, issuers, audiences: env.AUTH_AUDIENCE ?? issuers };
}

/** Without a path, Better Auth answers below its default one. */
function apiOfBetterAuth(url: string): string {
  return new URL(url).pathname === '/' ? `${url}/api/auth` : url;
}
