import { type DestinationStream, type Logger, pino } from 'pino';
import type { Config } from './config.js';

/**
 * A logger of JSON lines, or of readable ones in a terminal.
 *
 * @param destination where lines go instead of the standard output
 */
export async function createLogger(
  { logLevel }: Pick<Config, 'logLevel'>,
  destination?: DestinationStream,
): Promise<Logger> {
  const options = { level: logLevel, base: null, serializers: { err: (error: unknown) => describeError(error) } };
  if (destination) return pino(options, destination);
  // One write for many lines, and none that a request waits for; what is left is written at the exit.
  if (!process.stdout.isTTY) return pino(options, pino.destination(BUFFERED));
  const { default: pretty } = await import('pino-pretty');
  return pino(options, pretty({ sync: true, ignore: 'time', singleLine: true }));
}

/** Bytes that are written at once, or after so many milliseconds what there is. */
const BUFFERED = { sync: false, minLength: 4096, periodicFlush: 100 };

/** SQLSTATEs of errors whose message quotes a value: it could not be read (22), or a function of the database complains. */
const QUOTES_A_VALUE = /^(?:22|P0)[\dA-Z]{3}$/;

/**
 * What an operator needs to know of an error, and no more: a database error also carries the values of the row that it
 * complains about. Where something is out of reach, where in the code that was noticed says nothing; and there may be many
 * such lines.
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
