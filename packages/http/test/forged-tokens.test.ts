import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, type KeyObject, randomBytes, sign as signBytes } from 'node:crypto';
import { type Journal, journalUseCases, type TaskRepository, taskUseCases } from '@todo-backend/application';
import { fixedClock, sequentialIds } from '@todo-backend/application/testing';
import { cachedKeySet, type KeyLoader, tokenVerifier } from '@todo-backend/infrastructure';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { ABSENT, assertProblem, onMemory, operations, SECRET, scaled, seeded } from './hosts.ts';

const ISSUER = 'https://app.example.com';
const clock = fixedClock('2026-03-01T12:00:00.000Z');
const now = Date.parse(clock()) / 1000;

const ed = generateKeyPairSync('ed25519');
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const attacker = generateKeyPairSync('ed25519');
const jwk = (key: KeyObject, more: object) => ({ ...key.export({ format: 'jwk' }), ...more });
const published = [
  jwk(ed.publicKey, { kid: 'ed', alg: 'EdDSA' }),
  jwk(ec.publicKey, { kid: 'ec', alg: 'ES256' }),
  jwk(rsa.publicKey, { kid: 'rsa', alg: 'RS256' }),
] as Awaited<ReturnType<KeyLoader>>;

type Signer = (input: string) => Buffer;
const hmac =
  (key: string | Buffer, hash = 'sha256'): Signer =>
  (input) =>
    createHmac(hash, key).update(input).digest();
const eddsa =
  (key: KeyObject): Signer =>
  (input) =>
    signBytes(null, Buffer.from(input), key);
const ecdsa =
  (key: KeyObject): Signer =>
  (input) =>
    signBytes('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' });
const pkcs =
  (key: KeyObject): Signer =>
  (input) =>
    signBytes('sha256', Buffer.from(input), key);
const unsigned: Signer = () => Buffer.alloc(0);
const bytes =
  (...values: Buffer[]): Signer =>
  () =>
    Buffer.concat(values);

const encode = (part: object | string) =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');

/** Signs anything, which libraries do not. A part given as a string is used as JSON. */
function token(header: object | string, claims: object | string, signer: Signer): string {
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${signer(input).toString('base64url')}`;
}

const claims = { sub: 'alice', iat: now, exp: now + 900, iss: ISSUER, aud: ISSUER };
const ED = { alg: 'EdDSA', kid: 'ed' };
const HS = { alg: 'HS256' };
const byEd = (more: object, header: object = {}) =>
  token({ ...ED, ...header }, { ...claims, ...more }, eddsa(ed.privateKey));
const byAttacker = (header: object) => token(header, claims, eddsa(attacker.privateKey));
const bySecret = (more: object) => token(HS, { ...claims, ...more }, hmac(SECRET));
const without = (name: keyof typeof claims) => ({ [name]: undefined });
/** Claims with numbers that JavaScript cannot serialize. */
const withRaw = (name: string, json: string) =>
  JSON.stringify({ ...claims, [name]: '?' }).replace(`"${name}":"?"`, `"${name}":${json}`);

const good = byEd({});
const goodBySecret = bySecret({});
const [header = '', payload = '', signature = ''] = good.split('.');
const bobs = byEd({ sub: 'bob' }).split('.');
const spki = (type: 'spki') => ed.publicKey.export({ type, format: 'pem' }) as string;

/** A valid token whose signature has both characters that differ between base64 and base64url. */
const withDashes = (() => {
  for (let jti = 0; ; jti++) {
    const candidate = byEd({ jti });
    if (/-.*_|_.*-/.test(candidate.split('.')[2] ?? '')) return candidate;
  }
})();

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const otherFinalBits = good.slice(0, -1) + alphabet[alphabet.indexOf(good.at(-1) ?? '') ^ 1];

const algorithms: Record<string, string> = {
  none: token({ alg: 'none' }, claims, unsigned),
  'none, with a signature': token({ alg: 'none' }, claims, hmac(SECRET)),
  'none, with a known kid': token({ alg: 'none', kid: 'ed' }, claims, unsigned),
  None: token({ alg: 'None' }, claims, bytes(Buffer.of(0))),
  NONE: token({ alg: 'NONE' }, claims, bytes(Buffer.of(0))),
  nOnE: token({ alg: 'nOnE' }, claims, bytes(Buffer.of(0))),
  'no algorithm': token({ kid: 'ed' }, claims, eddsa(ed.privateKey)),
  'an empty algorithm': token({ alg: '', kid: 'ed' }, claims, eddsa(ed.privateKey)),
  'the algorithm null': token({ alg: null, kid: 'ed' }, claims, eddsa(ed.privateKey)),
  'a list of algorithms': token({ alg: ['EdDSA'], kid: 'ed' }, claims, eddsa(ed.privateKey)),
  'the algorithm in lower case': token({ alg: 'hs256' }, claims, hmac(SECRET)),
  'HS384 with the secret': token({ alg: 'HS384' }, claims, hmac(SECRET, 'sha384')),
  'HS512 with the secret': token({ alg: 'HS512' }, claims, hmac(SECRET, 'sha512')),
  'HS256 with the public key as PEM': token({ ...HS, kid: 'ed' }, claims, hmac(spki('spki'))),
  'HS256 with the public key as PEM, trimmed': token({ ...HS, kid: 'ed' }, claims, hmac(spki('spki').trim())),
  'HS256 with the public key as DER': token(
    { ...HS, kid: 'ed' },
    claims,
    hmac(ed.publicKey.export({ type: 'spki', format: 'der' })),
  ),
  'HS256 with the public key as JWK': token({ ...HS, kid: 'ed' }, claims, hmac(JSON.stringify(published[0]))),
  'HS256 with the bytes of the public key': token(
    { ...HS, kid: 'ed' },
    claims,
    hmac(Buffer.from(published[0]?.x ?? '', 'base64url')),
  ),
  'HS256 with the RSA key as PEM': token(
    { ...HS, kid: 'rsa' },
    claims,
    hmac(rsa.publicKey.export({ type: 'spki', format: 'pem' }) as string),
  ),
  'HS256 with an empty secret': token(HS, claims, hmac('')),
  'HS256 with a guessed secret': token(HS, claims, hmac('better-auth-secret-123456789')),
  'HS256 with the secret and one more character': token(HS, claims, hmac(`${SECRET}!`)),
  'HS256 with the secret in base64': token(HS, claims, hmac(Buffer.from(SECRET).toString('base64'))),
  'HS256 with a signature cut short': goodBySecret.slice(0, -4),
  'ES256 said of the Ed25519 key': token({ alg: 'ES256', kid: 'ed' }, claims, ecdsa(ec.privateKey)),
  'EdDSA said of the P-256 key': token({ alg: 'EdDSA', kid: 'ec' }, claims, ecdsa(ec.privateKey)),
  'EdDSA by the Ed25519 key, under the kid of P-256': token({ ...ED, kid: 'ec' }, claims, eddsa(ed.privateKey)),
  'ES256 in DER rather than r and s': token({ alg: 'ES256', kid: 'ec' }, claims, pkcs(ec.privateKey)),
  'ES256 with r and s zero': token({ alg: 'ES256', kid: 'ec' }, claims, bytes(Buffer.alloc(64))),
  'EdDSA with a signature of zeros': token(ED, claims, bytes(Buffer.alloc(64))),
  'EdDSA with a point of small order': token(ED, claims, bytes(Buffer.of(1), Buffer.alloc(63))),
  'EdDSA with a random signature': token(ED, claims, bytes(randomBytes(64))),
  'PS256 said of an RS256 signature': token({ alg: 'PS256', kid: 'rsa' }, claims, pkcs(rsa.privateKey)),
  'RS384, which is not accepted': token({ alg: 'RS384', kid: 'rsa' }, claims, pkcs(rsa.privateKey)),
  'RS256 with a signature of zeros': token({ alg: 'RS256', kid: 'rsa' }, claims, bytes(Buffer.alloc(256))),
};

const keys: Record<string, string> = {
  'another key under a known kid': byAttacker(ED),
  'a key with no kid': token({ alg: 'EdDSA' }, claims, eddsa(ed.privateKey)),
  'an unknown kid': byAttacker({ alg: 'EdDSA', kid: 'unknown' }),
  'an empty kid': byAttacker({ alg: 'EdDSA', kid: '' }),
  'the kid null': byAttacker({ alg: 'EdDSA', kid: null }),
  'a number as kid': byAttacker({ alg: 'EdDSA', kid: 0 }),
  'a list as kid': byAttacker({ alg: 'EdDSA', kid: ['ed'] }),
  'the kid __proto__': byAttacker({ alg: 'EdDSA', kid: '__proto__' }),
  'a path as kid': byAttacker({ alg: 'EdDSA', kid: '../../../../dev/null' }),
  'SQL as kid': byAttacker({ alg: 'EdDSA', kid: "ed' or '1'='1" }),
  'a key of its own (jwk)': byAttacker({ ...ED, jwk: jwk(attacker.publicKey, { kid: 'ed' }) }),
  'a key of its own (jwk), and no kid': byAttacker({ alg: 'EdDSA', jwk: jwk(attacker.publicKey, {}) }),
  'keys elsewhere (jku)': byAttacker({ ...ED, jku: 'https://evil.example/jwks.json' }),
  'keys elsewhere (x5u)': byAttacker({ ...ED, x5u: 'https://evil.example/key.pem' }),
  'a certificate of its own (x5c)': byAttacker({
    ...ED,
    x5c: [attacker.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')],
  }),
  'an unknown extension it says is critical': byEd({}, { crit: ['unknown'], unknown: true }),
  'an empty list of critical extensions': byEd({}, { crit: [] }),
  'exp as a critical extension': byEd({}, { crit: ['exp'], exp: now + 900 }),
  'b64: false': byEd({}, { crit: ['b64'], b64: false }),
};

const claimed: Record<string, string> = {
  'no issuer': byEd(without('iss')),
  'another issuer': byEd({ iss: 'https://evil.example' }),
  'an issuer that starts alike': byEd({ iss: `${ISSUER}.evil.example` }),
  'an empty issuer': byEd({ iss: '' }),
  'the issuer null': byEd({ iss: null }),
  'an issuer in a list': byEd({ iss: [ISSUER] }),
  'another issuer, by the secret': bySecret({ iss: 'https://evil.example' }),
  'the issuer null, by the secret': bySecret({ iss: null }),
  'no audience': byEd(without('aud')),
  'another audience': byEd({ aud: 'https://evil.example' }),
  'an empty list of audiences': byEd({ aud: [] }),
  'an audience within a list within a list': byEd({ aud: [[ISSUER]] }),
  'a session cache of Better Auth': byEd({ aud: 'better-auth:session-cache' }),
  'a session cache of Better Auth, by the secret': bySecret({ aud: 'better-auth:session-cache' }),
  'an empty list of audiences, by the secret': bySecret({ aud: [] }),
  expired: byEd({ exp: now - 6 }),
  'expired, by the secret': bySecret({ exp: now - 6 }),
  'expired in 1970': byEd({ exp: 0 }),
  'a negative expiry': byEd({ exp: -(now + 900) }),
  'no expiry': byEd(without('exp')),
  'no expiry, by the secret': bySecret(without('exp')),
  'the expiry null': byEd({ exp: null }),
  'the expiry true': byEd({ exp: true }),
  'an expiry in the year 9999': byEd({ exp: 253_402_300_799 }),
  'an expiry in the year 9999, by the secret': bySecret({ exp: 253_402_300_799 }),
  'an expiry in milliseconds': byEd({ exp: (now + 900) * 1000 }),
  'an expiry of 1e400': token(ED, withRaw('exp', '1e400'), eddsa(ed.privateKey)),
  'an expiry of 1e400, by the secret': token(HS, withRaw('exp', '1e400'), hmac(SECRET)),
  'an expiry of -1e400': token(ED, withRaw('exp', '-1e400'), eddsa(ed.privateKey)),
  'an expiry that is a text': byEd({ exp: String(now + 900) }),
  'an expiry in a list': byEd({ exp: [now + 900] }),
  'not valid yet': byEd({ nbf: now + 6 }),
  'valid from 1e400': token(ED, withRaw('nbf', '1e400'), eddsa(ed.privateKey)),
  'valid from a text': byEd({ nbf: String(now) }),
  'issued in the future': byEd({ iat: now + 6 }),
  'issued in the future, by the secret': bySecret({ iat: now + 6 }),
  'issued at -1e400': token(ED, withRaw('iat', '-1e400'), eddsa(ed.privateKey)),
  'issued at a text': byEd({ iat: String(now) }),
  'issued at null': byEd({ iat: null }),
  'issued long ago, and good for too long': byEd({ iat: now - 86_400 }),
  'no subject': byEd(without('sub')),
  'no subject, by the secret': bySecret(without('sub')),
  'the subject null': byEd({ sub: null }),
  'an empty subject': byEd({ sub: '' }),
  'a number as subject': byEd({ sub: 1 }),
  'the subject true': byEd({ sub: true }),
  'a list as subject': byEd({ sub: ['alice'] }),
  'an object as subject': byEd({ sub: { toString: 'alice' } }),
  'a subject with NUL': byEd({ sub: 'alice\0' }),
  'half a surrogate pair as subject': byEd({ sub: '\ud800' }),
  'a subject of 256 characters': byEd({ sub: 'a'.repeat(256) }),
  'claims that are a list': token(ED, '[]', eddsa(ed.privateKey)),
  'claims that are null': token(ED, 'null', eddsa(ed.privateKey)),
  'claims that are a text': token(ED, '"alice"', eddsa(ed.privateKey)),
  'claims that are no JSON': token(ED, '{"sub":"alice"', eddsa(ed.privateKey)),
  'claims in broken UTF-8': (() => {
    const input = `${header}.${Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url')}`;
    return `${input}.${eddsa(ed.privateKey)(input).toString('base64url')}`;
  })(),
  'claims nested 2,000 deep': token(ED, '['.repeat(2000) + ']'.repeat(2000), eddsa(ed.privateKey)),
};

const spellings: Record<string, string> = {
  "trailing '='": `${good}=`,
  "trailing '=='": `${good}==`,
  "'=' after every part": `${header}=.${payload}=.${signature}=`,
  'other final bits of the base64': otherFinalBits,
  'base64 rather than base64url': withDashes.replaceAll('-', '+').replaceAll('_', '/'),
  'percent-encoded': good.replaceAll('.', '%2E'),
  'in quotes': `"${good}"`,
  'in angle brackets': `<${good}>`,
  'a dot at the end': `${good}.`,
  'a dot at the beginning': `.${good}`,
  'two dots': `${header}..${payload}.${signature}`,
  'a no-break space at the end': `${good}\u00a0x`,
  'upper case': good.toUpperCase(),
  'lower case': good.toLowerCase(),
  backwards: [...good].reverse().join(''),
  'no signature': `${header}.${payload}.`,
  'no signature, and no dot': `${header}.${payload}`,
  'the header alone': header,
  'dots alone': '..',
  'the claims of bob': `${header}.${bobs[1]}.${signature}`,
  'the signature of bob': `${header}.${payload}.${bobs[2]}`,
  'parts swapped': `${payload}.${header}.${signature}`,
  'signature first': `${signature}.${payload}.${header}`,
  'claims tampered with': `${header}.${payload.slice(0, 20)}${payload[20] === 'A' ? 'B' : 'A'}${payload.slice(21)}.${signature}`,
  'header tampered with': `${encode({ ...ED, typ: 'JWT' })}.${payload}.${signature}`,
  'header no JSON': `${encode('nonsense')}.${payload}.${signature}`,
  'header null': `${encode('null')}.${payload}.${signature}`,
  'header a list': `${encode('[]')}.${payload}.${signature}`,
  'two signatures': `${good}.${signature}`,
  'a token of 12 KB': byEd({ padding: 'x'.repeat(9_000) }),
  'an encrypted token (JWE)': `${encode({ alg: 'dir', enc: 'A256GCM' })}..${encode('iv')}.${encode('text')}.${encode('tag')}`,
  'an encrypted token (JWE) in three parts': token(
    { alg: 'dir', enc: 'A256GCM', kid: 'ed' },
    claims,
    eddsa(ed.privateKey),
  ),
  'a signature in JSON (JWS)': JSON.stringify({ protected: header, payload, signature }),
  'no token at all': 'alice',
};

interface Case {
  readonly title: string;
  readonly headers: Record<string, string>;
  readonly query?: string;
  /** RFC 6750, section 3.1: without a bearer token there is no error code. */
  readonly noToken?: boolean;
}

const cases: Case[] = [
  ...Object.entries({ ...algorithms, ...keys, ...claimed, ...spellings }).map(([title, text]) => ({
    title,
    headers: { Authorization: `Bearer ${text}` },
  })),
  { title: 'the scheme alone', headers: { Authorization: 'Bearer' } },
  { title: 'the scheme twice', headers: { Authorization: `Bearer Bearer ${good}` } },
  { title: 'the scheme and junk, in lower case', headers: { Authorization: 'bearer junk' } },
  { title: 'the scheme and an expired token, in capitals', headers: { Authorization: `BEARER ${byEd({ exp: 0 })}` } },
  { title: 'a tab after the scheme', headers: { Authorization: `Bearer\t${good}` } },
  { title: 'a colon after the scheme', headers: { Authorization: `Bearer: ${good}` } },
  { title: 'a no-break space after the scheme', headers: { Authorization: `Bearer\u00a0${good}` } },
  { title: 'two tokens', headers: { Authorization: `Bearer ${good} ${goodBySecret}` } },
  { title: 'two tokens, and a comma', headers: { Authorization: `Bearer ${good},${goodBySecret}` } },
  { title: 'two headers in one', headers: { Authorization: `Bearer junk, Bearer ${good}` } },
  { title: 'a parameter', headers: { Authorization: `Bearer token=${good}` } },
  { title: 'no header', headers: {}, noToken: true },
  { title: 'an empty header', headers: { Authorization: '' }, noToken: true },
  { title: 'another scheme', headers: { Authorization: `Basic ${btoa('alice:secret')}` }, noToken: true },
  { title: 'another scheme with a good token', headers: { Authorization: `DPoP ${good}` }, noToken: true },
  { title: 'a good token without a scheme', headers: { Authorization: good }, noToken: true },
  { title: 'a scheme that starts alike', headers: { Authorization: `BearerX ${good}` }, noToken: true },
  { title: 'a good token in the query', headers: {}, query: `?access_token=${good}`, noToken: true },
  { title: 'a good token in a cookie', headers: { Cookie: `better-auth.session_token=${good}` }, noToken: true },
  { title: 'a good token in another header', headers: { 'X-Authorization': `Bearer ${good}` }, noToken: true },
  {
    title: "a proxy's header",
    headers: { 'Proxy-Authorization': `Bearer ${good}`, 'X-User-Id': 'alice' },
    noToken: true,
  },
];

/** A server that counts how often it reaches the tasks (it must not), and how often it loads keys. */
async function guarded(t: ExecutionContext) {
  const counts = { touched: 0, loaded: 0 };
  /** A clock on which only waiting takes time. */
  const clocks = {
    now: 0,
    async sleep(milliseconds: number) {
      clocks.now += milliseconds;
    },
  };
  const untouchable = new Proxy({} as TaskRepository & Journal, {
    get: (_, name) => {
      counts.touched++;
      throw new Error(`An unauthenticated request got as far as ${String(name)}.`);
    },
  });
  const load: KeyLoader = async () => {
    counts.loaded++;
    return published;
  };
  const keys = cachedKeySet(load, { onLoadError: assert.ifError, now: () => clocks.now, sleep: clocks.sleep });
  const tokens = tokenVerifier({ now: () => Date.parse(clock()), secret: SECRET, keys, issuers: [ISSUER] });
  const tasks = taskUseCases({ tasks: untouchable, clock, newId: sequentialIds() });
  const journal = journalUseCases({ journal: untouchable });
  const host = await onMemory({ tasks, journal, tokens, clock });
  t.teardown(() => host.close());
  return { tokens, counts, clocks, host };
}

test('the cases are many and distinct', (t) => {
  t.true(cases.length >= 60);
  t.is(new Set(cases.map(({ headers, query }) => JSON.stringify([headers, query]))).size, cases.length);
});

test('the tokens that the forged ones are made from are valid', async (t) => {
  const { tokens, counts, host } = await guarded(t);
  for (const text of [good, goodBySecret, withDashes]) t.is(await tokens.verify(text), 'alice');
  t.is(await tokens.verify(token({ alg: 'ES256', kid: 'ec' }, claims, ecdsa(ec.privateKey))), 'alice');
  t.is(await tokens.verify(token({ alg: 'RS256', kid: 'rsa' }, claims, pkcs(rsa.privateKey))), 'alice');
  t.is(await tokens.verify(bobs.join('.')), 'bob');
  t.is((await host.call('GET', '/api/alice/tasks', { token: good })).status, 500, 'gets as far as the tasks');
  t.is(counts.touched, 1);
});

test(`${cases.length} forged tokens are 401 on every route, and touch nothing but, every two seconds, the keys`, async (t) => {
  const { counts, clocks, host } = await guarded(t);
  for (const { title, headers, query = '', noToken = false } of cases) {
    for (const { method, path, json } of operations(ABSENT)) {
      const answer = await host.call(method, `/api/alice${path}${query}`, { json, headers });
      assertProblem({ ...t, is: (a, b) => t.is(a, b, `${title}: ${method} ${path}`) }, answer, 401);
      t.is(answer.body.type, '/problems/unauthenticated');
      const challenge = answer.headers.get('WWW-Authenticate') ?? '';
      if (noToken) t.is(challenge, 'Bearer', title);
      else t.regex(challenge, /^Bearer error="invalid_token", error_description="[\x20-\x7e]+"$/, title);
    }
  }
  t.is(counts.touched, 0);
  t.true(counts.loaded <= 1 + clocks.now / 2_000, `${counts.loaded} in ${clocks.now} ms`);
});

test('tokens that no header can carry are refused too', async (t) => {
  const { tokens, counts } = await guarded(t);
  const texts = [
    `${good}\n`,
    `\n${good}`,
    `${good}\r\n`,
    `${good}\0`,
    `${good}\u200b`,
    `\ufeff${good}`,
    ` ${good}`,
    '',
  ];
  for (const text of [...texts, `${good}${'A'.repeat(1_000_000)}`, byEd({ padding: 'x'.repeat(750_000) })]) {
    await t.throwsAsync(tokens.verify(text), { code: 'UNAUTHENTICATED' });
  }
  t.is(counts.loaded, 0, 'not even the keys');
});

test('many unknown keys cause one load of the keys in two seconds', async (t) => {
  const { counts, clocks, host } = await guarded(t);
  const call = (kid: string) =>
    host.call('GET', '/api/alice/tasks', { token: byAttacker({ alg: 'EdDSA', kid: `unknown ${kid}` }) });
  for (let i = 0; i < 20; i++) {
    const answers = await Promise.all(['a', 'b', i].map((kid) => call(String(kid))));
    for (const { status } of answers) t.is(status, 401);
  }
  t.is(counts.touched, 0);
  t.true(counts.loaded <= 1 + clocks.now / 2_000, `${counts.loaded} in ${clocks.now} ms`);
});

test('no mutation of a valid token verifies as another user', async (t) => {
  const { tokens } = await guarded(t);
  const originals = [
    good,
    goodBySecret,
    token({ alg: 'ES256', kid: 'ec' }, claims, ecdsa(ec.privateKey)),
    token({ alg: 'RS256', kid: 'rsa' }, claims, pkcs(rsa.privateKey)),
  ];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...originals),
      fc.array(mutation, { minLength: 1, maxLength: 3 }),
      async (original, mutations) => {
        const mutant = mutations.reduce((text, mutate) => mutate(text), original);
        const user = await tokens.verify(mutant).catch((error) => {
          assert.equal(error.code, 'UNAUTHENTICATED');
        });
        assert.equal(user, mutant === original ? 'alice' : undefined);
      },
    ),
    { ...seeded, numRuns: scaled(10_000) },
  );
  t.pass();
});

type Mutation = (text: string) => string;

/** Replaces a part of a text; the position is a fraction of its length. */
function splice(text: string, place: number, removed: number, inserted: string): string {
  const start = Math.floor(place * text.length);
  return text.slice(0, start) + inserted + text.slice(start + removed);
}

const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const characters = fc.oneof(fc.string({ unit: fc.constantFrom(...alphabet, '.', '=') }), fc.string({ unit: 'binary' }));
const part = fc.nat({ max: 2 });

function onPart(index: number, change: Mutation): Mutation {
  return (text) =>
    text
      .split('.')
      .map((part, i) => (i === index ? change(part) : part))
      .join('.');
}

function onBytes(change: (bytes: Buffer) => Buffer): Mutation {
  return (text) => change(Buffer.from(text, 'base64url')).toString('base64url');
}

function named<T>(values: fc.Arbitrary<T>, name: string, mutation: (value: T) => Mutation): fc.Arbitrary<Mutation> {
  return values.map((value) =>
    Object.assign(mutation(value), { [fc.toStringMethod]: () => `${name} ${fc.stringify(value)}` }),
  );
}

/** From two tokens, because all parts of one would be a valid token of bob. */
const partsOfBobs = [...bobs.slice(0, 2), byEd({ sub: 'bob', jti: 'another' }).split('.')[2] ?? ''];

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  named(fc.tuple(place, fc.nat({ max: 4 }), characters), 'splice', (args) => (text) => splice(text, ...args)),
  named(fc.tuple(place, place), 'swap', ([a, b]) => (text) => {
    const [i, j] = [Math.floor(a * text.length), Math.floor(b * text.length)];
    return Array.from(text, (character, at) => (at === i ? text[j] : at === j ? text[i] : character)).join('');
  }),
  named(fc.tuple(part, place, fc.integer({ min: 1, max: 255 })), 'flip bits', ([index, where, mask]) =>
    onPart(
      index,
      onBytes((bytes) => {
        const at = Math.floor(where * bytes.length);
        return Buffer.from(bytes.map((byte, i) => (i === at ? byte ^ mask : byte)));
      }),
    ),
  ),
  named(fc.tuple(part, fc.constantFrom('', 'A', '=', 'AA==')), 'append to part', ([index, end]) =>
    onPart(index, (text) => text + end),
  ),
  named(fc.tuple(part, fc.constantFrom(...partsOfBobs)), "put a part of bob's", ([index, bobsPart]) =>
    onPart(index, () => bobsPart),
  ),
  named(fc.tuple(fc.constantFrom('sub', 'exp', 'iss', 'aud', 'iat'), fc.jsonValue()), 'claim', ([name, value]) =>
    onPart(
      1,
      onBytes((bytes) => {
        const claims = parsed(bytes);
        return claims === undefined ? bytes : Buffer.from(JSON.stringify({ ...claims, [name]: value }));
      }),
    ),
  ),
  named(
    fc.tuple(fc.constantFrom('alg', 'kid', 'crit', 'typ'), fc.constantFrom('none', 'HS256', 'ES256', 'ed', 'ec', 'x')),
    'header',
    ([name, value]) =>
      onPart(
        0,
        onBytes((bytes) => {
          const header = parsed(bytes);
          return header === undefined ? bytes : Buffer.from(JSON.stringify({ ...header, [name]: value }));
        }),
      ),
  ),
);

function parsed(bytes: Buffer): object | undefined {
  try {
    return JSON.parse(String(bytes));
  } catch {
    return undefined;
  }
}
