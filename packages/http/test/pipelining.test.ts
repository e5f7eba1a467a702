import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { taskUseCases } from '@todo-backend/application';
import { fixedClock, InMemoryTaskRepository } from '@todo-backend/application/testing';
import test from 'ava';
import { uuidv7 } from 'uuidv7';
import { until } from '../../../test/reliability/program.ts';
import { parseAnswers } from './conformance.ts';
import { type Host, onMemory, person } from './hosts.ts';

/** The maximum number of concurrent requests of one connection. */
const MAX_UNDER_WAY = 8;

/** A repository whose calls only end when told to. */
function gated() {
  const repository = new InMemoryTaskRepository();
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  const state = { started: 0 };
  const change: typeof repository.change = async (...args) => {
    state.started++;
    await opened;
    return InMemoryTaskRepository.prototype.change.apply(repository, args) as never;
  };
  const tasks = taskUseCases({
    tasks: Object.assign(Object.create(repository), {
      list: repository.list.bind(repository),
      find: repository.find.bind(repository),
      count: repository.count.bind(repository),
      change,
    }),
    clock: fixedClock(),
    newId: uuidv7,
  });
  return { tasks, state, open, repository };
}

const port = ({ url }: Host) => Number(new URL(url).port);

function create({ id, token }: Person, title: string): string {
  const body = JSON.stringify({ title, priority: 'low', category: 'work' });
  return [
    `POST /api/${id}/tasks HTTP/1.1`,
    'Host: api',
    `Authorization: Bearer ${token}`,
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    '',
    body,
  ].join('\r\n');
}

type Person = Awaited<ReturnType<typeof person>>;

/** More users than requests may be under way: those of one user would wait for one another. */
function users(host: Host): Promise<Person[]> {
  return Promise.all(Array.from({ length: MAX_UNDER_WAY + 2 }, () => person(host)));
}

/** Requests of all users in turn. */
function createMany(people: readonly Person[], count: number): string {
  return Array.from({ length: count }, (_, i) => create(people[i % people.length] as Person, `task ${i}`)).join('');
}

async function totalOf(repository: InMemoryTaskRepository, people: readonly Person[]): Promise<number> {
  const counts = await Promise.all(people.map(({ id }) => repository.count(id)));
  return counts.reduce((sum, { total }) => sum + total, 0);
}

function read(token: string, path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer ${token}\r\n\r\n`;
}

/** The complete responses that a connection has received. */
function wholeAnswers(received: string) {
  return parseAnswers(received).filter(({ headers, text }) => text.length === Number(headers.get('Content-Length')));
}

/** Reads from a connection until there are this many responses. */
async function answersOn(socket: Socket, count: number) {
  let received = '';
  while (wholeAnswers(received).length < count) {
    const chunk = socket.read();
    if (chunk === null) await sleep(5);
    else received += chunk;
  }
  return wholeAnswers(received);
}

test('of the requests that one connection sends at once, eight run concurrently', async (t) => {
  const { tasks, state, open, repository } = gated();
  const host = await onMemory({ tasks });
  t.teardown(() => host.close());
  const people = await users(host);
  const socket = connect(port(host), '127.0.0.1');
  socket.write(createMany(people, 300));
  await until(() => state.started === MAX_UNDER_WAY);
  await sleep(100);
  t.is(state.started, MAX_UNDER_WAY);

  open();
  const answers = await answersOn(socket, 300);
  t.deepEqual(
    answers.map(({ status, text }) => [status, JSON.parse(text).title]),
    Array.from({ length: 300 }, (_, i) => [201, `task ${i}`]),
    'each is answered, in its order',
  );
  t.is(await totalOf(repository, people), 300);
});

test('queued requests of a disconnected client are dropped', async (t) => {
  const { tasks, state, open, repository } = gated();
  const host = await onMemory({ tasks });
  t.teardown(() => host.close());
  const people = await users(host);
  const socket = connect(port(host), '127.0.0.1');
  socket.on('error', () => {});
  socket.write(createMany(people, 300));
  await until(() => state.started === MAX_UNDER_WAY);
  socket.resetAndDestroy();
  await sleep(100);
  open();
  await sleep(200);
  t.true(state.started <= 2 * MAX_UNDER_WAY, `${state.started} were begun`);
  t.true((await totalOf(repository, people)) <= 2 * MAX_UNDER_WAY);
});

test('a request with a late body is handled after many others', async (t) => {
  const host = await onMemory();
  t.teardown(() => host.close());
  const alice = await person(host, 'alice');
  const socket = connect(port(host), '127.0.0.1');
  const last = create(alice, 'late');
  socket.write(read(alice.token, '/api/alice/stats').repeat(60) + last.slice(0, -10));
  setTimeout(() => socket.write(last.slice(-10)), 300);
  const answers = await answersOn(socket, 61);
  t.deepEqual(new Set(answers.slice(0, 60).map(({ status }) => status)), new Set([200]));
  t.like(answers[60], { status: 201 });
  socket.destroy();
});

test('a connection works normally after many requests at once', async (t) => {
  const host = await onMemory();
  t.teardown(() => host.close());
  const { token } = await person(host, 'alice');
  const socket = connect(port(host), '127.0.0.1');
  for (let round = 0; round < 5; round++) {
    for (const count of [40, 1]) {
      socket.write(read(token, '/api/alice/stats').repeat(count));
      t.is((await answersOn(socket, count)).length, count);
    }
  }
  socket.destroy();
});

test('at most ten thousand requests of all connections are queued', async (t) => {
  const { tasks, state, open } = gated();
  const host = await onMemory({ tasks });
  t.teardown(() => host.close());
  const alice = await person(host, 'alice');
  await host.call('GET', '/health');
  let closed = 0;
  const sockets = Array.from({ length: 10 }, () => {
    const socket = connect(port(host), '127.0.0.1').on('error', () => {});
    socket.on('close', () => closed++);
    // So short that more than a thousand of them are read at once.
    socket.write(create(alice, 'first').repeat(MAX_UNDER_WAY) + 'GET / HTTP/1.1\r\nHost:a\r\n\r\n'.repeat(2_000));
    return socket;
  });
  await until(() => closed > 0);
  t.true(state.started <= 10 * MAX_UNDER_WAY);
  t.is((await host.call('GET', '/health')).status, 200);
  for (const socket of sockets) socket.destroy();
  open();
});
