import { setTimeout as sleep } from 'node:timers/promises';
import { type DestinationStream, type Logger, pino } from 'pino';
import type { Config } from './config.js';
import { LogDestination } from './log-destination.js';

/**
 * A logger of JSON lines, or of readable lines in a terminal.
 *
 * @param destination used instead of the standard output
 */
export async function createLogger(
  { logLevel }: Pick<Config, 'logLevel'>,
  destination?: DestinationStream,
): Promise<Logger> {
  const options = { level: logLevel, base: null, serializers: { err: (error: unknown) => describeError(error) } };
  if (destination) return pino(options, destination);
  // Node.js makes a pipe or a socket non-blocking as soon as `process.stdout` is used.
  if (!process.stdout.isTTY) {
    standardOutput ??= new LogDestination(process.stdout.fd);
    const logger = pino(options, standardOutput);
    standardOutput.onRecovery = (lines) => logger.warn({ lines }, 'log lines were dropped: they could not be written');
    return logger;
  }
  const { default: pretty } = await import('pino-pretty');
  return pino(options, pretty({ sync: true, ignore: 'time', singleLine: true }));
}

/** Shared by all loggers of this process. */
let standardOutput: LogDestination | undefined;

/** The number of log lines that were dropped because they could not be written. */
export function droppedLogLines(): number {
  return standardOutput?.dropped ?? 0;
}

/** Milliseconds to wait on exit for a log that cannot be written. */
const FLUSH_TIMEOUT = 1_000;

/** Resolves when all lines are written, or after a timeout. */
export async function flushLog(logger: Logger): Promise<void> {
  const flushed = new Promise<void>((resolve) => logger.flush(() => resolve()));
  await Promise.race([flushed, sleep(FLUSH_TIMEOUT, undefined, { ref: false })]);
}

/** SQLSTATEs of errors whose message may quote a value: data exceptions (22) and errors raised by functions (P0). */
const QUOTES_A_VALUE = /^(?:22|P0)[\dA-Z]{3}$/;

/**
 * Keeps only what an operator needs of an error, because database errors also carry values of rows. Errors of an
 * unavailable dependency have no stack: it does not help, and there may be many such lines.
 */
function describeError(error: unknown, isBug = true): unknown {
  if (!(error instanceof Error)) return { type: typeof error };
  const { name, message, cause, code } = error as Error & { code?: unknown };
  const told = QUOTES_A_VALUE.test(String(code)) ? '(a value)' : message;
  const hasStack = isBug && code !== 'UNAVAILABLE';
  return {
    type: name,
    message: told,
    code,
    ...(hasStack && { stack: error.stack?.replace(message, () => told) }),
    ...(cause !== undefined && { cause: describeError(cause, hasStack) }),
  };
}
