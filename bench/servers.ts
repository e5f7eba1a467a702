/** The servers that are measured: how to start one, and what the operating system says of it. Linux only. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../test/postgres.ts';

/** What is measured, and what it is. The project comes first, the mark it is measured by second. */
export const SERVERS = {
  'todo-backend': 'this project as it is shipped, row level security, limits and journal included',
  limit: '`node:http`, `pg` and jose by hand, tuned for these requests: what Node.js can do on this work',
  plain: 'Koa, `pg` and jose, as one writes it in an afternoon',
  'fastify-drizzle': 'Fastify 5, Drizzle and @fastify/jwt with its token cache',
  'express-prisma': 'Express 5, Prisma 7, jose and zod',
} as const;
/** `baseline` is another version of this project. */
export type ServerName = keyof typeof SERVERS | 'baseline';

/** Those that the project is compared with as its likes. */
export const PEERS: readonly ServerName[] = ['plain', 'fastify-drizzle', 'express-prisma'];

/** Those that keep a journal of every change, in the same tables. */
export const JOURNALLING: readonly ServerName[] = ['todo-backend', 'limit', 'baseline'];

/** Of the PostgreSQL server: durable, as an operator would have it. */
export const POSTGRES_SETTINGS = {
  fsync: 'on',
  shared_buffers: '1GB',
  effective_cache_size: '4GB',
  max_wal_size: '4GB',
  checkpoint_timeout: '15min',
  max_connections: '200',
};

/** The environment of all servers, under the names of the project. */
export type Settings = Readonly<Record<string, string>>;

export interface RunningServer {
  readonly name: ServerName;
  readonly url: string;
  /** Seconds from the start of the process to the first answer that the caller's `isUp` took. */
  readonly startTime: number;
  /** Seconds of processor time since the start. */
  cpu(): number;
  /** Bytes of resident memory. */
  memory(): number;
  /** Waits until it has nothing left to do: the load ends in the middle of requests, with which it goes on. */
  settle(): Promise<void>;
  /** The last of what it wrote to its standard error. */
  complaints(): string;
  stop(): Promise<void>;
}

/** The command of the project, in a checkout. */
export const COMMAND = 'packages/http/bin/todo-backend.js';

/** A built checkout. */
let baseline: string | undefined;

/** Says in which checkout the baseline is; it has to be built. */
export function useBaseline(checkout: string): void {
  baseline = checkout;
}

const running = new Set<ChildProcess>();
process.on('exit', killServers);

/** Ends all servers that run, at once. */
export function killServers(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** Starts a server in a directory of the caller's and waits until `isUp` is true. */
export async function startServer(
  name: ServerName,
  directory: string,
  settings: Settings,
  isUp: (url: string) => Promise<boolean>,
): Promise<RunningServer> {
  const [command = '', ...script] = commandOf(name);
  const port = await freePort();
  const start = performance.now();
  const child = spawn(command, script, {
    // Where there is no .env.
    cwd: directory,
    env: { PATH: process.env.PATH, NODE_ENV: 'production', API_HOST: '127.0.0.1', API_PORT: `${port}`, ...settings },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  running.add(child);
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    complaints = (complaints + text).slice(-4_000);
  });
  const ended = new Promise<void>((resolve) =>
    child.once('exit', () => {
      running.delete(child);
      resolve();
    }),
  );
  const url = `http://127.0.0.1:${port}`;
  while (!(await isUp(url).catch(() => false))) {
    if (!running.has(child)) throw new Error(`${name} ended at its start. ${complaints}`);
    if (performance.now() - start > 120_000) throw new Error(`${name} does not answer. ${complaints}`);
    await sleep(5);
  }
  return {
    name,
    url,
    startTime: (performance.now() - start) / 1000,
    cpu: () => processorTime(child.pid ?? 0),
    memory: () => residentMemory(child.pid ?? 0),
    async settle() {
      for (let quiet = 0; quiet < 4; ) {
        const before = processorTime(child.pid ?? 0, 'wanted');
        await sleep(50);
        quiet = processorTime(child.pid ?? 0, 'wanted') - before < 0.005 ? quiet + 1 : 0;
      }
    },
    complaints: () => complaints,
    async stop() {
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 15_000);
      await ended;
      clearTimeout(late);
    },
  };
}

function commandOf(name: ServerName): string[] {
  // The project as its own command starts it.
  if (name === 'todo-backend') return [resolve(COMMAND)];
  if (name !== 'baseline') return [process.execPath, resolve(`bench/servers/${name}.ts`)];
  if (baseline === undefined) throw new Error('There is no checkout of the baseline.');
  return [resolve(baseline, COMMAND)];
}

/**
 * Begins to measure the processor time of all processes that a process has started.
 *
 * @returns a function that gives the seconds since; the time of one that has ended meanwhile is lost
 */
export function watchChildren(parent: number): () => number {
  const before = processorTimes(parent);
  return () => {
    const after = processorTimes(parent);
    return [...after].reduce((sum, [pid, time]) => sum + time - (before.get(pid) ?? 0), 0);
  };
}

function processorTimes(parent: number): Map<number, number> {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const children = pids.map(Number).filter((pid) => parentOf(pid) === parent);
  return new Map(children.map((pid) => [pid, processorTime(pid)]));
}

function parentOf(pid: number): number | undefined {
  const [, after] = read(`/proc/${pid}/stat`).split(') ');
  return after === undefined ? undefined : Number(after.split(' ')[1]);
}

/** Seconds of processor time of every thread, with the time that they had to wait for a processor if `wanted`. */
export function processorTime(pid: number, what: 'had' | 'wanted' = 'had'): number {
  let sum = 0;
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const [had, waited] = read(`/proc/${pid}/task/${thread}/schedstat`).split(' ').map(Number);
      sum += (had ?? 0) + (what === 'wanted' ? (waited ?? 0) : 0);
    }
  } catch {
    // It is gone.
  }
  return sum / 1e9;
}

function residentMemory(pid: number): number {
  const [, kilobytes = '0'] = /^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`)) ?? [];
  return Number(kilobytes) * 1024;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
