import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { issueToken } from '@todo-backend/infrastructure';
import test, { type ExecutionContext } from 'ava';
import { type EventStream, openStream } from '../../packages/http/test/event-streams.ts';
import { databases, execute, postgresTest } from '../postgres.ts';
import { Client } from './clients.ts';
import { type Copy, follow, positionOf, startProxy, todoClient } from './followers.ts';
import { FULL, type Program, SECRET, startProgram, until } from './program.ts';

const serverTest = await postgresTest(test);
const newDatabase = databases(test);

const TASK = { title: 't', priority: 'low', category: 'work' };
const PATIENT = { DATABASE_CONNECT_TIMEOUT_MS: '60000', DATABASE_STATEMENT_TIMEOUT_MS: '60000' };
const USERS = 10;
const STREAMS_OF_EACH = FULL ? 100 : 10;

serverTest.serial('SIGTERM with many streams and writes: all end, and nobody misses a change', async (t) => {
  const env = {
    ...PATIENT,
    DATABASE_URL: await newDatabase(),
    MAX_STREAMS_PER_USER: '1000',
    MAX_CONNECTIONS_PER_ADDRESS: '10000',
  };
  const [one, two] = await Promise.all([startProgram(t, env), startProgram(t, env)]);
  const clients = await Promise.all(Array.from({ length: USERS }, (_, i) => Client.of(`user ${i}`)));
  // As a load balancer, which turns away from a server that is to end.
  let serving = one;
  const balancer = await startProxy(t, () => serving.port);
  const followers: { client: Client; copy: Copy }[] = [];
  const direct: EventStream[] = [];
  for (const client of clients) {
    for (let i = 0; i < STREAMS_OF_EACH; i++) {
      followers.push({ client, copy: follow(t, todoClient(balancer.url, client), client) });
    }
    const token = await issueToken({ secret: SECRET, userId: client.userId, lifetime: 7200 });
    direct.push(await openStream(one.url, { id: client.userId, token }));
  }

  let isOver = false;
  t.teardown(() => {
    isOver = true;
  });
  const unexpected: unknown[] = [];
  let written = 0;
  const write = async (client: Client) => {
    for (; !isOver; await sleep(Math.random() * 100)) {
      const { status, body } = await client.call(two.url, 'POST', '~/tasks', TASK);
      if (status === 201) written++;
      else unexpected.push(body);
    }
  };
  const writing = Promise.all(clients.map(write));
  await until(() => followers.every(({ copy }) => copy.tasks.size > 0));
  const before = written;
  serving = two;
  const start = performance.now();
  t.is(await one.end('SIGTERM'), 0);
  t.log(`${followers.length} streams, closed after ms: ${Math.round(performance.now() - start)}`);
  // They end as the protocol has it, and are not cut.
  for (const { ended } of direct) await t.notThrowsAsync(ended);
  await until(() => written > before + 2 * USERS);
  isOver = true;
  await writing;
  t.deepEqual(unexpected.slice(0, 3), []);
  for (const client of clients) {
    const end = await positionOf(client, two.url);
    const own = followers.filter((follower) => follower.client === client);
    await until(() => own.every(({ copy }) => copy.position === end));
    for (const { copy } of own) await copy.verify(t, client, two.url, client.userId);
  }
  t.is(one.log(), '');
  t.is(await two.end('SIGTERM'), 0);
  t.is(two.log(), '');
  for (const client of clients) client.close();
  t.log(`${written} changes, ${written - before} of them since the signal`);
});

/** An auth server that publishes keys, and takes them back. */
async function startIssuer(t: ExecutionContext) {
  const keys = new Map<string, { publicKey: KeyObject; privateKey: KeyObject }>();
  const server = createServer((_request, response) => {
    const published = [...keys].map(([kid, { publicKey }]) => ({
      ...publicKey.export({ format: 'jwk' }),
      kid,
      alg: 'EdDSA',
    }));
    response.setHeader('Content-Type', 'application/json').end(JSON.stringify({ keys: published }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  return {
    url,
    publish: (kid: string) => void keys.set(kid, generateKeyPairSync('ed25519')),
    revoke: (kid: string) => void keys.delete(kid),
    token(kid: string, sub: string, lifetime = 3600): string {
      const { privateKey } = keys.get(kid) ?? {};
      if (privateKey === undefined) throw new Error(`There is no key ${kid}.`);
      const iat = Math.floor(Date.now() / 1000);
      const input = `${encode({ alg: 'EdDSA', kid })}.${encode({ sub, iat, exp: iat + lifetime, iss: url, aud: url })}`;
      return `${input}.${sign(null, Buffer.from(input), privateKey).toString('base64url')}`;
    },
  };
}

serverTest.serial('a stream ends with its token: when that expires, and when its key is revoked', async (t) => {
  const issuer = await startIssuer(t);
  for (const kid of ['old', 'other']) issuer.publish(kid);
  const program = await startProgram(t, {
    ...PATIENT,
    DATABASE_URL: await newDatabase(),
    BETTER_AUTH_SECRET: '',
    BETTER_AUTH_URL: issuer.url,
    AUTH_JWKS_URL: `${issuer.url}/jwks`,
  });
  const open = (id: string, token: string) => openStream(program.url, { id, token });
  const create = async (id: string, token: string) => {
    const response = await fetch(`${program.url}/api/${id}/tasks`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify(TASK),
    });
    await response.text();
    return response.status;
  };
  const revoked = issuer.token('old', 'alice');
  const [short, long, other] = await Promise.all([
    open('carol', issuer.token('other', 'carol', 5)),
    open('alice', revoked),
    open('bob', issuer.token('other', 'bob')),
  ]);
  t.deepEqual([short.status, long.status, other.status], [200, 200, 200]);
  await short.ended;

  issuer.revoke('old');
  issuer.publish('new');
  // A token of a key that is not known yet has the keys loaded anew.
  t.is(await create('alice', issuer.token('new', 'alice')), 201);
  t.is((await open('alice', revoked)).status, 401);
  let hasEnded = false;
  const ended = long.ended.then(() => {
    hasEnded = true;
  });
  // Those of the others go on, for longer than it takes to find out.
  while (!hasEnded) {
    await sleep(500);
    t.is(await create('alice', issuer.token('other', 'alice')), 201);
  }
  await ended;
  t.is(await create('bob', issuer.token('other', 'bob')), 201);
  await other.until(1);
  other.close();
  t.is(await program.end('SIGTERM'), 0);
});

/** The memory that a program uses, in megabytes. */
async function memoryOf({ process }: Program): Promise<number> {
  const answer = once(process, 'message');
  process.send('how much?');
  return (await answer)[0] / 2 ** 20;
}

/** Runs in the server process, and responds to every message with the memory in use. */
const MEMORY_HOOK = `data:text/javascript,${encodeURIComponent(`
  process.on('message', () => {
    gc();
    const { heapUsed, external } = process.memoryUsage();
    process.send(heapUsed + external);
  });
  process.channel.unref();
`)}`;

const IDLE_READERS = 5;
/** About what one change has in a stream. */
const BYTES = 1_400;
/** Megabytes of changes that each of them does not read. */
const UNREAD = FULL ? 200 : 30;

serverTest.serial('for readers who do not read nothing waits in memory, and in the end they are cut', async (t) => {
  const nodeOptions = ['--expose-gc', '--import', MEMORY_HOOK];
  const databaseUrl = await newDatabase();
  const env = { ...PATIENT, DATABASE_URL: databaseUrl, MAX_TASKS_PER_USER: '1000000' };
  const program = await startProgram(t, env, { nodeOptions });
  const alice = await Client.of('alice');
  const token = await issueToken({ secret: SECRET, userId: 'alice', lifetime: 7200 });
  const description = 'd'.repeat(1_000);
  const write = async (megabytes: number) => {
    const create = { op: 'create', task: { ...TASK, description } };
    for (let bytes = 0; bytes < megabytes * 2 ** 20; bytes += 50 * BYTES) {
      const { status } = await alice.call(program.url, 'POST', '~/tasks/batch', {
        operations: Array.from({ length: 50 }, () => create),
      });
      if (status !== 200) throw new Error(`status ${status}`);
    }
  };
  await write(5);
  // Before that the plans are those for an empty table, with which streams do not come to all of it.
  await execute(databaseUrl, 'analyze');
  const sockets = Array.from({ length: IDLE_READERS }, () => {
    const socket = connect(program.port, '127.0.0.1');
    socket.pause();
    socket.on('error', () => {});
    const headers = `Host: api\r\nAuthorization: Bearer ${token}\r\nAccept: text/event-stream\r\n`;
    socket.write(`GET /api/alice/changes HTTP/1.1\r\n${headers}\r\n`);
    t.teardown(() => socket.destroy());
    return socket;
  });
  // The operating system takes some megabytes for each of them, and no more.
  await write(10);
  const before = await memoryOf(program);
  const start = performance.now();
  await write(UNREAD);
  const rate = (UNREAD * 2 ** 20) / BYTES / ((performance.now() - start) / 1000);
  // Whatever would be kept for them is kept by now.
  await sleep(5_000);
  const growth = (await memoryOf(program)) - before;
  t.log(`${Math.round(rate)} changes/s, memory grew by ${growth.toFixed(1)} MB of ${IDLE_READERS * UNREAD} MB unread`);
  t.true(growth < (IDLE_READERS * UNREAD) / 10, `${growth} MB`);
  if (FULL) {
    // The deadline is a minute.
    const cut = sockets.map((socket) => {
      const closed = once(socket, 'close');
      setTimeout(() => socket.resume(), 90_000);
      return closed;
    });
    await Promise.all(cut);
  }
  for (const socket of sockets) socket.destroy();
  await until(async () => {
    const stream = await openStream(program.url, { id: 'alice', token });
    stream.close();
    return stream.status === 200;
  });
  alice.close();
  t.is(await program.end('SIGTERM'), 0);
});
