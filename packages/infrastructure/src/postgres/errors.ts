import { UnavailableError, UserUnknownError } from '@todo-backend/application';
import { isUnreachable } from '../network-errors.js';

/** SQLSTATEs that say "not now" rather than "never". Not all of class 08: a NUL byte in a text gives 08P01. */
const UNAVAILABLE_STATES = new Set([
  '08000', // connection exception
  '08001', // cannot connect
  '08003', // connection does not exist
  '08004', // connection rejected
  '08006', // connection failure
  '25006', // read-only: the server is a standby now
  '25P03', // idle in transaction for too long
  '26000', // no such prepared statement: the one that was to prepare it, on the same connection, was cancelled
  '28000', // may not log in
  '28P01', // wrong password
  '3D000', // no such database
  '40001', // serialization failure
  '40P01', // deadlock
  '53000', // out of resources
  '53100', // disk full
  '53200', // out of memory
  '53300', // too many connections
  '55P03', // lock not available
  '57014', // statement timeout
  '57P01', // shutting down
  '57P02', // crash of another backend
  '57P03', // starting up
  '57P05', // idle session timeout
]);

/** What refers to the `user` table. */
const USER_TABLES = new Set(['tasks', 'task_ledgers', 'idempotency_keys']);

/** Codes of connections that were lost, and of sockets in the file system. */
const UNAVAILABLE_CODES = new Set(['ECONNRESET', 'ECONNABORTED', 'ETIMEDOUT', 'EPIPE', 'ENOENT', 'EACCES']);

/** The driver has no code for these. */
const UNAVAILABLE_MESSAGES =
  /^(?:timeout exceeded when trying to connect|timeout expired|query read timeout|connection terminated\b.*|client (?:was closed|has encountered a connection error)\b.*|the server does not support ssl connections)$/i;

/**
 * Turns what the driver throws into what the application knows. Anything else comes back as it is, the application's
 * own errors included: it is a bug, and ends up as one.
 */
export function translateDatabaseError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { code, table, column } = error as Error & { code?: unknown; table?: unknown; column?: unknown };
  // No row is referred to, or the id is none that a user could have.
  const isOfNobody = code === '23503' || (code === '23502' && column === 'userKey');
  if (isOfNobody && USER_TABLES.has(String(table))) return new UserUnknownError({ cause: error });
  const unavailable =
    typeof code === 'string'
      ? UNAVAILABLE_STATES.has(code) || UNAVAILABLE_CODES.has(code) || isUnreachable(code)
      : UNAVAILABLE_MESSAGES.test(error.message);
  if (!unavailable) return error;
  return new UnavailableError('The database cannot be reached right now. Please try again in a moment.', {
    cause: error,
  });
}

/** Whether a transaction was rolled back because of another one (serialization failure, deadlock), and may be tried again. */
export function isConflict(error: unknown): boolean {
  return hasState(error, ['40001', '40P01']);
}

/** Whether a statement was rolled back because another transaction was, or would have been, in its way for long. */
export function isInTheWay(error: unknown): boolean {
  return isConflict(error) || hasState(error, ['55P03', '26000']);
}

/** Whether a row was inserted that another transaction has inserted at the same time. */
export function isTaken(error: unknown): boolean {
  return (error as { code?: unknown }).code === '23505';
}

/** Whether a text is no value of the type that it was compared with: an id of a user that none can have. */
export function isOfAnotherType(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === '22P02' || code === '22003';
}

function hasState(error: unknown, states: readonly string[]): boolean {
  if (!(error instanceof UnavailableError)) return false;
  const { code } = (error.cause ?? {}) as { code?: unknown };
  return states.includes(String(code));
}
