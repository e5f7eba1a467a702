import { PGlite } from '@electric-sql/pglite';
import { createApp, createContainer, listen, loadConfig } from '@todo-backend/http';
import { cachedKeySet, Database, keysFromTable, tokenVerifier } from '@todo-backend/infrastructure';
import test, { type ExecutionContext } from 'ava';
import type { BetterAuthOptions } from 'better-auth';
import { PGliteDialect } from 'kysely';
import pg from 'pg';
import { pino } from 'pino';
import { startBetterAuth } from '../../../test/better-auth.ts';
import { execute, postgresTest, startPostgres } from '../../../test/postgres.ts';
import { type Answer, type Call, type Host, hostAt } from './hosts.ts';

const logger = pino({ level: 'silent' });

/** One database, used by Better Auth and by this project. */
interface SharedDatabase {
  readonly forBetterAuth: BetterAuthOptions['database'];
  /** The configuration of the API; PGlite has no URL. */
  readonly database: Database;
  execute(text: string): Promise<unknown>;
  close(): Promise<void>;
}

async function onServer(): Promise<SharedDatabase> {
  const server = await startPostgres();
  const url = await server.createDatabase();
  const pool = new pg.Pool({ connectionString: url });
  const database = await Database.postgres({ url });
  return {
    forBetterAuth: pool,
    database,
    execute: (text) => execute(url, text),
    async close() {
      await database.close();
      await pool.end();
      await server.stop();
    },
  };
}

async function onPGlite(): Promise<SharedDatabase> {
  const pglite = await PGlite.create();
  const database = await Database.onPGlite(pglite);
  return {
    forBetterAuth: { dialect: new PGliteDialect({ pglite }), type: 'postgres' },
    database,
    execute: (text) => pglite.query(text),
    async close() {
      await database.close();
      await pglite.close();
    },
  };
}

async function useAllEndpoints(t: ExecutionContext, host: Host, id: string, token: string): Promise<void> {
  const call = (method: string, path: string, more: Call = {}) =>
    host.call(method, `/api/${id}${path}`, { token, ...more });
  const created = await call('POST', '/tasks', { json: { title: 'real', priority: 'low', category: 'work' } });
  t.is(created.status, 201, created.text);
  const path = `/tasks/${created.body.id}`;
  t.deepEqual((await call('GET', '/tasks')).body, [created.body]);
  t.deepEqual((await call('GET', path)).body, created.body);
  t.is((await call('PUT', path, { json: { title: 'changed' } })).body.title, 'changed');
  t.is((await call('PATCH', `${path}/complete`)).body.completed, true);
  t.deepEqual((await call('GET', '/stats')).body, { total: 1, pending: 0, completed: 1 });
  t.is((await call('DELETE', path)).status, 204);
  t.is((await host.call('GET', '/api/somebody-else/tasks', { token })).status, 403);
}

const databases = [
  { name: 'PostgreSQL', open: onServer, declare: await postgresTest(test) },
  { name: 'PGlite', open: onPGlite, declare: test },
];

for (const { name, open, declare } of databases) {
  declare(`${name}: a user of a real Better Auth, from signing up to the end of the account`, async (t) => {
    const shared = await open();
    const betterAuth = await startBetterAuth(shared.forBetterAuth);
    const config = loadConfig({ DATABASE_URL: 'postgres://unused/unused', BETTER_AUTH_URL: betterAuth.url });
    const issuers = [betterAuth.url, `${betterAuth.url}/`];
    t.like(config.auth, { generateSecret: false, keys: 'table', issuers, audiences: issuers, maxLifetime: 86_400 });
    await shared.database.migrate(config);

    const apis: Host[] = [];
    let minutes = 0;
    const startApi = async (keys: 'table' | 'url') => {
      const parts = createContainer({
        config: {
          ...config,
          auth: { ...config.auth, keys: keys === 'table' ? keys : { url: `${betterAuth.url}/api/auth/jwks` } },
        },
        logger,
        database: shared.database,
      });
      // The same as the container's own, with a clock that the test can move.
      const now = () => minutes * 60_000;
      const keySet = cachedKeySet(keysFromTable(shared.database), { onLoadError: () => t.fail(), now });
      const tokens = tokenVerifier({ keys: keySet, issuers });
      const { corsOrigins, trustedProxies } = config;
      const app =
        keys === 'url' ? parts.app : createApp({ ...parts, tokens, corsOrigins, trustedProxies, version: 'test' });
      const server = await listen(app, { host: '127.0.0.1', port: 0, requestTimeout: 10_000, logger });
      const api = hostAt(server.port, () => server.close());
      apis.push(api);
      return api;
    };

    const ada = await betterAuth.signUp('ada');
    const bob = await betterAuth.signUp('bob');
    const oldToken = await ada.token();
    const byTable = await startApi('table');
    await useAllEndpoints(t, byTable, ada.id, oldToken);
    await useAllEndpoints(t, await startApi('url'), ada.id, oldToken);

    // The signing key is rotated: new tokens are accepted, and so are the old ones while they last.
    await shared.execute(`update jwks set "expiresAt" = now() - interval '1 minute'`);
    const newToken = await ada.token();
    const kid = (token: string) => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid;
    t.not(kid(newToken), kid(oldToken));
    minutes++;
    await useAllEndpoints(t, byTable, ada.id, newToken);
    await useAllEndpoints(t, byTable, ada.id, oldToken);
    await useAllEndpoints(t, await startApi('url'), ada.id, oldToken);

    // The account is deleted: its tasks are deleted too, and a token that is still valid cannot write.
    const json = { title: 't', priority: 'low', category: 'work' };
    const tasksOf = (user: string) => `/api/${user}/tasks`;
    const { body: task } = await byTable.call('POST', tasksOf(ada.id), { token: newToken, json });
    const bobsToken = await bob.token();
    const { body: bobsTask } = await byTable.call('POST', tasksOf(bob.id), { token: bobsToken, json });
    await ada.deleteAccount();
    const write = (method: string, path: string, more: Call = {}): Promise<Answer> =>
      byTable.call(method, tasksOf(ada.id) + path, { token: newToken, ...more });
    for (const answer of [
      await write('POST', '', { json }),
      await write('PUT', `/${task.id}`, { json }),
      await write('PATCH', `/${task.id}/complete`),
      await write('DELETE', `/${task.id}`),
    ]) {
      t.is(answer.status, 401);
      t.is(answer.body.detail, 'Your account no longer exists. Please sign in again.');
      t.regex(answer.headers.get('WWW-Authenticate') ?? '', /^Bearer error="invalid_token"/);
    }
    t.deepEqual((await byTable.call('GET', tasksOf(ada.id), { token: newToken })).body, []);
    t.deepEqual((await byTable.call('GET', tasksOf(bob.id), { token: bobsToken })).body, [bobsTask]);

    // The auth server is down: the keys from the table are still used.
    await betterAuth.close();
    const restarted = await startApi('table');
    t.deepEqual((await restarted.call('GET', tasksOf(bob.id), { token: bobsToken })).body, [bobsTask]);
    const cutOff = await (await startApi('url')).call('GET', tasksOf(bob.id), { token: bobsToken });
    t.is(cutOff.status, 503);
    t.is(cutOff.headers.get('Retry-After'), '1');

    for (const api of apis) await api.close();
    await shared.close();
  });
}
