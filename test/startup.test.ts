import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { databases, execute, freePort, postgresTest, startPrivatePostgres } from './postgres.ts';
import { environment, MAIN, runProgram, startProgram, until } from './reliability/program.ts';

const serverTest = await postgresTest(test);
const run = promisify(execFile);
const namespaces = await run('unshare', ['--pid', '--fork', '--kill-child', 'true']).then(
  () => test,
  () => test.skip,
);
const newDatabase = databases(test);

/** Starts the program, and does not wait for it. */
function launch(
  t: ExecutionContext,
  command: string,
  args: readonly string[],
  env: Record<string, string>,
  options = {},
) {
  const child = spawn(command, args, {
    env: environment({ API_HOST: '127.0.0.1', LOG_LEVEL: 'info', ...env }),
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
  });
  t.teardown(() => child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      output += chunk;
    });
  }
  return { child, output: () => output, exit: once(child, 'exit') };
}

serverTest('a start waits for a database that does not answer yet', async (t) => {
  const server = await startPrivatePostgres();
  t.teardown(() => server.stop());
  const url = await server.createDatabase();
  await server.kill();
  const port = await freePort();
  const env = { DATABASE_URL: url, STANDALONE_USERS: 'true', API_PORT: String(port) };
  const { output } = launch(t, process.execPath, [MAIN], env);
  await until(() => output().includes('waiting for the database'));
  const line = output()
    .split('\n')
    .find((line) => line.includes('waiting'));
  t.like(JSON.parse(line ?? ''), { level: 40, startTimeout: 60_000, msg: 'waiting for the database' });
  t.regex(JSON.parse(line ?? '').reason, /^connect ECONNREFUSED/);
  await server.restart();
  await until(() =>
    fetch(`http://127.0.0.1:${port}/ready`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  // A second line is right where the reason is another: a server that is starting up says so.
  const reasons = output()
    .split('\n')
    .filter((line) => line.includes('waiting for the database'))
    .map((line) => JSON.parse(line).reason);
  t.deepEqual(reasons, [...new Set(reasons)], 'it tells each reason once');
});

test('a database that stays away is told of in a sentence, without a stack', async (t) => {
  const port = await freePort();
  const env = { DATABASE_URL: `postgres://me@127.0.0.1:${port}/todo`, DATABASE_START_TIMEOUT_MS: '1000' };
  const sentence =
    `The database cannot be reached: connect ECONNREFUSED 127.0.0.1:${port}. It was tried for 1 s ` +
    '(DATABASE_START_TIMEOUT_MS). Check that the server runs, and that DATABASE_URL names it.\n';
  t.like(await runProgram(['start'], env), { code: 1, stderr: sentence });
  for (const command of ['migrate', 'prune', 'dead-letters']) {
    const stderr = `Waiting for the database: connect ECONNREFUSED 127.0.0.1:${port}\n${sentence}`;
    t.deepEqual(await runProgram([command], env), { code: 1, stdout: '', stderr }, command);
  }
});

serverTest('what waiting does not help is told of at once', async (t) => {
  const url = await newDatabase();
  const variant = (change: (url: URL) => void) => {
    const changed = new URL(url);
    change(changed);
    return { DATABASE_URL: changed.href };
  };
  const cases: [Record<string, string>, string][] = [
    [
      variant((url) => {
        url.username = 'nobody';
      }),
      'The database server refuses the login of DATABASE_URL: role "nobody" does not exist.\n',
    ],
    [
      variant((url) => {
        url.pathname = '/nothing';
      }),
      'The database server refuses the login of DATABASE_URL: database "nothing" does not exist.\n',
    ],
    [
      variant((url) => {
        url.search = '?sslmode=require';
      }),
      'The database server offers no TLS, and DATABASE_URL asks for it (sslmode). ' +
        'Turn TLS on in the server, or write sslmode=disable where the network between them is trusted.\n',
    ],
  ];
  for (const [env, stderr] of cases) {
    for (const command of ['start', 'migrate', 'prune']) {
      t.like(await runProgram([command], env), { code: 1, stderr }, `${command}: ${stderr}`);
    }
  }
});

serverTest('a database that is not in UTF-8 is told of in a sentence', async (t) => {
  const url = new URL(await newDatabase());
  const name = `${url.pathname.slice(1)}_latin1`;
  await execute(url.href, `create database ${name} encoding 'LATIN1' template template0 locale 'C'`);
  t.teardown(() => execute(url.href, `drop database ${name} with (force)`));
  const DATABASE_URL = new URL(`/${name}`, url).href;
  t.like(await runProgram(['migrate'], { DATABASE_URL }), {
    code: 1,
    stderr:
      `The database ${name} stores texts as LATIN1, which has no place for all of them. ` +
      "Make one with `create database … encoding 'UTF8' template template0`.\n",
  });
});

serverTest('a certificate that nobody vouches for is told of in a sentence', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'todo-tls-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const [key, certificate] = [join(directory, 'server.key'), join(directory, 'server.crt')];
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'];
  await run('openssl', [...request, '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', certificate]);
  const files = { 'server.key': await readFile(key, 'utf8'), 'server.crt': await readFile(certificate, 'utf8') };
  const server = await startPrivatePostgres({ ssl: 'on' }, files);
  t.teardown(() => server.stop());
  const url = await server.createDatabase();
  t.like(await runProgram(['migrate'], { DATABASE_URL: `${url}?sslmode=require` }), {
    code: 1,
    stderr:
      'The certificate of the database server cannot be verified: self-signed certificate. ' +
      'Name the file with the certificate of its authority in DATABASE_URL (sslrootcert=/path/to/ca.pem).\n',
  });
  const DATABASE_URL = `${url}?sslmode=require&sslrootcert=${certificate}`;
  t.like(await runProgram(['migrate'], { DATABASE_URL }), { code: 0, stderr: '' });
});

test('SIGTERM ends a start that waits for its database', async (t) => {
  const DATABASE_URL = `postgres://me@127.0.0.1:${await freePort()}/todo`;
  const { child, output, exit } = launch(t, process.execPath, [MAIN], { DATABASE_URL });
  await until(() => output().includes('waiting for the database'));
  child.kill('SIGTERM');
  t.deepEqual(await exit, [0, null]);
});

for (const moment of [0, 300, 900]) {
  test(`SIGTERM ${moment} ms after the start ends the embedded database, and it opens again`, async (t) => {
    const DATA_DIR = await mkdtemp(join(tmpdir(), 'todo-start-'));
    t.teardown(() => rm(DATA_DIR, { recursive: true }));
    const { child, exit } = launch(t, process.execPath, [MAIN], { DATA_DIR, API_PORT: String(await freePort()) });
    await new Promise((resolve) => setTimeout(resolve, moment));
    child.kill('SIGTERM');
    const [code, signal] = await exit;
    // Before Node.js has got as far as to run the program, the signal itself ends it; where the machine is too busy to end
    // the start within its time, the watchdog does.
    t.true(code === 0 || signal === 'SIGTERM' || signal === 'SIGKILL', `${code} ${signal}`);
    const program = await startProgram(t, { DATA_DIR });
    t.is(await program.end('SIGTERM'), 0);
  });
}

namespaces('SIGTERM ends a start and a migration that are PID 1, as in a container without an init', async (t) => {
  const DATABASE_URL = `postgres://me@127.0.0.1:${await freePort()}/todo`;
  for (const [command, expected, says] of [
    ['start', 0, 'waiting for the database'],
    ['migrate', 143, 'Waiting for the database'],
  ] as const) {
    const args = ['--pid', '--fork', '--kill-child', process.execPath, MAIN, command];
    const { child, output, exit } = launch(t, 'unshare', args, { DATABASE_URL });
    await until(() => output().includes(says));
    const { stdout } = await run('pgrep', ['-P', String(child.pid)]);
    process.kill(Number(stdout), 'SIGTERM');
    t.deepEqual(await exit, [expected, null], command);
  }
});

const asRoot = process.getuid?.() === 0 ? test : test.skip;

asRoot('a data directory that is not writable is told of in a sentence', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'todo-start-'));
  t.teardown(() => rm(directory, { recursive: true }));
  await chmod(directory, 0o755);
  for (const path of [directory, join(directory, 'data')]) {
    const { output, exit } = launch(
      t,
      process.execPath,
      [MAIN],
      { DATA_DIR: path, NODE_V8_COVERAGE: '' },
      { uid: 65_534, gid: 65_534, cwd: '/' },
    );
    t.deepEqual(await exit, [1, null]);
    t.is(
      output(),
      `The data directory ${path} is not writable for the user 65534. Give it to that user (chown), mount it writable, ` +
        'or choose another with DATA_DIR.\n',
    );
  }
});

serverTest('the role todo_api is made again where a server has lost it', async (t) => {
  const server = await startPrivatePostgres();
  t.teardown(() => server.stop());
  const DATABASE_URL = await server.createDatabase();
  const env = { DATABASE_URL, NODE_ENV: 'production' };
  t.like(await runProgram(['migrate'], env), { code: 0 });
  await execute(DATABASE_URL, 'drop owned by todo_api; drop role todo_api');
  t.deepEqual(await runProgram(['migrate'], env), { code: 0, stdout: 'The database is up to date.\n', stderr: '' });
  const program = await startProgram(t, env);
  t.like(await (await fetch(`${program.url}/ready`)).json(), { rowSecurity: true });
});
