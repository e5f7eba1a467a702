/** One problem of an input, about one field. */
export interface Problem {
  /** The field, for example `title` or `tasks.3.title`; empty for the input as a whole. */
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

/** Problems that an error carries at the most: input of many tasks may have very many, and nobody reads them all. */
export const MAX_PROBLEMS = 100;

/** Fields that the message of an error names at the most. */
const MAX_NAMED_FIELDS = 10;

/** An error about fields. Carries the first {@link MAX_PROBLEMS} problems that were found. */
export abstract class ProblemsError extends TodoError {
  readonly problems: readonly Problem[];

  constructor(message: string, problems: readonly Problem[]) {
    super(message);
    this.problems = problems.slice(0, MAX_PROBLEMS);
  }
}

/** What was given breaks a rule. Code `INVALID_INPUT`. */
export class InvalidInputError extends ProblemsError {
  readonly code = 'INVALID_INPUT';

  constructor(problems: readonly Problem[]) {
    super(describe(problems), problems);
  }
}

function describe(problems: readonly Problem[]): string {
  const [first, ...rest] = problems;
  if (first === undefined) return 'The input is not valid.';
  if (rest.length === 0) return first.message;
  const fields = [...new Set(problems.map(({ field }) => field))];
  const named = fields.slice(0, MAX_NAMED_FIELDS);
  if (fields.length > named.length) named.push(`${fields.length - named.length} more`);
  return `Please correct ${new Intl.ListFormat('en').format(named)}.`;
}

/**
 * The owner has no such task. Deliberately the same whether the task never existed, was deleted or belongs to another
 * user. Code `TASK_NOT_FOUND`.
 */
export class TaskNotFoundError extends TodoError {
  readonly code = 'TASK_NOT_FOUND';

  constructor() {
    super('There is no such task.');
  }
}

/** The task has changed since the caller last read it. Code `TASK_CHANGED`. */
export class TaskChangedError extends TodoError {
  readonly code = 'TASK_CHANGED';

  constructor() {
    super('The task has been changed in the meantime. Please load it again, and repeat your change.');
  }
}
