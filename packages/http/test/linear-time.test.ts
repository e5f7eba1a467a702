import { connect } from 'node:net';
import test from 'ava';
import { type Host, ORIGIN, onMemory, person, shared } from './hosts.ts';

/** Characters of a header, close to the maximum. */
const HEADER = 15_000;

/** Characters of a request target, close to the maximum. */
const TARGET = 8_000;

/** Milliseconds of processor time for a request. One whose work grows linearly takes less than 5; a slow machine, more. */
const LIMIT = 100;
const ATTEMPTS = 3;

/** The characters that patterns repeat, alone and in pairs. */
const RUNS = [
  ...[' ', '\t', ',', '"', ';', '=', '0', '1', 'a', 'Z', '%', '/', '\\', '.', '-', ':', '\xff', '*'],
  ...[
    ' \t',
    ' ,',
    ', ',
    '; ',
    ';a=',
    '="',
    '",',
    '""',
    '\\"',
    'a,',
    'a ',
    'a.',
    '1.',
    '::',
    '0-',
    'W/',
    ';q=0,',
    '%20',
  ],
  ...['127.0.0.1,', 'a=b;', '&a', 'a=1&', '?', '_', '('],
];

/** Every header that the server or one of its libraries reads, with possible beginnings of its value. */
const HEADERS: Record<string, readonly string[]> = {
  Host: ['', '[', 'a:'],
  Authorization: ['', 'Bearer ', 'Bearer a.', 'Basic '],
  'Content-Type': ['', 'application/json; charset="', 'application/json;'],
  'Content-Encoding': ['gzip', ''],
  'Content-Length': ['', '1'],
  'Transfer-Encoding': ['chunked', ''],
  Expect: ['', '100-continue'],
  Connection: ['', 'close,'],
  Accept: ['', 'a/b;q='],
  'Accept-Encoding': ['', 'gzip;q='],
  'Accept-Language': ['', 'en;q='],
  Origin: ['', ORIGIN],
  'Access-Control-Request-Method': ['', 'GET'],
  'Access-Control-Request-Headers': ['', 'a,'],
  'X-Forwarded-For': ['', '1.2.3.4', '::ffff:'],
  'X-Forwarded-Proto': ['', 'https'],
  'X-Forwarded-Host': ['', 'a@'],
  Forwarded: ['', 'for='],
  'X-Request-Id': ['', 'a'],
  traceparent: ['', '01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-'],
  tracestate: ['', 'a=b,'],
  'If-Match': ['', 'a,', 'W/"a', '"a-'],
  'If-None-Match': ['', 'a,', 'W/"a', '"a-'],
  'Idempotency-Key': ['', '"a'],
  'Last-Event-ID': ['', '1'],
  Cookie: ['', 'a="'],
  Range: ['', 'bytes=0-'],
  Upgrade: ['', 'h2c,'],
  'User-Agent': [''],
};

const PATHS = ['/', '/api/', '/api/alice/tasks/', '/docs/', '//', 'http://', 'http://a:'];
const QUERIES = [
  ...['search', 'cursor', 'limit', 'status', 'priority', 'category', 'sort_by', 'sort_order', 'x'].map(
    (name) => `/api/alice/tasks?${name}=`,
  ),
  ...[
    '/api/alice/audit?cursor=',
    '/api/alice/audit?since=',
    '/api/alice/audit?after=',
    '/api/alice/changes?since=',
    '/api/alice/trash?cursor=',
    '/api/alice/tasks/export?format=',
    '/docs/initializer.js?v=',
  ],
];
const FIELDS = ['title', 'description', 'priority', 'category', 'dueDate', 'another'];
const DATES = ['', '2026-03-10T09:30:00.'];

for (const trustedProxies of [0, 1, 2]) {
  const host = shared(() => onMemory({ trustedProxies }));

  test.serial(`no header takes more than linear time, behind ${trustedProxies} proxies`, async (t) => {
    const { token } = await person(await host(), 'alice');
    const auth = `Authorization: Bearer ${token}`;
    const own = ['Host: api', auth, 'Content-Type: application/json', 'Content-Length: 2'];
    const slow: string[] = [];
    for (const [name, prefixes] of Object.entries(HEADERS)) {
      for (const [run, prefix, end] of combinations(RUNS, prefixes, ['', '!'])) {
        const value = prefix + fill(run, HEADER - prefix.length - auth.length) + end;
        const others = own.filter(
          (line) => !line.startsWith(`${name}:`) && !(name.startsWith('Tr') && line.endsWith('2')),
        );
        const asked = name.startsWith('Access') ? [`Origin: ${ORIGIN}`] : [];
        if (name === 'Last-Event-ID') asked.push('Accept: text/event-stream');
        const bytes = request(linesFor(name), [...others, ...asked, `${name}: ${value}`], '{}');
        if (await isSlow(await host(), bytes)) slow.push(`${name}: ${prefix}${JSON.stringify(run)}…${end}`);
      }
    }
    t.deepEqual(slow, []);
  });
}

const plain = shared(() => onMemory());

test.serial('no address takes more than linear time', async (t) => {
  const { token } = await person(await plain(), 'alice');
  const headers = ['Host: api', `Authorization: Bearer ${token}`];
  const distinct = Array.from({ length: 1_500 }, (_, i) => `&${i.toString(36)}`).join('');
  const slow: string[] = [];
  for (const [run, prefix, end] of combinations(
    [...RUNS, distinct, '%00', '%F0%9F%98%80'],
    [...PATHS, ...QUERIES],
    ['', '!', '%'],
  )) {
    if (/[^!-~]/.test(run)) continue;
    const bytes = request(`GET ${prefix}${fill(run, TARGET - prefix.length)}${end}`, headers);
    if (await isSlow(await plain(), bytes)) slow.push(`${prefix}${run.slice(0, 20)}…${end}`);
  }
  t.deepEqual(slow, []);
});

test.serial('no text in a body takes more than linear time', async (t) => {
  const { token } = await person(await plain(), 'alice');
  const runs = [...RUNS, '\0', '\n', '\u3000', '\ufeff', 'e\u0301', '\u{1f600}'];
  const slow: string[] = [];
  for (const [run, field, prefix] of combinations(runs, FIELDS, DATES)) {
    // An invalid id, so that nothing is stored.
    const body = JSON.stringify({ [field]: `${prefix}${fill(run, HEADER)}!` });
    const headers = ['Host: api', `Authorization: Bearer ${token}`, 'Content-Type: application/json'];
    const bytes = request('POST /api/alice/tasks', [...headers, `Content-Length: ${Buffer.byteLength(body)}`], body);
    if (await isSlow(await plain(), bytes)) slow.push(`${field}: ${prefix}${JSON.stringify(run)}…`);
  }
  t.deepEqual(slow, []);
});

/** A request that uses the header. */
function linesFor(name: string): string {
  if (name.startsWith('Access')) return 'OPTIONS /api/alice/tasks';
  if (name === 'Accept' || name === 'Last-Event-ID') return 'GET /api/alice/changes';
  if (name === 'If-None-Match') return 'GET /openapi.json';
  if (name === 'If-Match') return 'DELETE /api/alice/tasks/00000000-0000-7000-8000-000000000000';
  return 'POST /api/alice/tasks';
}

function request(line: string, headers: readonly string[], body = ''): Buffer {
  const head = [`${line} HTTP/1.1`, ...headers, 'Connection: close', '', ''].join('\r\n');
  return Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(body)]);
}

function fill(run: string, length: number): string {
  return run.repeat(Math.floor(length / run.length));
}

function* combinations<A, B, C>(as: readonly A[], bs: readonly B[], cs: readonly C[]): Iterable<[A, B, C]> {
  for (const a of as) for (const b of bs) for (const c of cs) yield [a, b, c];
}

/** Whether a request repeatedly takes too much processor time: once may be other work of the thread. */
async function isSlow({ url }: Host, bytes: Buffer): Promise<boolean> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const before = process.threadCpuUsage();
    await exchange(Number(new URL(url).port), bytes);
    const { user, system } = process.threadCpuUsage(before);
    if ((user + system) / 1_000 < LIMIT) return false;
  }
  return true;
}

/** Sends bytes and reads until the connection is closed. */
function exchange(port: number, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.on('close', () => resolve());
    socket.resume();
    // For a body that was announced but is not sent.
    socket.setTimeout(200, () => socket.destroy());
    socket.write(bytes);
  });
}
