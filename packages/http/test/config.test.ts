import { resolve } from 'node:path';
import { loadConfig } from '@todo-backend/http';
import test from 'ava';

const SECRET = 'a secret for tests, long enough to be one';
const DATABASE_URL = 'postgres://me@db.example/todo';

test('nothing at all is a good configuration: embedded, with a secret to be generated', (t) => {
  t.deepEqual(loadConfig({}), {
    host: '0.0.0.0',
    port: 8000,
    corsOrigins: ['http://localhost:3000'],
    logLevel: 'info',
    requestTimeout: 10_000,
    limits: { perUser: 1_200, failuresPerAddress: 300, store: 'memory' },
    trustedProxies: 0,
    dataDirectory: resolve('.data'),
    events: { retentionDays: 90 },
    requireRowSecurity: false,
    standaloneUsers: true,
    auth: { generateSecret: true, keys: 'url', maxLifetime: 86_400 },
  });
});

test('a variable that is empty is as if absent', (t) => {
  t.deepEqual(
    loadConfig({ API_PORT: '', DATABASE_URL: ' ', BETTER_AUTH_SECRET: '', CORS_ORIGINS: '' }),
    loadConfig({}),
  );
});

test('a shared database brings its own users and keys', (t) => {
  const config = loadConfig({ DATABASE_URL, BETTER_AUTH_URL: 'https://app.example.com/' });
  t.like(config, {
    standaloneUsers: false,
    postgres: { url: DATABASE_URL, poolSize: 10, connectTimeout: 3_000, statementTimeout: 10_000 },
    auth: { generateSecret: false, url: 'https://app.example.com', keys: 'table' },
  });
  t.is(config.auth.secret, undefined);
});

test('everything can be set', (t) => {
  const config = loadConfig({
    DATABASE_URL: `${DATABASE_URL}?sslmode=require`,
    DATABASE_POOL_SIZE: '20',
    DATABASE_CONNECT_TIMEOUT_MS: '1000',
    DATABASE_STATEMENT_TIMEOUT_MS: '2000',
    DATABASE_POOLER: 'transaction',
    ROW_SECURITY: 'required',
    RATE_LIMIT_PER_USER: '60',
    RATE_LIMIT_FAILURES_PER_ADDRESS: '10',
    RATE_LIMIT_STORE: 'database',
    TRUSTED_PROXIES: '1',
    BETTER_AUTH_SECRET: SECRET,
    BETTER_AUTH_URL: 'http://localhost:3000',
    AUTH_JWKS: 'url',
    TOKEN_MAX_LIFETIME_S: '3600',
    CORS_ORIGINS: 'https://a.example, https://b.example:8443',
    API_HOST: '127.0.0.1',
    API_PORT: '9000',
    METRICS_PORT: '9090',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.example/otlp/',
    DATA_DIR: '/var/lib/todo',
    STANDALONE_USERS: 'true',
    LOG_LEVEL: 'debug',
    REQUEST_TIMEOUT_MS: '5000',
    EVENTS_SINK_URL: 'http://localhost:3500/v1.0/publish/kafka/tasks',
    JOURNAL_RETENTION_DAYS: '365',
  });
  t.deepEqual(config, {
    host: '127.0.0.1',
    port: 9000,
    metricsPort: 9090,
    tracesTo: 'https://collector.example/otlp',
    corsOrigins: ['https://a.example', 'https://b.example:8443'],
    logLevel: 'debug',
    requestTimeout: 5_000,
    limits: { perUser: 60, failuresPerAddress: 10, store: 'database' },
    trustedProxies: 1,
    dataDirectory: '/var/lib/todo',
    postgres: {
      url: `${DATABASE_URL}?sslmode=require`,
      poolSize: 20,
      connectTimeout: 1_000,
      statementTimeout: 2_000,
      transactionPooler: true,
    },
    events: { sinkUrl: 'http://localhost:3500/v1.0/publish/kafka/tasks', retentionDays: 365 },
    requireRowSecurity: true,
    standaloneUsers: true,
    auth: { secret: SECRET, generateSecret: false, url: 'http://localhost:3000', keys: 'url', maxLifetime: 3_600 },
  });
});

test('every problem is named at once', (t) => {
  const error = t.throws(
    () =>
      loadConfig({
        DATABASE_URL: 'mysql://x',
        BETTER_AUTH_SECRET: 'short',
        BETTER_AUTH_URL: 'app.example.com',
        AUTH_JWKS: 'file',
        CORS_ORIGINS: '*,https://a.example/path',
        API_PORT: '70000',
        METRICS_PORT: 'on',
        OTEL_EXPORTER_OTLP_ENDPOINT: 'collector.example:4318',
        LOG_LEVEL: 'loud',
        STANDALONE_USERS: 'maybe',
        DATABASE_POOL_SIZE: '1.5',
        EVENTS_SINK_URL: 'http://user:password@sink.example',
        JOURNAL_RETENTION_DAYS: '0',
      }),
    { name: 'ConfigError' },
  );
  const names = [
    'DATABASE_URL',
    'BETTER_AUTH_SECRET',
    'BETTER_AUTH_URL',
    'AUTH_JWKS',
    'API_PORT',
    'METRICS_PORT',
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    'LOG_LEVEL',
    'STANDALONE_USERS',
    'DATABASE_POOL_SIZE',
    'EVENTS_SINK_URL',
    'JOURNAL_RETENTION_DAYS',
  ];
  for (const name of names) t.regex(error?.message ?? '', new RegExp(`^  - ${name} `, 'm'), name);
  t.regex(error?.message ?? '', /CORS_ORIGINS must not be \*/);
  t.regex(error?.message ?? '', /"https:\/\/a\.example\/path" is none/);
});

test('where something is at stake, no key means no start', (t) => {
  const missing = { name: 'ConfigError', message: /BETTER_AUTH_URL or BETTER_AUTH_SECRET is missing/ };
  t.throws(() => loadConfig({ NODE_ENV: 'production' }), missing);
  t.throws(() => loadConfig({ DATABASE_URL }), missing);
  t.notThrows(() => loadConfig({ NODE_ENV: 'production', BETTER_AUTH_SECRET: SECRET }));
});

test('keys come from a place that can have them', (t) => {
  const url = 'https://app.example.com';
  t.throws(() => loadConfig({ AUTH_JWKS: 'table', BETTER_AUTH_URL: url }), {
    message: /AUTH_JWKS=table needs DATABASE_URL/,
  });
  t.throws(() => loadConfig({ AUTH_JWKS: 'url' }), { message: /AUTH_JWKS needs BETTER_AUTH_URL/ });
});

test('a problem never repeats a password', (t) => {
  const error = t.throws(() =>
    loadConfig({
      DATABASE_URL: 'postgres://me:hunter2@db.example/todo?sslmode=no-verify',
      BETTER_AUTH_SECRET: 'hunter2',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'https://me:hunter2@collector.example',
    }),
  );
  t.notRegex(error?.message ?? '', /hunter2/);
});
