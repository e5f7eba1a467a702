import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { databases, execute, postgresTest } from '../postgres.ts';
import { Client, journal, NoAnswer, type Reply, Writers } from './clients.ts';
import { FULL, type Program, startProgram, until } from './program.ts';

const serverTest = await postgresTest(test);
const newDatabase = databases(test);
/** Per client, in three phases: with both servers, while one is killed, with both again. */
const STEPS = FULL ? 600 : 18;

/** A client behind a load balancer: requests alternate between the servers, and fail over without a response. */
class Balanced {
  readonly client: Client;
  /** The expected tasks, according to the last responses. */
  readonly kept: { id: string }[] = [];
  /** Requests that failed over to the other server. */
  repeated = 0;
  readonly #servers: readonly Program[];
  #turn: number;

  constructor(client: Client, servers: readonly Program[], firstTurn: number) {
    this.client = client;
    this.#servers = servers;
    this.#turn = firstTurn;
  }

  async call(method: string, path: string, json?: object): Promise<Reply> {
    for (let attempt = 1; ; attempt++) {
      const { url } = this.#servers[this.#turn++ % this.#servers.length] as Program;
      try {
        return await this.client.call(url, method, path, json);
      } catch (error) {
        if (!(error instanceof NoAnswer) || attempt > 1) throw error;
        this.repeated++;
      }
    }
  }
}

/** Changes tasks, and checks each change on the other server. */
async function workAndLook(t: ExecutionContext, client: Balanced, steps: number): Promise<void> {
  const see = async (id: string, expected: object | undefined) => {
    const { status, body } = await client.call('GET', `~/tasks/${id}`);
    t.is(status, expected === undefined ? 404 : 200);
    if (expected !== undefined) t.deepEqual(body, expected);
  };
  for (let step = 0; step < steps; step++) {
    // A repeated creation may have run twice: the acknowledged task counts.
    const { status, body: created } = await client.call('POST', '~/tasks', {
      title: `${step}`,
      priority: 'low',
      category: 'work',
    });
    t.is(status, 201);
    await see(created.id, created);
    const { body: changed } = await client.call('PUT', `~/tasks/${created.id}`, { title: `${step}, changed` });
    t.is(changed.title, `${step}, changed`);
    await see(created.id, changed);
    const { body: completed } = await client.call('PATCH', `~/tasks/${created.id}/complete`, { completed: true });
    t.true(completed.completed);
    await see(created.id, completed);
    if (step % 2) {
      const { status } = await client.call('DELETE', `~/tasks/${created.id}`);
      t.true(status === 204 || status === 404, 'gone, by this request or by the one before');
      await see(created.id, undefined);
    } else {
      client.kept.push(completed);
    }
  }
}

serverTest.serial('two servers on one database, one of which is killed: no change is lost', async (t) => {
  const env = { DATABASE_URL: await newDatabase(), DATABASE_CONNECT_TIMEOUT_MS: '60000' };
  const [one, two] = await Promise.all([startProgram(t, env), startProgram(t, env)]);
  const servers = [one, two];
  const clients = await Promise.all(
    Array.from({ length: 10 }, async (_, i) => new Balanced(await Client.of(`user ${i}`), servers, i)),
  );
  const workAll = () => Promise.all(clients.map((client) => workAndLook(t, client, STEPS / 3)));
  const repeated = () => clients.reduce((sum, client) => sum + client.repeated, 0);

  await workAll();
  t.is(repeated(), 0, 'both answer');
  const killed = workAll();
  await sleep(20);
  two.process.kill('SIGKILL');
  await killed;
  t.true(repeated() > 0);
  servers[1] = await startProgram(t, env, { port: two.port });
  await workAll();

  const seen = await Promise.all(
    servers.map(({ url }) =>
      Promise.all(
        clients.map(async ({ client }) => ({
          tasks: (await client.call(url, 'GET', '~/tasks')).body,
          stats: (await client.call(url, 'GET', '~/stats')).body,
          journal: await journal(client, url),
        })),
      ),
    ),
  );
  t.deepEqual(seen[0], seen[1], 'both servers tell the same');
  for (const [i, { tasks, stats, journal }] of (seen[0] ?? []).entries()) {
    const found = new Map(tasks.map((task: { id: string }) => [task.id, task]));
    for (const task of clients[i]?.kept ?? []) t.deepEqual(found.get(task.id), task);
    t.is(stats.total, tasks.length);
    t.deepEqual(
      journal.map(({ sequence }) => sequence),
      journal.map((_, index) => index + 1),
    );
  }
  for (const { client } of clients) client.close();
  for (const server of servers) t.is(await server.end('SIGTERM'), 0);
  t.log(`${clients.length * STEPS} tasks, ${repeated()} requests went to the other server`);
});

serverTest.serial('a server that freezes inside a transaction does not hold up others', async (t) => {
  const databaseUrl = await newDatabase();
  const env = {
    DATABASE_URL: databaseUrl,
    DATABASE_STATEMENT_TIMEOUT_MS: '1000',
    DATABASE_CONNECT_TIMEOUT_MS: '60000',
  };
  const [frozen, other] = await Promise.all([startProgram(t, env), startProgram(t, env)]);
  const writers = new Writers({ url: () => frozen.url, clients: 20, users: 1, mayMeet: 'unavailable' });
  const client = await Client.of(writers.userIds[0] ?? '');
  writers.start(t);
  /** Whether the frozen server holds a lock of the user and is idle. */
  const holdsUp = async () => {
    const look = () =>
      execute(
        databaseUrl,
        `select pid, xact_start from pg_stat_activity where state = 'idle in transaction' and backend_xid is not null`,
      );
    const [before, , after] = [await look(), await sleep(100), await look()];
    return before.length > 0 && isDeepStrictEqual(before, after);
  };
  await until(async () => {
    frozen.process.kill('SIGSTOP');
    if (await holdsUp()) return true;
    frozen.process.kill('SIGCONT');
    await sleep(Math.random() * 20);
    return false;
  });
  const task = { title: 't', priority: 'low', category: 'work' };
  const start = performance.now();
  await until(async () => (await client.call(other.url, 'POST', '~/tasks', task)).status === 201);
  t.log(`a write of the same user, ms: ${Math.round(performance.now() - start)}`);
  frozen.process.kill('SIGCONT');
  await writers.success();
  await writers.stop();
  t.deepEqual(writers.unexpected, []);
  client.close();
  for (const server of [frozen, other]) t.is(await server.end('SIGTERM'), 0);
});
