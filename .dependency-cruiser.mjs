/**
 * Who may depend on whom. What is not allowed here is an error: a new dependency has to be put on the list, in sight of
 * whoever reviews it. Other packages of the workspace are seen as what they publish: their `dist`.
 */
const published = (...packages) => packages.map((name) => `(^|/)packages/${name}/dist/[^/]+[.]d?[.]?[jt]s$`);
const library = (...names) => names.map((name) => `(^|/)node_modules/${name}/`);

const allowed = [
  { from: { path: '^packages/domain/src/' }, to: { path: '^packages/domain/src/' } },
  { from: { path: '^packages/client/src/' }, to: { path: '^packages/client/src/' } },
  {
    from: { path: '^packages/application/src/' },
    to: { path: ['^packages/application/src/', ...published('domain'), ...library('valibot')] },
  },
  {
    from: { path: '^packages/application/testing/' },
    to: {
      path: [
        '^packages/application/testing/',
        ...published('domain', 'application'),
        '^(node:)?(assert/strict|crypto)$',
      ],
    },
  },
  {
    from: { path: '^packages/infrastructure/src/' },
    to: {
      path: [
        '^packages/infrastructure/src/',
        ...published('domain', 'application'),
        ...library('@mikro-orm', '@electric-sql/pglite', 'kysely', 'pg', '@types/pg', 'pg-connection-string', 'jose'),
        ...library('valibot', 'fs-native-extensions', 'lru-cache'),
        '^(node:)?(crypto|fs/promises|net|path|tls)$',
      ],
    },
  },
  {
    from: { path: '^packages/http/src/' },
    to: {
      path: [
        '^packages/http/src/',
        ...published('domain', 'application'),
        ...library('koa', '@koa/router', '@koa/cors', 'koa-bodyparser', '@types/koa', '@types/koa-bodyparser'),
        ...library('@types/koa__cors', 'helmet', 'rate-limiter-flexible', 'ipaddr.js', 'pino', 'valibot'),
        '^(node:)?(crypto|http|net|stream|timers/promises)$',
      ],
    },
  },
  // The exceptions: the composition root, and what starts it.
  {
    from: { path: '^packages/http/src/(container|serve|main|config|maintenance)[.]ts$' },
    to: { path: published('infrastructure') },
  },
  {
    from: { path: '^packages/http/src/container[.]ts$' },
    to: { path: library('tsyringe', 'reflect-metadata', 'uuidv7') },
  },
  {
    from: { path: '^packages/http/src/(main|config|log-destination|version)[.]ts$' },
    to: { path: '^(node:)?(fs|path|util)$' },
  },
  { from: { path: '^packages/http/src/main[.]ts$' }, to: { path: library('close-with-grace') } },
  { from: { path: '^packages/http/src/task-routes[.]ts$' }, to: { path: library('csv-stringify') } },
  {
    from: { path: '^packages/http/src/docs-routes[.]ts$' },
    to: { path: [...library('swagger-ui-dist'), '^(node:)?(fs/promises|path)$'] },
  },
  { from: { path: '^packages/http/src/openapi/' }, to: { path: library('@valibot/to-json-schema') } },
  { from: { path: '^packages/http/src/logger[.]ts$' }, to: { path: library('pino-pretty') } },
  { from: { path: '^packages/http/src/metrics[.]ts$' }, to: { path: library('prom-client') } },
  {
    from: { path: '^packages/http/src/tracing[.]ts$' },
    to: { path: ['^(node:)?module$', ...library('@opentelemetry')] },
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
