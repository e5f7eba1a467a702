import test, { type ExecutionContext } from 'ava';
import pg from 'pg';
import { type PrivatePostgres, postgresTest, startPrivatePostgres } from '../postgres.ts';
import { Client, HealthProbe, isRetryLater, type Reply } from './clients.ts';
import { FULL, type Program, spread, startProgram } from './program.ts';

const serverTest = await postgresTest(test);
const ROUNDS = FULL ? 5 : 1;
/** Milliseconds. The full size uses the default settings. */
const CONNECT_TIMEOUT = FULL ? 3_000 : 1_500;
const STATEMENT_TIMEOUT = FULL ? 10_000 : 1_000;
/** Connection timeout, statement timeout, and one second for a server that ignores its own limit. */
const LIMIT = CONNECT_TIMEOUT + STATEMENT_TIMEOUT + 1_000;

const task = { title: 't', priority: 'low', category: 'work' };
const requests = [
  ['GET', '~/tasks', undefined],
  ['POST', '~/tasks', task],
  ['GET', '~/stats', undefined],
  ['GET', '~/audit', undefined],
] as const;

interface Setting {
  readonly postgres: PrivatePostgres;
  readonly databaseUrl: string;
  readonly program: Program;
}

/** With a pool of two, where connections are exclusive, and with the default one, where most are shared. */
const POOLS = [{ DATABASE_POOL_SIZE: '2' }, {}];

async function open(t: ExecutionContext, pool: Record<string, string>): Promise<Setting> {
  const postgres = await startPrivatePostgres();
  t.teardown(() => postgres.stop());
  const databaseUrl = await postgres.createDatabase();
  const program = await startProgram(t, {
    DATABASE_URL: databaseUrl,
    ...pool,
    DATABASE_CONNECT_TIMEOUT_MS: String(CONNECT_TIMEOUT),
    DATABASE_STATEMENT_TIMEOUT_MS: String(STATEMENT_TIMEOUT),
  });
  return { postgres, databaseUrl, program };
}

/** Sends every request ten times at once while the database is blocked, and once after it resumes. */
async function outlast(
  t: ExecutionContext,
  { program }: Setting,
  block: () => Promise<unknown>,
  release: () => Promise<unknown>,
): Promise<void> {
  t.teardown(async () => {
    await release();
  });
  const clients = await Promise.all(Array.from({ length: 40 }, (_, i) => Client.of(`user ${i % 10}`)));
  const askAll = () =>
    Promise.all(
      clients.map((client, i) => {
        const [method, path, json] = requests[i % requests.length] ?? requests[0];
        return client.call(program.url, method, path, json);
      }),
    );
  /** One after the other, so that the time does not depend on the size of the pool. */
  const askEach = async () => {
    for (const [i, [method, path, json]] of requests.entries()) {
      const reply = await clients[i]?.call(program.url, method, path, json);
      t.true(reply && reply.status < 300, JSON.stringify(reply));
    }
  };
  await askEach();
  const health = new HealthProbe(t, program.url);
  const refusals: Reply[] = [];
  const recoveries: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await block();
    refusals.push(...(await askAll()));
    await release();
    const start = performance.now();
    await askEach();
    recoveries.push(performance.now() - start);
  }
  await health.stop();
  t.deepEqual(
    refusals.filter((reply) => !isRetryLater(reply)),
    [],
  );
  t.deepEqual(health.failures, []);
  const slowest = Math.max(...refusals.map(({ milliseconds }) => milliseconds));
  const sick = Math.max(...health.milliseconds);
  t.log(`${refusals.length} requests answered 503, ms: ${spread(refusals.map((reply) => reply.milliseconds))}`);
  t.log(`${health.milliseconds.length} times /health, ms: ${spread(health.milliseconds)}`);
  t.log(`four answers when the database goes on, ms: ${spread(recoveries)}`);
  if (FULL) {
    t.true(slowest < LIMIT + 500, `${slowest} ms`);
    t.true(sick < 50, `${sick} ms`);
    t.true(Math.max(...recoveries) < 1_000, `${recoveries} ms`);
  }
  for (const client of clients) client.close();
}

for (const pool of POOLS) {
  const size = pool.DATABASE_POOL_SIZE ?? 'ten';

  serverTest.serial(`a full pool of ${size}: 503 in time, /health not affected, immediate recovery`, async (t) => {
    const setting = await open(t, pool);
    const other = new pg.Client({ connectionString: setting.databaseUrl });
    await other.connect();
    t.teardown(() => other.end());
    await outlast(
      t,
      setting,
      () => other.query('begin; lock table tasks, task_ledgers, task_events in access exclusive mode'),
      () => other.query('rollback'),
    );
    t.is(await setting.program.end('SIGTERM'), 0);
  });

  serverTest.serial(`a frozen database, ${size} connections: the same`, async (t) => {
    const setting = await open(t, pool);
    await outlast(
      t,
      setting,
      () => setting.postgres.signal('SIGSTOP'),
      () => setting.postgres.signal('SIGCONT'),
    );
    t.is(await setting.program.end('SIGTERM'), 0);
  });
}
