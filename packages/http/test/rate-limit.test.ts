import { createContainer, listen, loadConfig } from '@todo-backend/http';
import { Database } from '@todo-backend/infrastructure';
import test, { type ExecutionContext } from 'ava';
import { pino } from 'pino';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { postgresTest, startPostgres } from '../../../test/postgres.ts';
import { type Answer, hostAt, ORIGIN, onMemory, person, SECRET } from './hosts.ts';

const serverTest = await postgresTest(test);

function limits(perUser: number, failures: number) {
  return {
    perUser: new RateLimiterMemory({ points: perUser, duration: 60 }),
    failuresPerAddress: new RateLimiterMemory({ points: failures, duration: 60 }),
  };
}

function assertTooMany(t: ExecutionContext, { status, headers, body }: Answer): void {
  t.is(status, 429);
  t.is(body.type, '/problems/rate-limited');
  t.regex(body.detail, /^Too many requests\. Please try again in \d+ seconds\.$/);
  const retryAfter = Number(headers.get('Retry-After'));
  t.true(retryAfter >= 1 && retryAfter <= 60);
}

test('a user over the limit gets Retry-After, and other users are not affected', async (t) => {
  const host = await onMemory({ limits: limits(3, 100) });
  const [alice, bob] = [await person(host), await person(host)];
  for (const left of [2, 1, 0]) {
    const { status, headers } = await alice.call('GET', '/stats', { headers: { Origin: ORIGIN } });
    t.is(status, 200);
    t.is(headers.get('RateLimit-Policy'), '"user";q=3;w=60');
    t.regex(headers.get('RateLimit') ?? '', new RegExp(`^"user";r=${left};t=\\d+$`));
    t.regex(headers.get('Access-Control-Expose-Headers') ?? '', /RateLimit,RateLimit-Policy/);
  }
  assertTooMany(t, await alice.call('GET', '/stats'));
  assertTooMany(t, await alice.call('POST', '/tasks', { json: {} }));
  t.is((await bob.call('GET', '/stats')).status, 200);
  t.is((await host.call('GET', '/health')).status, 200, 'who watches the server is not counted');
  await host.close();
});

test("requests for somebody else's tasks count for who makes them", async (t) => {
  const host = await onMemory({ limits: limits(1, 100) });
  const [alice, bob] = [await person(host), await person(host)];
  const theirs = () => host.call('GET', `/api/${alice.id}/stats`, { token: bob.token });
  t.is((await theirs()).status, 403);
  assertTooMany(t, await theirs());
  t.is((await alice.call('GET', '/stats')).status, 200);
  await host.close();
});

test('an address with too many failed authentications is blocked', async (t) => {
  const host = await onMemory({ limits: limits(100, 3), trustedProxies: 1 });
  const alice = await person(host);
  const from = (address: string) => ({ headers: { 'X-Forwarded-For': address } });
  const fail = (address: string) => alice.call('GET', '/stats', { token: 'x.y.z', ...from(address) });
  for (let i = 0; i < 4; i++) t.is((await fail('203.0.113.1')).status, 401);
  assertTooMany(t, await fail('203.0.113.1'));
  assertTooMany(t, await alice.call('GET', '/stats', from('203.0.113.1')));
  t.is((await alice.call('GET', '/stats', from('203.0.113.2'))).status, 200);
  assertTooMany(t, await fail('198.51.100.7, 203.0.113.1'));

  for (let i = 0; i < 4; i++) t.is((await fail(`2001:db8:0:1::${i}`)).status, 401);
  assertTooMany(t, await fail('2001:db8:0:1:ffff::1'));
  t.is((await fail('2001:db8:0:2::1')).status, 401, 'another /64');

  for (let i = 0; i < 4; i++) t.is((await fail('203.0.113.3:50000')).status, 401, 'some proxies name the port too');
  assertTooMany(t, await fail('203.0.113.3:50000'));
  await host.close();
});

test('without a trusted proxy, X-Forwarded-For is ignored', async (t) => {
  const host = await onMemory({ limits: limits(100, 3) });
  const attempt = (i: number) =>
    host.call('GET', '/api/x/stats', { token: 'x.y.z', headers: { 'X-Forwarded-For': `203.0.113.${i}` } });
  for (let i = 0; i < 4; i++) t.is((await attempt(i)).status, 401);
  assertTooMany(t, await attempt(9));
  await host.close();
});

serverTest('servers on one database share their limits, and count separately while it is unavailable', async (t) => {
  const postgres = await startPostgres();
  const url = await postgres.createDatabase();
  const config = loadConfig({
    DATABASE_URL: url,
    BETTER_AUTH_SECRET: SECRET,
    STANDALONE_USERS: 'true',
    RATE_LIMIT_PER_USER: '4',
    RATE_LIMIT_STORE: 'database',
    DATABASE_CONNECT_TIMEOUT_MS: '500',
  });
  const logger = pino({ level: 'silent' });
  const open = async () => {
    const database = await Database.postgres({ ...config.postgres, url });
    await database.migrate(config);
    const { app } = createContainer({ config, logger, database });
    const server = await listen(app, { host: '127.0.0.1', port: 0, requestTimeout: 10_000, logger });
    return hostAt(server.port, async () => {
      await server.close();
      await database.close();
    });
  };
  const [one, two] = [await open(), await open()];
  const alice = await person(one, 'alice');
  const ask = async (host: typeof one) => (await host.call('GET', '/api/alice/stats', { token: alice.token })).status;
  t.deepEqual([await ask(one), await ask(two), await ask(one), await ask(two)], [200, 200, 200, 200]);
  t.deepEqual([await ask(one), await ask(two)], [429, 429]);
  await postgres.stop();
  const bob = await person(one, 'bob');
  t.is((await bob.call('GET', '/stats')).status, 503, 'the database is away, and that is what the answer says');
  await one.close();
  await two.close();
});

test('every response has the security headers, and none that reveals the software', async (t) => {
  const host = await onMemory();
  const alice = await person(host);
  for (const { headers } of [
    await alice.call('GET', '/tasks'),
    await host.call('GET', '/nowhere'),
    await host.call('GET', '/'),
  ]) {
    t.is(headers.get('Content-Security-Policy'), "default-src 'none';frame-ancestors 'none'");
    t.is(headers.get('X-Content-Type-Options'), 'nosniff');
    t.is(headers.get('X-Frame-Options'), 'DENY');
    t.is(headers.get('Referrer-Policy'), 'no-referrer');
    t.is(headers.get('Strict-Transport-Security'), null, 'a promise for a whole domain');
    t.is(headers.get('Cache-Control'), 'private, no-cache');
    t.is(headers.get('X-Powered-By'), null);
    t.is(headers.get('Server'), null);
  }
  await host.close();
});
