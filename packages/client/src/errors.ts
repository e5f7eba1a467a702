import type { FieldProblem, Problem } from './types.js';

/** What the API refused, as its problem details (RFC 9457) say it. */
export class TodoApiError extends Error {
  override readonly name = 'TodoApiError';
  readonly status: number;
  /** Which problem it is, such as `/problems/invalid-input`: compare this. */
  readonly type: Problem['type'] | 'about:blank';
  readonly title: string;
  /** One sentence that can be shown to a person as it is. */
  readonly detail: string;
  /** Every problem of the input; none where the input is not what is wrong. */
  readonly errors: readonly FieldProblem[];
  /** What the server's log has it under. */
  readonly requestId: string | undefined;
  /** Seconds after which to try again, where the server says so. */
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

/** The API could not be reached, did not answer, or its answer could not be read; `cause` says why. */
export class TodoNetworkError extends Error {
  override readonly name = 'TodoNetworkError';
}
