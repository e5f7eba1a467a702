import { spawn } from 'node:child_process';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execute, freePort, unprivilegedUser, untilReady } from './postgres.ts';

/** A transaction pooler for a database. */
export interface Pooler {
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Starts PgBouncer in transaction mode, with the settings that it comes with, and five connections to the server.
 *
 * @param alias its own name for the database; the same when left out
 */
export async function startPgBouncer(databaseUrl: string, alias?: string): Promise<Pooler> {
  const target = new URL(databaseUrl);
  const directory = await mkdtemp(join(tmpdir(), 'todo-pgbouncer-'));
  const port = await freePort();
  const as = await unprivilegedUser();
  await writeFile(join(directory, 'users.txt'), `"${target.username}" ""\n`);
  await writeFile(
    join(directory, 'pgbouncer.ini'),
    `[databases]
${alias ?? '*'} = host=${target.hostname} port=${target.port}${alias ? ` dbname=${target.pathname.slice(1)}` : ''}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${directory}/users.txt
pool_mode = transaction
default_pool_size = 5
`,
  );
  await chmod(directory, 0o755);
  if (as) await chown(directory, as.uid, as.gid);
  const process = spawn('pgbouncer', ['-q', join(directory, 'pgbouncer.ini')], { ...as, stdio: 'ignore' });
  target.port = String(port);
  if (alias !== undefined) target.pathname = `/${alias}`;
  await untilReady(target.href);
  return {
    url: target.href,
    async stop() {
      const stopped = new Promise((resolve) => process.once('exit', resolve));
      process.kill('SIGKILL');
      await stopped;
      await rm(directory, { recursive: true });
    },
  };
}

/** Creates a login role with only the privileges that the API needs. */
export async function createApiLogin(databaseUrl: string): Promise<string> {
  const url = new URL(databaseUrl);
  url.username = `api_${url.pathname.slice(1)}`;
  await execute(databaseUrl, `create role ${url.username} login; grant todo_api to ${url.username}`);
  return url.href;
}
