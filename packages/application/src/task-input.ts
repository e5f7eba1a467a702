import {
  CATEGORIES,
  DESCRIPTION_MAX_LENGTH,
  DUE_DATE_PROBLEM,
  descriptionProblem,
  InvalidInputError,
  isFloating,
  PRIORITIES,
  type Problem,
  parseDueDate,
  STATUSES,
  TASK_EVENT_TYPES,
  type Task,
  TITLE_MAX_LENGTH,
  textProblem,
  titleProblem,
} from '@todo-backend/domain';
import * as v from 'valibot';
import { SORT_KEYS, SORT_ORDERS, type SortKey, type SortOrder, type TaskPosition, type TaskQuery } from './ports.js';

// What the schemas cannot say of themselves (rules of the domain are functions) stands in their metadata, in the words of
// JSON Schema, for whoever describes them.

/** The longest search text, in UTF-16 code units: as long as a description can be. */
export const SEARCH_MAX_LENGTH = 2000;

/** The most tasks of a list that can be had at once, where a limit is given. */
export const LIST_MAX_LIMIT = 1000;

const CURSOR_PROBLEM = 'Parameter cursor must be one that an earlier answer gave, for the same order.';

const CURSOR_MEANING = 'Where to go on, as the link to the next part of an earlier answer has it.';

const CursorSchema = v.pipe(
  v.string(),
  v.maxLength(2000),
  v.parseJson(undefined),
  v.strictTuple([
    v.picklist(SORT_KEYS),
    v.picklist(SORT_ORDERS),
    v.nullable(v.string()),
    v.pipe(
      v.string(),
      v.check((text) => isTimestamp(text)),
    ),
    v.pipe(v.string(), v.uuid()),
  ]),
);

/** As patterns of JSON Schema: what PostgreSQL can hold, the same and not blank, and the spellings of a due date. */
const NO_NUL = '^[^\\u0000]*$';
const NOT_BLANK = '^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$';
const DUE_DATE_OR_EMPTY =
  '^(?:\\d{4}-\\d{2}-\\d{2}(?:T\\d{2}:\\d{2}(?::\\d{2}(?:\\.\\d{1,3}0*)?)?(?:Z|[+-]\\d{2}:\\d{2})?)?)?$';

const title = v.pipe(
  v.string('Title must be a text.'),
  domainRule(titleProblem),
  v.trim(),
  v.metadata({
    description: 'What is to be done. White space around it is dropped.',
    examples: ['Buy milk'],
    minLength: 1,
    maxLength: TITLE_MAX_LENGTH,
    pattern: NOT_BLANK,
  }),
);

const description = v.nullable(
  v.pipe(
    v.string('Description must be a text or null.'),
    domainRule(descriptionProblem),
    v.metadata({
      description: 'More about it, stored exactly as it was sent. An empty text is not the same as none.',
      examples: ['Two litres.'],
      maxLength: DESCRIPTION_MAX_LENGTH,
      pattern: NO_NUL,
    }),
  ),
);

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
    v.metadata({
      description:
        'A real date in the years 0001 to 9999. Without a zone it is a wall clock (10 March everywhere), with one an instant. An empty text is none.',
      examples: ['2026-03-10', '2026-03-10T09:30', '2026-03-10T09:30:00+05:00'],
      pattern: DUE_DATE_OR_EMPTY,
    }),
  ),
);

const priority = oneOf('Priority', PRIORITIES, 'How much it matters. Any letter case is taken.');
const category = oneOf('Category', CATEGORIES, 'Where it belongs. Any letter case is taken.');
const completed = v.optional(
  v.pipe(
    v.boolean('Completed must be true or false.'),
    v.metadata({ description: 'Whether it is done. Left out, it becomes what it is not.' }),
  ),
);

const newTask = {
  title,
  description: v.optional(description, null),
  priority,
  category,
  dueDate: v.optional(dueDate, null),
};

/** What is needed to create a task. Keys that are not named here are ignored. */
export const NewTaskSchema = body(newTask);

const changes = {
  title: v.optional(title),
  description: v.optional(description),
  priority: v.optional(priority),
  category: v.optional(category),
  dueDate: v.optional(dueDate),
};

/** What can be changed about a task. What is left out stays; keys that are not named here are ignored. */
export const TaskChangesSchema = body(changes);

/** How to complete a task: `{"completed": true}` or `false` sets, nothing at all toggles. */
export const CompletionSchema = v.optional(body({ completed }), {});

/** Any UUID, in any letter case. */
export const TaskIdSchema = v.pipe(
  v.string('The task id must be a UUID.'),
  v.regex(/^[\dA-Fa-f]{8}(?:-[\dA-Fa-f]{4}){3}-[\dA-Fa-f]{12}$/, 'The task id must be a UUID.'),
  v.toLowerCase(),
  v.metadata({ format: 'uuid' }),
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
        v.metadata({
          description:
            'Only tasks with this text in title or description. Letter case does not matter, and every character means itself.',
          pattern: NO_NUL,
        }),
      ),
    ),
    sort_by: v.optional(
      v.pipe(
        v.picklist(SORT_KEYS, `Parameter sort_by must be one of ${SORT_KEYS.join(', ')}.`),
        v.metadata({
          description:
            'Priority sorts by weight, title without regard to letter case, a missing due date last in both directions. Ties break by creation.',
        }),
      ),
      'createdAt',
    ),
    sort_order: v.optional(
      v.pipe(
        v.picklist(SORT_ORDERS, 'Parameter sort_order must be asc or desc.'),
        v.metadata({ description: 'Ascending or descending.' }),
      ),
      'desc',
    ),
    limit: v.optional(
      naturalNumber(
        `Parameter limit must be a whole number from 1 to ${LIST_MAX_LIMIT}.`,
        LIST_MAX_LIMIT,
        'At the most so many tasks. All of them when left out.',
      ),
    ),
    cursor: v.optional(v.pipe(v.string(CURSOR_PROBLEM), v.metadata({ description: CURSOR_MEANING }))),
  }),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed || dataset.value.cursor === undefined) return;
    const { cursor, sort_by, sort_order } = dataset.value;
    if (readCursor(cursor, sort_by, sort_order) !== undefined) return;
    addIssue({
      message: CURSOR_PROBLEM,
      path: [{ type: 'object', origin: 'value', input: dataset.value, key: 'cursor', value: cursor }],
    });
  }),
  v.transform(({ sort_by: sortBy, sort_order: sortOrder, cursor, ...query }) => ({
    ...query,
    sortBy,
    sortOrder,
    after: cursor === undefined ? undefined : readCursor(cursor, sortBy, sortOrder),
  })),
);

/** The `cursor` that continues a list of {@link TaskQuerySchema} after `task`. */
export function cursorAfter(task: Task, { sortBy, sortOrder }: Pick<TaskQuery, 'sortBy' | 'sortOrder'>): string {
  return JSON.stringify([sortBy, sortOrder, task[sortBy], task.createdAt, task.id]);
}

function readCursor(text: string, sortBy: SortKey, sortOrder: SortOrder): TaskPosition | undefined {
  const result = v.safeParse(CursorSchema, text);
  if (!result.success) return undefined;
  const [by, order, key, createdAt, id] = result.output;
  const isOfThisOrder = by === sortBy && order === sortOrder;
  return isOfThisOrder && isKey[sortBy](key) ? { key, createdAt, id } : undefined;
}

/** What can be the value of a field that is sorted by. */
const isKey: Record<SortKey, (key: string | null) => boolean> = {
  createdAt: isTimestamp,
  updatedAt: isTimestamp,
  dueDate: (key) => key === null || parseDueDate(key) === key,
  priority: (key) => PRIORITIES.some((priority) => priority === key),
  title: (key) => key !== null && titleProblem(key) === undefined,
};

function isTimestamp(text: string | null): boolean {
  return text?.endsWith('Z') === true && parseDueDate(text) === text;
}

/** What {@link ImportSchema} takes at once. */
export const IMPORT_MAX_TASKS = 10_000;

/** What {@link BatchSchema} takes at once. */
export const BATCH_MAX_OPERATIONS = 100;

/** Operations, each one to be checked by {@link OperationSchema} on its own. */
export const BatchSchema = body({
  operations: v.pipe(
    v.array(v.unknown(), 'Operations must be an array.'),
    v.minLength(1, 'Operations must not be empty.'),
    v.maxLength(BATCH_MAX_OPERATIONS, `Operations must be at most ${BATCH_MAX_OPERATIONS}.`),
    v.metadata({ description: 'What to do, one after the other. Each sees what those before it did.' }),
  ),
  atomic: v.optional(
    v.pipe(
      v.boolean('Atomic must be true or false.'),
      v.metadata({ description: 'Whether all of it is done or nothing. Otherwise what can be done is.' }),
    ),
    true,
  ),
});

/** One operation of a batch. */
export const OperationSchema = v.variant(
  'op',
  [
    v.object({ op: v.literal('create'), task: body(newTask, 'The task must be a JSON object.') }, isRequired),
    v.object(
      { op: v.literal('update'), id: TaskIdSchema, changes: body(changes, 'The changes must be a JSON object.') },
      isRequired,
    ),
    v.object({ op: v.literal('complete'), id: TaskIdSchema, completed }, isRequired),
    v.object({ op: v.literal('delete'), id: TaskIdSchema }, isRequired),
  ],
  'The operation must be an object whose op is create, update, complete or delete.',
);

/** A task that comes from elsewhere: what can be said about a new one, and its history. Other keys are ignored. */
export const ImportedTaskSchema = body(
  {
    ...newTask,
    status: v.optional(oneOf('Status', STATUSES, 'Whether it is done. Any letter case is taken.'), 'pending'),
    createdAt: moment('createdAt', 'When it was made: now, when left out or still to come.'),
    updatedAt: moment('updatedAt', 'When it was last changed: as `createdAt`, when left out.'),
  },
  'The task must be a JSON object.',
);

/** Tasks as the export gives them. */
export const ImportSchema = body({
  tasks: v.pipe(
    v.array(v.unknown(), 'Tasks must be an array.'),
    v.minLength(1, 'Tasks must not be empty.'),
    v.maxLength(IMPORT_MAX_TASKS, `Tasks must be at most ${IMPORT_MAX_TASKS}.`),
    v.metadata({ description: 'The tasks, as an export has them. Their ids are not kept.' }),
  ),
});

/** The most entries of a journal that can be had at once. */
export const JOURNAL_MAX_LIMIT = 200;

/** Which entries of the journal, as names and values of a query string. Names that are not named here are ignored. */
export const JournalQuerySchema = v.pipe(
  v.object({
    task_id: v.optional(v.pipe(TaskIdSchema, v.metadata({ description: 'Only what happened to this task.' }))),
    type: v.optional(
      v.pipe(
        v.picklist(TASK_EVENT_TYPES, `Type must be one of ${TASK_EVENT_TYPES.join(', ')}.`),
        v.metadata({ description: 'Only events of this type.' }),
      ),
    ),
    since: moment('since', 'Only what happened from this time on.'),
    until: moment('until', 'Only what happened before this time.'),
    cursor: v.optional(
      naturalNumber('Parameter cursor must be one that an earlier answer gave.', 2_147_483_647, CURSOR_MEANING),
    ),
    limit: v.optional(
      naturalNumber(
        `Parameter limit must be a whole number from 1 to ${JOURNAL_MAX_LIMIT}.`,
        JOURNAL_MAX_LIMIT,
        'At the most so many entries.',
      ),
      '50',
    ),
  }),
  v.transform(({ task_id: taskId, cursor: before, ...query }) => ({ ...query, taskId, before })),
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

/**
 * Checks one item of a list that was sent.
 *
 * @param place where it is, such as `operations.3`: in front of the fields that the problems name
 * @returns what the schema makes of it, or every problem found
 */
export function parseItem<const Schema extends v.GenericSchema>(
  schema: Schema,
  input: unknown,
  place: string,
): { readonly output: v.InferOutput<Schema> } | { readonly problems: readonly Problem[] } {
  const result = v.safeParse(schema, input);
  if (result.success) return { output: result.output };
  const problems = result.issues.map(({ path = [], message }) => ({
    field: [place, ...path.map(({ key }) => String(key))].join('.'),
    message,
  }));
  return { problems };
}

function body<const Entries extends v.ObjectEntries>(entries: Entries, message = 'The body must be a JSON object.') {
  // valibot reports a missing key with this message too, and names the key in `expected`.
  return v.pipe(
    v.unknown(),
    v.check((input) => typeof input === 'object' && !Array.isArray(input), message),
    v.object(entries, ({ expected }) => (expected?.startsWith('"') ? isRequired({ expected }) : message)),
  );
}

/** The sentence for a missing key. */
function isRequired({ expected }: { readonly expected: string | null }): string {
  return `${capitalised(expected?.slice(1, -1) ?? 'This')} is required.`;
}

function capitalised(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

function oneOf<const Values extends readonly string[]>(name: string, values: Values, description: string) {
  const message = `${name} must be one of ${values.join(', ')}.`;
  return v.pipe(v.string(message), v.toLowerCase(), v.picklist(values, message), v.metadata({ description }));
}

function filter<const Values extends readonly string[]>(name: string, values: Values) {
  const description = `Only tasks of this ${name.toLowerCase()}. Any letter case is taken; an empty value is as if absent.`;
  return v.optional(
    v.union(
      [
        v.pipe(
          v.literal(''),
          v.transform(() => undefined),
        ),
        oneOf(name, values, description),
      ],
      `${name} must be one of ${values.join(', ')}, and given only once.`,
    ),
  );
}

function moment(name: string, description: string) {
  const message = `${capitalised(name)} must be a time such as 2026-03-10T09:30:00Z.`;
  return v.optional(
    v.pipe(
      v.string(message),
      v.rawTransform<string, string>(({ dataset, addIssue, NEVER }) => {
        const parsed = parseDueDate(dataset.value);
        if (parsed !== undefined && !isFloating(parsed)) return parsed;
        addIssue({ message });
        return NEVER;
      }),
      v.metadata({ description, format: 'date-time' }),
    ),
  );
}

/** From 1 to `most`, as a text. */
function naturalNumber(message: string, most: number, description: string) {
  const text = v.pipe(v.string(message), v.regex(/^[1-9]\d{0,9}$/, message), v.transform(Number));
  return v.pipe(text, v.number(), v.integer(), v.minValue(1), v.maxValue(most, message), v.metadata({ description }));
}

function domainRule(problem: (text: string) => string | undefined) {
  return v.rawCheck<string>(({ dataset, addIssue }) => {
    const message = dataset.typed ? problem(dataset.value) : undefined;
    if (message !== undefined) addIssue({ message });
  });
}
