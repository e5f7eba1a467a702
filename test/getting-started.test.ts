import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { assertDocumented, parseAnswers } from '../packages/http/test/conformance.ts';
import { execute, postgresTest, startPostgres } from './postgres.ts';
import { startProgram } from './reliability/program.ts';

const serverTest = await postgresTest(test);

/** These start the built program as the README says, in new directories. */
const MAIN = join(import.meta.dirname, '..', 'packages', 'http', 'bin', 'todo-backend.js');

const run = promisify(execFile);

function newDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'todo-start-'));
}

/** The environment without the settings of the machine that runs the tests. */
function environment(more: Record<string, string> = {}) {
  return { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...more };
}

/** Starts the server on a free port, and waits for its first output. */
async function start(cwd: string): Promise<{ server: ChildProcess; output: string; url: string }> {
  const server = spawn(process.execPath, [MAIN], { cwd, env: environment({ API_PORT: '0' }) });
  let output = '';
  server.stdout.on('data', (chunk) => {
    output += chunk;
  });
  let errors = '';
  server.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  for (;;) {
    const url = /Address\s+(http:\S+)/.exec(output)?.[1];
    if (url !== undefined && output.includes('npm run -s token')) return { server, output, url };
    if (server.exitCode !== null) throw new Error(`exit code ${server.exitCode}: ${errors}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function stop(server: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const exit = once(server, 'exit');
  server.kill(signal);
  return (await exit)[0];
}

/** Runs the program until it exits, with or without an error. */
async function command(cwd: string, args: string[], env: Record<string, string> = {}) {
  return run(process.execPath, [MAIN, ...args], { cwd, env: environment(env) }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }) as { code: number; stdout: string; stderr: string },
  );
}

test('start, run the curl command, follow the tour, stop, and start again', async (t) => {
  const cwd = await newDirectory();
  const first = await start(cwd);
  t.true(first.output.includes(`Data      ${join(cwd, '.data')} (embedded PostgreSQL)`));
  const curlLine = first.output.split('\n').find((line) => line.startsWith('curl '));
  t.is((await run('bash', ['-c', `${curlLine} --silent`])).stdout, '[]');

  const token = (await command(cwd, ['token', '--user', 'bob'])).stdout.trim();
  const curl = async (url: string, path: string, method: string, body?: object) => {
    const json = body === undefined ? [] : ['-H', 'Content-Type: application/json', '-d', JSON.stringify(body)];
    const options = ['--silent', '--include', '-H', `Authorization: Bearer ${token}`, '-X', method, ...json];
    const [answer] = parseAnswers((await run('curl', [...options, `${url}/api/bob${path}`])).stdout);
    if (answer === undefined) throw new Error('There was no answer.');
    assertDocumented(method, `/api/bob${path}`, answer);
    return { status: answer.status, body: answer.text === '' ? undefined : JSON.parse(answer.text) };
  };
  const milk = { title: 'Buy milk', priority: 'high', category: 'home', dueDate: '2026-12-24' };
  const { body: task } = await curl(first.url, '/tasks', 'POST', milk);
  t.like(task, { title: 'Buy milk', dueDate: '2026-12-24T00:00:00', completed: false });
  t.like((await curl(first.url, `/tasks/${task.id}`, 'PUT', { description: 'two litres' })).body, {
    title: 'Buy milk',
    description: 'two litres',
  });
  t.like((await curl(first.url, `/tasks/${task.id}/complete`, 'PATCH')).body, { completed: true });
  t.is((await curl(first.url, '/tasks?status=completed&search=MILK', 'GET')).body.length, 1);
  t.deepEqual((await curl(first.url, '/stats', 'GET')).body, { total: 1, pending: 0, completed: 1 });

  const second = await command(cwd, [], { API_PORT: '0' });
  t.is(second.code, 1);
  t.regex(second.stderr, /^The data directory .* is in use by another server\. Stop that one first/);

  t.is(await stop(first.server, 'SIGTERM'), 0);
  const again = await start(cwd);
  t.deepEqual((await curl(again.url, '/stats', 'GET')).body, { total: 1, pending: 0, completed: 1 });
  await stop(again.server, 'SIGKILL');

  const afterKill = await start(cwd);
  const { status } = await curl(afterKill.url, `/tasks/${task.id}`, 'GET');
  t.is(status, 200, 'a killed server keeps nobody out, and loses nothing');
  t.is((await curl(afterKill.url, `/tasks/${task.id}`, 'DELETE')).status, 204);
  t.is(await stop(afterKill.server, 'SIGINT'), 0);
});

test('an invalid configuration prevents the start, with every problem and no stack', async (t) => {
  const { code, stdout, stderr } = await command(await newDirectory(), [], {
    NODE_ENV: 'production',
    API_PORT: 'x',
    CORS_ORIGINS: '*',
  });
  t.is(code, 1);
  t.is(stdout, '');
  t.regex(stderr, /^The configuration is not valid:\n {2}- .*API_PORT/ms);
  t.regex(stderr, /BETTER_AUTH_URL or BETTER_AUTH_SECRET is missing/);
  t.notRegex(stderr, /^ +at /m);
});

serverTest('in production, a database that does not keep users apart itself stops the start', async (t) => {
  const postgres = await startPostgres();
  const database = {
    DATABASE_URL: await postgres.createDatabase(),
    BETTER_AUTH_SECRET: 'a secret for tests, long enough to be one',
    STANDALONE_USERS: 'true',
    API_PORT: '0',
  };
  // A superuser, which cannot change its role behind a pooler.
  const unsafe = { ...database, NODE_ENV: 'production', DATABASE_POOLER: 'transaction' };
  const cwd = await newDirectory();
  const { code, stderr } = await command(cwd, [], unsafe);
  t.is(code, 1);
  t.regex(stderr, /^PostgreSQL does not keep one user's tasks from another itself: .* ROW_SECURITY=optional\.\n$/);

  for (const [env, message] of [
    [{ ...unsafe, ROW_SECURITY: 'optional' }, '"level":40,'],
    [{ ...database, NODE_ENV: 'production' }, '"rowSecurity":true'],
  ] as const) {
    const server = spawn(process.execPath, [MAIN], { cwd, env: environment(env) });
    let output = '';
    server.stdout.on('data', (chunk) => {
      output += chunk;
    });
    while (!output.includes('listening') && server.exitCode === null)
      await new Promise((resolve) => setTimeout(resolve, 20));
    t.true(output.includes(message), output);
    t.notRegex(output, /Authorization: Bearer/, 'no token is given away');
    t.is(await stop(server, 'SIGTERM'), 0);
  }
  await postgres.stop();
});

serverTest('a missing privilege is reported to the operator, but not to clients', async (t) => {
  const postgres = await startPostgres();
  const url = await postgres.createDatabase();
  const env = { DATABASE_URL: url, BETTER_AUTH_SECRET: 'a secret for tests, long enough to be one' };
  const program = await startProgram(t, env);
  await execute(url, 'revoke usage on schema public from public');
  const ready = await fetch(`${program.url}/ready`);
  t.is(ready.status, 503);
  const { detail } = (await ready.json()) as { detail: string };
  t.is(detail, 'The role of the server may not use the schema of its tables.');
  await program.end('SIGTERM');
  const { code, stderr } = await command(await newDirectory(), ['dead-letters'], env);
  t.is(code, 1);
  t.is(stderr, `${detail} As the owner of the schema, run \`grant usage on schema public to todo_api\`\n`);
  await postgres.stop();
});

test('a port in use prevents the start, with a message', async (t) => {
  const cwd = await newDirectory();
  const first = await start(cwd);
  const { code, stderr } = await command(await newDirectory(), [], { API_PORT: new URL(first.url).port });
  t.is(code, 1);
  t.regex(stderr, /EADDRINUSE.*choose another port with API_PORT/);
  t.is(await stop(first.server, 'SIGTERM'), 0);
});

test('migrate migrates once and says so', async (t) => {
  const cwd = await newDirectory();
  const { code, stdout } = await command(cwd, ['migrate']);
  t.is(code, 0);
  t.regex(stdout, /^Migrated: Migration20261123Tasks, (?:Migration\d{8}\w+, )+Migration\d{8}\w+\n$/);
  t.like(await command(cwd, ['migrate']), { code: 0, stdout: 'The database is up to date.\n' });
});

test('every command prints its help, and reports invalid arguments', async (t) => {
  const cwd = await newDirectory();
  for (const args of [['--help'], ['start', '--help'], ['migrate', '--help'], ['token', '-h']]) {
    t.regex((await command(cwd, args)).stdout, /^Usage: todo-backend/);
  }
  t.regex((await command(cwd, ['--version'])).stdout, /^\d+\.\d+\.\d+\n$/);
  const refusals: [string[], RegExp, Record<string, string>?][] = [
    [['frobnicate'], /no command "frobnicate"/],
    [['--loud'], /Unknown option '--loud'/],
    [['token'], /--user alice/],
    [['token', 'alice'], /"alice" is one word too many/],
    [['token', '--user', 'a', '--hours', 'x'], /--hours must be a number/],
    [['token', '--user', 'a', '--hours', '25'], /--hours must be at most 24/],
    [['token', '--user', 'a'], /Tokens come from Better Auth/, { BETTER_AUTH_URL: 'http://localhost:3000' }],
  ];
  for (const [args, message, env] of refusals) {
    const { code, stderr } = await command(cwd, args, env);
    t.is(code, 1, args.join(' '));
    t.regex(stderr, message);
  }
});

/** The shell commands in a section of a page. */
async function commandsOf(page: string, section: string): Promise<string> {
  const text = await readFile(join(import.meta.dirname, '..', page), 'utf8');
  const [found = ''] = new RegExp(`^## ${section}$.*?(?=^## )`, 'ms').exec(text) ?? [];
  const blocks = [...found.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block);
  if (blocks.length === 0) throw new Error(`${page} has no commands in "${section}".`);
  return blocks.join('\n');
}

test('the tour of the README and the batch of the API page work when pasted one after the other', async (t) => {
  const cwd = await newDirectory();
  const { server, url } = await start(cwd);
  t.teardown(() => stop(server, 'SIGTERM'));
  const commands = [await commandsOf('README.md', 'Tour'), await commandsOf('docs/api.md', 'Batch')].join('\n');
  // `npm run` would build first, and `-f` makes curl fail where the API does.
  const script = `
    npm() { shift 4; "$NODE" "$MAIN" token "$@"; }
    curl() { command curl -sS --fail-with-body "$@" && echo; }
    ${commands.replace('http://localhost:8000', url)}`;
  const env = environment({ NODE: process.execPath, MAIN });
  const { stdout } = await run('bash', ['--norc', '-ec', script], { cwd, env });
  const answers = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.is(answers.length, 8);
  t.like(answers[0], { title: 'Buy milk', dueDate: '2026-12-24T00:00:00' });
  t.like(answers[1], { length: 1 });
  t.like(answers[2], { description: 'two litres' });
  t.like(answers[3], { completed: true });
  t.deepEqual(answers[4], { total: 1, pending: 0, completed: 1 });
  t.like(answers[5], { length: 2 });
  t.deepEqual(
    answers.slice(6).map(({ results }) => results.map(({ status }: { status: number }) => status)),
    [
      [201, 200, 200],
      [201, 200, 200, 204],
    ],
  );
});
