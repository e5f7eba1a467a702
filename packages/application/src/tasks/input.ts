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
  RECURRENCE_ANCHORS,
  RECURRENCE_RULE_PATTERN,
  REPEATS_WITHOUT_DUE_DATE,
  type Recurrence,
  RULE_MAX_LENGTH,
  ruleProblem,
  type Series,
  STATUSES,
  type Status,
  TAG_MAX_LENGTH,
  type TaskContent,
  TITLE_MAX_LENGTH,
  tagProblems,
  titleProblem,
} from '@todo-backend/domain';
import * as v from 'valibot';
import {
  countUpTo,
  domainRule,
  instant,
  isRequired,
  moment,
  NO_NUL,
  NOT_BLANK,
  oneOf,
  record,
  dueDate as requiredDueDate,
} from '../validation.js';
import { timeZone } from './time-zone.js';

/** The content of a task as input. `priority` and `category` are case-insensitive. */
type ContentInput = Omit<TaskContent, 'dueDate' | 'recurrence'> & {
  /** In a format that `parseDueDate` accepts; `''` is the same as `null`. */
  readonly dueDate: string | null;
  /** `anchor` is case-insensitive, and `schedule` when it is left out. */
  readonly recurrence: (Omit<Recurrence, 'anchor'> & Optional<Pick<Recurrence, 'anchor'>>) | null;
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
  /** Which occurrence of a series it is, so that its rule goes on counting. Without it, the first. */
  readonly series?: (Omit<Series, 'id' | 'start'> & { readonly start: string }) | null | undefined;
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

/** The most dates that are told of a rule. */
export const OCCURRENCES_MAX_LIMIT = 100;

const RULE_PROBLEM = 'The rule must be a text such as FREQ=WEEKLY;BYDAY=MO.';

const recurrenceEntries = {
  rule: v.pipe(
    v.string(RULE_PROBLEM),
    domainRule(ruleProblem),
    v.metadata({
      description: 'A recurrence rule of RFC 5545, of which a part is taken: see the guide.',
      examples: ['FREQ=WEEKLY;BYDAY=MO', 'FREQ=MONTHLY;BYMONTHDAY=-1'],
      maxLength: RULE_MAX_LENGTH,
      pattern: `^${RECURRENCE_RULE_PATTERN}$`,
    }),
  ),
  anchor: v.optional(
    oneOf(
      'Anchor',
      RECURRENCE_ANCHORS,
      'What the next date is counted from: the due date (`schedule`), or the day of completion.',
    ),
    'schedule',
  ),
  timeZone: timeZone('Whose clocks the dates are computed by, as an IANA time zone.'),
};

const recurrence = v.nullable(
  v.pipe(
    record(recurrenceEntries, 'Recurrence must be an object with rule, anchor and timeZone, or null.'),
    v.metadata({
      description:
        'How the task repeats: completing it creates the next one. It needs a due date. Null: not, or no more.',
    }),
  ),
);

const remindAt = v.nullable(
  instant('remindAt', 'When to be reminded: an event comes once, unless the task is completed by then.'),
);

/** A schema for each field of a task's content. A missing field is a type error. */
const contentSchemas = { title, description, priority, category, dueDate, tags, recurrence, remindAt } satisfies {
  readonly [Field in keyof TaskContent]: v.GenericSchema<unknown, TaskContent[Field]>;
};

/** The entries of {@link NewTaskSchema}. */
const newTask = {
  ...contentSchemas,
  description: v.optional(description, null),
  dueDate: v.optional(dueDate, null),
  tags: v.optional(tags, []),
  recurrence: v.optional(recurrence, null),
  remindAt: v.optional(remindAt, null),
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

const SERIES_PROBLEM = 'Series must be an object with occurrence, start and before, as an export has it, or null.';

function seriesCount(least: number) {
  return v.pipe(
    v.number(SERIES_PROBLEM),
    v.integer(SERIES_PROBLEM),
    v.minValue(least, SERIES_PROBLEM),
    v.maxValue(MAX_OCCURRENCE, SERIES_PROBLEM),
  );
}

/** As many as PostgreSQL's `integer` has, less those that may follow. */
const MAX_OCCURRENCE = 1_000_000_000;

// With its type written out: older versions of TypeScript cannot read the one that would be declared.
const series: v.GenericSchema<unknown, Omit<Series, 'id'> | null> = v.nullable(
  v.pipe(
    record(
      {
        occurrence: seriesCount(1),
        start: v.pipe(
          v.string(SERIES_PROBLEM),
          v.rawTransform<string, DueDate>(({ dataset, addIssue, NEVER }) => {
            const parsed = parseForeignDate(dataset.value);
            if (parsed !== undefined) return parsed;
            addIssue({ message: DUE_DATE_PROBLEM.replace('Due date', 'The start of a series') });
            return NEVER;
          }),
          v.metadata({ pattern: `^${FOREIGN_DATE_PATTERN}$`, examples: ['2026-03-10T09:30:00'] }),
        ),
        before: seriesCount(0),
      },
      SERIES_PROBLEM,
    ),
    v.metadata({
      description:
        'Which occurrence it is, as an export has it, so that its rule goes on counting. Its id is not kept.',
    }),
  ),
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
      series: v.optional(series),
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
  v.forward(
    v.check(({ recurrence, dueDate }) => recurrence === null || dueDate !== null, REPEATS_WITHOUT_DUE_DATE),
    ['dueDate'],
  ),
  v.transform(({ completed = false, status = completed ? 'completed' : 'pending', ...task }) => ({ ...task, status })),
);

/** {@link NewTaskSchema} and {@link TaskPatchSchema} as parts of other schemas, with their own messages. */
export const nested = {
  task: record(newTask, 'The task must be a JSON object.'),
  changes: record(patch, 'The changes must be a JSON object.'),
};

/** The input of {@link OccurrencesQuerySchema}. */
export interface OccurrencesQueryInput {
  /** 1 to {@link OCCURRENCES_MAX_LIMIT}; default 5. */
  readonly limit?: number | undefined;
}

const limit = v.optional(countUpTo('Limit', OCCURRENCES_MAX_LIMIT, 'At the most so many dates.'), 5);

/** Checks {@link OccurrencesQueryInput}. Unknown names are ignored. */
export const OccurrencesQuerySchema = v.object({
  limit,
} satisfies Record<keyof OccurrencesQueryInput, v.GenericSchema>);

/** A rule, and the due date that it counts from. */
export interface PreviewInput extends OccurrencesQueryInput {
  /** In a format that `parseDueDate` accepts. */
  readonly dueDate: string;
  readonly rule: string;
  /** Default `schedule`. */
  readonly anchor?: Recurrence['anchor'] | undefined;
  readonly timeZone: string;
}

/** Checks {@link PreviewInput}. Unknown names are ignored. */
export const PreviewSchema = v.object(
  {
    dueDate: requiredDueDate(DUE_DATE_PROBLEM, 'The due date that the rule counts from.'),
    ...recurrenceEntries,
    limit,
  } satisfies Record<keyof PreviewInput, v.GenericSchema>,
  isRequired,
);
