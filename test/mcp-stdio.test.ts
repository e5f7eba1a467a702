import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { issueToken } from '@todo-backend/infrastructure';
import test, { type ExecutionContext } from 'ava';
import { ERAS } from '../packages/http/test/agents.ts';
import { use } from '../packages/mcp/test/agent.ts';
import { environment, MAIN, runProgram, SECRET, startProgram, until } from './reliability/program.ts';

const ROOT = join(import.meta.dirname, '..');

/**
 * The embedded database of all tests here. It belongs to one process at a time, so each test shows that the one before
 * has left it as it should.
 */
const DATA_DIR = await mkdtemp(join(tmpdir(), 'todo-stdio-'));

test.before('migrate', async (t) => {
  t.like(await runProgram(['migrate'], { DATA_DIR }), { code: 0, stderr: '' });
});
test.after.always(() => rm(DATA_DIR, { recursive: true }));

const tokenOf = (userId: string, secret = SECRET, lifetime = 600) => issueToken({ secret, userId, lifetime });

/** The environment of the program, as an agent of a user. */
async function settings(userId: string, more: Record<string, string> = {}): Promise<Record<string, string>> {
  return environment({ DATA_DIR, MCP_TOKEN: await tokenOf(userId), ...more });
}

/** The official client, which starts a program and talks to it. */
async function connect(
  t: ExecutionContext,
  [command, ...args]: readonly [string, ...string[]],
  env: Record<string, string>,
  era: (typeof ERAS)[number] = '2025-11-25',
): Promise<Client> {
  const client = new Client(
    { name: 'test', version: '1.0.0' },
    { versionNegotiation: { mode: era === '2026-07-28' ? { pin: era } : 'legacy' } },
  );
  t.teardown(() => client.close());
  await client.connect(new StdioClientTransport({ command, args, env, cwd: ROOT, stderr: 'ignore' }));
  return client;
}

/** Starts the program, to say anything to it. */
async function launch(t: ExecutionContext, env: Record<string, string>, nodeOptions: readonly string[] = []) {
  const child = spawn(process.execPath, [...nodeOptions, MAIN, 'mcp'], { env, stdio: 'pipe' });
  t.teardown(() => child.kill('SIGKILL'));
  const exit = once(child, 'close');
  // It may end before it has read everything.
  child.stdin.on('error', () => {});
  let [output, errors] = ['', ''];
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  /** All that it has said, which has to be JSON. */
  const messages = () => {
    const lines = output.split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line));
  };
  return {
    child,
    exit,
    messages,
    errors: () => errors,
    send(...messages: readonly object[]) {
      child.stdin.write(messages.map((message) => `${JSON.stringify(message)}\n`).join(''));
    },
    /** The answer to a request, or nothing where it has ended without one. */
    async answer(id: number) {
      const find = () => messages().find((message) => message.id === id);
      await until(() => find() !== undefined || child.exitCode !== null);
      return find();
    },
  };
}

type Running = Awaited<ReturnType<typeof launch>>;

const request = (id: number, method: string, params: object = {}) => ({ jsonrpc: '2.0', id, method, params });
const call = (id: number, name: string, args: object = {}) => request(id, 'tools/call', { name, arguments: args });
const INITIALIZE = request(1, 'initialize', {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'test', version: '1' },
});

for (const era of ERAS) {
  test.serial(`the official client uses every tool, with the protocol of ${era}`, async (t) => {
    const client = await connect(t, [process.execPath, MAIN, 'mcp'], await settings(`user-of-${era}`), era);
    t.is(client.getNegotiatedProtocolVersion(), era);
    t.is((await client.listTools()).tools.length, 8);
    const { output: added } = await use(client, 'add_tasks', { tasks: [{ title: 'Buy milk' }, { title: 'Buy tea' }] });
    const ids = added.changes.map(({ id }: { id: string }) => id);
    t.is((await use(client, 'find_tasks', { search: 'milk' })).output.tasks.length, 1);
    t.is((await use(client, 'get_tasks', { ids })).output.tasks.length, 2);
    const { output: updated } = await use(client, 'update_tasks', { changes: [{ id: ids[0], title: 'Buy oat milk' }] });
    t.is((await use(client, 'undo_changes', { changeId: updated.changeId })).output.undone, 1);
    t.is((await use(client, 'complete_tasks', { ids, completed: true })).output.changes[0].change, 'completed');
    t.is((await use(client, 'delete_tasks', { ids })).output.changes[0].change, 'deleted');
    const { output: history } = await use(client, 'recent_changes');
    t.deepEqual(
      history.changes.map(({ by }: { by: string }) => by),
      Array(8).fill('you'),
    );
    await client.close();
  });
}

test.serial('the journal names the agent; a data directory that a server uses is told of in a sentence', async (t) => {
  const program = await startProgram(t, { DATA_DIR });
  for (const era of ERAS) {
    const user = `user-of-${era}`;
    const headers = { Authorization: `Bearer ${await tokenOf(user)}` };
    const response = await fetch(`${program.url}/api/${user}/audit`, { headers });
    const entries = (await response.json()) as { readonly actor: object }[];
    t.deepEqual(
      entries.map(({ actor }) => actor),
      Array(8).fill({ type: 'agent', id: 'stdio' }),
    );
  }
  const { code, stdout, stderr } = await runProgram(['mcp'], await settings('alice'));
  t.is(code, 1);
  t.is(stdout, '');
  t.regex(stderr, /^The data directory .* is in use by another server\. Stop that one first/);
  t.is(await program.end('SIGTERM'), 0);
});

test.serial('a token that is missing or refused is told of in a sentence', async (t) => {
  const missing = 'MCP_TOKEN is missing: a token of the user whose tasks these are, as the API takes it';
  const cases = [
    ['', missing],
    [' ', missing],
    [await tokenOf('alice', SECRET, -60), 'MCP_TOKEN is refused: The token has expired. Please sign in again.'],
    [
      await tokenOf('alice', 'another secret, long enough to be one'),
      "MCP_TOKEN is refused: The token's signature is not valid.",
    ],
  ];
  for (const [MCP_TOKEN = '', sentence] of cases) {
    const stderr = `The configuration is not valid:\n  - ${sentence}\n`;
    t.deepEqual(await runProgram(['mcp'], { DATA_DIR, MCP_TOKEN }), { code: 1, stdout: '', stderr });
  }
});

const ends: Record<string, (running: Running) => void> = {
  'the end of the input': ({ child }) => child.stdin.end(),
  SIGTERM: ({ child }) => child.kill('SIGTERM'),
  SIGINT: ({ child }) => child.kill('SIGINT'),
};

for (const [name, end] of Object.entries(ends)) {
  test.serial(`${name} ends the program, and what is under way is done`, async (t) => {
    const running = await launch(t, await settings('alice'));
    running.send(INITIALIZE);
    t.like(await running.answer(1), { result: { protocolVersion: '2025-11-25' } });
    const tasks = Array.from({ length: 25 }, (_, index) => ({ title: `task ${index}` }));
    running.send(...[2, 3, 4, 5].map((id) => call(id, 'add_tasks', { tasks })));
    end(running);
    t.deepEqual(await running.exit, [0, null]);
    t.is(running.errors(), '');
  });
}

test.serial('an input that has ended before the start ends the program', async (t) => {
  const running = await launch(t, await settings('alice'));
  running.child.stdin.end();
  t.deepEqual(await running.exit, [0, null]);
  t.deepEqual(running.messages(), []);
  t.is(running.errors(), '');
});

test.serial('a client that does not read any more ends the program', async (t) => {
  const running = await launch(t, await settings('alice'));
  running.send(INITIALIZE);
  await running.answer(1);
  running.child.stdout.destroy();
  running.send(request(2, 'ping'));
  t.deepEqual(await running.exit, [0, null]);
});

test.serial('calls fail in a sentence when the token has expired meanwhile', async (t) => {
  const clock = `
    const now = Date.now;
    let ahead = 0;
    Date.now = () => now() + ahead;
    process.once('SIGUSR2', () => {
      ahead = 3_600_000;
      process.stderr.write('It is later.');
    });`;
  const nodeOptions = ['--import', `data:text/javascript,${encodeURIComponent(clock)}`];
  const running = await launch(t, await settings('alice'), nodeOptions);
  running.send(INITIALIZE, call(2, 'find_tasks'));
  t.is((await running.answer(2)).result.isError, undefined);
  running.child.kill('SIGUSR2');
  await until(() => running.errors() === 'It is later.');
  running.send(call(3, 'find_tasks'), call(4, 'add_tasks', { tasks: [{ title: 'a' }] }), request(5, 'tools/list'));
  for (const id of [3, 4]) {
    t.deepEqual((await running.answer(id)).result, {
      content: [{ type: 'text', text: 'The token has expired. Please sign in again.\nThe user has to connect again.' }],
      isError: true,
    });
  }
  t.is((await running.answer(5)).result.tools.length, 8);
  running.child.stdin.end();
  t.deepEqual(await running.exit, [0, null]);
  t.is(running.errors(), 'It is later.');
});

const deep = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
const addTasks = (tasks: string) =>
  `{"jsonrpc":"2.0","id":0,"method":"tools/call","params":{"name":"add_tasks","arguments":{"tasks":${tasks}}}}`;

const junk: Record<string, string | Buffer> = {
  'a line of 9 MB': 'x'.repeat(9_000_000),
  '10 MB of lines': `${'x'.repeat(999)}\n`.repeat(10_000),
  '1,000 lines of JSON that are no messages': '{"jsonrpc":"2.0"}\n'.repeat(1_000),
  'every byte': Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 7_919) % 256)),
  'invalid UTF-8 in a message': Buffer.from(addTasks('[{"title":"\xff\xc0\x80\xed\xa0"}]'), 'latin1'),
  'deep JSON': deep(1_000_000),
  'deep JSON in a message': addTasks(deep(100_000)),
  'deep JSON as an id': `{"jsonrpc":"2.0","id":${deep(100_000)},"method":"ping"}`,
  'a batch': JSON.stringify([request(0, 'ping'), request(0, 'ping')]),
  'an answer to nothing': '{"jsonrpc":"2.0","id":0,"result":{}}',
  'a number, null and empty lines': '1\nnull\n\n\r\n',
};

test.serial('nothing on the input breaks the program, and the output is the protocol alone', async (t) => {
  const running = await launch(t, await settings('alice', { LOG_LEVEL: 'trace' }));
  running.send(INITIALIZE);
  await running.answer(1);
  for (const [index, [name, bytes]] of Object.entries(junk).entries()) {
    running.child.stdin.write(bytes);
    running.child.stdin.write('\n');
    const id = 100 + index;
    running.send(request(id, 'ping'));
    t.deepEqual(await running.answer(id), { jsonrpc: '2.0', id, result: {} }, name);
  }
  running.send(
    request(2, 'tools/list'),
    call(3, 'find_tasks'),
    call(4, 'get_tasks', { ids: 'x' }),
    call(5, 'nothing_like_that'),
    request(6, 'nothing/like/that'),
    request(7, 'subscriptions/listen', { notifications: {} }),
  );
  t.is((await running.answer(2)).result.tools.length, 8);
  t.is((await running.answer(3)).result.isError, undefined);
  t.true((await running.answer(4)).result.isError);
  for (const [id, code] of [
    [5, -32602],
    [6, -32601],
    [7, -32601],
  ] as const) {
    t.is((await running.answer(id)).error.code, code);
  }
  // Half a message at the end is none.
  running.child.stdin.end('{"jsonrpc":"2.0","id":8,"method":"pi');
  t.deepEqual(await running.exit, [0, null]);
  t.true(running.messages().every(({ jsonrpc }) => jsonrpc === '2.0'));
  const log = running.errors().split('\n').slice(0, -1);
  t.true(log.length > 0);
  for (const line of log) t.is(typeof JSON.parse(line).msg, 'string');
});

test.serial('nothing that comes first on the input breaks the program', async (t) => {
  const running = await launch(t, await settings('alice', { LOG_LEVEL: 'silent' }));
  for (const bytes of Object.values(junk)) {
    running.child.stdin.write(bytes);
    running.child.stdin.write('\n');
  }
  running.send(INITIALIZE, request(2, 'ping'));
  t.like(await running.answer(1), { result: { protocolVersion: '2025-11-25' } });
  t.deepEqual(await running.answer(2), { jsonrpc: '2.0', id: 2, result: {} });
  running.child.stdin.end();
  t.deepEqual(await running.exit, [0, null]);
  t.is(running.errors(), '');
});

for (const [when, opening] of [
  ['at first', []],
  ['later', [INITIALIZE]],
] as const) {
  test.serial(`a line without an end, ${when}, ends the program, and is told of`, async (t) => {
    const running = await launch(t, await settings('alice'));
    running.send(...opening);
    if (opening.length > 0) await running.answer(1);
    running.child.stdin.write('x'.repeat(12_000_000));
    t.deepEqual(await running.exit, [0, null]);
    t.regex(running.errors(), /exceeded maximum size of \d+ bytes/);
  });
}

for (const [command, ...options] of [['npm', '-s'], ['npm']] as const) {
  test.serial(`${[command, ...options].join(' ')} start -- mcp works with the official client`, async (t) => {
    const env = await settings('alice', { HOME: DATA_DIR });
    const client = await connect(t, [command, ...options, 'start', '--', 'mcp'], env);
    t.is((await use(client, 'find_tasks')).error, undefined);
    await client.close();
  });
}
