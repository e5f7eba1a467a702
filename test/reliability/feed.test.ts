import { randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { createApiLogin, startPgBouncer } from '../pgbouncer.ts';
import { databases, postgresTest } from '../postgres.ts';
import { Client } from './clients.ts';
import { Copy, followInPieces, nowAndThen, positionOf, startProxy, todoClient } from './followers.ts';
import { FULL, runProgram, startProgram, until } from './program.ts';

const serverTest = await postgresTest(test);
const newDatabase = databases(test);

/** No timeouts on a busy machine. */
const PATIENT = { DATABASE_CONNECT_TIMEOUT_MS: '60000', DATABASE_STATEMENT_TIMEOUT_MS: '60000' };
const WRITERS = 50;
const CHANGES = FULL ? 20_000 : 600;

serverTest.serial('50 writers on two servers: who polls and who follows, cut at random, know everything', async (t) => {
  await writeAndFollow(t, { DATABASE_URL: await newDatabase() });
});

serverTest.serial('the same behind a transaction pooler, where there are no notifications', async (t) => {
  const databaseUrl = await newDatabase();
  t.is((await runProgram(['migrate'], { DATABASE_URL: databaseUrl })).code, 0);
  const pooler = await startPgBouncer(await createApiLogin(databaseUrl));
  t.teardown(() => pooler.stop());
  await writeAndFollow(t, { DATABASE_URL: pooler.url, DATABASE_POOLER: 'transaction' });
});

async function writeAndFollow(t: ExecutionContext, env: Record<string, string>): Promise<void> {
  const settings = { ...PATIENT, ...env };
  const servers = await Promise.all([startProgram(t, settings), startProgram(t, settings)]);
  let turn = 0;
  const next = () => servers[turn++ % servers.length] as (typeof servers)[0];
  const userId = randomUUID();
  const clients = await Promise.all(Array.from({ length: WRITERS + 1 }, () => Client.of(userId)));
  const [reader, ...writers] = clients as [Client, ...Client[]];
  const proxy = await startProxy(t, () => next().port);

  const written = { changes: 0, unexpected: [] as string[] };
  let isWritten = false;
  let end: string | undefined;
  const writing = Promise.all(
    writers.map((writer, i) => writeAtRandom(writer, servers[i % servers.length]?.url ?? '', written)),
  ).finally(() => {
    isWritten = true;
  });

  const polled = new Copy();
  let polls = 0;
  const polling = async () => {
    for (; polled.position !== end; polls++) {
      await polled.poll(reader, next().url, 1 + Math.floor(Math.random() * 5));
    }
  };
  const followed = new Copy();
  const following = followInPieces(todoClient(proxy.url, reader), reader, followed, () => followed.position === end);
  // Without a cut it goes on from where it is; with one, the client connects again by itself.
  const whole = new Copy();
  const controller = new AbortController();
  t.teardown(() => controller.abort());
  const watching = todoClient(proxy.url, reader).watch(userId, {
    since: whole.position,
    signal: controller.signal,
    onChange: whole.apply,
  });
  watching.catch(() => {});
  let resets = 0;
  const cutting = nowAndThen(
    () => isWritten,
    300,
    FULL ? 10_000 : 2_000,
    () => {
      resets += proxy.reset();
    },
  );
  const poll = polling();
  await writing;
  t.deepEqual(written.unexpected.slice(0, 5), []);
  end = await positionOf(reader, next().url);
  await Promise.all([poll, cutting]);
  const pieces = await following;
  await until(() => whole.position === end);
  controller.abort();
  await watching;

  for (const [who, copy] of Object.entries({ polled, followed, whole })) {
    for (const { url } of servers) await copy.verify(t, reader, url, who);
  }
  for (const client of clients) client.close();
  for (const server of servers) {
    t.is(await server.end('SIGTERM'), 0);
    t.is(server.log(), '');
  }
  t.log(`${written.changes} changes, ${polls} polls, ${pieces} streams given up, ${resets} connections reset`);
}

/** Creates, changes, completes, deletes, takes back and restores tasks that no other writer changes. */
async function writeAtRandom(client: Client, url: string, written: { changes: number; unexpected: string[] }) {
  const tasks: string[] = [];
  const deleted: string[] = [];
  let undoable: string | undefined;
  const oneOf = (ids: readonly string[]) => ids[Math.floor(Math.random() * ids.length)];
  /** Where a task is now. */
  const place = (id: string, task: object | null) => {
    for (const list of [tasks, deleted]) if (list.includes(id)) list.splice(list.indexOf(id), 1);
    (task === null ? deleted : tasks).push(id);
  };
  while (written.changes < CHANGES) {
    const requestId = randomUUID();
    const call = (method: string, path: string, json?: object) => client.call(url, method, path, json, requestId);
    const [id, lost, chance] = [oneOf(tasks), oneOf(deleted), Math.random()];
    let reply: Awaited<ReturnType<typeof call>>;
    if (chance < 0.2 && undoable !== undefined) {
      reply = await call('POST', '~/undo', { correlationId: undoable });
      for (const { taskId, task } of reply.body.results ?? []) place(taskId, task);
    } else if (chance < 0.4 && lost !== undefined) {
      reply = await call('POST', `~/tasks/${lost}/restore`);
      place(lost, reply.body);
    } else if (id === undefined || chance < 0.5) {
      reply = await call('POST', '~/tasks', { title: requestId, priority: 'low', category: 'work' });
      place(reply.body.id, reply.body);
    } else if (chance < 0.7) {
      reply = await call('PUT', `~/tasks/${id}`, { title: requestId });
    } else if (chance < 0.85) {
      reply = await call('PATCH', `~/tasks/${id}/complete`);
    } else {
      reply = await call('DELETE', `~/tasks/${id}`);
      place(id, null);
    }
    if (reply.status < 300) written.changes++;
    else written.unexpected.push(`${reply.status} ${JSON.stringify(reply.body)}`);
    undoable = requestId;
  }
}
