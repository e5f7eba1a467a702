import { request } from 'node:http';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import test from 'ava';
import { onMemory, person } from './hosts.ts';

/** Values that a body may have. */
const MAX_VALUES = 200_000;

type Host = Awaited<ReturnType<typeof onMemory>>;
type Person = Awaited<ReturnType<typeof person>>;

async function importBody(host: Host, { id, token }: Person, body: string | Buffer<ArrayBuffer>, coding?: string) {
  const response = await fetch(`${host.url}/api/${id}/tasks/import`, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${token}`,
      'Content-Type': 'application/json',
      ...(coding && { 'Content-Encoding': coding }),
    },
    body,
  });
  return { status: response.status, body: (await response.json()) as { detail: string; errors?: unknown[] } };
}

test('a body with more values than it may have is refused before anything is made of it', async (t) => {
  const host = await onMemory();
  t.teardown(() => host.close());
  const alice = await person(host);
  const send = (text: string) => importBody(host, alice, text);
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

test('a compressed body that becomes many times as large is refused', async (t) => {
  const host = await onMemory();
  t.teardown(() => host.close());
  const alice = await person(host);
  const short = JSON.stringify({ tasks: [{ title: ' '.repeat(50_000), priority: 'low', category: 'home' }] });
  t.is((await importBody(host, alice, gzipSync(short), 'gzip')).status, 422, 'what is small may be small');
  const real = JSON.stringify({
    tasks: Array.from({ length: 3_000 }, (_, i) => ({ title: `task ${i}`, priority: 'low', category: 'home' })),
  });
  t.is((await importBody(host, alice, gzipSync(real), 'gzip')).status, 201);
  const many = `{"tasks":[${Array(50_000).fill('{}').join()}]}`;
  for (const [body, coding] of [
    [gzipSync(many), 'gzip'],
    [brotliCompressSync(many), 'br'],
  ] as const) {
    const { status, body: problem } = await importBody(host, alice, body, coding);
    t.is(status, 400);
    t.is(problem.detail, 'The body must not become more than 100 times as large when it is decompressed.');
  }
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
