import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { issueToken } from '@todo-backend/infrastructure';
import test, { type ExecutionContext } from 'ava';
import { documentedFetch } from '../packages/http/test/conformance.ts';
import { databases, execute, postgresTest } from './postgres.ts';

const serverTest = await postgresTest(test);
const newDatabase = databases(test);

/** These start the built program, as an operator would. */
const MAIN = join(import.meta.dirname, '..', 'packages', 'http', 'bin', 'todo-backend.js');
const SECRET = 'a secret for tests, long enough to be one';

interface Span {
  readonly scope: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly attributes: { readonly key: string; readonly value: object }[];
}

/** An OTLP/HTTP collector, with the received data as text and as spans. */
async function startCollector(t: ExecutionContext) {
  const bodies: string[] = [];
  const server = createServer(async (request, response) => {
    if (request.method !== 'POST' || request.url !== '/v1/traces') return response.writeHead(404).end();
    let body = '';
    for await (const chunk of request) body += chunk;
    bodies.push(body);
    return response.setHeader('Content-Type', 'application/json').end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    text: () => bodies.join('\n'),
    spans: (): Span[] =>
      bodies
        .flatMap((body) => JSON.parse(body).resourceSpans)
        .flatMap(({ scopeSpans }) => scopeSpans)
        .flatMap(({ scope, spans }) => spans.map((span: object) => ({ ...span, scope: scope.name }))),
  };
}

interface Program {
  readonly url: string;
  /** Its output so far. */
  output(): string;
  /** Stops it as a supervisor does, and returns its exit code. */
  stop(): Promise<number>;
}

/** Starts the program on a database, and waits until it listens. */
async function start(t: ExecutionContext, env: Record<string, string>, nodeOptions: string[] = []): Promise<Program> {
  const server = spawn(process.execPath, [...nodeOptions, MAIN], {
    cwd: await mkdtemp(join(tmpdir(), 'todo-traces-')),
    env: {
      PATH: process.env.PATH ?? '',
      DATABASE_URL: await newDatabase(),
      BETTER_AUTH_SECRET: SECRET,
      STANDALONE_USERS: 'true',
      API_HOST: '127.0.0.1',
      API_PORT: '0',
      ...env,
    },
  });
  t.teardown(() => server.kill('SIGKILL'));
  let output = '';
  for (const stream of [server.stdout, server.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
    });
  }
  for (;;) {
    const port = /"port":(\d+),"version"/.exec(output)?.[1];
    if (port !== undefined) {
      return {
        url: `http://127.0.0.1:${port}`,
        output: () => output,
        async stop() {
          const exit = once(server, 'exit');
          server.kill('SIGTERM');
          return (await exit)[0];
        },
      };
    }
    if (server.exitCode !== null) throw new Error(output);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A new trace, started by a client. */
function newTrace() {
  const [traceId, spanId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-01` };
}

serverTest('a request is traced through http, Koa and pg, without user data', async (t) => {
  const collector = await startCollector(t);
  const database = await newDatabase();
  const program = await start(t, {
    DATABASE_URL: database,
    LOG_LEVEL: 'trace',
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
  });
  // Like a constraint violation that quotes the value.
  await execute(
    database,
    `create function refuse() returns trigger language plpgsql as $$ begin
       raise exception 'I do not like "%"', new.title using errcode = '22023';
     end $$;
     create trigger refuse before insert on tasks for each row when (new.title like '%unlikeable%') execute function refuse()`,
  );
  const token = await issueToken({ secret: SECRET, userId: 'alice', lifetime: 600 });
  const call = async (path: string, init: RequestInit = {}) => {
    const trace = newTrace();
    const headers = {
      Authorization: `Bearer ${token}`,
      'Content-Type': 'application/json',
      'User-Agent': 'planted',
      'X-Forwarded-For': 'planted',
      'X-Forwarded-Host': 'planted',
      Forwarded: 'for=planted;host=planted',
      traceparent: trace.traceparent,
    };
    const answer = await documentedFetch(program.url + path, { ...init, headers });
    await answer.text();
    return { ...trace, status: answer.status };
  };
  const post = (title: string) =>
    call('/api/alice/tasks?planted=planted', {
      method: 'POST',
      body: JSON.stringify({ title, description: 'planted', priority: 'low', category: 'work' }),
    });
  const created = await post('planted');
  const list = await call('/api/alice/tasks?search=planted&sort_by=title');
  const refused = await post('planted and unlikeable');
  const nowhere = await call('/planted?planted');
  const health = await call('/health');
  t.deepEqual(
    [created, list, refused, nowhere, health].map(({ status }) => status),
    [201, 200, 500, 404, 200],
  );

  // Most likely nothing has been sent yet, so the spans after the exit were flushed.
  t.is(await program.stop(), 0);
  const spansOf = ({ traceId }: { traceId: string }) => collector.spans().filter((span) => span.traceId === traceId);
  const scoped = (spans: Span[], name: string) =>
    spans.filter(({ scope }) => scope.endsWith(`instrumentation-${name}`));

  const spans = spansOf(list);
  const [http, ...others] = scoped(spans, 'http');
  t.deepEqual(others, []);
  t.like(http, { name: 'GET /api/:user_id/tasks', parentSpanId: list.spanId });
  t.true(scoped(spans, 'koa').some(({ name }) => name.includes('/api/:user_id/tasks')));
  const query = scoped(spans, 'pg').find(({ attributes }) =>
    JSON.stringify(attributes.find(({ key }) => key === 'db.query.text'))?.includes('app.user_id'),
  );
  t.true(
    scoped(spans, 'koa').some(({ spanId }) => spanId === query?.parentSpanId),
    'the query is a child of a route',
  );

  t.regex(query?.name ?? '', /^pg\.query:WITH test_/);
  for (const trace of [created, refused]) {
    for (const name of ['http', 'koa', 'pg']) t.true(scoped(spansOf(trace), name).length > 0, name);
  }
  t.is(spansOf(nowhere).length, 1);
  t.deepEqual(spansOf(health), [], 'what machines ask all day is not traced');
  const traces = [created, list, refused, nowhere].map(({ traceId }) => traceId);
  t.deepEqual(
    collector.spans().filter(({ traceId }) => !traces.includes(traceId)),
    [],
    'no span is without a request',
  );

  t.regex(collector.text(), /"service\.name","value":\{"stringValue":"todo-backend"/);
  t.regex(collector.text(), /"deployment\.environment\.name","value":\{"stringValue":"test"/);
  for (const text of [collector.text(), program.output()]) {
    t.notRegex(text, /planted|unlikeable/i);
    t.false(text.includes(token));
  }
  for (const { traceId } of [created, list, refused, nowhere]) {
    t.true(program.output().includes(`"traceId":"${traceId}"`), 'the log names the trace');
  }
});

serverTest('a request without a trace starts one, and the log has its id', async (t) => {
  const collector = await startCollector(t);
  const program = await start(t, { OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/` });
  t.is((await documentedFetch(`${program.url}/api/alice/tasks`)).status, 401);
  t.is(await program.stop(), 0);
  const traceId = /"traceId":"([\da-f]{32})","reason":"missing"/.exec(program.output())?.[1];
  t.true(collector.spans().some((span) => span.traceId === traceId && span.name === 'GET /api/:user_id/tasks'));
});

serverTest('an unreachable collector does not affect requests, and is logged', async (t) => {
  const program = await start(t, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' });
  t.is((await documentedFetch(`${program.url}/api/alice/tasks`)).status, 401);
  t.is(await program.stop(), 0);
  t.regex(program.output(), /"msg":"could not send traces"/);
});

serverTest('metrics are served on their own port, including those of the pool and the events', async (t) => {
  // The sink is unreachable, so the events wait.
  const program = await start(t, { METRICS_PORT: '0', EVENTS_SINK_URL: 'http://127.0.0.1:9/events' });
  const token = await issueToken({ secret: SECRET, userId: 'alice', lifetime: 600 });
  const created = await documentedFetch(`${program.url}/api/alice/tasks`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ title: 'planted', priority: 'low', category: 'work' }),
  });
  t.is(created.status, 201);
  const port = /"port":(\d+),"msg":"listening for metrics"/.exec(program.output())?.[1];
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  t.regex(text, /^todo_http_requests_total\{method="POST",route="\/api\/:user_id\/tasks",status="201"\} 1$/m);
  t.regex(text, /^todo_database_pool_limit 10$/m);
  t.regex(text, /^todo_events_waiting 1$/m);
  t.regex(text, /^todo_events_dead 0$/m);
  t.notRegex(text, /planted|alice/);
  t.is((await documentedFetch(`${program.url}/metrics`)).status, 404, 'they are not part of the API');
  t.is(await program.stop(), 0);
});

/** Records the URL of every loaded module, imported or required. */
function listModules(file: string): string {
  const source = `
    import { appendFileSync } from 'node:fs';
    import { registerHooks } from 'node:module';
    registerHooks({ load(url, context, next) { appendFileSync(${JSON.stringify(file)}, url + '\\n'); return next(url, context); } });`;
  return `--import=data:text/javascript,${encodeURIComponent(source)}`;
}

const extras = /node_modules\/(?:@opentelemetry|import-in-the-middle|require-in-the-middle|prom-client)\//;
const cases: [name: string, env: Record<string, string>, loaded: string[]][] = [
  ['neither traces nor metrics are enabled', {}, []],
  ['metrics are enabled', { METRICS_PORT: '0' }, ['@opentelemetry/api', 'prom-client']],
];
for (const [name, env, expected] of cases) {
  serverTest(`the modules that a server loads when ${name}`, async (t) => {
    const file = join(await mkdtemp(join(tmpdir(), 'todo-modules-')), 'modules');
    const program = await start(t, env, [listModules(file)]);
    t.is((await documentedFetch(`${program.url}/ready`)).status, 200);
    t.is(await program.stop(), 0);
    const modules = (await readFile(file, 'utf8')).trim().split('\n');
    for (const own of ['koa', 'pg'])
      t.true(
        modules.some((url) => url.includes(`/node_modules/${own}/`)),
        own,
      );
    const packages = modules
      .filter((url) => extras.test(url))
      .map((url) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1]);
    t.deepEqual([...new Set(packages)].sort(), expected);
  });
}
