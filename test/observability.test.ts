import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createLogger, createMetrics } from '@todo-backend/http';
import test from 'ava';
import { parse } from 'yaml';

/** The dashboard and the alerts that are given away must not ask for what is not there. */
const DOCS = join(import.meta.dirname, '..', 'docs');

interface Dashboard {
  readonly panels: { readonly title: string; readonly targets: { readonly expr: string }[] }[];
  readonly templating: { readonly list: { readonly type: string; readonly query: string }[] };
}

interface Alerts {
  readonly groups: { readonly rules: { readonly alert: string; readonly expr: string }[] }[];
}

const dashboard: Dashboard = JSON.parse(await readFile(join(DOCS, 'grafana-dashboard.json'), 'utf8'));
const alerts: Alerts = parse(await readFile(join(DOCS, 'alerts.yaml'), 'utf8'));
const guide = await readFile(join(DOCS, 'observability.md'), 'utf8');

const expressions = [
  ...dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [title, expr] as const)),
  ...alerts.groups.flatMap(({ rules }) => rules.map(({ alert, expr }) => [alert, expr] as const)),
  ...dashboard.templating.list
    .filter(({ type }) => type === 'query')
    .map(({ query }) => ['variable', query.replace(/^label_values\((.+), (\w+)\)$/, 'sum by ($2) ($1)')] as const),
];

/** Made by Prometheus itself. */
const BY_PROMETHEUS = { metrics: ['up'], labels: ['job', 'instance', 'le'] };

/** The names of the metrics and of the labels that an expression of PromQL asks for. */
function namesIn(expression: string): { metrics: string[]; labels: string[] } {
  const labels: string[] = [];
  const without = expression
    .replaceAll(/"[^"]*"/g, '""')
    .replaceAll(/\{([^}]*)\}|\bby \(([^)]*)\)/g, (_, matchers = '', grouping = '') => {
      labels.push(...(`${matchers},${grouping}`.match(/\w+/g) ?? []));
      return '';
    })
    .replaceAll(/\[[^\]]*\]|\boffset \w+/g, '');
  const words = without.match(/\b[a-z_]\w*(?!\w|\s*\()/gi) ?? [];
  return { metrics: words.filter((word) => !['and', 'or', 'unless'].includes(word)), labels };
}

/** All that `/metrics` can say, as names of samples and of labels. */
async function exported(): Promise<{ metrics: Set<string>; labels: Set<string> }> {
  const metrics = createMetrics({
    logger: await createLogger({ logLevel: 'silent' }),
    pool: () => ({ size: 1, idle: 1, waiting: 0, limit: 10 }),
    droppedLogLines: () => 0,
    eventsWaiting: async () => 0,
    eventsDead: () => Promise.reject(new Error('away')),
  });
  metrics.observe({ method: 'GET', route: '/', status: 200, seconds: 0, refusal: 'missing' });
  const text = await metrics.read();
  return {
    // A metric that cannot be read is one all the same: todo_events_dead.
    metrics: new Set(
      [...text.matchAll(/^(\w+)[ {]/gm), ...text.matchAll(/metric="(\w+)"/g)].map(([, name]) => name ?? ''),
    ),
    labels: new Set([...text.matchAll(/[{,](\w+)="/g)].map(([, name]) => name ?? '')),
  };
}

test('what the dashboard and the alerts ask for is exported', async (t) => {
  const { metrics, labels } = await exported();
  t.true(expressions.length > 20);
  for (const [where, expression] of expressions) {
    const asked = namesIn(expression);
    t.not(asked.metrics.length, 0, `${where}: ${expression}`);
    for (const name of asked.metrics) {
      t.true(metrics.has(name) || BY_PROMETHEUS.metrics.includes(name), `${where}: there is no metric ${name}`);
    }
    for (const name of asked.labels) {
      t.true(labels.has(name) || BY_PROMETHEUS.labels.includes(name), `${where}: there is no label ${name}`);
    }
  }
});

test('every metric of our own is on the dashboard or in the alerts, and in the guide', async (t) => {
  const { metrics } = await exported();
  const own = [...metrics]
    .filter((name) => name.startsWith('todo_'))
    .map((name) => name.replace(/_(?:bucket|sum|count)$/, ''));
  const text = expressions.map(([, expression]) => expression).join('\n');
  for (const name of own) {
    t.true(text.includes(name), `${name} is looked at`);
    t.true(guide.includes(`\`${name}\``), `${name} is explained`);
  }
});
