import { UnavailableError } from '@todo-backend/application';
import { createLogger, createMetrics, listenForMetrics, type Metrics, type MetricsOptions } from '@todo-backend/http';
import { Database } from '@todo-backend/infrastructure';
import test from 'ava';
import { sql } from 'kysely';
import { databases, postgresTest } from '../../../test/postgres.ts';
import { ABSENT, onMemory, person } from './hosts.ts';

const serverTest = await postgresTest(test);
const newDatabase = databases(test);

/** Metrics and their log. */
async function metricsWith(options: Omit<MetricsOptions, 'logger'> = {}): Promise<{ metrics: Metrics; log: string[] }> {
  const log: string[] = [];
  const logger = await createLogger({ logLevel: 'info' }, { write: (line) => log.push(line) });
  return { metrics: createMetrics({ logger, ...options }), log };
}

/** The samples of a metric, by their labels as text. */
function samples(text: string, name: string): Record<string, number> {
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return Object.fromEntries(
    lines.map((line) => {
      const [, labels = '', value] = /^\w+(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      return [labels, Number(value)];
    }),
  );
}

/** The value of the one sample without labels, if there is one. */
const only = (text: string, name: string) => samples(text, name)[''];

test('requests are counted and timed by route template', async (t) => {
  const { metrics } = await metricsWith();
  const host = await onMemory({ onAnswer: metrics.observe });
  const alice = await person(host, 'planted-user');
  const task = await alice.create();
  await alice.call('GET', `/tasks/${task.id}`);
  await alice.call('GET', '/tasks?search=planted');
  await alice.call('GET', `/tasks/${ABSENT}`);
  const text = await metrics.read();
  t.deepEqual(samples(text, 'todo_http_requests_total'), {
    'method="POST",route="/api/:user_id/tasks",status="201"': 1,
    'method="GET",route="/api/:user_id/tasks/:task_id",status="200"': 1,
    'method="GET",route="/api/:user_id/tasks",status="200"': 1,
    'method="GET",route="/api/:user_id/tasks/:task_id",status="404"': 1,
  });
  t.deepEqual(samples(text, 'todo_http_request_duration_seconds_count'), {
    'method="POST",route="/api/:user_id/tasks"': 1,
    'method="GET",route="/api/:user_id/tasks/:task_id"': 2,
    'method="GET",route="/api/:user_id/tasks"': 1,
  });
  t.notRegex(text, /planted/);
  await host.close();
});

test('unknown methods and paths share one label value', async (t) => {
  const { metrics } = await metricsWith();
  const host = await onMemory({ onAnswer: metrics.observe });
  for (const path of ['/a', '/b', '/api/x', '/api/x/nothing', '/%zz', '/tasks/../health']) await host.call('GET', path);
  for (const method of ['PROPFIND', 'TRACK', 'PURGE', 'MKCOL', 'QUERY'])
    await host.call(method, '/health').catch(() => {});
  await host.call('OPTIONS', '/anything');
  const text = await metrics.read();
  const labels = Object.keys(samples(text, 'todo_http_request_duration_seconds_count'));
  t.true(labels.includes('method="GET",route="none"'), labels.join(' '));
  for (const label of labels) t.regex(label, /^method="(?:GET|OPTIONS|other)",route="(?:none|\/health)"$/);
  t.true(labels.some((label) => label.startsWith('method="other"')));
  await host.close();
});

test('latencies are measured up to ten seconds', async (t) => {
  const { metrics } = await metricsWith();
  const request = { method: 'GET', route: '/', status: 200, refusal: undefined };
  for (const seconds of [0.0005, 0.003, 0.07, 0.9, 7, 60]) metrics.observe({ ...request, seconds });
  const buckets = samples(await metrics.read(), 'todo_http_request_duration_seconds_bucket');
  const upTo = (bound: string) => buckets[`le="${bound}",method="GET",route="/"`];
  t.deepEqual(['0.001', '0.005', '0.1', '1', '5', '10', '+Inf'].map(upTo), [1, 2, 3, 4, 4, 5, 6]);
});

test('failed authentications are counted by reason, from zero', async (t) => {
  const { metrics } = await metricsWith();
  const name = 'todo_authentication_failures_total';
  const before = samples(await metrics.read(), name);
  t.is(Object.keys(before).length, 9);
  t.deepEqual([...new Set(Object.values(before))], [0]);

  const host = await onMemory({ onAnswer: metrics.observe });
  const [alice, bob] = [await person(host), await person(host)];
  await host.call('GET', `/api/${alice.id}/tasks`);
  await host.call('GET', `/api/${alice.id}/tasks`, { token: 'x' });
  await host.call('GET', `/api/${alice.id}/tasks`, { token: bob.token });
  await alice.call('GET', '/tasks');
  t.deepEqual(samples(await metrics.read(), name), {
    ...before,
    'reason="missing"': 1,
    'reason="malformed"': 1,
    'reason="forbidden"': 1,
  });
  await host.close();
});

test('the process has metrics: event loop, memory, CPU', async (t) => {
  const { metrics } = await metricsWith();
  const text = await metrics.read();
  for (const name of [
    'nodejs_eventloop_lag_p99_seconds',
    'process_resident_memory_bytes',
    'process_cpu_seconds_total',
  ]) {
    t.is(typeof only(text, name), 'number', name);
  }
});

test('apps in one process have separate metrics', async (t) => {
  const [one, other] = [await metricsWith(), await metricsWith()];
  one.metrics.observe({ method: 'GET', route: '/', status: 200, seconds: 0, refusal: undefined });
  t.not(Object.keys(samples(await one.metrics.read(), 'todo_http_requests_total')).length, 0);
  t.deepEqual(samples(await other.metrics.read(), 'todo_http_requests_total'), {});
});

serverTest('the pool is seen: connections in use, who waits, and how many there may be', async (t) => {
  const database = await Database.postgres({ url: await newDatabase(), poolSize: 2, connectTimeout: 60_000 });
  const { metrics } = await metricsWith({ pool: database.pool });
  const pool = async () => {
    const text = await metrics.read();
    return ['in_use', 'waiting', 'size', 'limit'].map((what) => only(text, `todo_database_pool_${what}`));
  };
  t.deepEqual(await pool(), [0, 0, 0, 2], 'before the first query');

  let finish = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const done: Promise<void>[] = [];
  for (const user of ['alice', 'bob']) {
    await new Promise<void>((begun) => {
      done.push(
        database.transaction({ user }, () => {
          begun();
          return finished;
        }),
      );
    });
  }
  const waiting = database.query((db) => sql`select 1`.execute(db));
  while (database.pool?.().waiting === 0) await new Promise(setImmediate);
  t.deepEqual(await pool(), [2, 1, 2, 2]);
  finish();
  await Promise.all([...done, waiting]);
  t.deepEqual(await pool(), [0, 0, 2, 2]);
  await database.close();
});

test('without a pool or events, there are no metrics of them', async (t) => {
  const database = await Database.embedded();
  const { metrics } = await metricsWith({ pool: database.pool });
  t.notRegex(await metrics.read(), /todo_database_pool|todo_events/);
  await database.close();
});

test('events have metrics', async (t) => {
  const { metrics } = await metricsWith({ eventsWaiting: async () => 3, eventsDead: async () => 0 });
  const text = await metrics.read();
  t.is(only(text, 'todo_events_waiting'), 3);
  t.is(only(text, 'todo_events_dead'), 0);
});

test('reminders are counted by how late they came', async (t) => {
  const { metrics } = await metricsWith();
  t.is(only(await metrics.read(), 'todo_reminder_delay_seconds_count'), 0);
  metrics.remind([0.002, 0.3, 7_000]);
  const text = await metrics.read();
  t.is(only(text, 'todo_reminder_delay_seconds_count'), 3);
  const upTo = samples(text, 'todo_reminder_delay_seconds_bucket');
  t.deepEqual(
    ['0.01', '0.5', '3600', '86400'].map((bound) => upTo[`le="${bound}"`]),
    [1, 2, 2, 3],
  );
});

test('a metric that cannot be read is missing, counted and logged, and does not affect the others', async (t) => {
  let isAway = true;
  const { metrics, log } = await metricsWith({
    eventsWaiting: async () => {
      if (isAway) throw new UnavailableError('The database is away.');
      return 5;
    },
    eventsDead: async () => 1,
    pool: () => {
      throw new Error('no pool');
    },
  });
  const text = await metrics.read();
  t.is(only(text, 'todo_events_waiting'), undefined);
  t.is(only(text, 'todo_events_dead'), 1);
  t.is(typeof only(text, 'process_resident_memory_bytes'), 'number');
  const failures = samples(text, 'todo_metric_failures_total');
  t.is(failures['metric="todo_events_waiting"'], 1);
  t.is(failures['metric="todo_database_pool_in_use"'], 1);
  const logged = log.map((line) => JSON.parse(line)).find(({ metric }) => metric === 'todo_events_waiting');
  t.is(logged.level, 50);
  t.is(logged.err.message, 'The database is away.');

  isAway = false;
  t.is(only(await metrics.read(), 'todo_events_waiting'), 5, 'it is read again when it can be');
});

test('a hanging metric does not block the others, and is not read twice at once', async (t) => {
  let begun = 0;
  let answer = (_: number) => {};
  const { metrics } = await metricsWith({
    eventsWaiting: () => {
      begun++;
      return new Promise((resolve) => {
        answer = resolve;
      });
    },
  });
  for (const text of await Promise.all([metrics.read(), metrics.read()])) {
    t.is(only(text, 'todo_events_waiting'), undefined);
    t.not(samples(text, 'todo_metric_failures_total')['metric="todo_events_waiting"'], undefined);
  }
  t.is(begun, 1);
  const next = metrics.read();
  answer(7);
  t.is(only(await next, 'todo_events_waiting'), 7);
});

test('the metrics port serves only GET /metrics', async (t) => {
  const { metrics } = await metricsWith();
  const server = await listenForMetrics(metrics, { host: '127.0.0.1', port: 0 });
  const url = `http://127.0.0.1:${server.port}`;
  const answer = await fetch(`${url}/metrics`);
  t.is(answer.status, 200);
  t.is(answer.headers.get('Content-Type'), 'text/plain; version=0.0.4; charset=utf-8');
  t.regex(await answer.text(), /^# HELP .*\n$/s);
  for (const [method, path] of [
    ['POST', '/metrics'],
    ['HEAD', '/metrics'],
    ['GET', '/metrics/'],
    ['GET', '/metrics?name[]=x'],
    ['GET', '/'],
    ['GET', '/health'],
    ['GET', '/api/alice/tasks'],
  ] as const) {
    t.is((await fetch(url + path, { method })).status, 404, `${method} ${path}`);
  }
  await t.throwsAsync(listenForMetrics(metrics, { host: '127.0.0.1', port: server.port }), { code: 'EADDRINUSE' });
  await server.close();
  await t.throwsAsync(fetch(`${url}/metrics`));
});
