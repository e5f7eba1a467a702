import {
  CATEGORIES,
  DESCRIPTION_MAX_LENGTH,
  DUE_DATE_PATTERN,
  DUE_DATE_PROBLEM,
  descriptionProblem,
  PRIORITIES,
  parseDueDate,
  STATUSES,
  type Status,
  type TaskContent,
  TITLE_MAX_LENGTH,
  titleProblem,
} from '@todo-backend/domain';
import * as v from 'valibot';
import { domainRule, moment, NO_NUL, oneOf, record } from '../validation.js';

/** As a pattern of JSON Schema: a text that PostgreSQL can store, and that is not blank. */
const NOT_BLANK = '^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$';

/** The content of a task as it is given. Letter case does not matter in `priority` and `category`. */
type ContentInput = Omit<TaskContent, 'dueDate'> & {
  /** As `parseDueDate` reads it; `''` is the same as `null`. */
  readonly dueDate: string | null;
};

type RequiredField = 'title' | 'priority' | 'category';

type Optional<Fields> = { readonly [Name in keyof Fields]?: Fields[Name] | undefined };

/** What a new task is created from. What is left out is `null`. */
export type NewTaskInput = Pick<ContentInput, RequiredField> & Optional<Omit<ContentInput, RequiredField>>;

/** What to change about a task. What is left out stays as it is. */
export type TaskPatchInput = Optional<ContentInput>;

/** Whether to complete (`true`) or to reopen (`false`) a task; it is toggled when left out. */
export interface CompletionInput {
  readonly completed?: boolean | undefined;
}

/** A task from another system: a new task with the status and the times that it had there. */
export type ImportedTaskInput = NewTaskInput & {
  /** `pending` when left out. Letter case does not matter. */
  readonly status?: Status | undefined;
  /** An instant (RFC 3339). Now, when left out or in the future. */
  readonly createdAt?: string | undefined;
  /** An instant (RFC 3339). As `createdAt`, when left out. */
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
      pattern: `^(?:${DUE_DATE_PATTERN})?$`,
    }),
  ),
);

const priority = oneOf('Priority', PRIORITIES, 'How much it matters. Any letter case is taken.');
const category = oneOf('Category', CATEGORIES, 'Where it belongs. Any letter case is taken.');

/** A schema for each field of a task's content. A field that is missing here does not compile. */
const contentSchemas = { title, description, priority, category, dueDate } satisfies {
  readonly [Field in keyof TaskContent]: v.GenericSchema<unknown, TaskContent[Field]>;
};

/** The entries of {@link NewTaskSchema}. */
const newTask = {
  ...contentSchemas,
  description: v.optional(description, null),
  dueDate: v.optional(dueDate, null),
};

const patch = v.partial(v.object(contentSchemas)).entries;

/** The entry that {@link CompletionInput} has. */
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

/** Checks {@link CompletionInput}. Unknown keys are ignored. */
export const CompletionSchema = v.optional(record({ completed }), {});

/** Checks {@link ImportedTaskInput}. Unknown keys are ignored. */
export const ImportedTaskSchema = record(
  {
    ...newTask,
    status: v.optional(oneOf('Status', STATUSES, 'Whether it is done. Any letter case is taken.'), 'pending'),
    createdAt: moment('createdAt', 'When it was made: now, when left out or still to come.'),
    updatedAt: moment('updatedAt', 'When it was last changed: as `createdAt`, when left out.'),
  } satisfies Record<keyof ImportedTaskInput, v.GenericSchema>,
  'The task must be a JSON object.',
);

/** {@link NewTaskSchema} and {@link TaskPatchSchema} as parts of something else, with a message of their own. */
export const nested = {
  task: record(newTask, 'The task must be a JSON object.'),
  changes: record(patch, 'The changes must be a JSON object.'),
};
