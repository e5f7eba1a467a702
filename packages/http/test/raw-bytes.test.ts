import { connect } from 'node:net';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { issueToken } from '@todo-backend/infrastructure';
import test, { type ExecutionContext } from 'ava';
import { assertDocumented, parseAnswers } from './conformance.ts';
import { type Host, onMemory, SECRET, shared } from './hosts.ts';

type Bytes = string | Buffer;

/** The bytes to send, and the statuses of the responses; empty when the connection is closed without one. */
type Row = readonly [title: string, send: Bytes | readonly Step[], answers: readonly number[]];

/** Bytes to send, milliseconds to wait, or the end of the stream. */
type Step = Bytes | number | 'FIN' | 'RST';

/** Node's parser causes 408 and 431; the others are part of the wire contract. */
const STATUSES = [200, 201, 204, 400, 401, 403, 404, 405, 408, 413, 415, 422, 429, 431, 503];

const HANG = 2_000;
const SHORT_TIMEOUT = 500;

// Valid for every host, because they share the secret.
const token = await issueToken({ secret: SECRET, userId: 'alice', lifetime: 3600 });

const patient = shared(() => onMemory());
const hasty = shared(() => onMemory({ requestTimeout: SHORT_TIMEOUT }));

const AUTH = `Authorization: Bearer ${token}`;
const JSON_TYPE = 'Content-Type: application/json';
const CHUNKED = 'Transfer-Encoding: chunked';
const CLOSE = 'Connection: close';
const TASK = '{"title":"good","priority":"low","category":"work"}';

const length = (body: Bytes) => `Content-Length: ${Buffer.byteLength(body)}`;

function request(line: string, headers: readonly string[], body: Bytes = ''): Buffer {
  return Buffer.concat([Buffer.from([line, ...headers, '', ''].join('\r\n'), 'latin1'), Buffer.from(body)]);
}

const get = (target: string, ...headers: string[]) =>
  request(`GET ${target} HTTP/1.1`, ['Host: api', ...headers, CLOSE]);

const list = (...headers: string[]) => get('/api/alice/tasks', ...headers);

const post = (headers: string[], body: Bytes) =>
  request('POST /api/alice/tasks HTTP/1.1', ['Host: api', AUTH, JSON_TYPE, ...headers, CLOSE], body);

const encoded = (encoding: string, body: Bytes) => post([`Content-Encoding: ${encoding}`, length(body)], body);

/** A smuggled request, which must never be handled. */
const SMUGGLED = request(
  'POST /api/alice/tasks HTTP/1.1',
  ['Host: api', AUTH, JSON_TYPE, 'Content-Length: 56', CLOSE],
  '{"title":"smuggled","priority":"low","category":"work"} ',
).toString();

const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
const nestedObjects = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
const megabytes = (count: number) => Buffer.alloc(count * 1024 * 1024, 0x20);

const groups: Record<string, readonly Row[]> = {
  'request line': [
    ['nothing but line ends', ['\r\n\r\n\r\n', 'FIN'], []],
    ['no request at all', ['FIN'], []],
    ['garbage', 'nonsense\r\n\r\n', [400]],
    ['a TLS client hello', Buffer.from('160301020001000001fc0303', 'hex'), [400]],
    ['HTTP/0.9', 'GET /health\r\n\r\n', [400]],
    ['HTTP/0.9 by number', 'GET /health HTTP/0.9\r\n\r\n', [400]],
    ['HTTP/1.2', request('GET /health HTTP/1.2', ['Host: api']), [400]],
    ['HTTP/3.0', request('GET /health HTTP/3.0', ['Host: api']), [400]],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [400]],
    ['another protocol, which Node takes for HTTP/1.0', request('GET /health RTSP/1.0', ['Host: api']), [200]],
    ['no target', request('GET HTTP/1.1', ['Host: api']), [400]],
    ['two spaces', request('GET  /health HTTP/1.1', ['Host: api', CLOSE]), [200]],
    ['a tab for a space', request('GET\t/health\tHTTP/1.1', ['Host: api']), [400]],
    ['a space in the target', get('/he alth'), [400]],
    ['bare line feeds', 'GET /health HTTP/1.1\nHost: api\n\n', [400]],
    ['bare carriage returns', 'GET /health HTTP/1.1\rHost: api\r\r', [400]],
    ['NUL in the target', get('/health\0'), [400]],
    ['control bytes in the target', get('/\x01\x7f'), [400]],
    ['bytes over 0x7f in the target', get('/\xff\xfe'), [400]],
    ['an address of 9 KB', get(`/${'a'.repeat(9_000)}`), [400]],
    ['an address of 64 KB', get(`/${'a'.repeat(65_536)}`), [431]],
  ],
  target: [
    ['absolute form', get('http://elsewhere.example/health'), [200]],
    ['absolute form, of a protected route', get('http://elsewhere.example/api/alice/tasks'), [401]],
    ['absolute form that is no URL', get('http://a%b/'), [400]],
    ['absolute form with half an IPv6 address', get('http://[::1/health'), [400]],
    ['absolute form without anything', get('http://'), [404]],
    ['another scheme', get('ftp://elsewhere.example/health'), [200]],
    ['two slashes at the start', get('//elsewhere.example/health'), [404]],
    ['dots', get('/api/alice/../../health'), [404]],
    ['encoded dots', get('/api/%2e%2e/health'), [404]],
    ['a backslash', get('/\\health'), [404]],
    ['a fragment', get('/health#x'), [200]],
    ['bad percent-encoding', get('/api/%zz/tasks', AUTH), [400]],
    ['encoded NUL', get('/api/alice%00/tasks', AUTH), [403]],
    ['an asterisk', get('*'), [404]],
    ['an asterisk, for OPTIONS', request('OPTIONS * HTTP/1.1', ['Host: api', CLOSE]), [204]],
  ],
  method: [
    ['an unknown one', request('FROBNICATE / HTTP/1.1', ['Host: api']), [400]],
    ['in lower case', request('get /health HTTP/1.1', ['Host: api']), [400]],
    ['TRACE', request('TRACE /health HTTP/1.1', ['Host: api', CLOSE]), [405]],
    ['TRACE, of a protected route', request('TRACE /api/alice/tasks HTTP/1.1', ['Host: api', AUTH, CLOSE]), [405]],
    ['PROPFIND', request('PROPFIND /api/alice/tasks HTTP/1.1', ['Host: api', AUTH, CLOSE]), [405]],
    ['CONNECT', request('CONNECT elsewhere.example:443 HTTP/1.1', ['Host: api']), [400]],
    ['CONNECT, and bytes for the tunnel', request('CONNECT api:80 HTTP/1.1', ['Host: api'], SMUGGLED), [400]],
    ['M-SEARCH', request('M-SEARCH /health HTTP/1.1', ['Host: api', CLOSE]), [405]],
    ['HEAD of nothing', request('HEAD /nowhere HTTP/1.1', ['Host: api', CLOSE]), [404]],
  ],
  host: [
    ['none', request('GET /health HTTP/1.1', [CLOSE]), [400]],
    ['none, with HTTP/1.0', request('GET /health HTTP/1.0', []), [200]],
    ['empty', request('GET /health HTTP/1.1', ['Host:', CLOSE]), [200]],
    ['two', get('/health', 'Host: elsewhere.example'), [400]],
    ['the same one twice', get('/health', 'Host: api'), [400]],
    ['a false one', request('GET /health HTTP/1.1', ['Host: elsewhere.example:99999', CLOSE]), [200]],
    ['one that is no host', request('GET /health HTTP/1.1', ['Host: a b@c/d', CLOSE]), [400]],
  ],
  headers: [
    ['no colon', list('nonsense'), [400]],
    ['no name', list(': x'), [400]],
    ['a space before the colon', list('X-A : x'), [400]],
    ['folded', list('X-A: x\r\n  y'), [400]],
    ['folded Authorization', list(`Authorization: Bearer\r\n ${token}`), [400]],
    ['folded, the first of all', 'GET /health HTTP/1.1\r\n Host: api\r\n\r\n', [400]],
    ['NUL in a value', list('X-A: a\0b'), [400]],
    ['a control byte in a value', list('X-A: a\x01b'), [400]],
    ['a bare carriage return in a value', list('X-A: a\rX-B: b'), [400]],
    ['a control byte in a name', list('X\x01A: x'), [400]],
    ['two Authorization, the good one first', list(AUTH, 'Authorization: Bearer x'), [401]],
    ['two Authorization, the good one last', list('Authorization: Bearer x', AUTH), [401]],
    ['the same Authorization twice', list(AUTH, AUTH), [401]],
    ['an empty Authorization and a good one', list('Authorization:', AUTH), [401]],
    ['two Content-Type', post(['Content-Type: text/plain', length(TASK)], TASK), [400]],
    ['two X-Request-Id', get('/health', 'X-Request-Id: a', 'X-Request-Id: b'), [200]],
    ['bytes over 0x7f in a value', list('Authorization: Bearer \xff\xfe'), [401]],
    ['one of 20 KB', list(`X-A: ${'a'.repeat(20_000)}`), [431]],
    ['one of 1 MB', list(`X-A: ${'a'.repeat(1_000_000)}`), [431]],
    ['20,000 of them', list(...Array(20_000).fill('A: a')), [431]],
    ['2,500 small ones, and a second Authorization after them', list(AUTH, ...Array(2_500).fill('a:'), AUTH), [401]],
  ],
  smuggling: [
    ['Content-Length and Transfer-Encoding', post([length('0\r\n\r\n'), CHUNKED], `0\r\n\r\n${SMUGGLED}`), [400]],
    ['Transfer-Encoding and Content-Length', post([CHUNKED, 'Content-Length: 4'], `0\r\n\r\n${SMUGGLED}`), [400]],
    ['two Content-Length that differ', post([length(TASK), 'Content-Length: 1'], TASK + SMUGGLED), [400]],
    ['the same Content-Length twice', post([length(TASK), length(TASK)], TASK), [400]],
    ['Content-Length as a list', post(['Content-Length: 1, 1'], `1${SMUGGLED}`), [400]],
    ['a negative Content-Length', post(['Content-Length: -1'], SMUGGLED), [400]],
    ['Content-Length with a sign', post([`Content-Length: +${TASK.length}`], TASK), [400]],
    ['Content-Length in hexadecimal', post(['Content-Length: 0x10'], TASK), [400]],
    ['Content-Length of 2^64 and a bit', post(['Content-Length: 18446744073709551617'], `1${SMUGGLED}`), [400]],
    ['an empty Content-Length', post(['Content-Length:'], SMUGGLED), [400]],
    ['a space before the colon', post(['Transfer-Encoding : chunked', length('')], `0\r\n\r\n${SMUGGLED}`), [400]],
    ['a vertical tab before chunked', post(['Transfer-Encoding: \x0bchunked'], `0\r\n\r\n${SMUGGLED}`), [400]],
    ['xchunked', post(['Transfer-Encoding: xchunked'], `0\r\n\r\n${SMUGGLED}`), [400]],
    ['chunked, identity', post(['Transfer-Encoding: chunked, identity'], `0\r\n\r\n${SMUGGLED}`), [400]],
    ['identity', post(['Transfer-Encoding: identity', length(TASK)], TASK), [400]],
    ['gzip, chunked', post(['Transfer-Encoding: gzip, chunked'], `33\r\n${TASK}\r\n0\r\n\r\n`), [400]],
    ['chunked twice', post([CHUNKED, CHUNKED], `33\r\n${TASK}\r\n0\r\n\r\n`), [400]],
    ['folded Transfer-Encoding', post(['Transfer-Encoding:\r\n chunked'], `0\r\n\r\n${SMUGGLED}`), [400]],
    [
      'Transfer-Encoding in HTTP/1.0',
      request('POST /api/alice/tasks HTTP/1.0', [AUTH, JSON_TYPE, CHUNKED], `33\r\n${TASK}\r\n0\r\n\r\n`),
      [400],
    ],
    ['a request as the body of a GET', list(AUTH, length(SMUGGLED)).toString().concat(SMUGGLED), [200]],
    ['a request behind one that closes', list(AUTH).toString().concat(SMUGGLED), [200]],
    ['a request behind a body longer than announced', post([length(TASK)], TASK + SMUGGLED), [201]],
  ],
  chunks: [
    ['good ones', post([CHUNKED], `a\r\n${TASK.slice(0, 10)}\r\n29\r\n${TASK.slice(10)}\r\n0\r\n\r\n`), [201]],
    ['Chunked in capitals', post(['Transfer-Encoding: CHUNKED'], `33\r\n${TASK}\r\n0\r\n\r\n`), [201]],
    ['no size', post([CHUNKED], `\r\n${TASK}\r\n0\r\n\r\n`), [400]],
    ['a size that is no number', post([CHUNKED], `zz\r\n${TASK}\r\n0\r\n\r\n`), [400]],
    ['a negative size', post([CHUNKED], `-1\r\n${TASK}\r\n0\r\n\r\n`), [400]],
    ['a size with 0x', post([CHUNKED], `0x33\r\n${TASK}\r\n0\r\n\r\n`), [400]],
    ['a size of 2^64 and a bit', post([CHUNKED], `10000000000000001\r\n${TASK}\r\n0\r\n\r\n`), [400]],
    ['a size too small', post([CHUNKED], `5\r\n${TASK}\r\n0\r\n\r\n`), [400]],
    ['a bare line feed after the size', post([CHUNKED], `33\n${TASK}\r\n0\r\n\r\n`), [400]],
    ['an extension', post([CHUNKED], `33;a=b\r\n${TASK}\r\n0\r\n\r\n`), [201]],
    ['an extension of 64 KB', post([CHUNKED], `33;${'a'.repeat(65_536)}\r\n${TASK}\r\n0\r\n\r\n`), [400]],
    ['an extension with a line feed', post([CHUNKED], `33;a\nb\r\n${TASK}\r\n0\r\n\r\n`), [400]],
    ['trailers', post([CHUNKED], `33\r\n${TASK}\r\n0\r\nAuthorization: Bearer x\r\n\r\n`), [201]],
    ['trailers of 64 KB', post([CHUNKED], `33\r\n${TASK}\r\n0\r\nA: ${'a'.repeat(65_536)}\r\n\r\n`), [431]],
    ['20,000 chunks of one byte', post([CHUNKED], `${'1\r\n \r\n'.repeat(20_000)}33\r\n${TASK}\r\n0\r\n\r\n`), [201]],
    ['200 KB', post([CHUNKED], `32000\r\n${' '.repeat(0x32000)}\r\n0\r\n\r\n`), [413]],
  ],
  body: [
    ['shorter than announced, then an end', [post(['Content-Length: 1000'], TASK), 50, 'FIN'], [400]],
    ['shorter than announced, then a reset', [post(['Content-Length: 1000'], TASK), 50, 'RST'], []],
    ['aborted in a chunk', [post([CHUNKED], '33\r\n{"ti'), 50, 'FIN'], [400]],
    ['aborted in a gzip', [post([CHUNKED, 'Content-Encoding: gzip'], '33\r\n\x1f'), 50, 'RST'], []],
    ['longer than announced', post(['Content-Length: 10'], TASK), [400]],
    ['announced with 1 TB', post(['Content-Length: 1099511627776'], TASK), [413]],
    ['200 KB', post([length(megabytes(0.2))], megabytes(0.2)), [413]],
    [
      '4 MB, without a token',
      request('POST /api/alice/tasks HTTP/1.1', ['Host: api', length(megabytes(4)), CLOSE], megabytes(4)),
      [401],
    ],
    ['invalid UTF-8', post(['Content-Length: 3'], Buffer.of(0x22, 0xff, 0x22)), [400]],
    ['NUL bytes', post(['Content-Length: 2'], '\0\0'), [400]],
    ['an array 5,000 deep', post([length(nested(5_000))], nested(5_000)), [400]],
    ['an array 50,000 deep', post([length(nested(50_000))], nested(50_000)), [400]],
    ['an object 5,000 deep', post([length(nestedObjects(5_000))], nestedObjects(5_000)), [400]],
    ['an array 50,000 deep, not closed', post(['Content-Length: 50000'], '['.repeat(50_000)), [400]],
    ['an array as deep as may be', post([length(nested(64))], nested(64)), [422]],
    ['an array one level deeper', post([length(nested(65))], nested(65)), [400]],
    ['an array of 50,000 arrays', post([length(`[${'[],'.repeat(30_000)}[]]`)], `[${'[],'.repeat(30_000)}[]]`), [422]],
  ],
  compression: [
    ['gzip', encoded('gzip', gzipSync(TASK)), [201]],
    ['a gzip bomb of 64 MB', encoded('gzip', gzipSync(megabytes(64))), [413]],
    ['a deflate bomb of 64 MB', encoded('deflate', deflateSync(megabytes(64))), [413]],
    ['a br bomb of 64 MB', encoded('br', brotliCompressSync(megabytes(64))), [413]],
    ['a gzip bomb of many members', encoded('gzip', Buffer.concat(Array(200).fill(gzipSync(megabytes(1))))), [413]],
    ['gzip in gzip', encoded('gzip', gzipSync(gzipSync(TASK))), [400]],
    ['"gzip, gzip"', encoded('gzip, gzip', gzipSync(gzipSync(TASK))), [415]],
    ['no gzip', encoded('gzip', 'nonsense'), [400]],
    ['half a gzip', encoded('gzip', gzipSync(TASK).subarray(0, 20)), [400]],
    [
      'a gzip with a false checksum',
      encoded('gzip', Buffer.concat([gzipSync(TASK).subarray(0, -8), Buffer.alloc(8)])),
      [400],
    ],
    ['no deflate', encoded('deflate', 'nonsense'), [400]],
    ['deflate without its header', encoded('deflate', deflateRawSync(TASK)), [400]],
    ['no br', encoded('br', 'nonsense'), [400]],
    ['half a br', encoded('br', brotliCompressSync(TASK).subarray(0, 10)), [400]],
    ['nothing, called gzip', encoded('gzip', ''), [422]],
    ['nothing in chunks, called gzip', post([CHUNKED, 'Content-Encoding: gzip'], '0\r\n\r\n'), [400]],
  ],
  protocols: [
    [
      'an upgrade to h2c',
      get('/health', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__')
        .toString()
        .replace(CLOSE, `${CLOSE}, Upgrade, HTTP2-Settings`),
      [200],
    ],
    [
      'an upgrade to WebSocket',
      get('/api/alice/tasks', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13')
        .toString()
        .replace(CLOSE, `${CLOSE}, Upgrade`),
      [401],
    ],
    ['Expect: 100-continue', post(['Expect: 100-continue', length(TASK)], TASK), [100, 201]],
    ['Expect: 100-continue, of HTTP/1.0', request('GET /health HTTP/1.0', ['Expect: 100-continue']), [200]],
    ['another expectation', get('/health', 'Expect: a miracle'), [200]],
  ],
  pipelining: [
    [
      'three good ones',
      request('GET /health HTTP/1.1', ['Host: api']).toString().repeat(2).concat(get('/ready').toString()),
      [200, 200, 200],
    ],
    ['a good one and garbage', request('GET /health HTTP/1.1', ['Host: api'], 'nonsense\r\n\r\n'), [200, 400]],
    [
      '200 good ones and garbage',
      request('GET /health HTTP/1.1', ['Host: api']).toString().repeat(200).concat('\0'),
      [...Array(200).fill(200), 400],
    ],
    [
      'one refused for its body, and a good one',
      Buffer.concat([
        request(
          'POST /api/alice/tasks HTTP/1.1',
          ['Host: api', AUTH, JSON_TYPE, CHUNKED],
          `400000\r\n${' '.repeat(0x400000)}\r\n0\r\n\r\n`,
        ),
        get('/health'),
      ]),
      [413, 200],
    ],
    [
      'a bomb, and a good one',
      Buffer.concat([
        request(
          'POST /api/alice/tasks HTTP/1.1',
          ['Host: api', AUTH, JSON_TYPE, 'Content-Encoding: gzip', length(gzipSync(megabytes(64)))],
          gzipSync(megabytes(64)),
        ),
        get('/health'),
      ]),
      [413, 200],
    ],
    [
      'one answered before its body, which is broken',
      [request('POST /nowhere HTTP/1.1', ['Host: api', CHUNKED]), 100, 'nonsense\r\n'],
      [404],
    ],
  ],
};

const slow: readonly Row[] = [
  ['silence', [], [408]],
  ['half a request line', ['GET /hea'], [408]],
  ['headers that never end', [request('GET /health HTTP/1.1', ['Host: api']).subarray(0, -2)], [408]],
  [
    'headers in drips',
    drip(request('GET /health HTTP/1.1', ['Host: api', `X-A: ${'a'.repeat(200)}`]).toString()),
    [408],
  ],
  ['a body in drips', [post(['Content-Length: 1000'], '{'), ...drip(' '.repeat(200))], [408]],
  ['chunks in drips', [post([CHUNKED], '1\r\n{\r\n'), ...drip('1\r\n \r\n'.repeat(40))], [408]],
  ['a chunk extension in drips', [post([CHUNKED], '1;'), ...drip('a'.repeat(200))], [408]],
  ['a gzip that never ends', [post([CHUNKED, 'Content-Encoding: gzip'], '1\r\n\x1f\r\n')], [408]],
  [
    'a body that nobody waits for, in drips',
    [request('POST /nowhere HTTP/1.1', ['Host: api', CHUNKED]), ...drip('1\r\n \r\n'.repeat(40))],
    [404],
  ],
  ['a body announced with Expect, which never comes', [post(['Expect: 100-continue', length(TASK)], '')], [100, 408]],
  ['a second request that never ends', [request('GET /health HTTP/1.1', ['Host: api'], 'GET /')], [200, 408]],
];

function drip(text: string): Step[] {
  return [...text].flatMap((byte) => [byte, 50]);
}

for (const [group, rows] of Object.entries(groups)) {
  for (const [title, send, answers] of rows) {
    test.serial(`${group}: ${title}`, async (t) => {
      await check(t, await patient(), send, answers, HANG);
    });
  }
}

for (const [title, send, answers] of slow) {
  test(`slow: ${title}`, async (t) => {
    await check(t, await hasty(), send, answers, 10 * HANG);
  });
}

async function check(t: ExecutionContext, host: Host, send: Row[1], expected: Row[2], limit: number): Promise<void> {
  const steps = typeof send === 'string' || Buffer.isBuffer(send) ? [send] : send;
  let outcome = await exchange(host, steps, limit);
  // A busy machine may be late once or twice; a hanging server always is.
  for (let retry = 0; retry < 2 && outcome.hung; retry++) outcome = await exchange(host, steps, limit);
  t.false(outcome.hung, `no end within ${limit} ms; so far: ${outcome.received}`);

  const answers = parseAnswers(outcome.received);
  t.deepEqual(
    answers.map(({ status }) => status),
    expected,
    outcome.received,
  );
  const requests = requestLines(steps);
  for (const { status, headers, text } of answers) {
    if (status === 100) continue;
    const [method = '', target] = requests.shift() ?? [];
    assertDocumented(method, target, { status, headers, text });
    t.true(STATUSES.includes(status));
    t.truthy(headers.get('x-request-id'));
    if (status < 400) continue;
    t.is(headers.get('content-type'), 'application/problem+json');
    if (text === '') continue;
    const problem = JSON.parse(text);
    t.is(problem.status, status);
    t.is(problem.requestId, headers.get('x-request-id'));
    t.regex(problem.detail, /^[A-Z].*\.$/);
  }

  const next = await host.call('GET', '/api/alice/tasks', { token });
  t.is(next.status, 200, 'the next client is served');
  t.false(next.text.includes('smuggled'));
}

/** Sends bytes over a new connection, and returns everything received until the server closes it. */
function exchange({ url }: Host, steps: readonly Step[], limit: number): Promise<{ received: string; hung: boolean }> {
  return new Promise((resolve) => {
    const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', allowHalfOpen: true });
    const chunks: Buffer[] = [];
    let hung = false;
    const deadline = setTimeout(() => {
      hung = true;
      socket.destroy();
    }, limit);
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('end', () => socket.end());
    // A reset after the response counts as a normal end.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(deadline);
      resolve({ received: Buffer.concat(chunks).toString('latin1'), hung });
    });
    socket.on('connect', async () => {
      for (const step of steps) {
        if (typeof step === 'number') await new Promise((wake) => setTimeout(wake, step));
        else if (socket.destroyed || socket.readableEnded) break;
        else if (step === 'FIN') socket.end();
        else if (step === 'RST') socket.resetAndDestroy();
        else socket.write(step, 'latin1');
      }
    });
  });
}

/** The method and the target of each recognizable request, in the order of the responses. */
function requestLines(steps: readonly Step[]): string[][] {
  const sent = steps
    .map((step) => (typeof step === 'number' ? '' : Buffer.isBuffer(step) ? step.toString('latin1') : step))
    .join('');
  return [...sent.matchAll(/([A-Z-]+) +(\S+) +[A-Z]+\/[\d.]+\r\n/g)].map(([, method = '', target = '']) => [
    method,
    target,
  ]);
}
