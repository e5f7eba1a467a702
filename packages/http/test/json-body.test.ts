import { request } from 'node:http';
import { gzipSync } from 'node:zlib';
import test from 'ava';
import { onMemory, person } from './hosts.ts';

/** Values that a body may have. */
const MAX_VALUES = 200_000;

test('a body with more values than it may have is refused before anything is made of it', async (t) => {
  const host = await onMemory();
  t.teardown(() => host.close());
  const alice = await person(host);
  const send = async (text: string) => {
    const response = await fetch(`${host.url}/api/${alice.id}/tasks/import`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${alice.token}`,
        'Content-Type': 'application/json',
        'Content-Encoding': 'gzip',
      },
      body: gzipSync(text),
    });
    return { status: response.status, body: (await response.json()) as { detail: string; errors?: unknown[] } };
  };
  const many = `{"tasks":[${Array(MAX_VALUES).fill('{}').join()}]}`;
  for (const text of [many, `[${'[],'.repeat(MAX_VALUES)}1]`, `{${'"":0,'.repeat(MAX_VALUES)}"":0}`]) {
    const { status, body } = await send(text);
    t.is(status, 400);
    t.is(body.detail, 'The body must not have more than 200000 values.');
  }
  // What stands in a text is none.
  const text = JSON.stringify({ title: `${'[{,"'.repeat(60)}\\`, priority: 'low', category: 'home' });
  t.is((await send(`{"tasks":[${text}]}`)).status, 201);
  const longText = JSON.stringify({ tasks: [{ title: ',\\"'.repeat(MAX_VALUES) }] });
  t.is((await send(longText)).status, 422);
});

test('an error names the first hundred problems, and the first ten fields in its sentence', async (t) => {
  const host = await onMemory();
  t.teardown(() => host.close());
  const alice = await person(host);
  const { status, body } = await alice.call('POST', '/tasks/import', { json: { tasks: Array(5_000).fill({}) } });
  t.is(status, 422);
  t.is(body.errors.length, 100);
  t.regex(body.detail, /^Please correct tasks\.0\.title, .*, and \d+ more\.$/);
  t.true(body.detail.length < 300);
});

test('a client that asks first is told to go on when its body is wanted, and not without a token', async (t) => {
  const host = await onMemory();
  t.teardown(() => host.close());
  const alice = await person(host);
  const ask = (token: string) =>
    new Promise<{ continued: boolean; status: number | undefined }>((resolve, reject) => {
      let continued = false;
      const body = JSON.stringify({ title: 'milk', priority: 'low', category: 'home' });
      const outgoing = request(`${host.url}/api/${alice.id}/tasks`, {
        method: 'POST',
        headers: {
          Authorization: `Bearer ${token}`,
          'Content-Type': 'application/json',
          'Content-Length': body.length,
          Expect: '100-continue',
        },
      });
      outgoing.on('continue', () => {
        continued = true;
        outgoing.end(body);
      });
      outgoing.on('response', (response) => {
        response.resume();
        outgoing.destroy();
        resolve({ continued, status: response.statusCode });
      });
      outgoing.on('error', reject);
      outgoing.flushHeaders();
    });
  t.deepEqual(await ask('x.y.z'), { continued: false, status: 401 });
  t.deepEqual(await ask(alice.token), { continued: true, status: 201 });
});
