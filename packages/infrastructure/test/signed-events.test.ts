import { spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventRelay, type JournalEntry } from '@todo-backend/application';
import { taskWriter } from '@todo-backend/application/testing';
import { createTask, timestamp } from '@todo-backend/domain';
import { cloudEventsSink, Database, SqlOutbox, SqlTaskRepository } from '@todo-backend/infrastructure';
import test, { type ExecutionContext } from 'ava';
import { Webhook } from 'standardwebhooks';
import { freePort } from '../../../test/postgres.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const newSecret = (bytes = 32) => `whsec_${randomBytes(bytes).toString('base64')}`;

/** One request to a receiver, and what it answered. */
interface Attempt {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly status: number;
}

/** A receiver on a real socket that verifies with the library of Standard Webhooks. Answers 401 where that fails. */
async function receiver(t: ExecutionContext, secret: string, accepted: () => number = () => 204) {
  const webhook = new Webhook(secret);
  const attempts: Attempt[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    let status = 401;
    try {
      webhook.verify(body, request.headers as Record<string, string>);
      status = accepted();
    } catch {}
    attempts.push({ headers: request.headers, body, status });
    response.writeHead(status).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`, attempts };
}

const newTask = (title = 'Büchër \u{1f4da} "kaufen"\n') =>
  createTask(
    {
      title,
      description: null,
      priority: 'low',
      category: 'work',
      dueDate: null,
      tags: [],
      recurrence: null,
      remindAt: null,
    },
    { id: randomUUID(), userId: 'älice', now: '2026-03-01T12:00:00.000Z' },
  );

function newEntry() {
  const task = newTask();
  return {
    type: 'todo.task.created.v1',
    id: randomUUID(),
    sequence: 1,
    time: task.createdAt,
    userId: task.userId,
    taskId: task.id,
    actor: { type: 'user', id: task.userId },
    correlationId: null,
    task,
  } as const satisfies JournalEntry;
}

const ACCEPTED = { outcome: 'accepted' } as const;
const REFUSED = { outcome: 'failed', reason: 'The sink answered 401.' } as const;

test('a receiver that verifies accepts a signed event', async (t) => {
  for (const secret of [newSecret(24), newSecret(32), newSecret(64)]) {
    const { url, attempts } = await receiver(t, secret);
    const entry = newEntry();
    t.deepEqual(await cloudEventsSink(url, { secrets: [secret] }).publish(entry), ACCEPTED);
    const { headers, body } = attempts[0] as Attempt;
    t.is(headers['webhook-id'], entry.id);
    t.true(Math.abs(Number(headers['webhook-timestamp']) - Date.now() / 1000) < 60);
    t.regex(String(headers['webhook-signature']), /^v1,[A-Za-z\d+/]{43}=$/);
    t.is(headers['content-type'], 'application/cloudevents+json; charset=utf-8');
    t.like(JSON.parse(body.toString()), {
      specversion: '1.0',
      id: entry.id,
      data: { task: { title: entry.task.title } },
    });
  }
});

test('a delivery that was changed on the way is refused', async (t) => {
  const secret = newSecret();
  const { url, attempts } = await receiver(t, secret);
  await cloudEventsSink(url, { secrets: [secret] }).publish(newEntry());
  const { headers, body } = attempts[0] as Attempt;
  const send = async (changed: Record<string, string> = {}, changedBody = body) => {
    const own = Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('webhook-')));
    const sent = await fetch(url, {
      method: 'POST',
      headers: { ...(own as Record<string, string>), ...changed },
      body: new Uint8Array(changedBody),
    });
    return sent.status;
  };
  t.is(await send(), 204, 'unchanged');
  t.is(await send({}, Buffer.from(body.toString().replace('Büchër', 'Bücher'))), 401, 'another title');
  t.is(
    await send({}, Buffer.from(JSON.stringify(JSON.parse(body.toString()), null, 1))),
    401,
    'the same JSON, spelled anew',
  );
  t.is(await send({}, Buffer.concat([body, Buffer.from(' ')])), 401, 'another byte');
  t.is(await send({ 'webhook-id': randomUUID() }), 401, 'another id');
  t.is(await send({ 'webhook-timestamp': String(Number(headers['webhook-timestamp']) + 1) }), 401, 'another time');
  t.is(await send({ 'webhook-signature': '' }), 401, 'no signature');
});

test('a delivery that is signed with another secret, or with none, is refused', async (t) => {
  const { url, attempts } = await receiver(t, newSecret());
  t.deepEqual(await cloudEventsSink(url, { secrets: [newSecret()] }).publish(newEntry()), REFUSED);
  t.deepEqual(await cloudEventsSink(url, { secrets: [newSecret(), newSecret()] }).publish(newEntry()), REFUSED);
  t.deepEqual(await cloudEventsSink(url).publish(newEntry()), REFUSED);
  t.deepEqual(
    Object.keys(attempts[2]?.headers ?? {}).filter((name) => name.startsWith('webhook-')),
    [],
  );
});

test('a delivery whose timestamp is not of now is refused', async (t) => {
  const secret = newSecret();
  const { url } = await receiver(t, secret);
  const deliverAt = (minutes: number) => {
    const clock = () => timestamp(new Date(Date.now() + minutes * 60_000));
    return cloudEventsSink(url, { secrets: [secret], clock }).publish(newEntry());
  };
  t.deepEqual(await deliverAt(-4), ACCEPTED);
  t.deepEqual(await deliverAt(-6), REFUSED);
  t.deepEqual(await deliverAt(6), REFUSED);
});

test('while secrets are rotated, a receiver with either of them accepts', async (t) => {
  const [old, next] = [newSecret(), newSecret()];
  const [before, after, stranger] = [await receiver(t, old), await receiver(t, next), await receiver(t, newSecret())];
  const deliver = (url: string, ...secrets: string[]) => cloudEventsSink(url, { secrets }).publish(newEntry());
  t.deepEqual(await deliver(before.url, old, next), ACCEPTED);
  t.deepEqual(await deliver(after.url, old, next), ACCEPTED);
  t.deepEqual(await deliver(stranger.url, old, next), REFUSED);
  t.regex(String(after.attempts[0]?.headers['webhook-signature']), /^v1,\S{44} v1,\S{44}$/);
  // The old secret is dropped.
  t.deepEqual(await deliver(after.url, next), ACCEPTED);
  t.deepEqual(await deliver(before.url, next), REFUSED);
});

test('an event that is tried again has the same id, a new timestamp, and the signature of that time', async (t) => {
  const database = await Database.embedded();
  t.teardown(() => database.close());
  await database.migrate({ standaloneUsers: true });
  await taskWriter(new SqlTaskRepository(database, { standaloneUsers: true })).add(newTask());

  const secret = newSecret();
  const answers = [503, 500, 204];
  const { url, attempts } = await receiver(t, secret, () => answers.shift() ?? 204);
  const start = Math.floor(Date.now() / 1000) * 1000 - 60_000;
  let now = start;
  // Each attempt is 30.5 seconds after the one before.
  const clock = () => {
    now += 30_500;
    return timestamp(new Date(now));
  };
  const outbox = new SqlOutbox(database);
  const relay = eventRelay(
    { outbox, sink: cloudEventsSink(url, { secrets: [secret], clock }) },
    { firstDelay: 1, longestDelay: 5 },
  );
  while ((await outbox.backlog()).waiting > 0) await relay();

  t.deepEqual(
    attempts.map(({ status }) => status),
    [503, 500, 204],
    'the signature of each is right',
  );
  const different = (of: (attempt: Attempt) => unknown) => new Set(attempts.map((attempt) => String(of(attempt)))).size;
  t.is(attempts[0]?.headers['webhook-id'], JSON.parse(String(attempts[0]?.body)).id);
  t.is(
    different(({ headers }) => headers['webhook-id']),
    1,
  );
  t.is(
    different(({ body }) => body),
    1,
  );
  t.deepEqual(
    attempts.map(({ headers }) => Number(headers['webhook-timestamp']) - start / 1000),
    [30, 61, 91],
  );
  t.is(
    different(({ headers }) => headers['webhook-signature']),
    3,
  );
});

test('a secret that is not base64 is refused, and not repeated', (t) => {
  for (const secret of ['whsec_', 'whsec_hunter2!hunter2!']) {
    const error = t.throws(() => cloudEventsSink('http://127.0.0.1/', { secrets: [secret] }), undefined, secret);
    t.notRegex(error?.message ?? '', /hunter2/);
  }
});

test('the receiver in the documentation handles each event once, and refuses what is forged', async (t) => {
  const page = await readFile(join(ROOT, 'docs', 'journal.md'), 'utf8');
  const example = /```ts\n(.*?standardwebhooks.*?)```/s.exec(page)?.[1];
  if (example === undefined) throw new Error('docs/journal.md has no receiver.');
  const directory = await mkdtemp(join(tmpdir(), 'todo-receiver-'));
  t.teardown(() => rm(directory, { recursive: true }));
  await symlink(join(ROOT, 'node_modules'), join(directory, 'node_modules'), 'junction');
  await writeFile(join(directory, 'receiver.mts'), example);

  const secret = newSecret();
  const port = await freePort();
  const program = spawn(process.execPath, ['receiver.mts'], {
    cwd: directory,
    env: { PATH: process.env.PATH ?? '', EVENTS_SINK_SECRET: secret, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => program.kill());
  let output = '';
  program.stdout.on('data', (chunk) => {
    output += chunk;
  });
  const url = `http://127.0.0.1:${port}/`;
  const sink = cloudEventsSink(url, { secrets: [newSecret(), secret] });
  const [first, second] = [newEntry(), newEntry()];
  let delivery = await sink.publish(first);
  while (delivery.outcome === 'unreachable' && program.exitCode === null) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    delivery = await sink.publish(first);
  }
  t.deepEqual(delivery, ACCEPTED);
  t.deepEqual(await sink.publish(first), ACCEPTED, 'the same event again');
  t.deepEqual(await cloudEventsSink(url, { secrets: [newSecret()] }).publish(newEntry()), REFUSED);
  t.deepEqual(await cloudEventsSink(url).publish(newEntry()), REFUSED);
  t.deepEqual(await sink.publish(second), ACCEPTED);
  while (!output.includes(second.id)) await new Promise((resolve) => setTimeout(resolve, 10));
  t.is(output, [first, second].map(({ type, id }) => `${type} ${id}\n`).join(''));
});
