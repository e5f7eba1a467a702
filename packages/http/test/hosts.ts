import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import {
  journalUseCases,
  localFeed,
  recoveryUseCases,
  type TaskUseCases,
  taskUseCases,
} from '@todo-backend/application';
import { InMemoryTaskRepository } from '@todo-backend/application/testing';
import {
  type AppOptions,
  createApp,
  createContainer,
  listen,
  loadConfig,
  type Route,
  routes,
  type ServerOptions,
} from '@todo-backend/http';
import { Database, issueToken, tokenVerifier } from '@todo-backend/infrastructure';
import test, { type TestFn } from 'ava';
import fc from 'fast-check';
import { pino } from 'pino';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { uuidv7 } from 'uuidv7';
import { type PostgresServer, postgresTest, startPostgres } from '../../../test/postgres.ts';
import { assertDocumented } from './conformance.ts';

export const SECRET = 'a secret for tests, long enough to be one';
export const ORIGIN = 'http://localhost:3000';

/** An id that no task has. */
export const ABSENT = '00000000-0000-7000-8000-000000000000';
export const UUID_V7 = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;
export const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;

/** A response, with its body parsed if it is JSON. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server answered; the tests say what it should be
  readonly body: any;
}

/** What to send; `json` is sent as such, with its content type. */
export interface Call {
  readonly token?: string | undefined;
  readonly json?: unknown;
  readonly body?: string | Uint8Array | ReadableStream;
  readonly headers?: Record<string, string>;
}

/** A server on a real socket. */
export interface Host {
  readonly url: string;
  /** The use cases behind it, for what does not come as a request of a user: what an agent does. */
  readonly tasks?: TaskUseCases;
  /** Fails when the response is not documented in docs/openapi.json. */
  call(method: string, path: string, call?: Call): Promise<Answer>;
  close(): Promise<void>;
}

/** A user of a host, with a token. */
export interface Person {
  readonly id: string;
  readonly token: string;
  /** Calls a path below `/api/{user_id}`. */
  call(method: string, path: string, call?: Call): Promise<Answer>;
  /** Creates a task and returns it. */
  create(fields?: object): Promise<Answer['body']>;
}

/** The host on each adapter, and how to declare a test that runs on it. */
export const hosts: { name: string; declare: TestFn; open(): Promise<Host> }[] = [
  { name: 'memory', declare: test, open: () => onMemory() },
  { name: 'PGlite', declare: test, open: onPGlite },
  { name: 'PostgreSQL', declare: await postgresTest(test), open: onPostgres },
];

/** A valid body for each route that needs one, or several that differ in kind; `id` is that of its task. */
const BODIES: Readonly<Record<string, (id: string) => object | readonly object[]>> = {
  createTask: () => ({ title: 'a task', priority: 'low', category: 'work' }),
  updateTask: () => ({ title: 'changed' }),
  batchTasks: (id) => ({ operations: [{ op: 'update', id, changes: { title: 'changed' } }] }),
  importTasks: () => ({ tasks: [{ title: 'a task', priority: 'low', category: 'work' }] }),
  undo: (id) => [{ events: [id] }, { correlationId: id }, { actor: id, since: '2000-01-01T00:00:00Z' }],
};

/** The query of a route that needs one. */
const QUERIES: Readonly<Record<string, string>> = {
  deleteTasks: '?category=work',
  previewOccurrences: '?due_date=2026-03-10&rule=FREQ%3DDAILY&time_zone=Europe%2FBerlin',
};

/** The routes whose id is that of a deleted task. */
const OF_TRASH = new Set(['restoreTask', 'eraseTask']);

/** A route with an id. */
interface Operation {
  readonly method: string;
  readonly path: string;
  readonly json?: object;
  readonly namesTask: boolean;
  /** Whether the id is that of a deleted task. */
  readonly ofTrash: boolean;
}

/** Every route below `/api/{user_id}`, with this id as the task. */
export function operations(id: string): Operation[] {
  const prefix = '/api/{user_id}';
  const ofUser = routes.filter(({ path }: Route) => path.startsWith(prefix));
  return ofUser.flatMap((route: Route) => {
    const bodies = [BODIES[route.id]?.(id)].flat();
    if (route.body?.required && bodies.includes(undefined)) throw new Error(`Say which body ${route.id} takes.`);
    const path = route.path.slice(prefix.length).replace('{task_id}', id) + (QUERIES[route.id] ?? '');
    const ofTrash = OF_TRASH.has(route.id);
    return bodies.map((json) => {
      const namesTask = [route.path, JSON.stringify(json)].some(
        (text) => text?.includes('{task_id}') || text?.includes(id),
      );
      return { method: route.method.toUpperCase(), path, ...(json && { json }), namesTask, ofTrash };
    });
  });
}

/** The parts of AVA's `t` that helpers use. */
export interface Assertions {
  is(actual: unknown, expected: unknown, message?: string): void;
  deepEqual(actual: unknown, expected: unknown, message?: string): void;
  regex(text: string, pattern: RegExp, message?: string): void;
}

/** For properties: a failed AVA assertion would be reported without the seed and the counterexample. */
export const throwing: Assertions = { is: assert.strictEqual, deepEqual: assert.deepStrictEqual, regex: assert.match };

export function assertProblem(
  t: Assertions,
  { status, headers, body }: Answer,
  expected: number,
  fields?: string[],
): void {
  t.is(status, expected, JSON.stringify(body));
  t.is(headers.get('Content-Type'), 'application/problem+json');
  t.is(body.status, expected);
  for (const member of ['type', 'title', 'detail', 'instance', 'requestId'])
    t.is(typeof body[member], 'string', member);
  t.regex(body.detail, /^[A-Z].*[.]$/s, 'one sentence');
  t.is(body.requestId, headers.get('X-Request-Id'));
  if (fields)
    t.deepEqual(
      body.errors.map(({ field }: { field: string }) => field),
      fields,
    );
  else t.is(body.errors, undefined);
}

/** A number of runs, multiplied by `TEST_SCALE`. */
export function scaled(count: number): number {
  return Math.ceil(count * Number(process.env.TEST_SCALE ?? 1));
}

/** fast-check prints the seed of a failure; `TEST_SEED` repeats it. */
export const seeded = {
  includeErrorInReport: true,
  ...(process.env.TEST_SEED !== undefined && { seed: Number(process.env.TEST_SEED) }),
};

/** Checks generated values until `count` (scaled) steps are done; `check` returns the steps of a value. */
export async function explore<T>(
  count: number,
  values: fc.Arbitrary<T>,
  check: (value: T) => Promise<number>,
): Promise<void> {
  const property = fc.asyncProperty(values, async (value) => {
    done += await check(value);
  });
  let done = 0;
  while (done < scaled(count)) await fc.assert(property, { ...seeded, numRuns: 20 });
}

const logger = pino({ level: 'silent' });

/** Opens the host on first use, and closes it after the tests. */
export function shared(open: () => Promise<Host>): () => Promise<Host> {
  let opening: Promise<Host> | undefined;
  test.after.always(async () => {
    await (await opening)?.close();
  });
  return () => {
    opening ??= open();
    return opening;
  };
}

/** A new user. */
export async function person(host: Host, id: string = randomUUID()): Promise<Person> {
  const token = await issueToken({ secret: SECRET, userId: id, lifetime: 3600 });
  const call: Person['call'] = (method, path, options) =>
    host.call(method, `/api/${encodeURIComponent(id)}${path}`, { token, ...options });
  return {
    id,
    token,
    call,
    async create(fields) {
      const { status, body } = await call('POST', '/tasks', {
        json: { title: 'a task', priority: 'low', category: 'work', ...fields },
      });
      if (status !== 201) throw new Error(JSON.stringify(body));
      return body;
    },
  };
}

/** A host at a port, closed by `close`. */
export function hostAt(port: number, close: () => Promise<void>, tasks?: TaskUseCases): Host {
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    ...(tasks && { tasks }),
    close,
    async call(method, path, { token, json, body, headers } = {}) {
      const response = await fetch(url + path, {
        method,
        headers: {
          ...(token !== undefined && { Authorization: `Bearer ${token}` }),
          ...(json !== undefined && { 'Content-Type': 'application/json' }),
          ...headers,
        },
        body: json === undefined ? (body ?? null) : JSON.stringify(json),
        duplex: 'half',
      } as RequestInit);
      const text = await response.text();
      assertDocumented(method, new URL(url + path).pathname, {
        status: response.status,
        headers: response.headers,
        text,
      });
      const isJson = /\bjson\b/.test(response.headers.get('Content-Type') ?? '');
      return {
        status: response.status,
        headers: response.headers,
        text,
        body: isJson && text !== '' ? JSON.parse(text) : undefined,
      };
    },
  };
}

/** Milliseconds: PGlite starts in the test process, and blocks clients and servers there for seconds. */
const PATIENCE = 60_000;

/** A host on adapters in memory, with optional parts of the test. */
export async function onMemory({
  requestTimeout = PATIENCE,
  ...own
}: Partial<AppOptions & ServerOptions> = {}): Promise<Host> {
  const clock = () => new Date().toISOString();
  const repository = new InMemoryTaskRepository();
  const feed = localFeed();
  const ports = { tasks: repository, clock, newId: uuidv7, feed };
  const { tasks = taskUseCases(ports) } = own;
  const app = createApp({
    tasks,
    journal: journalUseCases({ journal: repository }),
    recovery: recoveryUseCases({ ...ports, journal: repository, retentionDays: 90 }),
    feed,
    tokens: tokenVerifier({ secret: SECRET }),
    readiness: { check: async () => ({ rowSecurity: false }) },
    clock,
    logger,
    corsOrigins: [ORIGIN],
    version: 'test',
    limits: {
      perUser: new RateLimiterMemory({ points: 1_000_000, duration: 60 }),
      failuresPerAddress: new RateLimiterMemory({ points: 1_000_000, duration: 60 }),
    },
    trustedProxies: 0,
    ...own,
  });
  const { connections, answerTimeout } = own;
  const server = await listen(app, {
    host: '127.0.0.1',
    port: 0,
    requestTimeout,
    logger: own.logger ?? logger,
    connections,
    answerTimeout,
  });
  return hostAt(server.port, () => server.close(), tasks);
}

async function onPGlite(): Promise<Host> {
  return onDatabase(await Database.embedded());
}

async function onPostgres(): Promise<Host> {
  const server: PostgresServer = await startPostgres();
  return onDatabase(await Database.postgres({ url: await server.createDatabase(), connectTimeout: PATIENCE }), () =>
    server.stop(),
  );
}

/** A host on a database that is closed with it; `stop` is called last. */
export async function onDatabase(database: Database, stop: () => Promise<void> = async () => {}): Promise<Host> {
  const config = loadConfig({
    BETTER_AUTH_SECRET: SECRET,
    CORS_ORIGINS: ORIGIN,
    STANDALONE_USERS: 'true',
    RATE_LIMIT_PER_USER: '1000000',
    RATE_LIMIT_FAILURES_PER_ADDRESS: '1000000',
  });
  await database.migrate(config);
  const { app, tasks } = createContainer({ config, logger, database });
  const options = { host: '127.0.0.1', port: 0, requestTimeout: PATIENCE, logger };
  const server = await listen(app, options);
  const close = async () => {
    await server.close();
    await database.close();
    await stop();
  };
  return hostAt(server.port, close, tasks);
}
