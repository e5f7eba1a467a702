import { type Logger, pino } from 'pino';
import type { Config } from './config.js';

/** A logger of JSON lines, or of readable ones in a terminal. */
export async function createLogger({ logLevel }: Pick<Config, 'logLevel'>): Promise<Logger> {
  const options = { level: logLevel, base: null, serializers: { err: describeError } };
  if (!process.stdout.isTTY) return pino(options);
  const { default: pretty } = await import('pino-pretty');
  return pino(options, pretty({ sync: true, ignore: 'time', singleLine: true }));
}

/**
 * What an operator needs to know of an error, and no more: a database error also carries the values of the row that it
 * complains about.
 */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return { type: typeof error };
  const { name, message, stack, cause, code } = error as Error & { code?: unknown };
  return { type: name, message, code, stack, ...(cause !== undefined && { cause: describeError(cause) }) };
}
