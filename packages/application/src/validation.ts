import {
  DUE_DATE_PATTERN,
  type DueDate,
  FOREIGN_DATE_PATTERN,
  INVISIBLE,
  InvalidInputError,
  isFloating,
  type Problem,
  parseDueDate,
  parseForeignDate,
  textProblem,
} from '@todo-backend/domain';
import * as v from 'valibot';
import { journalPosition, POSITION_PATTERN } from './position.js';

// Rules that are functions have no JSON Schema equivalent, so metadata describes them for the API document.

/** JSON Schema pattern: a text that PostgreSQL can store. */
export const NO_NUL = '^[^\\u0000]*$';

/** JSON Schema pattern: a text that PostgreSQL can store and that shows something. */
export const NOT_BLANK = `^[^\\u0000]*[^${INVISIBLE}][^\\u0000]*$`;

/** The result of checking an input: the schema's output, or every problem found. */
export type Checked<Output> = { readonly output: Output } | { readonly problems: readonly Problem[] };

/** Casts client input to the type of a use case, which checks it at run time. */
export function unchecked<Input>(value: unknown): Input {
  return value as Input;
}

/**
 * Checks an input against a schema.
 *
 * @param place the path of the input, such as `operations.3`, the prefix of the fields in the problems
 */
export function check<const Schema extends v.GenericSchema>(
  schema: Schema,
  input: unknown,
  place?: string,
): Checked<v.InferOutput<Schema>> {
  const result = v.safeParse(schema, input);
  if (result.success) return { output: result.output };
  const prefix = place === undefined ? [] : [place];
  return {
    problems: result.issues.map(({ path = [], message }) => ({
      field: [...prefix, ...path.map(({ key }) => String(key))].join('.'),
      message,
    })),
  };
}

/**
 * The outputs of several checks.
 *
 * @throws {@link InvalidInputError} `INVALID_INPUT`, with the problems of all checks
 */
export function outputsOf<const Outputs extends object>(
  checks: {
    readonly [Name in keyof Outputs]: Checked<Outputs[Name]>;
  },
): Outputs {
  const all = Object.entries<Checked<unknown>>(checks);
  const problems = all.flatMap(([, checked]) => ('problems' in checked ? checked.problems : []));
  if (problems.length > 0) throw new InvalidInputError(problems);
  return Object.fromEntries(
    all.map(([name, checked]) => [name, 'output' in checked ? checked.output : undefined]),
  ) as Outputs;
}

/**
 * Checks an input against a schema.
 *
 * @throws {@link InvalidInputError} `INVALID_INPUT`, with every problem found
 */
export function parse<const Schema extends v.GenericSchema>(schema: Schema, input: unknown): v.InferOutput<Schema> {
  return outputsOf({ output: check(schema, input) }).output;
}

/** An object with these entries. Other keys are ignored. */
export function record<const Entries extends v.ObjectEntries>(
  entries: Entries,
  message = 'The input must be an object.',
) {
  // valibot uses one message for a value that is not an object and for a missing key, which is named in `expected`.
  return v.pipe(
    v.unknown(),
    v.check((input) => typeof input === 'object' && !Array.isArray(input), message),
    v.object(entries, ({ expected }) => (expected?.startsWith('"') ? isRequired({ expected }) : message)),
  );
}

/** The message for a missing key. */
export function isRequired({ expected }: { readonly expected: string | null }): string {
  return `${capitalized(expected?.slice(1, -1) ?? 'This')} is required.`;
}

/** One of these values, case-insensitive. */
export function oneOf<const Values extends readonly string[]>(name: string, values: Values, description: string) {
  const message = `${name} must be one of ${values.join(', ')}.`;
  return v.pipe(v.string(message), v.toLowerCase(), v.picklist(values, message), v.metadata({ description }));
}

/** A boolean that may be left out. */
export function flag(name: string, description: string, byDefault: boolean) {
  return v.optional(v.pipe(v.boolean(`${name} must be true or false.`), v.metadata({ description })), byDefault);
}

/** Whether a change is only to be tried. */
export const dryRun = flag('DryRun', 'Whether nothing is done, and the answer only says what would be.', false);

/** A whole number from 1 to `most`. */
export function countUpTo(name: string, most: number, description: string) {
  const message = `${name} must be a whole number from 1 to ${most}.`;
  return v.pipe(
    v.number(message),
    v.integer(message),
    v.minValue(1, message),
    v.maxValue(most, message),
    v.metadata({ description }),
  );
}

/** A position in the journal that an earlier answer had. */
export function positionInput(name: string, description: string, pattern = POSITION_PATTERN) {
  const message = `${name} must be one from an earlier answer.`;
  return v.optional(
    v.pipe(
      v.string(message),
      v.regex(new RegExp(pattern), message),
      v.metadata({ description, examples: [EXAMPLE_POSITION] }),
    ),
  );
}

const EXAMPLE_POSITION = journalPosition(31, '01a20870-2a56-7b0e-9f0b-4c1f5c5de001');

/** What a `cursor` says of itself. */
export const CURSOR_DESCRIPTION = 'Where to go on, as the link to the next part of an earlier answer has it.';

/** JSON Schema pattern of {@link instant}. */
const INSTANT_PATTERN = `^(?=.*(?:[Zz]|[+-]\\d{2}:?\\d{2})$)${FOREIGN_DATE_PATTERN}$`;

/** A due date of either kind. */
export function dueDate(message: string, description: string) {
  return v.pipe(
    v.string(message),
    v.rawTransform<string, DueDate>(({ dataset, addIssue, NEVER }) => {
      const parsed = parseDueDate(dataset.value);
      if (parsed !== undefined) return parsed;
      addIssue({ message });
      return NEVER;
    }),
    v.metadata({ description, examples: ['2026-03-10', '2026-03-10T09:30:00Z'], pattern: `^${DUE_DATE_PATTERN}$` }),
  );
}

/** An instant that may be left out. */
export function moment(name: string, description: string) {
  return v.optional(instant(name, description));
}

/** An instant, as {@link parseForeignDate} reads it. */
export function instant(name: string, description: string) {
  const message = `${capitalized(name)} must be a real time with a zone, such as 2026-03-10T09:30:00Z or 2026-03-10T09:30:00.123456+01:00, in the years 0001 to 9999.`;
  return v.pipe(
    v.string(message),
    v.rawTransform<string, string>(({ dataset, addIssue, NEVER }) => {
      const parsed = parseForeignDate(dataset.value);
      if (parsed !== undefined && !isFloating(parsed)) return parsed;
      addIssue({ message });
      return NEVER;
    }),
    v.metadata({
      description: `${description} What is more precise than a millisecond is cut.`,
      examples: ['2026-03-10T09:30:00Z'],
      pattern: INSTANT_PATTERN,
    }),
  );
}

/** An id that somebody else has made: any text that is not too long. */
export function foreignId(name: string, description: string) {
  const label = capitalized(name);
  const message = `${label} must have 1 to 255 characters.`;
  return v.optional(
    v.pipe(
      v.string(message),
      v.minLength(1, message),
      v.maxLength(255, message),
      domainRule((text) => textProblem(label, text)),
      v.metadata({ pattern: NO_NUL, description }),
    ),
  );
}

/** A domain rule, which returns a message when it is broken. */
export function domainRule(problem: (text: string) => string | undefined) {
  return v.rawCheck<string>(({ dataset, addIssue }) => {
    const message = dataset.typed ? problem(dataset.value) : undefined;
    if (message !== undefined) addIssue({ message });
  });
}

function capitalized(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
