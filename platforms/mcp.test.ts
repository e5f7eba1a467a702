import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { issueToken } from '@todo-backend/infrastructure';
import test, { type ExecutionContext, type TestFn } from 'ava';
import { parse } from 'yaml';
import { accessToken, ERAS, keyLoader } from '../packages/http/test/agents.ts';
import { freePort } from '../test/postgres.ts';
import { environment, MAIN, runProgram, SECRET, startProgram } from '../test/reliability/program.ts';
import { platformTest } from './platforms.ts';

const PACKAGES = join(import.meta.dirname, 'node_modules');

/** What the suites may find missing: scenario and check. */
const EXPECTED_FAILURES = join(import.meta.dirname, 'conformance.yml');

// One after the other, with the same embedded database.
const serial = test.serial as TestFn;
const conformanceTest = ['conformance-2025', 'conformance-2026']
  .map((name) => platformTest(serial, name))
  .reduce((one, other) => (one === serial ? other : one));
const inspectorTest = platformTest(serial, '@modelcontextprotocol/inspector');

const DIRECTORY = await mkdtemp(join(tmpdir(), 'todo-mcp-'));
const DATA_DIR = join(DIRECTORY, 'data');
test.after.always(() => rm(DIRECTORY, { recursive: true }));

/** Starts an HTTP server for the test, and returns its port. */
async function listen(t: ExecutionContext, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Starts the program with the tools for agents, and issues tokens to them. */
async function serveAgents(t: ExecutionContext) {
  const keys = createServer(async (_, response) => response.end(JSON.stringify({ keys: await keyLoader() })));
  const authUrl = `http://127.0.0.1:${await listen(t, keys)}`;
  const port = await freePort();
  const publicUrl = `http://localhost:${port}`;
  const env = {
    DATA_DIR,
    MCP_ENABLED: 'true',
    PUBLIC_URL: publicUrl,
    BETTER_AUTH_URL: authUrl,
    RATE_LIMIT_MCP_PER_USER: '1000000',
  };
  const program = await startProgram(t, env, { port });
  const url = `${publicUrl}/mcp`;
  const tokenOf = (userId: string) => accessToken(userId, { iss: `${authUrl}/api/auth`, aud: url });
  return { program, port, url, tokenOf };
}

/** Runs a script of a package of this folder, with or without an error. */
async function run(script: string, args: readonly string[]) {
  const env = { PATH: process.env.PATH ?? '', HOME: DIRECTORY };
  return new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
    const options = { cwd: DIRECTORY, env, maxBuffer: 64 * 1024 * 1024 };
    execFile(process.execPath, [join(PACKAGES, script), ...args], options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code, stdout: stripVTControlCharacters(stdout), stderr });
    });
  });
}

/** The suites have no way to send a token. All else comes as they send it, above all `Host` and `Origin`. */
function addToken(t: ExecutionContext, port: number, token: string): Promise<number> {
  const proxy = createServer((incoming, response) => {
    const { method, url: path, rawHeaders } = incoming;
    const headers = [...rawHeaders, 'Authorization', `Bearer ${token}`];
    const outgoing = request({ host: '127.0.0.1', port, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(response);
    });
    outgoing.once('error', () => response.destroy());
    response.once('close', () => outgoing.destroy());
    incoming.pipe(outgoing);
  });
  return listen(t, proxy);
}

const suites: { suite: string; args: string[]; passes: string[] }[] = [
  {
    suite: 'conformance-2026',
    args: ['--requirements', '2026-07-28'],
    passes: ['tools-list', 'dns-rebinding-protection', 'http-header-validation'],
  },
  {
    suite: 'conformance-2026',
    args: ['--suite', 'all', '--spec-version', '2026-07-28'],
    passes: ['tools-list', 'dns-rebinding-protection', 'http-header-validation'],
  },
  {
    suite: 'conformance-2026',
    args: ['--suite', 'all', '--spec-version', '2025-11-25'],
    passes: ['server-initialize', 'ping', 'tools-list', 'dns-rebinding-protection'],
  },
  {
    suite: 'conformance-2026',
    args: ['--suite', 'all', '--spec-version', '2025-06-18'],
    passes: ['server-initialize', 'ping', 'tools-list'],
  },
  {
    suite: 'conformance-2025',
    args: ['--suite', 'all'],
    passes: ['server-initialize', 'ping', 'tools-list', 'dns-rebinding-protection'],
  },
];

conformanceTest('the official suites find missing what is on the list, and nothing else', async (t) => {
  const { program, port, tokenOf } = await serveAgents(t);
  const url = `http://localhost:${await addToken(t, port, tokenOf('alice'))}/mcp`;
  const { server: listed } = parse(await readFile(EXPECTED_FAILURES, 'utf8')) as { server: string[] };
  // The older suite has a list of scenarios, without their checks.
  const scenarios = [...new Set(listed.map((entry) => entry.split(':')[0]))];
  const ofScenarios = join(DIRECTORY, 'expected-failures.yml');
  await writeFile(ofScenarios, JSON.stringify({ server: scenarios }));

  const found = new Set<string>();
  for (const { suite, args, passes } of suites) {
    const expected = suite === 'conformance-2025' ? ofScenarios : EXPECTED_FAILURES;
    const options = ['server', '--url', url, ...args, '--expected-failures', expected];
    const { code, stdout, stderr } = await run(`${suite}/dist/index.js`, options);
    const summary = stdout.slice(stdout.indexOf('=== SUMMARY ==='));
    t.is(code, 0, `${suite} ${args.join(' ')}\n${summary}${stderr}`);
    const results = new Map(
      [...summary.matchAll(/^[✓✗] (\S+): (\d+) passed, (\d+) failed$/gm)].map(
        ([, scenario = '', passed, failed]) => [scenario, Number(passed) > 0 && failed === '0'] as const,
      ),
    );
    for (const scenario of passes) t.true(results.get(scenario), `${suite} ${args.join(' ')}: ${scenario}`);
    const failures = [...summary.matchAll(/^ {2}~ (\S+)$/gm)].map(([, entry = '']) => entry);
    if (suite === 'conformance-2026') for (const entry of failures) found.add(entry);
    t.log(`${suite} ${args.join(' ')}: ${/^Total: (.*)$/m.exec(summary)?.[1]}, of which ${failures.length} expected`);
  }
  t.deepEqual([...found].sort(), [...listed].sort(), 'nothing is on the list that no suite asks for');
  t.is(program.log() + program.errors(), '', 'nothing of it is an error of the server');
});

/** Lists the tools with the Inspector, and calls each of them. */
async function assertInspected(t: ExecutionContext, target: readonly string[], end: readonly string[] = []) {
  const inspect = async (...args: readonly string[]) => {
    const script = '@modelcontextprotocol/inspector/clients/launcher/build/index.js';
    const { code, stdout, stderr } = await run(script, ['--cli', ...target, '--format', 'json', ...args, ...end]);
    t.is(code, 0, `${args.join(' ')}\n${stdout}${stderr}`);
    return JSON.parse(stdout).result;
  };
  const call = async (tool: string, input: object) => {
    const args = ['--method', 'tools/call', '--tool-name', tool, '--tool-args-json', JSON.stringify(input)];
    return (await inspect(...args)).structuredContent;
  };
  // It fails where a schema is one that clients do not understand.
  const { tools } = await inspect('--method', 'tools/list', '--strict');
  const { changes: added } = await call('add_tasks', { tasks: [{ title: 'Buy milk' }, { title: 'Buy tea' }] });
  const ids = added.map(({ id }: { id: string }) => id);
  t.is((await call('find_tasks', { search: 'milk' })).tasks.length, 1);
  t.is((await call('get_tasks', { ids })).tasks.length, 2);
  const { changes: updated } = await call('update_tasks', { changes: [{ id: ids[0], dueDate: '2026-12-24' }] });
  t.deepEqual(updated[0].fields, { dueDate: { after: '2026-12-24T00:00:00' } });
  t.is((await call('complete_tasks', { ids, completed: true })).changes[1].change, 'completed');
  const { changeId } = await call('delete_tasks', { ids });
  t.is((await call('undo_changes', { changeId })).undone, 2);
  t.is((await call('recent_changes', {})).changes.length, 9);
  const called = ['find', 'get', 'add', 'update', 'complete', 'delete'].map((verb) => `${verb}_tasks`);
  t.deepEqual(
    tools.map(({ name }: { name: string }) => name),
    [...called, 'recent_changes', 'undo_changes'],
  );
}

inspectorTest('the Inspector uses every tool over HTTP, with each protocol', async (t) => {
  const { url, tokenOf } = await serveAgents(t);
  for (const era of ERAS) {
    const protocol = ['--protocol-era', era === '2026-07-28' ? 'modern' : 'legacy'];
    const header = ['--header', `Authorization: Bearer ${tokenOf(`user-of-${era}`)}`];
    await assertInspected(t, ['--server-url', url, '--transport', 'http', ...header, ...protocol]);
  }
});

inspectorTest('the Inspector uses every tool over the standard input', async (t) => {
  // Each of its calls starts the program.
  t.timeout(300_000);
  const token = await issueToken({ secret: SECRET, userId: 'bob', lifetime: 600 });
  const env = environment({ DATA_DIR, MCP_TOKEN: token });
  t.like(await runProgram(['migrate'], env), { code: 0 });
  const settings = Object.entries(env).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
  await assertInspected(t, ['--connect-timeout', '100000', ...settings], [process.execPath, MAIN, 'mcp']);
});
