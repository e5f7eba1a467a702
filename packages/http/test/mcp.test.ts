import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AppOptions } from '@todo-backend/http';
import { createContainer, listen, loadConfig } from '@todo-backend/http';
import { cachedKeySet, Database, issueToken, tokenVerifier } from '@todo-backend/infrastructure';
import test from 'ava';
import { pino } from 'pino';
import { postgresTest, startPostgres } from '../../../test/postgres.ts';
import { use } from '../../mcp/test/agent.ts';
import {
  accessToken,
  claimsOf,
  connect,
  ERAS,
  ISSUER,
  keyLoader,
  METADATA_URL,
  mcpOptions,
  RESOURCE,
  signed,
} from './agents.ts';
import { ABSENT, assertProblem, type Host, hostAt, ORIGIN, onMemory, SECRET } from './hosts.ts';

const declareOnPostgres = await postgresTest(test);

const atLocalhost = ({ url }: Host) => url.replace('127.0.0.1', 'localhost');

/** A request of the protocol of 2026, as it is on the wire. */
function toolCall(name: string, input: object = {}) {
  return {
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: {
      name,
      arguments: input,
      _meta: {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
        'io.modelcontextprotocol/clientCapabilities': {},
      },
    },
  };
}

/** The usual headers of a call of `find_tasks`. */
const callHeaders = {
  'Content-Type': 'application/json',
  Accept: 'application/json, text/event-stream',
  'MCP-Protocol-Version': '2026-07-28',
  'Mcp-Method': 'tools/call',
  'Mcp-Name': 'find_tasks',
};

/** Posts to the tools, with these headers instead of the usual ones. */
function post(host: Host, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${atLocalhost(host)}/mcp`, {
    method: 'POST',
    headers: { ...callHeaders, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

/** As {@link post}, with headers that `fetch` sets itself. */
function postAnyHeaders(host: Host, body: object, headers: Record<string, string>): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = request(`${host.url}/mcp`, {
      method: 'POST',
      headers: { Host: 'localhost', ...callHeaders, ...headers },
    });
    sent.on('response', (answer) => resolve(answer.resume())).on('error', reject);
    sent.end(JSON.stringify(body));
  });
}

const asAgent = (token: string) => ({ Authorization: `Bearer ${token}` });

async function opened(t: { teardown(end: () => Promise<void>): void }, own: Partial<AppOptions> = {}): Promise<Host> {
  const host = await onMemory({ mcp: mcpOptions(), ...own });
  t.teardown(() => host.close());
  return host;
}

/** The protocol that says in headers what a call is, and an older one. */
const VERSIONS = ['2026-07-28', '2025-06-18'];

for (const version of VERSIONS) {
  test(`how long an answer may be kept, and its connection, is up to the server, with the protocol of ${version}`, async (t) => {
    const host = await opened(t);
    const { params, ...call } = toolCall('find_tasks');
    const { _meta, ...older } = params;
    const body = { ...call, params: version === '2026-07-28' ? params : older };
    const own = { ...asAgent(accessToken('alice')), 'MCP-Protocol-Version': version, Connection: 'close' };
    const { headers } = await postAnyHeaders(host, body, own);
    t.is(headers.connection, 'close');
    t.is(headers['cache-control'], 'private, no-cache');
  });
}

for (const era of ERAS) {
  test(`the official client uses the tools, with the protocol of ${era}`, async (t) => {
    const host = await opened(t);
    const client = await connect(atLocalhost(host), accessToken('alice'), era);
    t.is(client.getNegotiatedProtocolVersion(), era);
    t.is((await client.listTools()).tools.length, 8);
    const { output } = await use(client, 'add_tasks', { tasks: [{ title: 'Buy milk' }] });
    t.is((await use(client, 'undo_changes', { changeId: output.changeId })).output.undone, 1);
    t.is((await use(client, 'recent_changes')).output.changes.length, 2);
    await client.close();
  });
}

test('what an agent changes is told of in the API: who, and the id of the request', async (t) => {
  const host = await opened(t);
  const answer = await post(host, toolCall('add_tasks', { tasks: [{ title: 'a' }] }), {
    ...asAgent(accessToken('alice')),
    'Mcp-Name': 'add_tasks',
    'X-Request-Id': 'a-request',
  });
  t.is(answer.status, 200);
  const token = await issueToken({ secret: SECRET, userId: 'alice', lifetime: 60 });
  const { body } = await host.call('GET', '/api/alice/audit', { token });
  t.deepEqual(body[0].actor, { type: 'agent', id: 'agent-1' });
  t.is(body[0].correlationId, 'a-request');
});

test('a client finds out where it gets a token', async (t) => {
  const host = await opened(t);
  const refused = await post(host, toolCall('find_tasks'));
  t.is(refused.status, 401);
  t.is(
    refused.headers.get('WWW-Authenticate'),
    `Bearer resource_metadata="${METADATA_URL}", scope="todo:read todo:write"`,
  );
  for (const path of ['/.well-known/oauth-protected-resource/mcp', '/.well-known/oauth-protected-resource']) {
    const response = await fetch(host.url + path);
    t.is(response.status, 200);
    t.deepEqual(await response.json(), {
      resource: RESOURCE,
      authorization_servers: [ISSUER],
      scopes_supported: ['todo:read', 'todo:write'],
      bearer_methods_supported: ['header'],
      resource_name: 'Todo',
    });
  }
});

test('the resource is named as clients write it, however it is configured', (t) => {
  const config = loadConfig({
    BETTER_AUTH_URL: 'https://app.example.com',
    PUBLIC_URL: 'HTTPS://API.Example.com:443/todo/',
    MCP_ENABLED: 'true',
  });
  const { mcp } = createContainer({ config, logger: pino({ level: 'silent' }), database: {} as Database });
  t.is(mcp?.resource, 'https://api.example.com/todo/mcp');
  t.is(mcp?.metadataUrl, 'https://api.example.com/todo/.well-known/oauth-protected-resource/mcp');
});

test('without the tools there is nothing at their addresses', async (t) => {
  const host = await onMemory();
  t.teardown(() => host.close());
  for (const path of ['/mcp', '/.well-known/oauth-protected-resource/mcp']) {
    t.is((await fetch(host.url + path, { method: 'POST' })).status, 404);
  }
});

const attacker = generateKeyPairSync('ed25519');
const now = Math.floor(Date.now() / 1000);
const without = (name: string) => signed({ ...claimsOf('alice'), [name]: undefined });
const forged: Record<string, string> = {
  'no token type': signed(claimsOf('alice'), { typ: undefined }),
  'the type of a token for the API': signed(claimsOf('alice'), { typ: 'JWT' }),
  'the type of an identity token': signed(claimsOf('alice'), { typ: 'id_token' }),
  'a type in a list': signed(claimsOf('alice'), { typ: ['at+jwt'] }),
  'another key under the same kid': signed(claimsOf('alice'), {}, attacker.privateKey),
  'an unknown kid': signed(claimsOf('alice'), { kid: 'other' }, attacker.privateKey),
  'no kid': signed(claimsOf('alice'), { kid: undefined }),
  'no algorithm': `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${Buffer.from(JSON.stringify(claimsOf('alice'))).toString('base64url')}.`,
  'a secret of the API': '',
  'another issuer': accessToken('alice', { iss: 'https://evil.example/api/auth' }),
  'the issuer without its path': accessToken('alice', { iss: 'https://app.example.com' }),
  'the issuer with a slash': accessToken('alice', { iss: `${ISSUER}/` }),
  'an issuer in a list': accessToken('alice', { iss: [ISSUER] }),
  'no issuer': without('iss'),
  'another resource': accessToken('alice', { aud: ['https://other.example/mcp'] }),
  'the server and not the resource': accessToken('alice', { aud: 'http://localhost:8000' }),
  'a resource that starts alike': accessToken('alice', { aud: `${RESOURCE}/other` }),
  'the issuer as audience': accessToken('alice', { aud: ISSUER }),
  'an audience within a list within a list': accessToken('alice', { aud: [[RESOURCE]] }),
  'no audience': without('aud'),
  'no client': without('client_id'),
  'an empty client': accessToken('alice', { client_id: '' }),
  'a client in a list': accessToken('alice', { client_id: ['agent-1'] }),
  'a client with NUL': accessToken('alice', { client_id: 'a\0' }),
  'a client of 256 characters': accessToken('alice', { client_id: 'a'.repeat(256) }),
  'a token that a client got for itself': accessToken('agent-1'),
  'a scope in a list': accessToken('alice', { scope: ['todo:read'] }),
  'no user': without('sub'),
  'an empty user': accessToken(''),
  expired: accessToken('alice', { iat: now - 3700, exp: now - 100 }),
  'no expiry': without('exp'),
  'good for a year': accessToken('alice', { exp: now + 31_536_000 }),
  'issued in the future': accessToken('alice', { iat: now + 100 }),
  'not valid yet': accessToken('alice', { nbf: now + 100 }),
  'no token': 'alice',
};

test(`${Object.keys(forged).length} forged and foreign tokens are refused, and the tools are not reached`, async (t) => {
  let touched = 0;
  const untouchable = new Proxy({} as AppOptions['tasks'], {
    get: () => {
      touched++;
      throw new Error('reached');
    },
  });
  const host = await opened(t, { tasks: untouchable });
  forged['a secret of the API'] = await issueToken({ secret: SECRET, userId: 'alice', lifetime: 60 });
  for (const [title, token] of Object.entries(forged)) {
    const answer = await post(host, toolCall('find_tasks'), asAgent(token));
    t.is(answer.status, 401, title);
    const challenge = answer.headers.get('WWW-Authenticate') ?? '';
    t.regex(challenge, /^Bearer error="invalid_token", error_description="[\x20-\x7e]+", resource_metadata="/, title);
  }
  t.is(touched, 0);
  t.is((await post(host, toolCall('find_tasks'), asAgent(accessToken('alice')))).status, 200);
  t.is(touched, 1, 'a valid one gets as far as the tasks');
});

test('an access token of an agent does not work for the API, even where the keys are the same', async (t) => {
  const keys = cachedKeySet(keyLoader, { onLoadError: t.log });
  const issuers = [ISSUER];
  const tokens = tokenVerifier({ keys, issuers, audiences: [RESOURCE, ISSUER] });
  const host = await opened(t, { tokens });
  const good = signed(claimsOf('alice'), { typ: 'JWT' });
  t.is((await host.call('GET', '/api/alice/tasks', { token: good })).status, 200, 'the type alone decides');
  for (const typ of ['at+jwt', 'application/at+jwt', 'AT+JWT']) {
    assertProblem(t, await host.call('GET', '/api/alice/tasks', { token: signed(claimsOf('alice'), { typ }) }), 401);
  }
});

test('a scope that is missing is asked for, with those that the token has', async (t) => {
  const host = await opened(t);
  const call = (tool: string, scope: string | undefined) =>
    post(host, toolCall(tool, { ids: [ABSENT], tasks: [{ title: 'a' }] }), {
      ...asAgent(accessToken('alice', { scope })),
      'Mcp-Name': tool,
    });
  const cases = [
    ['find_tasks', 'todo:read', 200],
    ['find_tasks', 'todo:write', 403, 'todo:read todo:write'],
    ['add_tasks', 'todo:write', 200],
    ['add_tasks', 'todo:read', 403, 'todo:read todo:write'],
    ['delete_tasks', 'openid profile', 403, 'todo:write'],
    ['find_tasks', '', 403, 'todo:read'],
    ['find_tasks', undefined, 403, 'todo:read'],
    ['find_tasks', 'todo:readwrite xtodo:read', 403, 'todo:read'],
  ] as const;
  for (const [tool, scope, status, asked] of cases) {
    const answer = await call(tool, scope);
    t.is(answer.status, status, `${tool} ${scope}`);
    if (asked === undefined) continue;
    const challenge = answer.headers.get('WWW-Authenticate') ?? '';
    t.regex(challenge, /error="insufficient_scope"/);
    t.true(challenge.includes(`scope="${asked}"`), challenge);
    t.true(challenge.includes(`resource_metadata="${METADATA_URL}"`), challenge);
  }
});

test('requests of pages of somebody else, and to names of somebody else, are refused', async (t) => {
  const host = await opened(t);
  const token = asAgent(accessToken('alice'));
  const cases: [headers: Record<string, string>, status: number][] = [
    [{ Origin: ORIGIN }, 200],
    [{ Origin: 'http://localhost:6274' }, 200],
    [{ Origin: 'https://evil.example' }, 403],
    [{ Origin: 'null' }, 403],
    [{ Origin: 'http://localhost.evil.example' }, 403],
  ];
  for (const [headers, status] of cases) {
    t.is((await post(host, toolCall('find_tasks'), { ...token, ...headers })).status, status, JSON.stringify(headers));
  }
  const names: [name: string, status: number][] = [
    ['localhost', 200],
    ['localhost:8000', 200],
    ['LocalHost:8000', 200],
    ['127.0.0.1:1', 200],
    ['[::1]:8000', 200],
    ['evil.example', 403],
    ['localhost.evil.example', 403],
    ['localhost.', 403],
    ['0.0.0.0', 403],
    ['localhost@evil.example', 400],
  ];
  for (const [name, status] of names) {
    const { statusCode } = await postAnyHeaders(host, toolCall('find_tasks'), { ...token, Host: name });
    t.is(statusCode, status, `Host: ${name}`);
  }
});

test('requests that are no calls get an answer that says so', async (t) => {
  const host = await opened(t);
  const token = asAgent(accessToken('alice'));
  const status = async (body: unknown, headers: Record<string, string> = {}) =>
    (await post(host, body, { ...token, ...headers })).status;
  t.is(await status('{'), 400);
  t.is(await status('['.repeat(100_000)), 400);
  t.is(await status(Array(1_000).fill(toolCall('find_tasks'))), 400, 'a batch would pass the limits');
  t.is(await status(`"${'x'.repeat(800_000)}"`), 413);
  t.is(await status(toolCall('find_tasks'), { 'Content-Type': 'text/plain' }), 415);
  t.is(await status(toolCall('find_tasks'), { 'Mcp-Name': 'delete_tasks' }), 400, 'headers that say something else');
  t.is(
    await status({ jsonrpc: '2.0', id: 1, method: 'nothing/like/that' }, { 'Mcp-Method': 'nothing/like/that' }),
    400,
  );
  for (const method of ['GET', 'DELETE', 'PUT']) {
    const answer = await fetch(`${atLocalhost(host)}/mcp`, { method, headers: token });
    t.is(answer.status, 405);
    t.is(answer.headers.get('Allow'), 'POST, OPTIONS');
  }
  const subscription = { ...toolCall('x'), method: 'subscriptions/listen' };
  const answer = await post(host, subscription, { ...token, 'Mcp-Method': 'subscriptions/listen' });
  t.is(answer.status, 404, 'no stream without an end');
  t.like(await answer.json(), { id: 1, error: { code: -32601 } });
});

/** Posts as clients of 2025 do, without what a request of 2026 has in itself. */
const legacy = (host: Host, version: string, id: unknown, method: string, params: object = {}) =>
  post(
    host,
    { jsonrpc: '2.0', id, method, params },
    { ...asAgent(accessToken('alice')), 'MCP-Protocol-Version': version },
  );

/** The JSON-RPC message of an answer, which may be a stream with one event. */
async function messageOf(answer: Response) {
  const text = await answer.text();
  return JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? text);
}

test('every version of the protocol is spoken, and each answer has the id of its request', async (t) => {
  const host = await opened(t);
  const initialize = (protocolVersion: string) =>
    legacy(host, protocolVersion, 'first', 'initialize', {
      protocolVersion,
      capabilities: {},
      clientInfo: { name: 'test', version: '1' },
    });
  for (const version of ['2025-03-26', '2025-06-18', '2025-11-25']) {
    const begun = await messageOf(await initialize(version));
    t.like(begun, { id: 'first', result: { protocolVersion: version, serverInfo: { name: 'todo-backend' } } });
    t.deepEqual(begun.result.capabilities, { tools: { listChanged: false } });
    const ask = async (id: unknown, method: string, params: object = {}) =>
      messageOf(await legacy(host, version, id, method, params));
    t.deepEqual(await ask(0, 'ping'), { jsonrpc: '2.0', id: 0, result: {} });
    t.is((await ask('list', 'tools/list')).result.tools.length, 8);
    t.like(await ask('call', 'tools/call', { name: 'find_tasks', arguments: {} }), {
      id: 'call',
      result: { structuredContent: { tasks: [] } },
    });
    t.like(await ask(7, 'tools/call', { name: 'drop_tasks', arguments: {} }), { id: 7, error: { code: -32602 } });
    t.like(await ask(8, 'tools/call', { name: 'get_tasks', arguments: { ids: 1 } }), {
      id: 8,
      result: { isError: true },
    });
    t.like(await ask('none', 'nothing/like/that'), { id: 'none', error: { code: -32601 } });
  }
  t.like(await messageOf(await initialize('1999-01-01')), { result: { protocolVersion: '2025-11-25' } });
  const unknown = await legacy(host, '1999-01-01', 9, 'ping');
  t.is(unknown.status, 400);

  const ask = (method: string, headers: Record<string, string> = {}) => {
    const { params, ...message } = toolCall('drop_tasks');
    return post(
      host,
      { ...message, id: 'an id', method, params: method === 'tools/call' ? params : { _meta: params._meta } },
      { ...asAgent(accessToken('alice')), 'Mcp-Method': method, 'Mcp-Name': 'drop_tasks', ...headers },
    );
  };
  const discovered = await messageOf(await ask('server/discover'));
  t.is(discovered.id, 'an id');
  t.true(discovered.result.supportedVersions.includes('2026-07-28'));
  t.like(await messageOf(await ask('tools/call')), { id: 'an id', error: { code: -32602 } });
  const missing = await ask('nothing/like/that');
  t.is(missing.status, 404);
  t.like(await missing.json(), { id: 'an id', error: { code: -32601 } });
  const mismatch = await ask('tools/list', { 'Mcp-Method': 'tools/call' });
  t.is(mismatch.status, 400);
  t.like(await mismatch.json(), { id: 'an id', error: { code: -32020 } });
});

test('a client that leaves while its call is under way is no error', async (t) => {
  const lines: string[] = [];
  const logger = pino({ level: 'warn' }, { write: (line: string) => lines.push(line) });
  let arrival = Promise.withResolvers<void>();
  let departure = Promise.withResolvers<void>();
  const slow = {
    async list() {
      arrival.resolve();
      await departure.promise;
      return { tasks: [], position: '0', next: undefined };
    },
  } as unknown as AppOptions['tasks'];
  const host = await opened(t, { tasks: slow, logger });
  for (const version of VERSIONS) {
    [arrival, departure] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const leaving = new AbortController();
    const { params, ...call } = toolCall('find_tasks');
    const { _meta, ...legacy } = params;
    const answer = fetch(`${atLocalhost(host)}/mcp`, {
      method: 'POST',
      headers: { ...callHeaders, ...asAgent(accessToken('alice')), 'MCP-Protocol-Version': version },
      body: JSON.stringify({ ...call, params: version === '2026-07-28' ? params : legacy }),
      signal: leaving.signal,
    });
    await arrival.promise;
    leaving.abort();
    await t.throwsAsync(answer);
    departure.resolve();
    t.is((await post(host, toolCall('find_tasks'), asAgent(accessToken('alice')))).status, 200, 'the turn is free');
  }
  t.deepEqual(lines, []);
});

test('nobody waits for an agent that sends its call slowly', async (t) => {
  const host = await opened(t);
  const token = asAgent(accessToken('alice'));
  const body = JSON.stringify(toolCall('find_tasks'));
  const slow = request(`${host.url}/mcp`, {
    method: 'POST',
    headers: { Host: 'localhost', ...callHeaders, ...token, 'Content-Length': body.length },
  });
  const answer = once(slow, 'response');
  slow.write(body.slice(0, 10));
  await sleep(100);
  const other = post(host, toolCall('find_tasks'), token).then(({ status }) => status);
  t.is(await Promise.race([other, sleep(20_000, 'waited')]), 200);
  slow.end(body.slice(10));
  const [{ statusCode }] = await answer;
  t.is(statusCode, 200);
});

test('the agents of a user have a limit of their own, and one call at a time', async (t) => {
  const host = await opened(t, { mcp: mcpOptions(3) });
  const call = (user: string) => post(host, toolCall('find_tasks'), asAgent(accessToken(user)));
  const statuses = (await Promise.all([1, 2, 3, 4, 5].map(() => call('alice')))).map(({ status }) => status);
  t.deepEqual(statuses.sort(), [200, 200, 200, 429, 429]);
  t.truthy((await call('alice')).headers.get('Retry-After'));
  t.is((await call('bob')).status, 200);
  const token = await issueToken({ secret: SECRET, userId: 'alice', lifetime: 60 });
  t.is((await host.call('GET', '/api/alice/tasks', { token })).status, 200, 'the user is not their agents');
});

/** A host with a database, wired as it is served; it fetches the keys of the authorization server. */
async function served(database: Database, stop: () => Promise<void> = async () => {}) {
  const jwks = createServer(async (_, response) => response.end(JSON.stringify({ keys: await keyLoader() })));
  await new Promise<void>((resolve) => jwks.listen(0, '127.0.0.1', resolve));
  const logger = pino({ level: 'silent' });
  const config = loadConfig({
    BETTER_AUTH_URL: `http://127.0.0.1:${(jwks.address() as AddressInfo).port}`,
    AUTH_JWKS: 'url',
    PUBLIC_URL: 'http://localhost:8000',
    MCP_ENABLED: 'true',
    RATE_LIMIT_MCP_PER_USER: '1000000',
    STANDALONE_USERS: 'true',
  });
  await database.migrate(config);
  const { app } = createContainer({ config, logger, database });
  const server = await listen(app, { host: '127.0.0.1', port: 0, requestTimeout: 60_000, logger });
  const host = hostAt(server.port, async () => {
    await server.close();
    jwks.close();
    await database.close();
    await stop();
  });
  const tokenOf = (user: string) => accessToken(user, { iss: config.mcp?.issuer });
  return { host, agentOf: (user: string) => connect(atLocalhost(host), tokenOf(user)) };
}

const onPostgres = async () => {
  const server = await startPostgres();
  return served(await Database.postgres({ url: await server.createDatabase() }), () => server.stop());
};

const databases = [
  { name: 'PGlite', declare: test, open: async () => served(await Database.embedded()) },
  { name: 'PostgreSQL', declare: declareOnPostgres, open: onPostgres },
];

for (const { name, declare, open } of databases) {
  declare(
    `${name}: no tool tells one user of another, and what is not there looks like what is not theirs`,
    async (t) => {
      const { host, agentOf } = await open();
      t.teardown(() => host.close());
      const [alice, bob] = [await agentOf('alice'), await agentOf('bob')];
      const { output: secret } = await use(alice, 'add_tasks', { tasks: [{ title: 'a secret' }] });
      const foreign = secret.changes[0].id;
      const { output: change } = await use(alice, 'update_tasks', { changes: [{ id: foreign, title: 'the secret' }] });
      const [event] = (await use(alice, 'recent_changes')).output.changes;
      await use(bob, 'add_tasks', { tasks: [{ title: 'of bob' }] });

      const calls = (
        task: string,
        changeId: string,
        eventId: string,
      ): [tool: string, input: Record<string, unknown>][] => [
        ['find_tasks', { search: 'secret' }],
        ['get_tasks', { ids: [task] }],
        ['update_tasks', { changes: [{ id: task, title: 'stolen' }] }],
        ['complete_tasks', { ids: [task], completed: true }],
        ['delete_tasks', { ids: [task] }],
        ['recent_changes', { taskId: task }],
        ['undo_changes', { changeId }],
        ['undo_changes', { eventIds: [eventId] }],
      ];
      const ofNobody = calls(ABSENT, 'unknown', ABSENT);
      for (const [index, [tool, input]] of calls(foreign, change.changeId, event.eventId).entries()) {
        for (const dryRun of tool === 'find_tasks' || tool === 'get_tasks' || tool === 'recent_changes'
          ? [[]]
          : [[true], [false]]) {
          const more = dryRun.length > 0 ? { dryRun: dryRun[0] } : {};
          const theirs = await use(bob, tool, { ...input, ...more });
          const nobodys = await use(bob, tool, { ...ofNobody[index]?.[1], ...more });
          const text = ({ result }: typeof theirs) => JSON.stringify(result.content).replaceAll(foreign, ABSENT);
          t.is(text(theirs), text(nobodys), tool);
          t.false(text(theirs).includes('the secret'), tool);
        }
      }
      const { output } = await use(alice, 'find_tasks');
      t.deepEqual(
        output.tasks.map(({ title, status }: { title: string; status: string }) => [title, status]),
        [['the secret', 'pending']],
      );
      t.is((await use(alice, 'recent_changes')).output.changes.length, 2, 'nothing was written');
      await Promise.all([alice.close(), bob.close()]);
    },
  );

  declare(`${name}: nothing is left of a dry run`, async (t) => {
    const { host, agentOf } = await open();
    t.teardown(() => host.close());
    const alice = await agentOf('alice');
    const input = { tasks: [{ title: 'a' }, { title: 'b' }], dryRun: true };
    t.is((await use(alice, 'add_tasks', input)).output.changes.length, 2);
    t.deepEqual((await use(alice, 'find_tasks')).output.tasks, []);
    t.deepEqual((await use(alice, 'recent_changes')).output.changes, []);
    const { output } = await use(alice, 'add_tasks', { ...input, dryRun: false });
    const ids = output.changes.map(({ id }: { id: string }) => id);
    for (const [tool, more] of [
      ['delete_tasks', {}],
      ['complete_tasks', { completed: true }],
    ] as const) {
      const dry = await use(alice, tool, { ids, ...more, dryRun: true });
      t.is(dry.output.changes.length, 2);
      t.is((await use(alice, 'recent_changes')).output.changes.length, 2);
    }
    await alice.close();
  });
}
