import { setTimeout as sleep } from 'node:timers/promises';
import { UnavailableError } from '@todo-backend/application';
import { isTlsProblem } from '../network-errors.js';
import { DatabaseSetupError } from './permissions.js';

/** How long to wait for a database, and whom to tell. */
export interface StartOptions {
  /** Milliseconds. */
  readonly startTimeout: number;
  /** Called when the database does not answer yet, once for each reason. */
  readonly onWait?: ((reason: string) => void) | undefined;
  /** Ends the waiting; what `run` does is not ended. */
  readonly signal?: AbortSignal | undefined;
}

/** Milliseconds between two attempts. */
const DELAY = 500;

/** SQLSTATEs of a login that will not get better by waiting: its name or password, or the name of the database. */
const WRONG_LOGIN = new Set(['28000', '28P01', '3D000']);

/**
 * Runs what needs the database, again and again where the database cannot be reached yet: it may be starting up, waking
 * up, or changing over to another server.
 *
 * @throws `DatabaseSetupError` in one sentence, where waiting does not help, or did not
 */
export async function onceReachable<T>(run: () => Promise<T>, options: StartOptions): Promise<T> {
  const { startTimeout, onWait, signal } = options;
  const end = performance.now() + startTimeout;
  let told: string | undefined;
  for (;;) {
    try {
      return await run();
    } catch (error) {
      const sentence = setupProblem(error);
      if (sentence !== undefined) throw new DatabaseSetupError(sentence, { cause: error });
      const reason = reasonOf(error);
      if (reason === undefined) throw error;
      if (performance.now() + DELAY > end) {
        const seconds = startTimeout / 1_000;
        throw new DatabaseSetupError(
          `The database cannot be reached: ${reason}. It was tried for ${seconds} s (DATABASE_START_TIMEOUT_MS). ` +
            'Check that the server runs, and that DATABASE_URL names it.',
          { cause: error },
        );
      }
      if (reason !== told) onWait?.(reason);
      told = reason;
      await sleep(DELAY, undefined, { signal });
    }
  }
}

/** Why the database cannot be reached yet; `undefined` where that is not what the error says. */
function reasonOf(error: unknown): string | undefined {
  if (!(error instanceof UnavailableError) || error.cause instanceof DatabaseSetupError) return undefined;
  return error.cause instanceof Error ? rootOf(error.cause).message || codeOf(error.cause) : undefined;
}

/** An error of several addresses has no message of its own. */
function rootOf(error: Error): Error {
  return error instanceof AggregateError && error.errors[0] instanceof Error ? error.errors[0] : error;
}

function codeOf(error: Error): string {
  return String((error as { code?: unknown }).code ?? error.name);
}

/** What is set up in a way that waiting does not change, in a sentence. */
function setupProblem(error: unknown): string | undefined {
  const cause = error instanceof UnavailableError && error.cause instanceof Error ? error.cause : error;
  if (!(cause instanceof Error)) return undefined;
  const code = codeOf(cause);
  if (/unsupported startup parameter/i.test(cause.message)) {
    return (
      'Between this server and PostgreSQL there is a pooler that keeps no settings of a connection. ' +
      `Set DATABASE_POOLER=transaction, and leave "options" out of DATABASE_URL. The pooler says: ${cause.message}.`
    );
  }
  if (/does not support ssl connections/i.test(cause.message)) {
    return (
      'The database server offers no TLS, and DATABASE_URL asks for it (sslmode). ' +
      'Turn TLS on in the server, or write sslmode=disable where the network between them is trusted.'
    );
  }
  if (isTlsProblem(code)) {
    return (
      `The certificate of the database server cannot be verified: ${cause.message.split(';')[0]}. ` +
      'Name the file with the certificate of its authority in DATABASE_URL (sslrootcert=/path/to/ca.pem).'
    );
  }
  if (WRONG_LOGIN.has(code)) return `The database server refuses the login of DATABASE_URL: ${cause.message}.`;
  return undefined;
}
