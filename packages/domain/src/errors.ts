/** One thing that is wrong with what was given, said about one field. */
export interface Problem {
  /** The field, for example `title` or `tasks.3.title`; empty where the input as a whole is wrong. */
  readonly field: string;
  /** One sentence for a person. */
  readonly message: string;
}

/**
 * The base of every error that this system raises on purpose. Compare `code`, never `message`: codes are stable,
 * sentences are for people.
 */
export abstract class TodoError extends Error {
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** What was given breaks a rule. Carries every problem found, not only the first. Code `INVALID_INPUT`. */
export class InvalidInputError extends TodoError {
  readonly code = 'INVALID_INPUT';
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(describe(problems));
    this.problems = problems;
  }
}

function describe(problems: readonly Problem[]): string {
  const [first, ...rest] = problems;
  if (first === undefined) return 'The input is not valid.';
  if (rest.length === 0) return first.message;
  const fields = [...new Set(problems.map(({ field }) => field))];
  return `Please correct ${new Intl.ListFormat('en').format(fields)}.`;
}

/**
 * The owner has no such task. Deliberately the same whether the task never existed, was deleted or belongs to somebody
 * else. Code `TASK_NOT_FOUND`.
 */
export class TaskNotFoundError extends TodoError {
  readonly code = 'TASK_NOT_FOUND';

  constructor() {
    super('There is no such task.');
  }
}

/** The task is not what the caller last saw: somebody changed it in between. Code `TASK_CHANGED`. */
export class TaskChangedError extends TodoError {
  readonly code = 'TASK_CHANGED';

  constructor() {
    super('The task has been changed in the meantime. Please load it again, and repeat your change.');
  }
}
