import {
  type InvalidInputError,
  type Problem,
  ProblemsError,
  type TaskChangedError,
  type TaskNotFoundError,
  TodoError,
} from '@todo-backend/domain';

/** Why a caller could not be authenticated: for logs and counters, not for the caller. */
export type AuthenticationFailure =
  | 'missing'
  | 'malformed'
  | 'algorithm'
  | 'unknown_key'
  | 'signature'
  | 'expired'
  | 'claims';

/** The token is missing or not valid. Code `UNAUTHENTICATED`. */
export class UnauthenticatedError extends TodoError {
  readonly code = 'UNAUTHENTICATED';
  readonly reason: AuthenticationFailure;
  /** What was expected and what came, for logs: never the token, nor whose it is. */
  readonly evidence: string | undefined;

  constructor(message: string, reason: AuthenticationFailure, options?: ErrorOptions & { readonly evidence?: string }) {
    super(message, options);
    this.reason = reason;
    this.evidence = options?.evidence;
  }
}

/** The token is valid, but its user does not exist (any more). Code `USER_UNKNOWN`. */
export class UserUnknownError extends TodoError {
  readonly code = 'USER_UNKNOWN';

  constructor(options?: ErrorOptions) {
    super('Your account no longer exists. Please sign in again.', options);
  }
}

/** A dependency is temporarily unavailable; nothing was changed. Try again later. Code `UNAVAILABLE`. */
export class UnavailableError extends TodoError {
  readonly code = 'UNAVAILABLE';
}

/** The idempotency key was already used for another request. Code `IDEMPOTENCY_KEY_REUSED`. */
export class IdempotencyKeyReusedError extends TodoError {
  readonly code = 'IDEMPOTENCY_KEY_REUSED';

  constructor() {
    super('This idempotency key was used for another request. Take a new key for each new request.');
  }
}

/** The user has as many tasks as a user may have. Code `TASK_LIMIT_REACHED`. */
export class TaskLimitError extends TodoError {
  readonly code = 'TASK_LIMIT_REACHED';

  /** @param maxTasks how many that is */
  constructor(maxTasks: number) {
    super(`You can have at most ${maxTasks} tasks. Delete some before you create others.`);
  }
}

/**
 * A position in the journal is of another history, such as before a backup was restored, or the entries after it were
 * pruned. What the client has can only be loaded anew. Code `RESYNC_REQUIRED`.
 */
export class ResyncRequiredError extends TodoError {
  readonly code = 'RESYNC_REQUIRED';

  constructor() {
    super('The journal does not go back to this position. Please load everything again, and go on from there.');
  }
}

/** The journal has no such event: there never was one, or it was pruned. Code `EVENT_NOT_FOUND`. */
export class EventNotFoundError extends TodoError {
  readonly code = 'EVENT_NOT_FOUND';

  constructor() {
    super('There is nothing like that in the journal, or not any more.');
  }
}

/** What is to be undone was changed since, so nothing was undone. Carries the fields. Code `CHANGED_SINCE`. */
export class ChangedSinceError extends ProblemsError {
  readonly code = 'CHANGED_SINCE';

  constructor(problems: readonly Problem[]) {
    super('This was changed since, so nothing was undone.', problems);
  }
}

/** The task is to be restored, and was not deleted, or is back. Code `TASK_EXISTS`. */
export class TaskExistsError extends TodoError {
  readonly code = 'TASK_EXISTS';

  constructor() {
    super('The task exists, so there is nothing to restore.');
  }
}

/** Every error that a use case or a port raises on purpose. Switch on `code`. */
export type ApplicationError =
  | InvalidInputError
  | TaskNotFoundError
  | TaskChangedError
  | IdempotencyKeyReusedError
  | TaskLimitError
  | ResyncRequiredError
  | EventNotFoundError
  | ChangedSinceError
  | TaskExistsError
  | UnauthenticatedError
  | UserUnknownError
  | UnavailableError;
