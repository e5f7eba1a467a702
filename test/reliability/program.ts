import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { ExecutionContext } from 'ava';
import { freePort } from '../postgres.ts';

export const MAIN = join(import.meta.dirname, '..', '..', 'packages', 'http', 'bin', 'todo-backend.js');

export const SECRET = 'a secret for tests, long enough to be one';

/** `RELIABILITY=full` runs the full sizes and asserts times, so it needs an otherwise idle machine. */
export const FULL = process.env.RELIABILITY === 'full';

/** The timeout of a test in milliseconds, from the last start of a server. */
const PATIENCE = FULL ? 1_200_000 : 300_000;

/** The real program, in its own process. */
export interface Program {
  readonly url: string;
  readonly port: number;
  readonly process: ChildProcess;
  /** Milliseconds from its start until `/ready` succeeded. */
  readonly startedIn: number;
  /** Its log so far. */
  log(): string;
  /** Its other output so far. */
  errors(): string;
  /** Sends a signal and waits for the exit. Returns the exit code; `null` if the signal ended it. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/** Options of {@link startProgram} besides the environment. */
export interface StartOptions {
  readonly port?: number;
  /** The address that says that it is up. */
  readonly upAt?: '/ready' | '/health';
  /** For Node.js. */
  readonly nodeOptions?: readonly string[];
}

const running = new Set<ChildProcess>();

// Where the tests are given up there is no teardown.
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/**
 * Starts the program without the settings of this machine, and waits until it is ready. It is killed at the end of the
 * test.
 */
export async function startProgram(
  t: ExecutionContext,
  env: Record<string, string>,
  { port, upAt = '/ready', nodeOptions = [] }: StartOptions = {},
): Promise<Program> {
  t.timeout(PATIENCE);
  const at = port ?? (await freePort());
  const start = performance.now();
  const child = spawn(process.execPath, [...nodeOptions, MAIN], {
    env: environment({ API_HOST: '127.0.0.1', API_PORT: String(at), ...env }),
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const end: Program['end'] = async (signal) => {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const exit = once(child, 'exit');
    child.kill(signal);
    return (await exit)[0];
  };
  t.teardown(() => end('SIGKILL'));
  running.add(child);
  child.once('exit', () => running.delete(child));
  let log = '';
  child.stdout?.on('data', (chunk) => {
    log += chunk;
  });
  let errors = '';
  child.stderr?.on('data', (chunk) => {
    errors += chunk;
  });
  const url = `http://127.0.0.1:${at}`;
  const isReady = () =>
    fetch(url + upAt).then(
      async (response) => (await response.text()) !== '' && response.ok,
      () => false,
    );
  while (!(await isReady())) {
    if (child.exitCode !== null) throw new Error(`exit code ${child.exitCode}: ${errors}`);
    await sleep(10);
  }
  return {
    url,
    port: at,
    process: child,
    startedIn: performance.now() - start,
    log: () => log,
    errors: () => errors,
    end,
  };
}

/** Runs a command of the program until it exits, with or without an error. */
export async function runProgram(args: readonly string[], env: Record<string, string>) {
  const [code, { stdout, stderr }] = await promisify(execFile)(process.execPath, [MAIN, ...args], {
    env: environment(env),
  }).then(
    (output) => [0, output] as const,
    (error) => [error.code as number, error as { stdout: string; stderr: string }] as const,
  );
  return { code, stdout, stderr };
}

/** The environment of the program: no setting of the machine that runs the tests gets in. */
export function environment(env: Record<string, string>): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '',
    BETTER_AUTH_SECRET: SECRET,
    STANDALONE_USERS: 'true',
    RATE_LIMIT_PER_USER: '1000000',
    LOG_LEVEL: 'warn',
    ...env,
  };
}

/** Polls `isSo` every 10 ms. Fails after so long that no busy machine needs it. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 100_000; !(await isSo()); await sleep(10)) {
    if (performance.now() > end) throw new Error(`It did not happen within 100 s: ${isSo}`);
  }
}

/** Formats the median and the maximum. */
export function spread(figures: readonly number[]): string {
  const sorted = [...figures].sort((a, b) => a - b).map(Math.round);
  return `median ${sorted[Math.floor(sorted.length / 2)]}, worst ${sorted.at(-1)}`;
}
