import type { FieldProblem, Problem } from './types.js';

/** An error response of the API, from its problem details (RFC 9457). */
export class TodoApiError extends Error {
  override readonly name = 'TodoApiError';
  readonly status: number;
  /** Identifies the problem, such as `/problems/invalid-input`. Compare this, not the texts. */
  readonly type: Problem['type'] | 'about:blank';
  readonly title: string;
  /** One sentence that can be shown to a user. */
  readonly detail: string;
  /** Every problem of the input; empty when the input is not the cause. */
  readonly errors: readonly FieldProblem[];
  /** The id of the request in the server's log. */
  readonly requestId: string | undefined;
  /** Seconds after which to retry, if the server says so. */
  readonly retryAfter: number | undefined;

  constructor(status: number, problem: Partial<Problem> = {}, retryAfter?: number) {
    const { type = 'about:blank', title = 'Error', errors = [], requestId } = problem;
    const { detail = `The server answered with status ${status}.` } = problem;
    super(detail);
    this.status = status;
    this.type = type;
    this.title = title;
    this.detail = detail;
    this.errors = errors;
    this.requestId = requestId;
    this.retryAfter = retryAfter;
  }
}

/** The API could not be reached, did not respond, or its response could not be read; `cause` says why. */
export class TodoNetworkError extends Error {
  override readonly name = 'TodoNetworkError';
}
