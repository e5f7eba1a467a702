/**
 * Who may depend on whom. What is not allowed here is an error: a new dependency has to be put on the list, in sight of
 * whoever reviews it. Other packages of the workspace are seen as what they publish: their `dist`.
 */
const published = (...packages) => packages.map((name) => `(^|/)packages/${name}/dist/[^/]+[.]d?[.]?[jt]s$`);
const library = (...names) => names.map((name) => `(^|/)node_modules/${name}/`);
const node = (...names) => [`^(node:)?(${names.join('|')})$`];

/** The rooms of a package, and which of its own rooms each one may use besides itself. */
const rooms = (source, allowed) =>
  Object.entries(allowed).map(([room, others]) => ({
    from: { path: `^${source}/${room}` },
    to: { path: [room, ...others].map((other) => `^${source}/${other}`) },
  }));

/** Files at the root of `application/src`, which every room of it may use. */
const SHARED = '(clock|errors|feed|ids|position|readiness|caller|task-id|validation)[.]ts$';

const allowed = [
  { from: { path: '^packages/domain/src/' }, to: { path: '^packages/domain/src/' } },
  { from: { path: '^packages/client/src/' }, to: { path: '^packages/client/src/' } },

  // application: tasks and the journal know nothing of each other, and neither knows how events are delivered.
  { from: { path: '^packages/application/src/' }, to: { path: [...published('domain'), ...library('valibot')] } },
  { from: { path: '^packages/application/src/index[.]ts$' }, to: { path: '^packages/application/src/' } },
  {
    from: { path: '^packages/application/src/tasks/(?:due-bound|time-zone)[.]ts$' },
    to: { path: library('temporal-polyfill') },
  },
  {
    from: { path: '^packages/application/src/tasks/occurrences[.]ts$' },
    to: { path: library('rrule-temporal', 'temporal-polyfill') },
  },
  { from: { path: '^packages/application/src/tasks/completing[.]ts$' }, to: { path: library('uuid') } },
  ...rooms('packages/application/src', {
    [SHARED]: [],
    'tasks/': [SHARED],
    'journal/': [SHARED],
    'recovery/': [SHARED, 'tasks/', 'journal/'],
    'delivery/': [SHARED, 'journal/'],
  }),
  {
    from: { path: '^packages/application/testing/' },
    to: {
      path: [
        '^packages/application/testing/',
        ...published('domain', 'application'),
        ...node('assert/strict', 'crypto', 'timers/promises'),
      ],
    },
  },

  // infrastructure: the schema is the ground; tasks and delivery stand on the journal, the journal on postgres.
  {
    from: { path: '^packages/infrastructure/src/' },
    to: {
      path: [
        ...published('domain', 'application'),
        ...library('kysely'),
        '^packages/infrastructure/src/network-errors[.]ts$',
      ],
    },
  },
  { from: { path: '^packages/infrastructure/src/index[.]ts$' }, to: { path: '^packages/infrastructure/src/' } },
  ...rooms('packages/infrastructure/src', {
    'schema/': [],
    'migrations/': [],
    'postgres/': ['schema/', 'migrations/', 'fs-native-extensions[.]d[.]ts$'],
    'journal/': ['schema/', 'postgres/'],
    'tasks/': ['schema/', 'postgres/', 'journal/'],
    'delivery/': ['schema/', 'postgres/', 'journal/'],
    'feed/': ['postgres/', 'journal/'],
    'auth/': ['schema/', 'postgres/'],
  }),
  {
    from: { path: '^packages/infrastructure/src/(schema|migrations|postgres)/' },
    to: { path: library('@mikro-orm') },
  },
  {
    from: { path: '^packages/infrastructure/src/postgres/' },
    to: {
      path: [
        ...library('@electric-sql/pglite', 'pg', '@types/pg', 'pg-connection-string', 'fs-native-extensions'),
        ...node('crypto', 'fs', 'fs/promises', 'module', 'net', 'path', 'timers/promises', 'tls', 'worker_threads'),
      ],
    },
  },
  {
    from: { path: '^packages/infrastructure/src/auth/' },
    to: { path: [...library('jose', 'valibot', 'lru-cache'), ...node('crypto', 'timers/promises')] },
  },
  { from: { path: '^packages/infrastructure/src/delivery/' }, to: { path: library('standardwebhooks') } },

  // mcp: the use cases as tools. It knows neither HTTP frameworks nor databases.
  {
    from: { path: '^packages/mcp/src/' },
    to: {
      path: [
        '^packages/mcp/src/',
        ...published('domain', 'application'),
        ...library('valibot', '@valibot/to-json-schema', '@modelcontextprotocol/server'),
      ],
    },
  },

  // http: host → app → routes → middleware. The document reads the routes. Only the host knows infrastructure.
  { from: { path: '^packages/http/src/index[.]ts$' }, to: { path: '^packages/http/src/' } },
  ...rooms('packages/http/src', {
    'middleware/': [],
    'routes/': ['middleware/'],
    'openapi/': ['routes/', 'middleware/', 'version[.]ts$'],
    'app[.]ts$': ['routes/', 'middleware/', 'openapi/'],
    'host/': ['app[.]ts$', 'middleware/', 'version[.]ts$'],
  }),
  {
    from: { path: '^packages/http/src/(middleware|routes|openapi|app|host)' },
    to: { path: [...published('domain', 'application'), ...library('koa', '@types/koa', 'pino')] },
  },
  {
    from: { path: '^packages/http/src/middleware/' },
    to: {
      path: [
        ...library('@koa/router', '@koa/cors', '@types/koa__cors', 'koa-bodyparser', '@types/koa-bodyparser'),
        ...library('koa-compress', 'forwarded-parse', 'rate-limiter-flexible', 'ipaddr.js'),
        ...node('crypto', 'http', 'net', 'stream', 'timers/promises'),
      ],
    },
  },
  {
    from: { path: '^packages/http/src/routes/' },
    to: {
      path: [
        ...published('mcp'),
        ...library('@koa/router', 'valibot', 'csv-stringify', 'swagger-ui-dist'),
        ...node('crypto', 'fs/promises', 'path', 'stream', 'timers/promises'),
      ],
    },
  },
  { from: { path: '^packages/http/src/openapi/' }, to: { path: library('valibot', '@valibot/to-json-schema') } },
  { from: { path: '^packages/http/src/version[.]ts$' }, to: { path: node('fs') } },
  {
    from: { path: '^packages/http/src/host/' },
    to: {
      path: [
        ...published('infrastructure', 'mcp'),
        ...library('valibot'),
        ...node(
          'crypto',
          'events',
          'fs',
          'http',
          'inspector',
          'net',
          'path',
          'stream',
          'timers/promises',
          'util',
          'worker_threads',
        ),
      ],
    },
  },
  {
    from: { path: '^packages/http/src/host/container[.]ts$' },
    to: { path: library('tsyringe', 'reflect-metadata', 'uuidv7', 'rate-limiter-flexible') },
  },
  { from: { path: '^packages/http/src/host/main[.]ts$' }, to: { path: library('close-with-grace') } },
  { from: { path: '^packages/http/src/host/logger[.]ts$' }, to: { path: library('pino-pretty') } },
  { from: { path: '^packages/http/src/host/metrics[.]ts$' }, to: { path: library('prom-client') } },
  {
    from: { path: '^packages/http/src/host/tracing[.]ts$' },
    to: { path: [...node('module'), ...library('@opentelemetry')] },
  },
];

export default {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'not-to-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  allowed,
  allowedSeverity: 'error',
  options: {
    doNotFollow: { path: ['node_modules', '/dist/'] },
    exclude: { path: '^packages/[^/]+/test/' },
    parser: 'swc',
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'default', 'types'] },
  },
};
