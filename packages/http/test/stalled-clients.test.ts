import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { LiveStreams } from '@todo-backend/http';
import test from 'ava';
import { onMemory, person } from './hosts.ts';

const TASK = { title: 'milk', description: 'd'.repeat(1_000), priority: 'low', category: 'home' };

test('a client that does not read its answer is cut off', async (t) => {
  const host = await onMemory({ answerTimeout: 3_000 });
  t.teardown(() => host.close());
  const alice = await person(host);
  for (let i = 0; i < 3; i++) {
    const { status } = await alice.call('POST', '/tasks/import', { json: { tasks: Array(4_000).fill(TASK) } });
    t.is(status, 201);
  }
  const socket = connect(Number(new URL(host.url).port), '127.0.0.1');
  const request = `GET /api/${alice.id}/tasks HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer ${alice.token}\r\n\r\n`;
  socket.write(request.repeat(4));
  socket.on('error', () => {});
  const [first] = await once(socket, 'data');
  socket.pause();
  // Turns of the event loop that the server is in, too, so that a busy machine gives it as many as it needs.
  for (let turn = 0; turn < 120; turn++) await sleep(50);
  let received = first.length;
  socket.on('data', (chunk) => {
    received += chunk.length;
  });
  socket.resume();
  await once(socket, 'close');
  t.true(received < 4 * 12_000 * 1_000, `${received} bytes`);
  t.is((await alice.call('GET', '/stats')).status, 200);
});

test('a user whose long answers are not read waits for them, and goes on when the client is gone', async (t) => {
  const host = await onMemory();
  t.teardown(() => host.close());
  const [alice, bob] = [await person(host), await person(host)];
  for (let i = 0; i < 3; i++) {
    await alice.call('POST', '/tasks/import', { json: { tasks: Array(4_000).fill(TASK) } });
  }
  const sockets = [1, 2].map(() => {
    const socket = connect(Number(new URL(host.url).port), '127.0.0.1');
    socket.on('error', () => {});
    socket.write(`GET /api/${alice.id}/tasks HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer ${alice.token}\r\n\r\n`);
    return socket;
  });
  await Promise.all(
    sockets.map(async (socket) => {
      await once(socket, 'data');
      socket.pause();
    }),
  );
  let isAnswered = false;
  const waiting = alice.call('GET', '/stats').then(({ status }) => {
    isAnswered = true;
    return status;
  });
  t.is((await bob.call('GET', '/stats')).status, 200);
  t.false(isAnswered, 'the two are still in memory');
  for (const socket of sockets) socket.destroy();
  t.is(await waiting, 200);
});

// By itself: the others measure how soon they are cut off.
test.serial(
  'a client that does not read its stream of changes is cut off, and one that has nothing to read is not',
  async (t) => {
    const streams = new LiveStreams(20, 1_000);
    const host = await onMemory({ streams });
    t.teardown(() => host.close());
    const [alice, bob] = [await person(host), await person(host)];
    const [stalled, silent] = [alice, bob].map(({ id, token }) => {
      const socket = connect(Number(new URL(host.url).port), '127.0.0.1');
      socket.on('error', () => {});
      t.teardown(() => socket.destroy());
      const headers = `Host: api\r\nAuthorization: Bearer ${token}\r\nAccept: text/event-stream\r\n`;
      socket.write(`GET /api/${id}/changes HTTP/1.1\r\n${headers}\r\n`);
      return socket;
    });
    stalled?.pause();
    let text = '';
    silent?.on('data', (chunk) => {
      text += chunk;
    });
    while (streams.open < 2) await new Promise((resolve) => setTimeout(resolve, 10));
    for (let i = 0; i < 3; i++) {
      await alice.call('POST', '/tasks/import', { json: { tasks: Array(4_000).fill(TASK) } });
    }
    while (streams.open > 1) await new Promise((resolve) => setTimeout(resolve, 10));
    await bob.create();
    while (!text.includes('event: change') && silent?.destroyed === false) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    t.regex(text, /event: change/);
  },
);
