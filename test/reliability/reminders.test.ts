import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { issueToken } from '@todo-backend/infrastructure';
import test, { type ExecutionContext } from 'ava';
import { type EventStream, openStream } from '../../packages/http/test/event-streams.ts';
import { databases, execute, postgresTest } from '../postgres.ts';
import { Client, journal, Writers } from './clients.ts';
import { FULL, type Program, SECRET, startProgram, until } from './program.ts';

const serverTest = await postgresTest(test);
const newDatabase = databases(test);

/** No timeouts on a busy machine. */
const PATIENT = { DATABASE_CONNECT_TIMEOUT_MS: '60000', DATABASE_STATEMENT_TIMEOUT_MS: '60000' };
const REMINDER = 'todo.task.reminder-due.v1';
const USERS = 20;
const TASKS = 50;

/** The time in so many milliseconds. */
function inTime(milliseconds: number): string {
  return new Date(Date.now() + milliseconds).toISOString();
}

/** Creates tasks with these reminders, in one request. */
async function createTasks(client: Client, url: string, reminders: readonly string[]): Promise<string[]> {
  const operations = reminders.map((remindAt) => ({
    op: 'create',
    task: { title: 'to be reminded of', priority: 'low', category: 'work', remindAt },
  }));
  const { status, body } = await client.call(url, 'POST', '~/tasks/batch', { operations });
  if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
  return body.results.map(({ task }: { task: { id: string } }) => task.id);
}

/** The tasks that the journal of a user has been reminded of, in its order. */
async function reminded(client: Client, url: string): Promise<string[]> {
  const entries = await journal(client, url);
  return entries.filter(({ type }) => type === REMINDER).map(({ taskId }) => taskId);
}

async function streamOf(t: ExecutionContext, { userId }: Client, { url }: Program): Promise<EventStream> {
  const token = await issueToken({ secret: SECRET, userId, lifetime: 3600 });
  const stream = await openStream(url, { id: userId, token });
  t.is(stream.status, 200);
  t.teardown(() => stream.close());
  return stream;
}

const inStream = ({ events }: EventStream) => events.filter(({ data }) => data?.type === REMINDER);

serverTest.serial(
  'two servers, one of which is killed: each of 1,000 reminders comes once, to streams and the sink',
  async (t) => {
    const delivered = new Map<string, string>();
    const sink = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const { id, type } = JSON.parse(Buffer.concat(chunks).toString());
      delivered.set(id, type);
      response.writeHead(204).end();
    }).listen(0, '127.0.0.1');
    t.teardown(() => {
      sink.close();
      sink.closeAllConnections();
    });
    await once(sink, 'listening');
    const databaseUrl = await newDatabase();
    const env = {
      ...PATIENT,
      DATABASE_URL: databaseUrl,
      EVENTS_SINK_URL: `http://127.0.0.1:${(sink.address() as AddressInfo).port}/`,
    };
    const [one, two] = await Promise.all([startProgram(t, env), startProgram(t, env)]);
    const clients = await Promise.all(Array.from({ length: USERS }, (_, i) => Client.of(`user ${i}`)));
    const remindAt = inTime(5_000);
    const tasks = await Promise.all(
      clients.map((client, i) =>
        createTasks(
          client,
          (i % 2 ? one : two).url,
          Array.from({ length: TASKS }, () => remindAt),
        ),
      ),
    );
    const streams = await Promise.all(clients.slice(0, 4).map((client) => streamOf(t, client, one)));
    const count = async () =>
      Number((await execute(databaseUrl, `select count(*) from task_events where "type" = $1`, [REMINDER]))[0]?.count);
    await until(async () => (await count()) > 0);
    two.process.kill('SIGKILL');
    const atItsEnd = await count();
    await until(async () => (await count()) >= USERS * TASKS);
    await until(() => streams.every((stream) => inStream(stream).length >= TASKS));
    await sleep(1_500);
    for (const [i, client] of clients.entries()) {
      t.deepEqual((await reminded(client, one.url)).sort(), [...(tasks[i] ?? [])].sort());
    }
    for (const [i, stream] of streams.entries()) {
      t.deepEqual(
        inStream(stream)
          .map(({ data }) => data.taskId)
          .sort(),
        [...(tasks[i] ?? [])].sort(),
      );
    }
    // What the dead one had claimed is free after its lease, of a minute.
    await until(() => [...delivered.values()].filter((type) => type === REMINDER).length === USERS * TASKS);
    t.log(`${atItsEnd} had come when one was killed`);
    for (const client of clients) client.close();
    t.is(await one.end('SIGTERM'), 0);
  },
);

test.serial(
  'embedded, without a sink: a stream gets reminders, and what came while the server was away comes late',
  async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'todo-reminders-'));
    t.teardown(() => rm(directory, { recursive: true, force: true }));
    const start = () => startProgram(t, { DATA_DIR: directory });
    let server = await start();
    const client = await Client.of('alice');
    const stream = await streamOf(t, client, server);
    const first = await createTasks(client, server.url, [inTime(300)]);
    await until(() => inStream(stream).length === 1);
    const [event] = inStream(stream);
    t.like(event?.data, { taskId: first[0], actor: { type: 'user', id: 'alice' }, correlationId: null });
    t.is(event?.data.task.remindAt <= new Date().toISOString(), true);
    const missed = await createTasks(client, server.url, [inTime(2_500), inTime(2_600)]);
    t.is(await server.end('SIGTERM'), 0);
    await sleep(2_700);
    for (let i = 0; i < 2; i++) {
      server = await start();
      await until(async () => (await reminded(client, server.url)).length >= 3);
      await sleep(1_000);
      t.deepEqual(await reminded(client, server.url), [...first, ...missed]);
      t.is(await server.end('SIGTERM'), 0);
    }
    client.close();
  },
);

serverTest.serial('a database that goes away is told of once, and reminders come when it is there again', async (t) => {
  const databaseUrl = await newDatabase();
  const server = await startProgram(t, { ...PATIENT, DATABASE_URL: databaseUrl });
  const client = await Client.of('alice');
  const ids = await createTasks(client, server.url, [inTime(1_000)]);
  const admin = new URL(databaseUrl);
  const name = admin.pathname.slice(1);
  admin.pathname = '/postgres';
  await execute(admin.href, `alter database ${name} allow_connections false`);
  await execute(admin.href, 'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name]);
  await until(() => server.log().includes('could not record reminders'));
  await sleep(4_000);
  t.is(server.log().split('could not record reminders').length - 1, 1);
  await execute(admin.href, `alter database ${name} allow_connections true`);
  await until(async () => (await reminded(client, server.url)).length > 0);
  t.deepEqual(await reminded(client, server.url), ids);
  client.close();
  t.is(await server.end('SIGTERM'), 0);
});

/** The full size is that of `docs/reliability.md`. */
const DELAYS = FULL ? { reminders: 200, spacing: 100 } : { reminders: 20, spacing: 50 };

serverTest.serial('how late reminders arrive at a stream, on an idle server and beside 20 writers', async (t) => {
  const databaseUrl = await newDatabase();
  const server = await startProgram(t, { ...PATIENT, DATABASE_URL: databaseUrl });
  const measure = async (what: string) => {
    const client = await Client.of(`reminded ${what}`);
    const stream = await streamOf(t, client, server);
    const start = Date.now() + 1_000;
    const times = Array.from({ length: DELAYS.reminders }, (_, i) =>
      new Date(start + i * DELAYS.spacing).toISOString(),
    );
    for (let i = 0; i < times.length; i += 100) await createTasks(client, server.url, times.slice(i, i + 100));
    const delays: number[] = [];
    for (let seen = 0; delays.length < times.length; seen++) {
      await stream.until(seen + 1);
      const { data } = stream.events[seen] ?? {};
      if (data?.type === REMINDER) delays.push(Date.now() - Date.parse(data.task.remindAt));
    }
    delays.sort((a, b) => a - b);
    const at = (share: number) => delays[Math.min(delays.length - 1, Math.floor(delays.length * share))];
    const [written] = await execute(
      databaseUrl,
      `select percentile_disc(array[0.5, 0.99, 1]) within group (order by
         (extract(epoch from "time" - ("data" -> 'task' ->> 'remindAt')::timestamptz) * 1000)::int) as delays
       from task_events where "userId" = $1 and "type" = $2`,
      [client.userId, REMINDER],
    );
    t.log(`${what}, ms: median ${at(0.5)}, 99th percentile ${at(0.99)}, worst ${delays.at(-1)}`);
    t.log(`of the event itself: ${written?.delays}`);
    t.true((delays[0] ?? -1) >= 0, 'never early');
    stream.close();
    client.close();
  };
  await measure('idle');
  const writers = new Writers({ url: () => server.url, clients: 20, users: 20, mayMeet: 'nothing' });
  writers.start(t);
  await writers.success();
  await measure('beside writers');
  await writers.stop();
  t.deepEqual(writers.unexpected, []);
  t.is(await server.end('SIGTERM'), 0);
});
