import {
  CATEGORIES,
  DUE_DATE_PROBLEM,
  descriptionProblem,
  InvalidInputError,
  PRIORITIES,
  parseDueDate,
  STATUSES,
  textProblem,
  titleProblem,
} from '@todo-backend/domain';
import * as v from 'valibot';
import { SORT_KEYS, SORT_ORDERS } from './ports.js';

/** The longest search text, in UTF-16 code units: as long as a description can be. */
export const SEARCH_MAX_LENGTH = 2000;

const title = v.pipe(v.string('Title must be a text.'), domainRule(titleProblem), v.trim());

const description = v.nullable(v.pipe(v.string('Description must be a text or null.'), domainRule(descriptionProblem)));

const dueDate = v.nullable(
  v.pipe(
    v.string('Due date must be a text such as 2026-03-10, or null.'),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      if (dataset.value === '') return null;
      const parsed = parseDueDate(dataset.value);
      if (parsed !== undefined) return parsed;
      addIssue({ message: DUE_DATE_PROBLEM });
      return NEVER;
    }),
  ),
);

const priority = oneOf('Priority', PRIORITIES);
const category = oneOf('Category', CATEGORIES);

/** What is needed to create a task. Keys that are not named here are ignored. */
export const NewTaskSchema = body({
  title,
  description: v.optional(description, null),
  priority,
  category,
  dueDate: v.optional(dueDate, null),
});

/** What can be changed about a task. What is left out stays; keys that are not named here are ignored. */
export const TaskChangesSchema = body({
  title: v.optional(title),
  description: v.optional(description),
  priority: v.optional(priority),
  category: v.optional(category),
  dueDate: v.optional(dueDate),
});

/** How to complete a task: `{"completed": true}` or `false` sets, nothing at all toggles. */
export const CompletionSchema = v.optional(
  body({ completed: v.optional(v.boolean('Completed must be true or false.')) }),
  {},
);

/** Any UUID, in any letter case. */
export const TaskIdSchema = v.pipe(
  v.string('The task id must be a UUID.'),
  v.regex(/^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i, 'The task id must be a UUID.'),
  v.toLowerCase(),
);

/** Which tasks to list, as names and values of a query string. Names that are not named here are ignored. */
export const TaskQuerySchema = v.pipe(
  v.object({
    status: filter('Status', STATUSES),
    priority: filter('Priority', PRIORITIES),
    category: filter('Category', CATEGORIES),
    search: v.optional(
      v.pipe(
        v.string('Search may be given only once.'),
        v.maxLength(SEARCH_MAX_LENGTH, `Search must have at most ${SEARCH_MAX_LENGTH} characters.`),
        domainRule((text) => textProblem('Search', text)),
      ),
    ),
    sort_by: v.optional(
      v.picklist(SORT_KEYS, `Parameter sort_by must be one of ${SORT_KEYS.join(', ')}.`),
      'createdAt',
    ),
    sort_order: v.optional(v.picklist(SORT_ORDERS, 'Parameter sort_order must be asc or desc.'), 'desc'),
  }),
  v.transform(({ sort_by: sortBy, sort_order: sortOrder, ...filters }) => ({ ...filters, sortBy, sortOrder })),
);

/**
 * Checks input of any kind against a schema.
 *
 * @param input by name, as the problems are to name it; what is under `body` is named without that word
 * @throws {@link InvalidInputError} `INVALID_INPUT`, with every problem found
 */
export function parseInput<const Entries extends v.ObjectEntries>(
  entries: Entries,
  input: { readonly [Name in keyof Entries]: unknown },
): v.InferOutput<v.ObjectSchema<Entries, undefined>> {
  const result = v.safeParse(v.object(entries), input);
  if (result.success) return result.output;
  throw new InvalidInputError(
    result.issues.map((issue) => {
      const path = (issue.path ?? []).map(({ key }) => String(key));
      if (path.length > 1 && (path[0] === 'body' || path[0] === 'query')) path.shift();
      return { field: path.join('.'), message: issue.message };
    }),
  );
}

function body<const Entries extends v.ObjectEntries>(entries: Entries) {
  // valibot reports a missing key with this message too, and names the key in `expected`.
  return v.pipe(
    v.unknown(),
    v.check((input) => typeof input === 'object' && !Array.isArray(input), 'The body must be a JSON object.'),
    v.object(entries, ({ expected }) =>
      expected?.startsWith('"')
        ? `${capitalised(expected.slice(1, -1))} is required.`
        : 'The body must be a JSON object.',
    ),
  );
}

function capitalised(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

function oneOf<const Values extends readonly string[]>(name: string, values: Values) {
  const message = `${name} must be one of ${values.join(', ')}.`;
  return v.pipe(v.string(message), v.toLowerCase(), v.picklist(values, message));
}

function filter<const Values extends readonly string[]>(name: string, values: Values) {
  return v.optional(
    v.union(
      [
        v.pipe(
          v.literal(''),
          v.transform(() => undefined),
        ),
        oneOf(name, values),
      ],
      `${name} must be one of ${values.join(', ')}, and given only once.`,
    ),
  );
}

function domainRule(problem: (text: string) => string | undefined) {
  return v.rawCheck<string>(({ dataset, addIssue }) => {
    const message = dataset.typed ? problem(dataset.value) : undefined;
    if (message !== undefined) addIssue({ message });
  });
}
