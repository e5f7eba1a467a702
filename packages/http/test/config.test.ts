import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { loadConfig, withFiles } from '@todo-backend/http';
import test from 'ava';

const SECRET = 'a secret for tests, long enough to be one';
/** A secret of Standard Webhooks with a key of so many bytes. */
const sinkSecret = (bytes: number, fill = 1) => `whsec_${Buffer.alloc(bytes, fill).toString('base64')}`;
const SINK_SECRET = sinkSecret(32);
const DATABASE_URL = 'postgres://me@db.example/todo';

test('an empty configuration is valid: embedded, with a generated secret', (t) => {
  t.deepEqual(loadConfig({}), {
    host: '0.0.0.0',
    port: 8000,
    metricsHost: '127.0.0.1',
    corsOrigins: ['http://localhost:3000'],
    logLevel: 'info',
    requestTimeout: 10_000,
    maxTasks: 50_000,
    maxStreams: 20,
    connections: { most: 10_000, perAddress: 1_000 },
    limits: { perUser: 1_200, failuresPerAddress: 300, store: 'memory' },
    trustedProxies: 0,
    proxyHeader: 'x-forwarded-for',
    corsHeaders: [],
    publicPath: '',
    dataDirectory: resolve('.data'),
    events: { sinkSecrets: [], retentionDays: 90 },
    requireRowSecurity: false,
    standaloneUsers: true,
    startTimeout: 60_000,
    userTable: 'user',
    keysTable: 'jwks',
    auth: { generateSecret: true, issuers: [], audiences: [], clockTolerance: 5, maxLifetime: 86_400 },
  });
});

test('an empty variable counts as absent', (t) => {
  t.deepEqual(
    loadConfig({ API_PORT: '', DATABASE_URL: ' ', BETTER_AUTH_SECRET: '', CORS_ORIGINS: '' }),
    loadConfig({}),
  );
});

test('a shared database provides its users and keys', (t) => {
  const config = loadConfig({ DATABASE_URL, BETTER_AUTH_URL: 'https://app.example.com/' });
  t.like(config, {
    standaloneUsers: false,
    postgres: { url: DATABASE_URL, poolSize: 10, connectTimeout: 3_000, statementTimeout: 10_000 },
    auth: { generateSecret: false, keys: 'table', issuers: ['https://app.example.com', 'https://app.example.com/'] },
  });
  t.is(config.auth.secret, undefined);
});

test('everything can be set', (t) => {
  const config = loadConfig({
    DATABASE_URL: `${DATABASE_URL}?sslmode=require`,
    DATABASE_POOL_SIZE: '20',
    DATABASE_CONNECT_TIMEOUT_MS: '1000',
    DATABASE_STATEMENT_TIMEOUT_MS: '2000',
    DATABASE_START_TIMEOUT_MS: '5000',
    DATABASE_POOLER: 'transaction',
    ROW_SECURITY: 'required',
    MAX_TASKS_PER_USER: '100',
    MAX_STREAMS_PER_USER: '3',
    MAX_CONNECTIONS: '200',
    MAX_CONNECTIONS_PER_ADDRESS: '20',
    RATE_LIMIT_PER_USER: '60',
    RATE_LIMIT_FAILURES_PER_ADDRESS: '10',
    RATE_LIMIT_STORE: 'database',
    TRUSTED_PROXIES: '1',
    PROXY_HEADER: 'Forwarded',
    CORS_ALLOWED_HEADERS: 'x-tool, x-other',
    PUBLIC_URL: 'https://example.com/todo/',
    STRICT_TRANSPORT_SECURITY: 'max-age=31536000',
    BETTER_AUTH_SECRET: SECRET,
    BETTER_AUTH_URL: 'http://localhost:3000',
    AUTH_JWKS: 'url',
    AUTH_JWKS_URL: 'http://localhost:3000/keys',
    AUTH_ISSUER: 'todo',
    AUTH_AUDIENCE: 'api, web',
    AUTH_CLOCK_TOLERANCE_S: '30',
    AUTH_JWKS_TABLE: 'auth.keys',
    TOKEN_MAX_LIFETIME_S: '3600',
    CORS_ORIGINS: 'https://a.example, https://b.example:8443',
    API_HOST: '127.0.0.1',
    API_PORT: '9000',
    METRICS_PORT: '9090',
    METRICS_HOST: '0.0.0.0',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.example/otlp/',
    DATA_DIR: '/var/lib/todo',
    STANDALONE_USERS: 'true',
    LOG_LEVEL: 'debug',
    REQUEST_TIMEOUT_MS: '5000',
    EVENTS_SINK_URL: 'http://localhost:3500/v1.0/publish/kafka/tasks',
    EVENTS_SINK_SECRET: SINK_SECRET,
    JOURNAL_RETENTION_DAYS: '365',
  });
  t.deepEqual(config, {
    host: '127.0.0.1',
    port: 9000,
    metricsPort: 9090,
    metricsHost: '0.0.0.0',
    tracesTo: 'https://collector.example/otlp',
    corsOrigins: ['https://a.example', 'https://b.example:8443'],
    logLevel: 'debug',
    requestTimeout: 5_000,
    maxTasks: 100,
    maxStreams: 3,
    connections: { most: 200, perAddress: 20 },
    limits: { perUser: 60, failuresPerAddress: 10, store: 'database' },
    trustedProxies: 1,
    proxyHeader: 'forwarded',
    corsHeaders: ['x-tool', 'x-other'],
    publicPath: '/todo',
    transportSecurity: 'max-age=31536000',
    dataDirectory: '/var/lib/todo',
    postgres: {
      url: `${DATABASE_URL}?sslmode=require`,
      poolSize: 20,
      connectTimeout: 1_000,
      statementTimeout: 2_000,
      transactionPooler: true,
    },
    events: {
      sinkUrl: 'http://localhost:3500/v1.0/publish/kafka/tasks',
      sinkSecrets: [SINK_SECRET],
      retentionDays: 365,
    },
    requireRowSecurity: true,
    standaloneUsers: true,
    startTimeout: 5_000,
    userTable: 'user',
    keysTable: 'auth.keys',
    auth: {
      secret: SECRET,
      generateSecret: false,
      keys: { url: 'http://localhost:3000/keys' },
      issuers: ['todo'],
      audiences: ['api', 'web'],
      clockTolerance: 30,
      maxLifetime: 3_600,
    },
  });
});

test('every problem is reported at once', (t) => {
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
        EVENTS_SINK_SECRET: 'short',
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
    'EVENTS_SINK_SECRET',
    'JOURNAL_RETENTION_DAYS',
  ];
  for (const name of names) t.regex(error?.message ?? '', new RegExp(`^  - ${name} `, 'm'), name);
  t.regex(error?.message ?? '', /CORS_ORIGINS must not be \*/);
  t.regex(error?.message ?? '', /"https:\/\/a\.example\/path" is none/);
});

test('outside of a local setup, a missing key is refused', (t) => {
  const missing = { name: 'ConfigError', message: /BETTER_AUTH_URL or BETTER_AUTH_SECRET is missing/ };
  t.throws(() => loadConfig({ NODE_ENV: 'production' }), missing);
  t.throws(() => loadConfig({ DATABASE_URL }), missing);
  t.notThrows(() => loadConfig({ NODE_ENV: 'production', BETTER_AUTH_SECRET: SECRET }));
});

test('the source of keys must be suitable', (t) => {
  const url = 'https://app.example.com';
  t.throws(() => loadConfig({ AUTH_JWKS: 'table', BETTER_AUTH_URL: url }), {
    message: /AUTH_JWKS=table needs DATABASE_URL/,
  });
  for (const name of ['AUTH_JWKS', 'AUTH_JWKS_URL', 'AUTH_JWKS_TABLE', 'AUTH_ISSUER', 'AUTH_AUDIENCE']) {
    t.throws(() => loadConfig({ [name]: 'url' }), { message: new RegExp(`${name} needs BETTER_AUTH_URL`) });
  }
  t.throws(() => loadConfig({ DATABASE_URL, BETTER_AUTH_URL: url, AUTH_JWKS: 'table', AUTH_JWKS_URL: url }), {
    message: /AUTH_JWKS_URL is for AUTH_JWKS=url, and AUTH_JWKS is table/,
  });
  const keys = (more: object) => loadConfig({ DATABASE_URL, BETTER_AUTH_URL: url, ...more }).auth.keys;
  t.is(keys({}), 'table');
  t.deepEqual(keys({ AUTH_JWKS: 'url' }), { url: `${url}/api/auth/jwks` });
  t.deepEqual(keys({ AUTH_JWKS_URL: `${url}/keys` }), { url: `${url}/keys` });
  t.deepEqual(keys({ AUTH_JWKS: 'url', BETTER_AUTH_URL: `${url}/auth/` }), { url: `${url}/auth/jwks` });
});

test('issuer and audience follow from the URL of Better Auth, with or without a path, unless they are set', (t) => {
  const auth = (more: object) => loadConfig({ BETTER_AUTH_URL: 'https://app.example.com/auth', ...more }).auth;
  const both = ['https://app.example.com', 'https://app.example.com/', 'https://app.example.com/auth'];
  t.deepEqual(auth({}).issuers, [...both, 'https://app.example.com/auth/']);
  t.deepEqual(auth({}).audiences, auth({}).issuers);
  t.like(auth({ AUTH_ISSUER: 'todo' }), { issuers: ['todo'], audiences: ['todo'] });
  t.deepEqual(auth({ AUTH_AUDIENCE: 'api,web' }).audiences, ['api', 'web']);
  t.throws(() => auth({ AUTH_AUDIENCE: 'api,,web' }), { message: /AUTH_AUDIENCE must be a comma-separated list/ });
});

test("the table of users is Better Auth's, or a stand-in", (t) => {
  const both = { DATABASE_URL, BETTER_AUTH_SECRET: SECRET, STANDALONE_USERS: 'true', AUTH_USER_TABLE: 'users' };
  t.throws(() => loadConfig(both), { message: /AUTH_USER_TABLE names the table of Better Auth/ });
  t.is(loadConfig({ ...both, STANDALONE_USERS: 'false' }).userTable, 'users');
  for (const name of ['a.b.c', '"users"', 'auth.']) {
    t.throws(() => loadConfig({ ...both, AUTH_USER_TABLE: name }), {
      message: /AUTH_USER_TABLE must be the name of a/,
    });
  }
});

test('a port that a platform sets counts where none is set for this server', (t) => {
  t.is(loadConfig({ PORT: '3001' }).port, 3_001);
  t.is(loadConfig({ PORT: '3001', API_PORT: '3002' }).port, 3_002);
});

test('events are signed with one secret, or with two while they are rotated', (t) => {
  const secrets = (text: string) =>
    loadConfig({ EVENTS_SINK_URL: 'https://sink.example', EVENTS_SINK_SECRET: text }).events.sinkSecrets;
  for (const bytes of [24, 25, 26, 64]) t.deepEqual(secrets(sinkSecret(bytes)), [sinkSecret(bytes)]);
  const next = sinkSecret(64, 2);
  for (const between of [' ', ',', ', ', '\n']) {
    t.deepEqual(secrets(`${SINK_SECRET}${between}${next}`), [SINK_SECRET, next], JSON.stringify(between));
  }
  const wrong = {
    'no prefix': SINK_SECRET.slice('whsec_'.length),
    'another prefix': SINK_SECRET.replace('whsec_', 'whsk_'),
    'no key': 'whsec_',
    'too short': sinkSecret(23),
    'too long': sinkSecret(65),
    'not base64': `${SINK_SECRET.slice(0, -2)}!=`,
    'no padding': SINK_SECRET.replace(/=+$/, ''),
    base64url: `whsec_${Buffer.alloc(32, 0xff).toString('base64url')}`,
    'three secrets': [SINK_SECRET, next, sinkSecret(24)].join(' '),
    'a bad second one': `${SINK_SECRET} ${sinkSecret(23)}`,
    'an empty second one': `${SINK_SECRET},`,
  };
  for (const [what, text] of Object.entries(wrong)) {
    const error = t.throws(() => secrets(text), { name: 'ConfigError' }, what);
    t.is(
      error?.message,
      'The configuration is not valid:\n' +
        '  - EVENTS_SINK_SECRET must be whsec_ and 24 to 64 bytes in base64 (openssl rand -base64 32), or two of these ' +
        'with a space or a comma between them',
      what,
    );
  }
  t.throws(() => loadConfig({ EVENTS_SINK_SECRET: SINK_SECRET }), {
    message: /EVENTS_SINK_SECRET needs EVENTS_SINK_URL, which says where the signed events go/,
  });
});

test('a secret may lie in a file', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'todo-secrets-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const file = join(directory, 'secret');
  await writeFile(file, `${SECRET}\n`);
  t.like(withFiles({ BETTER_AUTH_SECRET_FILE: file }), { BETTER_AUTH_SECRET: SECRET });
  t.like(withFiles({ EVENTS_SINK_SECRET_FILE: file }), { EVENTS_SINK_SECRET: SECRET });
  t.throws(() => withFiles({ BETTER_AUTH_SECRET_FILE: file, BETTER_AUTH_SECRET: SECRET }), {
    message: /BETTER_AUTH_SECRET and BETTER_AUTH_SECRET_FILE are both set: choose one/,
  });
  t.throws(() => withFiles({ DATABASE_URL_FILE: join(directory, 'nothing') }), {
    message: /DATABASE_URL_FILE cannot be read: ENOENT/,
  });
  await writeFile(file, ' \n');
  t.throws(() => withFiles({ EVENTS_SINK_SECRET_FILE: file }), { message: /EVENTS_SINK_SECRET_FILE is an empty file/ });
});

test('a problem never repeats a password', (t) => {
  const error = t.throws(() =>
    loadConfig({
      DATABASE_URL: 'postgres://me:hunter2@db.example/todo?sslmode=no-verify',
      BETTER_AUTH_SECRET: 'hunter2',
      EVENTS_SINK_SECRET: 'whsec_hunter2',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'https://me:hunter2@collector.example',
    }),
  );
  t.notRegex(error?.message ?? '', /hunter2/);
});
