import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { PGlite } from '@electric-sql/pglite';
import type { UnauthenticatedError } from '@todo-backend/application';
import {
  cachedKeySet,
  Database,
  issueToken,
  type KeyLoader,
  keysFromTable,
  keysFromUrl,
  tokenVerifier,
} from '@todo-backend/infrastructure';
import test, { type ExecutionContext } from 'ava';
import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTHeaderParameters,
  type JWTPayload,
  SignJWT,
} from 'jose';

const SECRET = 'a secret for tests, long enough to be one';
const ISSUER = 'https://app.example.com';
const NOW = '2026-03-01T12:00:00.000Z';
const SECONDS = Date.parse(NOW) / 1000;

const now = () => Date.parse(NOW);
const claims = { sub: 'alice', iat: SECONDS, exp: SECONDS + 900 };
const withSecret = tokenVerifier({ now, secret: SECRET });

function sign(
  payload: JWTPayload,
  key: CryptoKey | string = SECRET,
  header: JWTHeaderParameters = { alg: 'HS256' },
): Promise<string> {
  return new SignJWT(payload)
    .setProtectedHeader(header)
    .sign(typeof key === 'string' ? new TextEncoder().encode(key) : key);
}

async function refused(t: ExecutionContext, verifier: typeof withSecret, token: string, reason: string): Promise<void> {
  t.like(await t.throwsAsync(verifier.verify(token)), { code: 'UNAUTHENTICATED', reason });
}

interface SigningKey {
  readonly alg: string;
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: JWK;
}

async function signingKey(alg: string, kid: string): Promise<SigningKey> {
  const pair = await generateKeyPair(alg, { extractable: true });
  return { alg, kid, privateKey: pair.privateKey, publicKey: { ...(await exportJWK(pair.publicKey)), kid, alg } };
}

function withKeys(
  load: KeyLoader,
  loadedAt?: () => number,
  sleep: (milliseconds: number) => Promise<void> = async () => {},
) {
  const errors: unknown[] = [];
  const onLoadError = (error: unknown) => errors.push(error);
  const keys = cachedKeySet(load, { onLoadError, sleep, ...(loadedAt && { now: loadedAt }) });
  return { verifier: tokenVerifier({ now, keys, issuers: [ISSUER, `${ISSUER}/`] }), errors };
}

const betterAuthClaims = { ...claims, iss: ISSUER, aud: ISSUER };

test('a token signed with the shared secret identifies its user', async (t) => {
  t.is(await withSecret.verify(await sign(claims)), 'alice');
  const { iat: _, ...withoutIat } = claims;
  t.is(await withSecret.verify(await sign(withoutIat)), 'alice');
  t.is(
    await tokenVerifier({ secret: SECRET }).verify(await issueToken({ secret: SECRET, userId: 'bob', lifetime: 60 })),
    'bob',
  );
});

test('another secret, another algorithm, an expired or endless token is refused', async (t) => {
  await refused(t, withSecret, await sign(claims, `${SECRET}!`), 'signature');
  await refused(t, withSecret, await sign(claims, 'x'.repeat(64), { alg: 'HS512' }), 'algorithm');
  await refused(t, withSecret, await sign({ ...claims, exp: SECONDS - 6 }), 'expired');
  await refused(t, withSecret, await sign({ sub: 'alice' }), 'claims');
  await refused(t, withSecret, await sign({ ...claims, exp: SECONDS + 86_400 + 6 }), 'claims');
  await refused(t, withSecret, await sign({ ...claims, iat: SECONDS - 86_400, exp: SECONDS + 10 }), 'claims');
  await refused(t, withSecret, await sign({ ...claims, iat: SECONDS + 60 }), 'claims');
  await refused(t, withSecret, await sign({ ...claims, nbf: SECONDS + 60 }), 'claims');
  t.is(await withSecret.verify(await sign({ ...claims, exp: SECONDS - 4 })), 'alice', 'clocks may differ by 5 seconds');
});

for (const sub of [undefined, null, '', 5, {}, ['alice'], 'a\0b', '\ud800', 'x'.repeat(256)]) {
  test(`a token for ${JSON.stringify(sub)?.slice(0, 20)} is refused`, async (t) => {
    await refused(t, withSecret, await sign({ ...claims, sub: sub as string }), 'claims');
  });
}

test('malformed tokens are refused before any cryptography', async (t) => {
  const token = await sign(claims);
  const spellings = [
    '',
    '.',
    '..',
    'x',
    'a.b',
    `${token}.x`,
    `${token}=`,
    `${token}\n`,
    ` ${token}`,
    `${token}${'A'.repeat(13_000)}`,
  ];
  for (const text of spellings) await refused(t, withSecret, text, 'malformed');
});

test('a token that is too long is told from one that is none', async (t) => {
  const long = await sign({ ...claims, picture: 'A'.repeat(13_000) });
  await t.throwsAsync(withSecret.verify(long), {
    message: /^The token is too long: it has \d+ characters, and may have 12288\. Put less into it, with definePayload/,
  });
  t.is(await withSecret.verify(await sign({ ...claims, picture: 'A'.repeat(8_500) })), 'alice');
});

test('the log hears what was expected and what came, and never the token', async (t) => {
  const key = await signingKey('EdDSA', 'one');
  const keys = cachedKeySet(async () => [key.publicKey], { onLoadError: () => t.fail() });
  const verifier = tokenVerifier({ now, keys, issuers: ['https://a.example'], audiences: ['api', 'other'] });
  const evidence = async (payload: object) => {
    const token = await sign({ ...claims, iss: 'https://a.example', aud: 'api', ...payload }, key.privateKey, {
      alg: 'EdDSA',
      kid: 'one',
    });
    const error = await t.throwsAsync<UnauthenticatedError>(verifier.verify(token), { code: 'UNAUTHENTICATED' });
    return error?.evidence;
  };
  t.is(await evidence({ iss: 'https://b.example' }), 'iss is "https://b.example", and should be "https://a.example"');
  t.is(await evidence({ aud: ['web'] }), 'aud is ["web"], and should be "api" or "other"');
  t.is(await evidence({ aud: undefined }), 'aud is missing, and should be "api" or "other"');
  t.is((await evidence({ aud: 'x'.repeat(1_000) }))?.length, 'aud is , and should be "api" or "other"'.length + 200);
  const seconds = Math.floor(now() / 1_000);
  t.is(await evidence({ exp: seconds - 60 }), `exp is ${seconds - 60}, and the time of this server ${seconds}`);
  t.is(
    await evidence({ iat: seconds + 60, exp: seconds + 120 }),
    `iat ${seconds + 60} is after the time of this server, ${seconds}: AUTH_CLOCK_TOLERANCE_S is 5`,
  );
});

test('clocks may differ by as much as is set', async (t) => {
  const late = await sign({ ...claims, exp: Math.floor(now() / 1_000) - 30 });
  await refused(t, withSecret, late, 'expired');
  t.is(await tokenVerifier({ now, secret: SECRET, clockTolerance: 60 }).verify(late), 'alice');
});

test('whether there are keys is found out, and said', async (t) => {
  let answer: () => Promise<JWK[]> = async () => [];
  let time = 0;
  const keys = cachedKeySet(() => answer(), { onLoadError: () => {}, now: () => time });
  t.is(await keys.state(), 'none');
  answer = () => Promise.reject(new Error('away'));
  time += 1_000;
  t.is(await keys.state(), 'unreachable');
  const key = await signingKey('EdDSA', 'one');
  answer = async () => [key.publicKey];
  // The answer comes at once, and is the one before.
  time += 1_000;
  t.is(await keys.state(), 'unreachable');
  await setImmediate();
  t.is(await keys.state(), 'loaded');
});

test('a token has one spelling: other final bits of the base64 are refused', async (t) => {
  const token = await sign(claims);
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const neighbour = alphabet[alphabet.indexOf(token.at(-1) ?? '') ^ 1];
  const bytes = (text: string) => Buffer.from(text.split('.')[2] ?? '', 'base64url');
  const respelt = token.slice(0, -1) + neighbour;
  t.deepEqual(bytes(respelt), bytes(token), 'the same bytes');
  await refused(t, withSecret, respelt, 'malformed');
});

test('with a URL configured, a secret token may leave issuer and audience out, but must not name others', async (t) => {
  const verifier = tokenVerifier({ now, secret: SECRET, issuers: [ISSUER, `${ISSUER}/`] });
  t.is(await verifier.verify(await sign(claims)), 'alice');
  t.is(await verifier.verify(await sign(betterAuthClaims)), 'alice');
  t.is(await verifier.verify(await sign({ ...claims, aud: ['x', ISSUER] })), 'alice');
  await refused(t, verifier, await sign({ ...claims, iss: 'https://evil.example' }), 'claims');
  await refused(t, verifier, await sign({ ...claims, aud: 'better-auth:session-cache' }), 'claims');
});

for (const alg of ['EdDSA', 'ES256', 'ES512', 'RS256', 'PS256']) {
  test(`a token signed with ${alg} is verified with the key that it names`, async (t) => {
    const [key, other] = [await signingKey(alg, 'one'), await signingKey(alg, 'two')];
    const { verifier } = withKeys(async () => [other.publicKey, key.publicKey]);
    const header = { alg, kid: 'one' };
    t.is(await verifier.verify(await sign(betterAuthClaims, key.privateKey, header)), 'alice');
    await refused(t, verifier, await sign(betterAuthClaims, other.privateKey, header), 'signature');
    await refused(t, verifier, await sign(betterAuthClaims, key.privateKey, { alg }), 'unknown_key');
    await refused(
      t,
      verifier,
      await sign({ ...betterAuthClaims, iss: 'https://evil.example' }, key.privateKey, header),
      'claims',
    );
    await refused(
      t,
      verifier,
      await sign({ ...betterAuthClaims, aud: 'better-auth:session-cache' }, key.privateKey, header),
      'claims',
    );
    await refused(t, verifier, await sign(claims, key.privateKey, header), 'claims');
  });
}

test('neither kind of token is accepted as the other', async (t) => {
  const key = await signingKey('EdDSA', 'one');
  const { verifier } = withKeys(async () => [key.publicKey]);
  const publicKeyAsSecret = JSON.stringify(key.publicKey);
  await refused(
    t,
    verifier,
    await sign(betterAuthClaims, publicKeyAsSecret, { alg: 'HS256', kid: 'one' }),
    'algorithm',
  );
  await refused(t, withSecret, await sign(betterAuthClaims, key.privateKey, { alg: 'EdDSA', kid: 'one' }), 'algorithm');
  const symmetric = { kty: 'oct', k: Buffer.from(SECRET).toString('base64url'), kid: 'oct', alg: 'HS256' };
  await refused(
    t,
    withKeys(async () => [symmetric]).verifier,
    await sign(betterAuthClaims, SECRET, { alg: 'HS256', kid: 'oct' }),
    'algorithm',
  );
});

test('keys are loaded once, and again for an unknown key, which waits for that, at most every two seconds', async (t) => {
  const [first, second] = [await signingKey('EdDSA', 'first'), await signingKey('EdDSA', 'second')];
  let now = 0;
  let loads = 0;
  let published = [first.publicKey];
  const load = async () => {
    loads++;
    return published;
  };
  const sleep = async (milliseconds: number) => {
    now += milliseconds;
  };
  const { verifier } = withKeys(load, () => now, sleep);
  const by = ({ privateKey, kid }: SigningKey) => sign(betterAuthClaims, privateKey, { alg: 'EdDSA', kid });

  const token = await by(first);
  await Promise.all([verifier.verify(token), verifier.verify(token), verifier.verify(token)]);
  t.is(loads, 1);
  published = [first.publicKey, second.publicKey];
  const rotated = await by(second);
  t.deepEqual(await Promise.all([verifier.verify(rotated), verifier.verify(rotated)]), ['alice', 'alice']);
  t.is(loads, 2, 'once for both');
  t.is(now, 2_000, 'and no sooner');
  t.is(await verifier.verify(token), 'alice', 'the old key still serves');
  const unknown = await sign(betterAuthClaims, second.privateKey, { alg: 'EdDSA', kid: 'third' });
  for (let i = 0; i < 5; i++) await refused(t, verifier, unknown, 'unknown_key');
  t.true(loads <= 2 + (now - 2_000) / 2_000, 'a flood of unknown keys hardly reaches the source');
});

test('only so many requests wait for keys', async (t) => {
  const [known, unknown] = [await signingKey('EdDSA', 'known'), await signingKey('EdDSA', 'unknown')];
  const { promise: slept, resolve: wakeUp } = Promise.withResolvers<void>();
  const { verifier } = withKeys(
    async () => [known.publicKey],
    () => 0,
    () => slept,
  );
  await verifier.verify(await sign(betterAuthClaims, known.privateKey, { alg: 'EdDSA', kid: 'known' }));
  let refusals = 0;
  const all = Array.from({ length: 150 }, async (_, i) => {
    const token = await sign({ ...betterAuthClaims, n: i }, unknown.privateKey, { alg: 'EdDSA', kid: 'unknown' });
    await t.throwsAsync(verifier.verify(token), { code: 'UNAUTHENTICATED' });
    refusals++;
  });
  while (refusals < 50) await new Promise((resolve) => setTimeout(resolve, 5));
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.is(refusals, 50, 'the other hundred wait');
  wakeUp();
  await Promise.all(all);
});

test('old keys are used while loading fails; without any key the answer is "unavailable"', async (t) => {
  const key = await signingKey('EdDSA', 'one');
  let now = 0;
  let works = false;
  const { verifier, errors } = withKeys(
    async () => {
      if (!works) throw new Error('the auth server is down');
      return [key.publicKey];
    },
    () => now,
  );
  const token = await sign(betterAuthClaims, key.privateKey, { alg: 'EdDSA', kid: 'one' });
  await t.throwsAsync(verifier.verify(token), { code: 'UNAVAILABLE' });
  await t.throwsAsync(verifier.verify(token), { code: 'UNAVAILABLE' });
  t.is(errors.length, 1, 'failures count too');
  works = true;
  now = 1_000;
  t.is(await verifier.verify(token), 'alice');
  works = false;
  now = 1_000_000;
  t.is(await verifier.verify(token), 'alice', 'long after their age, with the source down');
  await refused(t, verifier, await sign(betterAuthClaims, key.privateKey, { alg: 'EdDSA', kid: 'two' }), 'unknown_key');
  t.is(errors.length, 3, 'for its age, and for the unknown key');
});

test('without any key the answer is "unavailable", and the first key is used at once', async (t) => {
  const key = await signingKey('EdDSA', 'one');
  let now = 0;
  let published: JWK[] = [];
  const { verifier } = withKeys(
    async () => published,
    () => now,
  );
  const token = await sign(betterAuthClaims, key.privateKey, { alg: 'EdDSA', kid: 'one' });
  await t.throwsAsync(verifier.verify(token), { code: 'UNAVAILABLE' });
  published = [key.publicKey];
  now = 1_000;
  t.is(await verifier.verify(token), 'alice');
});

test('a withdrawn key is no longer used', async (t) => {
  const [old, fresh] = [await signingKey('EdDSA', 'old'), await signingKey('EdDSA', 'fresh')];
  let now = 0;
  let published = [old.publicKey, fresh.publicKey];
  const { verifier } = withKeys(
    async () => published,
    () => now,
  );
  const token = await sign(betterAuthClaims, old.privateKey, { alg: 'EdDSA', kid: 'old' });
  t.is(await verifier.verify(token), 'alice');
  published = [fresh.publicKey];
  now = 300_000;
  t.is(await verifier.verify(token), 'alice', 'refreshed in the background');
  await refused(t, verifier, token, 'unknown_key');
});

test('keys are only loaded from an endpoint that returns a key set', async (t) => {
  const key = await signingKey('EdDSA', 'one');
  const answers = new Map<string, [status: number, body: object | string, location?: string]>([
    ['/jwks', [200, { keys: [key.publicKey] }]],
    ['/missing', [404, {}]],
    ['/other', [200, { keys: 'none' }]],
    ['/moved', [302, {}, '/jwks']],
    ['/again', [302, {}, '/again']],
    ['/elsewhere', [302, {}, 'http://localhost:1/jwks']],
    ['/page', [200, '<html>']],
    ['/large', [200, { keys: [key.publicKey], more: 'x'.repeat(1024 * 1024) }]],
  ]);
  const server = createServer(({ url = '' }, response) => {
    const [status, body, location] = answers.get(url) ?? [500, {}];
    response.writeHead(status, { ...(location !== undefined && { Location: location }) });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const token = await sign(betterAuthClaims, key.privateKey, { alg: 'EdDSA', kid: 'one' });
  const by = (path: string) => withKeys(keysFromUrl(`http://127.0.0.1:${port}${path}`)).verifier.verify(token);
  t.is(await by('/jwks'), 'alice');
  t.is(await by('/moved'), 'alice');
  const now = 'Sign-in cannot be checked right now. Please try again in a moment.';
  await t.throwsAsync(by('/broken'), { code: 'UNAVAILABLE', message: now });
  const setUp = 'Sign-in cannot be checked. The auth server has no public keys where they are looked for.';
  for (const [path, found] of [
    ['/missing', 'it answered 404'],
    ['/other', 'what is there is not a JSON Web Key Set'],
    ['/page', 'what is there is not a JSON Web Key Set'],
    ['/large', 'what is there is larger than 1 MB'],
    ['/again', 'it redirects too often'],
    ['/elsewhere', 'it redirects to another origin (http://localhost:1)'],
  ] as const) {
    const url = `http://127.0.0.1:${port}${path}`;
    const error = await t.throwsAsync(by(path), { code: 'UNAVAILABLE', message: setUp });
    t.true(String(error?.cause).includes(`They are looked for at ${url}: ${found}. Set BETTER_AUTH_URL`));
    const keys = cachedKeySet(keysFromUrl(url), { onLoadError: () => {} });
    await t.throwsAsync(keys.state(), { code: 'UNAVAILABLE', message: setUp });
  }
  server.close();
  server.closeAllConnections();
  await t.throwsAsync(by('/jwks'), { code: 'UNAVAILABLE' });
});

test('invalid and expired rows of the key table are skipped; private keys are never read', async (t) => {
  const key = await signingKey('EdDSA', 'ignored');
  const { kid: _, alg: __, ...publicKey } = key.publicKey;
  const pglite = await PGlite.create();
  await pglite.exec(
    `create table jwks ("id" text, "publicKey" text, "privateKey" text, "alg" text, "expiresAt" timestamptz)`,
  );
  const rows: [id: string, publicKey: string, alg: string | null, expiresAt: string | null][] = [
    ['broken', '{', 'EdDSA', null],
    ['other', '[1]', 'EdDSA', null],
    ['over', JSON.stringify(publicKey), 'EdDSA', '2020-01-01'],
    ['good', JSON.stringify(publicKey), 'EdDSA', '2100-01-01'],
    ['old', JSON.stringify(publicKey), null, null],
  ];
  for (const row of rows) await pglite.query('insert into jwks values ($1, $2, $$secret$$, $3, $4)', row);
  const database = await Database.onPGlite(pglite);
  const keys = await keysFromTable(database)();
  t.deepEqual(keys, [
    { ...publicKey, kid: 'good', alg: 'EdDSA' },
    { ...publicKey, kid: 'old' },
  ]);
  const { verifier } = withKeys(async () => keys);
  for (const kid of ['good', 'old']) {
    t.is(await verifier.verify(await sign(betterAuthClaims, key.privateKey, { alg: 'EdDSA', kid })), 'alice');
  }
  await database.close();
  await pglite.close();
});

test('an invalid key fails the token, not the server', async (t) => {
  const key = await signingKey('EdDSA', 'one');
  const broken = { ...key.publicKey, x: 'AAAA' };
  const token = await sign(betterAuthClaims, key.privateKey, { alg: 'EdDSA', kid: 'one' });
  await refused(t, withKeys(async () => [broken]).verifier, token, 'malformed');
});

test('a bug in a key set is a bug, not a bad token', async (t) => {
  const broken = () => {
    throw new RangeError('a bug');
  };
  const keys = Object.assign(broken, { generation: () => undefined, state: async () => 'loaded' as const });
  const verifier = tokenVerifier({ now, issuers: [ISSUER, `${ISSUER}/`], keys });
  const key = await signingKey('EdDSA', 'one');
  const token = await sign(betterAuthClaims, key.privateKey, { alg: 'EdDSA', kid: 'one' });
  await t.throwsAsync(verifier.verify(token), { instanceOf: RangeError });
});

test('a verified token is valid until it expires, and no longer', async (t) => {
  let time = now();
  const verifier = tokenVerifier({ now: () => time, secret: SECRET });
  const lifetime = claims.exp - claims.iat;
  const token = await sign(claims);
  for (const [seconds, isGood] of [
    [0, true],
    [lifetime - 1, true],
    [lifetime + 4, true],
    [lifetime + 6, false],
  ] as const) {
    time = now() + seconds * 1000;
    if (isGood) t.is(await verifier.verify(token), 'alice', `after ${seconds} s`);
    else await refused(t, verifier, token, 'expired');
  }
  const [head, body] = token.split('.');
  time = now();
  await refused(t, verifier, [head, body, (await sign(claims, `${SECRET}!`)).split('.')[2]].join('.'), 'signature');
});
