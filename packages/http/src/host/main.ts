import { parseArgs } from 'node:util';
import type { Config } from './config.js';
import type { Service } from './serve.js';
import type { Tracing } from './tracing.js';

const OLDEST_NODE = [22, 22];

const HELP = `Usage: todo-backend [command] [options]

Commands:
  start              migrate the database and serve the API (the default)
  migrate            migrate the database and exit
  mcp                serve AI agents over the standard input and output, as the user of MCP_TOKEN
  token --user ID    print a token of that user, signed with the secret of this installation
  prune              delete what is older than the journal is kept (JOURNAL_RETENTION_DAYS), and old idempotency keys
  dead-letters       list the events that the event sink does not take
  requeue            deliver dead letters once more: --event ID, or --all

Options:
  --user ID          the user whom the token is for
  --event ID         the dead letter to deliver once more
  --all              all of them
  --hours N          how long the token is good for (default 24, or as long as may be)
  -h, --help         show this
  -v, --version      show the version

Settings come from the environment and from a .env file: see .env.example.`;

/** The reason for giving a start up. */
const STOPPED = new Error('The server was stopped while it started.');

/** What the caller asked for cannot be done. The message says what to do. */
class UsageError extends Error {
  override readonly name = 'UsageError';
}

async function main(): Promise<void> {
  const { values, positionals } = readArguments();
  if (values.help) return console.log(HELP);
  if (values.version) return console.log((await import('../version.js')).version);
  const [command = 'start', ...rest] = positionals;
  if (rest.length > 0)
    throw new UsageError(`"${rest.join(' ')}" is one word too many; see --help. (npm wants -- before options.)`);

  const { loadConfig, loadEnvironment } = await import('./config.js');
  switch (command) {
    case 'start':
      return start();
    case 'migrate':
      return migrate();
    case 'mcp':
      return (await import('./stdio.js')).serveStdio(loadConfig(loadEnvironment()));
    case 'token':
      return token();
    case 'prune':
      return (await import('./maintenance.js')).prune(loadConfig(loadEnvironment()));
    case 'dead-letters':
      return (await import('./maintenance.js')).listDeadLetters(loadConfig(loadEnvironment()));
    case 'requeue':
      return requeue();
    default:
      throw new UsageError(`There is no command "${command}"; see --help.`);
  }

  async function start(): Promise<void> {
    const [{ default: closeWithGrace }, { watch }] = await Promise.all([
      import('close-with-grace'),
      import('./watchdog.js'),
    ]);
    const stopping = new AbortController();
    let starting: Promise<Service> | undefined;
    let tracing: Tracing | undefined;
    const watchdog = watch();
    // Before all else: a process that is PID 1 ignores a signal that it has no handler for.
    closeWithGrace({ delay: 9_000, logger: false, skip: ['beforeExit'] }, async ({ err }) => {
      watchdog.begin();
      stopping.abort(STOPPED);
      const service = await starting?.catch(() => undefined);
      if (service === undefined && err !== undefined) console.error(explain(err));
      await service?.close(err);
      await tracing?.close();
    });
    const config = loadConfig(loadEnvironment());
    // Before anything is loaded that is to be traced.
    tracing = config.tracesTo === undefined ? undefined : await trace(config.tracesTo, config);
    const { serve } = await import('./serve.js');
    starting = serve(config, { activeTraceId: tracing?.activeTraceId, signal: stopping.signal });
    await starting.then(watchdog.started, (error) => {
      if (error !== STOPPED && error?.cause !== STOPPED) throw error;
    });
  }

  async function trace(collector: string, config: Config): Promise<Tracing> {
    const { startTracing } = await import('./tracing.js');
    return startTracing(collector, config);
  }

  async function migrate(): Promise<void> {
    // A process that is PID 1 ignores signals that it has no handler for. What a migration has begun is rolled back.
    for (const [signal, code] of [
      ['SIGTERM', 143],
      ['SIGINT', 130],
    ] as const)
      process.once(signal, () => process.exit(code));
    await (await import('./maintenance.js')).migrate(loadConfig(loadEnvironment()));
  }

  async function requeue(): Promise<void> {
    const { event, all } = values;
    if ((event === undefined) === (all === undefined)) throw new UsageError('Say which: requeue --event ID, or --all');
    const { UUID } = await import('@todo-backend/application');
    if (event !== undefined && !UUID.test(event)) throw new UsageError('--event must be a UUID');
    await (await import('./maintenance.js')).requeue(loadConfig(loadEnvironment()), event);
  }

  async function token(): Promise<void> {
    if (!values.user) throw new UsageError('Say whom the token is for: npm run token -- --user alice');
    const [{ withSecret }, { issueToken }] = await Promise.all([
      import('./serve.js'),
      import('@todo-backend/infrastructure'),
    ]);
    const { auth } = await withSecret(loadConfig(loadEnvironment()));
    const longest = auth.maxLifetime / 3600;
    const hours = values.hours === undefined ? Math.min(24, longest) : Number(values.hours);
    if (!(hours > 0)) throw new UsageError('--hours must be a number greater than 0');
    if (hours > longest) {
      throw new UsageError(`--hours must be at most ${longest}: TOKEN_MAX_LIFETIME_S is ${auth.maxLifetime}.`);
    }
    if (auth.secret === undefined) {
      throw new UsageError(
        'Tokens come from Better Auth here. Only where BETTER_AUTH_SECRET is set can this command sign one.',
      );
    }
    console.log(await issueToken({ secret: auth.secret, userId: values.user, lifetime: Math.round(hours * 3600) }));
  }
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        user: { type: 'string' },
        hours: { type: 'string' },
        event: { type: 'string' },
        all: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean', short: 'v' },
      },
    });
  } catch (error) {
    throw new UsageError(`${(error as Error).message} See --help.`);
  }
}

function assertNodeVersion(): void {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST_NODE;
  if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor)) {
    throw new UsageError(
      `This needs Node.js ${OLDEST_NODE.join('.')} or newer, and is run by ${process.versions.node}. ` +
        'On Linux and Windows, npm start brings its own; elsewhere install a newer one.',
    );
  }
}

/** Errors whose message tells a person what to do; the stack would only bury it. */
const EXPLAINED = new Set(['UsageError', 'ConfigError', 'DatabaseSetupError', 'DataDirectoryError']);

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (EXPLAINED.has(error.name)) return error.message;
  const { code, cause } = error as NodeJS.ErrnoException;
  if (cause instanceof Error && EXPLAINED.has(cause.name)) return `${error.message} ${cause.message}`;
  if (code === 'UNAVAILABLE') return cause instanceof Error ? `${error.message} (${cause.message})` : error.message;
  if (code === 'EADDRINUSE')
    return `${error.message}. Stop the other server, or choose another port with API_PORT or METRICS_PORT.`;
  if (code !== undefined) return error.message || code;
  return error.stack ?? error.message;
}

try {
  assertNodeVersion();
  await main();
} catch (error) {
  console.error(explain(error));
  process.exitCode = 1;
}
