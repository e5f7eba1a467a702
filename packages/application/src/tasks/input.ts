import {
  CATEGORIES,
  DESCRIPTION_MAX_LENGTH,
  DUE_DATE_PATTERN,
  DUE_DATE_PROBLEM,
  type DueDate,
  descriptionProblem,
  FOREIGN_DATE_PATTERN,
  MAX_TAGS,
  PRIORITIES,
  parseDueDate,
  parseForeignDate,
  STATUSES,
  type Status,
  TAG_MAX_LENGTH,
  type TaskContent,
  TITLE_MAX_LENGTH,
  tagProblems,
  titleProblem,
} from '@todo-backend/domain';
import * as v from 'valibot';
import { domainRule, moment, NO_NUL, NOT_BLANK, oneOf, record } from '../validation.js';

/** The content of a task as input. `priority` and `category` are case-insensitive. */
type ContentInput = Omit<TaskContent, 'dueDate'> & {
  /** In a format that `parseDueDate` accepts; `''` is the same as `null`. */
  readonly dueDate: string | null;
};

type RequiredField = 'title' | 'priority' | 'category';

type Optional<Fields> = { readonly [Name in keyof Fields]?: Fields[Name] | undefined };

/** The input for a new task. Omitted fields are `null`, omitted tags none. */
export type NewTaskInput = Pick<ContentInput, RequiredField> & Optional<Omit<ContentInput, RequiredField>>;

/** The fields of a task to change. Omitted fields stay as they are. */
export type TaskPatchInput = Optional<ContentInput>;

/** Whether to complete (`true`) or reopen (`false`) a task; toggles it when omitted. */
export interface CompletionInput {
  readonly completed?: boolean | undefined;
}

/** A task from another system, with the status and the times that it had there. */
export type ImportedTaskInput = NewTaskInput & {
  /** Default `pending`, or what `completed` says. Case-insensitive. */
  readonly status?: Status | undefined;
  /** The same in another way. */
  readonly completed?: boolean | undefined;
  /** An instant (RFC 3339). Replaced by now when omitted or in the future. */
  readonly createdAt?: string | undefined;
  /** An instant (RFC 3339). Default `createdAt`. */
  readonly updatedAt?: string | undefined;
};

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

/** A due date, as `read` reads it. */
function dueDateAs(read: (text: string) => DueDate | undefined, pattern: string) {
  return v.nullable(
    v.pipe(
      v.string('Due date must be a text such as 2026-03-10, or null.'),
      v.rawTransform(({ dataset, addIssue, NEVER }) => {
        if (dataset.value === '') return null;
        const parsed = read(dataset.value);
        if (parsed !== undefined) return parsed;
        addIssue({ message: DUE_DATE_PROBLEM });
        return NEVER;
      }),
      v.metadata({
        description:
          'A real date in the years 0001 to 9999. Without a zone it is a wall clock (10 March everywhere), with one an instant. An empty text is none.',
        examples: ['2026-03-10', '2026-03-10T09:30', '2026-03-10T09:30:00+05:00'],
        pattern: `^(?:${pattern})?$`,
      }),
    ),
  );
}

const dueDate = dueDateAs(parseDueDate, DUE_DATE_PATTERN);

const TAGS_PROBLEM = 'Tags must be an array of texts; an empty one is none.';

const tags = v.pipe(
  v.array(v.unknown(), TAGS_PROBLEM),
  // Before the items, of which there may be very many.
  v.check((tags) => tags.length <= MAX_TAGS, `Tags must be at most ${MAX_TAGS}.`),
  v.array(
    v.pipe(
      v.string('A tag must be a text.'),
      v.metadata({ minLength: 1, maxLength: TAG_MAX_LENGTH, pattern: NOT_BLANK }),
    ),
    TAGS_PROBLEM,
  ),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const { value } = dataset;
    for (const { index, message } of tagProblems(value)) {
      if (index === undefined) addIssue({ message });
      else
        addIssue({
          message,
          path: [{ type: 'array', origin: 'value', input: value, key: index, value: value[index] }],
        });
    }
  }),
  v.transform((tags) => tags.map((tag) => tag.trim())),
  v.metadata({
    description:
      'Words to find it by, in the order given. White space around them is dropped, and no two may differ only by letter case.',
    examples: [['shopping', 'this week']],
    maxItems: MAX_TAGS,
    uniqueItems: true,
  }),
);

const priority = oneOf('Priority', PRIORITIES, 'How much it matters. Any letter case is taken.');
const category = oneOf('Category', CATEGORIES, 'Where it belongs. Any letter case is taken.');

/** A schema for each field of a task's content. A missing field is a type error. */
const contentSchemas = { title, description, priority, category, dueDate, tags } satisfies {
  readonly [Field in keyof TaskContent]: v.GenericSchema<unknown, TaskContent[Field]>;
};

/** The entries of {@link NewTaskSchema}. */
const newTask = {
  ...contentSchemas,
  description: v.optional(description, null),
  dueDate: v.optional(dueDate, null),
  tags: v.optional(tags, []),
};

const patch = v.partial(v.object(contentSchemas)).entries;

const COMPLETED_MISSING = 'Completed is required: true or false. Only a request without a body toggles.';

function isObject(input: unknown): input is object {
  return typeof input === 'object' && input !== null;
}

/** The entry of {@link CompletionSchema}. */
export const completed = v.optional(
  v.pipe(
    v.boolean('Completed must be true or false.'),
    v.metadata({ description: 'Whether it is done. Left out, it becomes what it is not.' }),
  ),
);

/** Checks {@link NewTaskInput}. Unknown keys are ignored. */
export const NewTaskSchema = record(newTask);

/** Checks {@link TaskPatchInput}. Unknown keys are ignored. */
export const TaskPatchSchema = record(patch);

/** Checks {@link CompletionInput}. Unknown keys are ignored beside `completed`, and refused where it is missing. */
export const CompletionSchema = v.optional(
  v.pipe(
    v.unknown(),
    v.check((input) => !isObject(input) || 'completed' in input || Object.keys(input).length === 0, COMPLETED_MISSING),
    record({ completed }),
  ),
  {},
);

/** Checks {@link ImportedTaskInput}. Unknown keys are ignored. */
export const ImportedTaskSchema = v.pipe(
  record(
    {
      ...newTask,
      dueDate: v.optional(dueDateAs(parseForeignDate, FOREIGN_DATE_PATTERN), null),
      status: v.optional(oneOf('Status', STATUSES, 'Whether it is done. Any letter case is taken.')),
      completed: v.optional(
        v.pipe(
          v.boolean('Completed must be true or false.'),
          v.metadata({ description: 'The same in another way. It must not contradict `status`.' }),
        ),
      ),
      createdAt: moment('createdAt', 'When it was made: now, when left out or still to come.'),
      updatedAt: moment('updatedAt', 'When it was last changed: as `createdAt`, when left out.'),
    } satisfies Record<keyof ImportedTaskInput, v.GenericSchema>,
    'The task must be a JSON object.',
  ),
  v.forward(
    v.check(
      ({ status, completed }) =>
        status === undefined || completed === undefined || completed === (status === 'completed'),
      'Completed must not contradict status.',
    ),
    ['completed'],
  ),
  v.transform(({ completed = false, status = completed ? 'completed' : 'pending', ...task }) => ({ ...task, status })),
);

/** {@link NewTaskSchema} and {@link TaskPatchSchema} as parts of other schemas, with their own messages. */
export const nested = {
  task: record(newTask, 'The task must be a JSON object.'),
  changes: record(patch, 'The changes must be a JSON object.'),
};
