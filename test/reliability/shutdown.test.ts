import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import pg from 'pg';
import { databases, postgresTest } from '../postgres.ts';
import { Client, NoAnswer } from './clients.ts';
import { FULL, type Program, spread, startProgram, until } from './program.ts';

const serverTest = await postgresTest(test);
const newDatabase = databases(test);
const RUNS = FULL ? 20 : 2;

const task = { title: 't', priority: 'low', category: 'work' };

/** What clients observed while a server closed. */
interface Observations {
  answered: number;
  /** Refused connections. */
  refused: number;
  /** Requests sent on an open connection that got no successful response. */
  readonly failed: string[];
}

/** The behaviour of clients. */
interface Manners {
  /** Maximum milliseconds of idling between two requests, per client. */
  readonly pauses: readonly number[];
  /** Whether a client checks `/ready` before it reconnects after `Connection: close`, and stops on a 503. */
  readonly looksAtReady: boolean;
}

/** Sends requests on a keep-alive connection until the server refuses. */
async function ask(client: Client, { url }: Program, observations: Observations, pause: number, looksAtReady: boolean) {
  for (let i = 0; ; i++) {
    try {
      const { status, headers } = await (i % 2
        ? client.call(url, 'GET', '~/tasks')
        : client.call(url, 'POST', '~/tasks', { ...task, title: String(i) }));
      if (status < 300) observations.answered++;
      else observations.failed.push(String(status));
      if (looksAtReady && headers.connection === 'close' && (await client.call(url, 'GET', '/ready')).status === 503) {
        return;
      }
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      if (!error.wasConnected) {
        observations.refused++;
        return;
      }
      observations.failed.push(`${error.message} on a ${error.wasKept ? 'kept' : 'new'} connection`);
    }
    await sleep(Math.random() * pause);
  }
}

/** Repeatedly sends SIGTERM to a server with 50 active clients. */
async function closeUnderClients(t: ExecutionContext, { pauses, looksAtReady }: Manners): Promise<Observations> {
  const databaseUrl = await newDatabase();
  const total: Observations = { answered: 0, refused: 0, failed: [] };
  const closings: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const program = await startProgram(t, { DATABASE_URL: databaseUrl, DATABASE_CONNECT_TIMEOUT_MS: '30000' });
    const clients = await Promise.all(Array.from({ length: 50 }, (_, i) => Client.of(`user ${run} ${i}`)));
    const observations: Observations = { answered: 0, refused: 0, failed: [] };
    const asking = Promise.all(
      clients.map((client, i) => ask(client, program, observations, pauses[i % pauses.length] ?? 0, looksAtReady)),
    );
    await until(() => observations.answered >= 200);
    await sleep(Math.random() * 300);
    t.deepEqual({ ...observations, answered: 0 }, { answered: 0, refused: 0, failed: [] }, 'all is well before');
    const start = performance.now();
    t.is(await program.end('SIGTERM'), 0);
    closings.push(performance.now() - start);
    await asking;
    for (const client of clients) client.close();
    total.answered += observations.answered;
    total.refused += observations.refused;
    total.failed.push(...observations.failed);
  }
  const { answered, failed, refused } = total;
  t.log(`${RUNS} runs: ${answered} requests answered, ${failed.length} failed, ${refused} connections refused`);
  t.log(`closed, ms: ${spread(closings)}`);
  if (FULL) t.true(Math.max(...closings) < 10_000);
  return total;
}

/**
 * Connections that arrive between the server's last check of the port and its closing are lost, more of them on a busy
 * machine. Without draining, some forty requests fail in each run; without the last check, some fifteen.
 */
const UNLUCKY = FULL ? 10 : 20;

serverTest.serial('SIGTERM with 50 clients that respect /ready: no request fails', async (t) => {
  const { failed } = await closeUnderClients(t, { pauses: [0, 20, 100], looksAtReady: true });
  t.true(failed.length <= (FULL ? 0 : UNLUCKY), failed.join(', '));
});

serverTest.serial('SIGTERM with 50 clients that reconnect until refused: hardly any request fails', async (t) => {
  // Some clients are always active; others idle for longer than the server takes to close.
  const { failed, refused } = await closeUnderClients(t, { pauses: [0, 20, 200, 1_000, 3_000], looksAtReady: false });
  t.is(refused, 50 * RUNS);
  t.true(failed.length <= UNLUCKY, failed.join(', '));
});

/** A program with a request that waits for a lock of another connection. */
async function blockedProgram(t: ExecutionContext) {
  const databaseUrl = await newDatabase();
  const program = await startProgram(t, { DATABASE_URL: databaseUrl });
  const client = await Client.of('alice');
  const { status, body } = await client.call(program.url, 'POST', '~/tasks', task);
  t.is(status, 201);
  const other = new pg.Client({ connectionString: databaseUrl });
  await other.connect();
  t.teardown(() => other.end());
  await other.query('begin; lock table tasks in exclusive mode');
  // A deletion is a transaction, which waits up to the statement timeout.
  const underWay = client.call(program.url, 'DELETE', `~/tasks/${body.id}`).then(
    (answer) => answer.status,
    (error: NoAnswer) => error.message,
  );
  await until(async () => {
    const { rows } = await other.query(`select from pg_locks where not granted and relation = 'tasks'::regclass`);
    return rows.length > 0;
  });
  t.teardown(() => client.close());
  return { program, underWay };
}

serverTest.serial('a request that waits for the database is aborted in time for a clean exit', async (t) => {
  const { program, underWay } = await blockedProgram(t);
  const start = performance.now();
  t.is(await program.end('SIGTERM'), 0);
  t.log(`closed after ms: ${Math.round(performance.now() - start)}`);
  t.is(await underWay, 'ECONNRESET');
});

serverTest.serial('a second signal ends the program at once', async (t) => {
  const { program, underWay } = await blockedProgram(t);
  program.process.kill('SIGTERM');
  const isRefused = () =>
    fetch(program.url).then(
      () => false,
      () => true,
    );
  await until(isRefused);
  t.is(program.process.exitCode, null, 'it waits for the request');
  const start = performance.now();
  t.is(await program.end('SIGTERM'), 1);
  const took = performance.now() - start;
  t.true(took < 5_000, `not at the end of its own time: ${took} ms`);
  t.is(await underWay, 'ECONNRESET');
  t.log(`ended ms after the second signal: ${Math.round(took)}`);
  if (FULL) t.true(took < 500);
});

serverTest.serial('an uncaught error causes a clean exit, and is logged without values of rows', async (t) => {
  const databaseUrl = await newDatabase();
  const fail = `process.once('SIGUSR2', () => {
    throw Object.assign(new Error('nobody catches this'), { detail: 'Failing row contains (a secret plan).' });
  })`;
  const nodeOptions = ['--import', `data:text/javascript,${encodeURIComponent(fail)}`];
  const program = await startProgram(t, { DATABASE_URL: databaseUrl }, { nodeOptions });
  t.is(await program.end('SIGUSR2'), 1);
  const lines = program.log().trim().split('\n');
  t.like(JSON.parse(lines.at(-1) ?? ''), { level: 60, err: { message: 'nobody catches this' } });
  t.notRegex(program.log() + program.errors(), /secret plan/);
});
