import { execFile, spawn } from 'node:child_process';
import { randomInt, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import type { TestFn } from 'ava';
import pg from 'pg';

const run = promisify(execFile);

/** A private PostgreSQL server, for tests that stop or kill it. */
export interface PrivatePostgres extends PostgresServer {
  /** Suspends (SIGSTOP) or resumes (SIGCONT) every process of the server. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): Promise<void>;
  /** Kills every process of the server at once (SIGKILL). */
  kill(): Promise<void>;
  /** Restarts the server on its data after `kill`. Resolves when it accepts connections. */
  restart(): Promise<void>;
}

/** A PostgreSQL server for tests. */
export interface PostgresServer {
  /** Creates an empty database and returns its URL. */
  createDatabase(): Promise<string>;
  stop(): Promise<void>;
}

/**
 * Uses the server of `TEST_DATABASE_URL`, or starts a private one from the local binaries.
 *
 * @throws when there is neither; see {@link postgresTest}
 */
export async function startPostgres(): Promise<PostgresServer> {
  const given = process.env.TEST_DATABASE_URL;
  return given ? useServer(given) : startPrivatePostgres();
}

/** A server that was there before the tests: what they make on it is dropped. */
function useServer(url: string): PostgresServer {
  const created: string[] = [];
  return {
    async createDatabase() {
      const database = await createDatabase(url);
      created.push(new URL(database).pathname.slice(1));
      return database;
    },
    async stop() {
      for (const name of created) {
        // By convention the names of roles end in that of the database that they were made for.
        const roles = await execute(url, 'select quote_ident(rolname) as name from pg_roles where rolname like $1', [
          `%${name}`,
        ]);
        await execute(url, `drop database ${name} with (force)`);
        for (const { name } of roles) await execute(url, `drop role ${name}`);
      }
    },
  };
}

/**
 * Starts a private server.
 *
 * @param settings additional settings of the server
 * @param files to create in its data directory, by name
 * @param given the directory of `initdb` and `postgres`; default: that of the newest local version
 */
export async function startPrivatePostgres(
  settings: Record<string, string> = {},
  files: Record<string, string> = {},
  given?: string,
): Promise<PrivatePostgres> {
  const binaries = given ?? (await findBinaries());
  if (binaries === undefined) throw new Error('There is no PostgreSQL on this machine, and no TEST_DATABASE_URL.');
  const directory = await mkdtemp(join(tmpdir(), 'todo-postgres-'));
  const as = await unprivilegedUser();
  if (as) await chown(directory, as.uid, as.gid);
  await chmod(directory, 0o755);

  // Locale C on purpose: the project must not depend on the locale of the database.
  const options = ['--auth=trust', '--username=postgres', '--encoding=UTF8', '--locale=C', '--no-sync'];
  await run(join(binaries, 'initdb'), [...options, '-D', join(directory, 'data')], { ...as, cwd: directory });
  const port = await freePort();
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, 'data', name);
    await writeFile(path, content, { mode: 0o600 });
    if (as) await chown(path, as.uid, as.gid);
  }
  const allSettings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: directory,
    fsync: 'off',
    max_connections: 100,
    ...settings,
  };
  const start = () =>
    spawn(
      join(binaries, 'postgres'),
      [
        '-D',
        join(directory, 'data'),
        ...Object.entries(allSettings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      { ...as, cwd: directory, stdio: 'ignore' },
    );
  let server = start();
  const kill = () => server.kill('SIGKILL');
  process.once('exit', kill);

  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  await untilReady(url);
  return {
    createDatabase: () => createDatabase(url),
    async signal(name) {
      server.kill(name);
      // Each backend has its own session.
      await run('pkill', [`-${name.slice(3)}`, '-P', String(server.pid)]);
    },
    async kill() {
      const stopped = new Promise((resolve) => server.once('exit', resolve));
      // Suspended, it starts no new ones while they are listed.
      server.kill('SIGSTOP');
      const backends = (await run('pgrep', ['-P', String(server.pid)])).stdout.trim().split('\n').map(Number);
      for (const pid of [server.pid ?? 0, ...backends]) process.kill(pid, 'SIGKILL');
      await stopped;
    },
    async restart() {
      server = start();
      await untilReady(url);
    },
    async stop() {
      process.off('exit', kill);
      if (server.exitCode === null && server.signalCode === null) {
        const stopped = new Promise((resolve) => server.once('exit', resolve));
        server.kill('SIGQUIT');
        await stopped;
      }
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/**
 * `test` if there is a PostgreSQL server to test on, otherwise a visibly skipped test, or an error if
 * `REQUIRE_POSTGRES` is set.
 */
export async function postgresTest<Context>(
  test: TestFn<Context>,
): Promise<Pick<TestFn<Context>, 'skip'> & TestFn<Context>> {
  if (process.env.TEST_DATABASE_URL || (await findBinaries())) return test;
  if (process.env.REQUIRE_POSTGRES) throw new Error('REQUIRE_POSTGRES is set, and there is no PostgreSQL.');
  return test.skip as unknown as TestFn<Context>;
}

/** Creates databases on one server, which is started with the first of them and stopped after the tests. */
export function databases(test: TestFn): () => Promise<string> {
  let starting: Promise<PostgresServer> | undefined;
  test.after.always(async () => {
    await (await starting)?.stop();
  });
  return async () => {
    starting ??= startPostgres();
    return (await starting).createDatabase();
  };
}

/** Runs one statement on a new connection. */
export async function execute(url: string, text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text, values)).rows;
  } finally {
    await client.end();
  }
}

async function createDatabase(url: string): Promise<string> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await execute(url, `create database ${name}`);
  const created = new URL(url);
  created.pathname = `/${name}`;
  return created.href;
}

/** The directory of PostgreSQL's programs, of the newest local version. */
export async function findBinaries(): Promise<string | undefined> {
  const root = '/usr/lib/postgresql';
  const versions = await readdir(root).catch(() => []);
  const candidates = [
    ...versions.sort((a, b) => Number(b) - Number(a)).map((version) => join(root, version, 'bin')),
    ...(process.env.PATH ?? '').split(delimiter),
  ];
  for (const directory of candidates) {
    const files: string[] = await readdir(directory).catch(() => []);
    if (files.includes('initdb')) return directory;
  }
  return undefined;
}

/** PostgreSQL refuses to run as root. */
export async function unprivilegedUser(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const [uid, gid] = await Promise.all(
    ['-u', '-g'].map(async (flag) => Number((await run('id', [flag, 'postgres'])).stdout)),
  );
  return { uid: uid ?? 0, gid: gid ?? 0 };
}

/**
 * A free port, for a server that must know it in advance. It is outside the ephemeral range (from 32768 on Linux),
 * where another connection could take it before the server listens.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_768);
    const server = createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') continue;
      throw error;
    }
    server.close();
    await once(server, 'close');
    return port;
  }
}

export async function untilReady(url: string): Promise<void> {
  for (const end = Date.now() + 30_000; ; ) {
    try {
      await execute(url, 'select 1');
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
