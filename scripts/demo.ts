/**
 * Starts the API and the Next.js example with one command.
 *
 *   npm run demo -- --help
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, relative, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const ROOT = join(import.meta.dirname, '..');
const APP = join(ROOT, 'examples', 'nextjs');
const API = join(ROOT, 'packages', 'http', 'bin', 'todo-backend.js');

const HELP = `Usage: npm run demo

Starts the API, and a Next.js app with Better Auth in front of it, both on this machine alone. The first time takes
about a minute: packages of the app are installed, and the app is built. After that it takes seconds.

Variables:
  APP_PORT      where the app listens (default 3000)
  API_PORT      where the API listens (default 8000)
  DATABASE_URL  a PostgreSQL database for both; without it each has an embedded one
  DATA_DIR      what the demo keeps goes into "demo" in there (default .data)

Options:
  -h, --help    show this`;

/** Something that the person who started this can mend. */
class DemoError extends Error {
  override readonly name = 'DemoError';
}

/** What the demo is started with. */
export interface DemoSettings {
  readonly appPort: number;
  readonly apiPort: number;
  /** Where the embedded databases and the secret lie. */
  readonly dataDirectory: string;
  /** The PostgreSQL database of both; embedded ones when left out. */
  readonly databaseUrl: string | undefined;
}

/** A server that listens. */
export interface Running {
  readonly url: string;
  readonly process: ChildProcess;
  stop(): Promise<void>;
}

/** Everything that was started and has not ended. */
const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

/** Whether the packages of the app are there, as its lock file wants them. */
export async function isInstalled(): Promise<boolean> {
  return (
    (await changed(join(APP, 'node_modules', '.package-lock.json'))) >= (await changed(join(APP, 'package-lock.json')))
  );
}

export async function installApp(): Promise<void> {
  await run('npm', ['ci', '--no-audit', '--no-fund'], 'The packages of the app could not be installed.');
}

/** Whether the app was built since it, or the client of the API in it, was changed. */
export async function isBuilt(): Promise<boolean> {
  const folders = [join(APP, 'src'), join(ROOT, 'packages', 'client', 'dist')];
  const found = folders.map(async (path) => (await readdir(path, { recursive: true })).map((name) => join(path, name)));
  const files = ['next.config.ts', 'package-lock.json', 'tsconfig.json'].map((name) => join(APP, name));
  const times = await Promise.all([...files, ...(await Promise.all(found)).flat()].map(changed));
  return (await changed(join(APP, '.next', 'BUILD_ID'))) >= Math.max(...times);
}

export async function buildApp(): Promise<void> {
  const next = join(APP, 'node_modules', 'next', 'dist', 'bin', 'next');
  await run(process.execPath, [next, 'build'], 'The app could not be built.');
}

/** Starts the app. It brings the tables of Better Auth along. */
export async function startApp({ appPort, apiPort, dataDirectory, databaseUrl }: DemoSettings): Promise<Running> {
  const { signingSecret } = await import('@todo-backend/infrastructure');
  const directory = join(dataDirectory, 'app');
  const next = join(APP, 'node_modules', 'next', 'dist', 'bin', 'next');
  return start('app', [next, 'start', '--hostname', '127.0.0.1', '--port', String(appPort)], {
    url: `http://localhost:${appPort}`,
    sign: '/api/auth/ok',
    cwd: APP,
    env: {
      NEXT_TELEMETRY_DISABLED: '1',
      BETTER_AUTH_SECRET: await signingSecret(directory),
      BETTER_AUTH_URL: `http://localhost:${appPort}`,
      BACKEND_URL: `http://localhost:${apiPort}`,
      MCP_URL: `http://localhost:${apiPort}/mcp`,
      // Empty and not left out: nothing of a .env.local gets in.
      DATABASE_URL: databaseUrl ?? '',
      DATA_DIR: directory,
    },
  });
}

/** Starts the API. On a shared database, the app has to have been started before. */
export async function startApi({ appPort, apiPort, dataDirectory, databaseUrl }: DemoSettings): Promise<Running> {
  const directory = join(dataDirectory, 'api');
  await mkdir(directory, { recursive: true });
  return start('API', [API], {
    url: `http://localhost:${apiPort}`,
    sign: '/ready',
    // Not where a .env may lie.
    cwd: directory,
    env: {
      API_HOST: '127.0.0.1',
      API_PORT: String(apiPort),
      BETTER_AUTH_URL: `http://localhost:${appPort}`,
      CORS_ORIGINS: `http://localhost:${appPort}`,
      MCP_ENABLED: 'true',
      PUBLIC_URL: `http://localhost:${apiPort}`,
      DATA_DIR: directory,
      LOG_LEVEL: process.env.LOG_LEVEL ?? 'warn',
      ...(databaseUrl !== undefined && { DATABASE_URL: databaseUrl }),
    },
  });
}

interface Program {
  readonly url: string;
  /** The path that answers as soon as the server can serve. */
  readonly sign: string;
  readonly cwd: string;
  readonly env: Record<string, string>;
}

async function start(name: string, args: string[], { url, sign, cwd, env }: Program): Promise<Running> {
  const child = spawn(process.execPath, args, {
    cwd,
    env: environment(env),
    stdio: ['ignore', name === 'API' ? 'inherit' : 'ignore', 'inherit'],
    // Ctrl-C reaches this program alone, which then stops the others in its own way.
    detached: process.platform !== 'win32',
  });
  const end = keep(child);
  for (const start = Date.now(); ; await sleep(100)) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new DemoError(`The ${name} did not start: exit code ${child.exitCode}. What it said is above.`);
    }
    if (
      await fetch(url + sign).then(
        ({ ok }) => ok,
        () => false,
      )
    )
      break;
    if (Date.now() - start > 60_000) throw new DemoError(`The ${name} does not answer at ${url}${sign}.`);
  }
  return {
    url,
    process: child,
    async stop() {
      child.kill('SIGTERM');
      await Promise.race([end, sleep(10_000, undefined, { ref: false })]);
      child.kill('SIGKILL');
      await end;
    },
  };
}

/** Runs a program to its end, and shows what it said only when it failed. */
async function run(program: string, args: string[], problem: string): Promise<void> {
  const child = spawn(program, args, {
    cwd: APP,
    env: environment({ NEXT_TELEMETRY_DISABLED: '1' }),
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32',
  });
  const end = keep(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  await end;
  if (child.exitCode !== 0) throw new DemoError(`${output}\n${problem} What was said is above.`);
}

function keep(child: ChildProcess): Promise<unknown> {
  children.add(child);
  return once(child, 'exit').finally(() => children.delete(child));
}

/** What programs need to run at all, and no setting of the API or of the app. */
function environment(more: Record<string, string>): NodeJS.ProcessEnv {
  const { NODE_ENV, NODE_V8_COVERAGE, BETTER_AUTH_SECRET, DATABASE_URL, AUTH_JWKS, STANDALONE_USERS, ...rest } =
    process.env;
  return { ...rest, ...more };
}

/** When a file was changed, in milliseconds since 1970; 0 where there is none. */
async function changed(path: string): Promise<number> {
  return stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
}

function settingsFrom(environment: NodeJS.ProcessEnv): DemoSettings {
  const port = (name: string, byDefault: number) => {
    const port = Number(environment[name] || byDefault);
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      throw new DemoError(`${name} must be a port, from 1 to 65535.`);
    }
    return port;
  };
  return {
    appPort: port('APP_PORT', 3000),
    apiPort: port('API_PORT', 8000),
    dataDirectory: resolve(environment.DATA_DIR || join(ROOT, '.data'), 'demo'),
    databaseUrl: environment.DATABASE_URL || undefined,
  };
}

/** `localhost` is both of these addresses: a browser may take either. */
async function assertFree(port: number, name: string): Promise<void> {
  for (const host of ['127.0.0.1', '::1']) {
    const server = createServer().listen(port, host);
    const code = await once(server, 'listening').then(
      () => 'FREE',
      ({ code }) => code as string,
    );
    server.close();
    if (code === 'EADDRINUSE') {
      throw new DemoError(`Port ${port} is taken. Stop what listens there, or choose another one with ${name}.`);
    }
    if (code === 'EACCES') throw new DemoError(`Port ${port} is not allowed. Choose another one with ${name}.`);
  }
}

/** Says what is done, and how long it took. */
async function step<T>(what: string, work: () => Promise<T>): Promise<T> {
  const start = Date.now();
  process.stdout.write(`  ${what} … `);
  try {
    const result = await work();
    console.log(`${((Date.now() - start) / 1000).toFixed(1)} s`);
    return result;
  } catch (error) {
    console.log('failed');
    throw error;
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { help: { type: 'boolean', short: 'h' } } });
  if (values.help) return console.log(HELP);
  const settings = settingsFrom(process.env);

  let isStopping = false;
  const stopping = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        // Asked for a second time: at once.
        if (isStopping) process.exit(1);
        isStopping = true;
        resolve();
      });
    }
  });

  const servers: Running[] = [];
  const serve = async () => {
    console.log('\nTodo backend, with a Next.js app in front of it\n');
    await assertFree(settings.appPort, 'APP_PORT');
    await assertFree(settings.apiPort, 'API_PORT');
    if (!(await isInstalled())) await step('Installing the packages of the app, once (half a minute)', installApp);
    if (!(await isBuilt())) await step('Building the app, after changes only (half a minute)', buildApp);
    // In this order: on a shared database the API looks for the tables of Better Auth.
    servers.push(await step('Starting the app', () => startApp(settings)));
    servers.push(await step('Starting the API', () => startApi(settings)));
    const [app, api] = servers as [Running, Running];
    const data = settings.databaseUrl ? 'in PostgreSQL, at DATABASE_URL' : 'in embedded databases';
    console.log(`
  Open   ${app.url}  and sign up: any e-mail address will do, none is sent
  API    ${api.url}
  MCP    ${api.url}/mcp  (add it to your MCP client by this URL)
  Data   ${relative(process.cwd(), settings.dataDirectory) || '.'} (${data})
  Stop   Ctrl-C
`);
    await Promise.race(servers.map(({ process }) => once(process, 'exit')));
    if (!isStopping) throw new DemoError('One of the two has stopped. What it said is above.');
  };

  try {
    await Promise.race([serve(), stopping]);
    console.log('\n  Stopping …');
  } finally {
    isStopping = true;
    for (const child of children) child.kill('SIGTERM');
    const end = Promise.all([...children].map((child) => once(child, 'exit')));
    await Promise.race([end, sleep(10_000)]);
  }
  process.exit(0);
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    const isExpected = error instanceof DemoError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
    console.error(isExpected ? `\n${(error as Error).message}` : error);
    process.exit(1);
  }
}
