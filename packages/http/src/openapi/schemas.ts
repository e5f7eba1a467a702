import { OCCURRENCES_MAX_LIMIT, POSITION_PATTERN, TaskIdSchema } from '@todo-backend/application';
import {
  CATEGORIES,
  DESCRIPTION_MAX_LENGTH,
  MAX_PROBLEMS,
  MAX_TAGS,
  PRIORITIES,
  RECURRENCE_ANCHORS,
  RULE_MAX_LENGTH,
  STATUSES,
  TAG_MAX_LENGTH,
  TASK_EVENT_TYPES,
  TASK_EVENTS,
  type Task,
  type TaskEventType,
  TITLE_MAX_LENGTH,
  UNDO_FIELDS,
} from '@todo-backend/domain';
import { type ConversionConfig, toJsonSchema, toJsonSchemaDefs } from '@valibot/to-json-schema';
import type { GenericSchema } from 'valibot';
import { PROBLEM_CODES, problemType } from '../middleware/problem-details.js';
import { type AnswerSchema, bodies, ref, type Schema, type SchemaName } from '../routes/route.js';

const conversion: ConversionConfig = {
  target: 'draft-2020-12',
  // Uses the last schema of a pipe, which says most: the object after the check for arrays, or the list of values after
  // the conversion to lower case.
  typeMode: 'output',
  // These are functions; the metadata beside them describes their rules.
  ignoreActions: ['check', 'raw_check', 'raw_transform', 'transform', 'trim', 'to_lower_case'],
  overrideRef: ({ referenceId }) => componentOf(referenceId),
  overrideSchema: ({ valibotSchema: { type }, jsonSchema }) => {
    const { anyOf = [], ...rest } = jsonSchema;
    const [first, ...others] = anyOf.filter((option) => typeof option === 'object' && option.const !== '');
    // `string | null` is easier to read than `anyOf`, also in generated code.
    if (type === 'nullable' && typeof first === 'object' && typeof first.type === 'string') {
      return { ...rest, ...first, type: [first.type, 'null'] };
    }
    // An empty query parameter is accepted but not documented.
    if (type === 'union' && typeof first === 'object' && others.length === 0) return { ...rest, ...first };
    const { default: initial, ...withoutDefault } = jsonSchema;
    // Without the default `null`, because generators would make the field required.
    if (type === 'optional' && initial === null) return withoutDefault;
    // Numbers are strings in a query string.
    if (type === 'optional' && jsonSchema.type === 'integer' && typeof initial === 'string') {
      return { ...withoutDefault, default: Number(initial) };
    }
    return undefined;
  },
};

/** The JSON Schema of a valibot schema. */
export function schemaOf(schema: GenericSchema): Schema {
  const { $schema: _, ...converted } = toJsonSchema(schema, conversion);
  return converted;
}

const instant = {
  type: 'string',
  format: 'date-time',
  pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z$',
  examples: ['2026-11-23T09:36:17.301Z'],
};

/** An object in which every property is required, except those in `optional`. */
function object(description: string, properties: Record<string, Schema>, optional: readonly string[] = []): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', description, properties, required };
}

const fieldProblems = {
  type: 'array',
  minItems: 1,
  maxItems: MAX_PROBLEMS,
  items: { $ref: componentOf('FieldProblem') },
  description: `The problems of the input, at most ${MAX_PROBLEMS}.`,
};

const count = (description: string) => ({ type: 'integer', minimum: 0, description });

/** A due date as answers have it. */
const DUE_DATE = '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(?:\\.\\d{3}Z?)?$';

const taskId = schemaOf(TaskIdSchema);

const stored = {
  id: { ...taskId, description: 'Made by the server, in the order of time (UUID version 7).' },
  title: { type: 'string', minLength: 1, maxLength: TITLE_MAX_LENGTH },
  description: { type: ['string', 'null'], maxLength: DESCRIPTION_MAX_LENGTH },
  priority: { type: 'string', enum: PRIORITIES },
  category: { type: 'string', enum: CATEGORIES },
  status: { type: 'string', enum: STATUSES },
  dueDate: {
    type: ['string', 'null'],
    pattern: DUE_DATE,
    description:
      'A wall clock (`2026-03-10T00:00:00`), which a browser reads as local time, or an instant in UTC (`2026-03-10T04:30:00.000Z`). It can be sent as it is.',
  },
  createdAt: instant,
  updatedAt: { ...instant, description: 'The same as `createdAt` until the first change, and later with each one.' },
  userId: { type: 'string', description: "Whose task it is: Better Auth's `user.id`." },
  tags: {
    type: 'array',
    items: { type: 'string', minLength: 1, maxLength: TAG_MAX_LENGTH },
    maxItems: MAX_TAGS,
    description: 'Words to find it by, in the order given. No two differ only by letter case.',
  },
  recurrence: {
    ...object('How it repeats: completing it creates the next one. Null where it does not.', {
      rule: { type: 'string', maxLength: RULE_MAX_LENGTH, description: 'A recurrence rule of RFC 5545.' },
      anchor: {
        type: 'string',
        enum: RECURRENCE_ANCHORS,
        description: 'What the next date is counted from: the due date, or the day of completion.',
      },
      timeZone: { type: 'string', description: 'Whose clocks the dates are computed by: an IANA time zone.' },
    }),
    type: ['object', 'null'],
  },
  remindAt: {
    ...instant,
    type: ['string', 'null'],
    description: 'When an event reminds of it, unless it is completed by then.',
  },
  series: {
    ...object('Which occurrence it is, of a task that repeats. Kept by the server; only an import takes it.', {
      id: { ...taskId, description: 'The task that the series began with.' },
      occurrence: { type: 'integer', minimum: 1, description: 'Counts the tasks of the series.' },
      start: { type: 'string', pattern: DUE_DATE, description: 'The due date that the rule counts from.' },
      before: {
        type: 'integer',
        minimum: 0,
        description: 'The occurrences of the rule before this one, done or missed.',
      },
    }),
    type: ['object', 'null'],
  },
} satisfies Record<keyof Task, Schema>;

/** A task in the journal: erased ones have no title. */
const keptTask = { ...stored, title: { ...stored.title, minLength: 0 } };

const actor = object('Who did it.', { type: { type: 'string', enum: ['user', 'agent'] }, id: { type: 'string' } });

const correlationId = { type: ['string', 'null'], description: 'The `X-Request-Id` of the request that did it.' };

const position = { type: 'string', pattern: POSITION_PATTERN, description: 'A position in the journal.' };

/** The task as it is now, or null. */
const taskOrNull = {
  oneOf: [{ $ref: componentOf('Task') }, { type: 'null' }],
  description: 'The task as it is now; null where there is none any more.',
};

const change = { taskId: stored.id, task: taskOrNull, position };

/** A journal entry of these types, with their own properties. */
function entry(description: string, types: readonly TaskEventType[], more: Record<string, Schema>): Schema {
  const properties = {
    sequence: { type: 'integer', minimum: 1, description: "Counts the user's entries, without a gap." },
    id: { type: 'string', format: 'uuid' },
    type: { type: 'string', enum: types },
    time: instant,
    userId: stored.userId,
    taskId: stored.id,
    actor,
    correlationId,
    undoes: { type: 'string', format: 'uuid', description: 'The id of the event that this one takes back.' },
    erased: {
      type: 'boolean',
      const: true,
      description: 'The task was erased: its title, description and tags are blank.',
    },
    ...more,
  };
  return object(description, properties, ['undoes', 'erased', 'next']);
}

/** The types of events with this payload. */
function carrying(payload: (typeof TASK_EVENTS)[TaskEventType]): TaskEventType[] {
  return TASK_EVENT_TYPES.filter((type) => TASK_EVENTS[type] === payload);
}

function isChange(type: TaskEventType): boolean {
  return type !== 'todo.task.reminder-due.v1';
}

/** Types of events as part of a sentence: `created or deleted`. */
function inWords(types: readonly TaskEventType[]): string {
  return new Intl.ListFormat('en', { type: 'disjunction' }).format(types.map((type) => type.split('.')[2] ?? type));
}

/** The schemas of responses, by the name of the component. */
const answers = {
  Task: object('A task. Every key is always there, and what is missing is null.', {
    ...stored,
    completed: { type: 'boolean', description: 'Whether `status` is `completed`.' },
  }),
  JournalEntry: {
    description: 'Something that happened to a task.',
    oneOf: [
      entry(`A task was ${inWords(carrying('task').filter(isChange))}, or its reminder came.`, carrying('task'), {
        task: object('The whole task, as it was made or restored, as it last was, or as it is.', keptTask),
      }),
      entry('A task was changed.', carrying('changes'), {
        changes: object(
          'Each field that differs.',
          Object.fromEntries(
            Object.entries(keptTask).map(([name, schema]) => [
              name,
              object('Before and after.', { before: schema, after: schema }),
            ]),
          ),
          Object.keys(keptTask),
        ),
        next: { ...taskId, description: 'The next occurrence of its series, which its completion has created.' },
      }),
      entry('A deleted task was erased for good.', carrying('nothing'), {}),
    ],
  },
  OperationResult: {
    description: 'What became of one operation, with the status that it would have had on its own.',
    oneOf: [
      object('Done.', { status: { type: 'integer', enum: [200, 201] }, task: { $ref: componentOf('Task') } }),
      object('Deleted.', { status: { type: 'integer', const: 204 } }),
      object('Not done.', { status: { type: 'integer', enum: [404, 422] }, errors: fieldProblems }),
    ],
  },
  Change: object('A task that has changed.', change),
  ChangesPage: object('What has changed since a position.', {
    changes: { type: 'array', items: { $ref: componentOf('Change') } },
    position: { ...position, description: 'The position up to which these are all changes.' },
    more: { type: 'boolean', description: 'Whether there are more after that position.' },
  }),
  StreamedChange: object('The data of an event of the stream.', {
    ...change,
    type: { type: 'string', enum: TASK_EVENT_TYPES, description: 'What its last change was.' },
    actor,
    correlationId,
  }),
  UndoResult: object(
    'What became of one event.',
    {
      eventId: { type: 'string', format: 'uuid' },
      taskId: stored.id,
      outcome: {
        type: 'string',
        enum: ['undone', 'nothing', 'conflict'],
        description:
          'It was taken back; there is nothing to take back (any more); or the `fields` were changed since. With `atomic` false, the other fields of a conflict went back.',
      },
      fields: {
        type: 'array',
        items: { type: 'string', enum: UNDO_FIELDS },
        description: 'The fields that went back, or that were changed since; empty for whole tasks.',
      },
      task: {
        ...taskOrNull,
        description: 'The task after that; null where there is none. Left out where there are more than 100 results.',
      },
    },
    ['task'],
  ),
  TrashedTask: object('A deleted task that can be restored.', {
    eventId: { type: 'string', format: 'uuid', description: 'The event that deleted it.' },
    task: { $ref: componentOf('Task') },
    deletedAt: instant,
    deletedBy: actor,
    restorableUntil: { ...instant, description: 'How long it can be restored, at the least.' },
  }),
  Stats: object('How many tasks a user has.', {
    total: count('The other two together.'),
    pending: count('Still to be done.'),
    completed: count('Done.'),
  }),
  TagCount: object('A tag in use.', {
    tag: {
      ...stored.tags.items,
      description: 'The spelling that most tasks have, of those that differ only by letter case.',
    },
    count: { type: 'integer', minimum: 1, description: 'How many tasks have it, in any letter case.' },
  }),
  Occurrences: object('The due dates that follow.', {
    occurrences: {
      type: 'array',
      maxItems: OCCURRENCES_MAX_LIMIT,
      items: { type: 'string', pattern: DUE_DATE },
      description: 'Of the same kind as the due date: wall clocks, or instants.',
    },
  }),
  Info: object('What this is, and where to find the rest.', {
    name: { type: 'string', const: 'todo-backend' },
    version: { type: 'string' },
    links: { type: 'object', additionalProperties: { type: 'string' } },
  }),
  Health: object('The server is alive.', { status: { type: 'string', const: 'healthy' }, timestamp: instant }),
  Readiness: object(
    'The server can do its work.',
    {
      status: { type: 'string', const: 'ready' },
      timestamp: instant,
      rowSecurity: {
        type: 'boolean',
        description: "Whether PostgreSQL itself keeps one user's tasks from another, besides the queries.",
      },
      keys: {
        type: 'string',
        enum: ['loaded', 'none', 'unreachable'],
        description:
          'Whether there are public keys to check tokens with: none before the auth server has made its first, unreachable ' +
          'where the next attempt may succeed. Missing where tokens are checked with a secret only.',
      },
    },
    ['keys'],
  ),
  Problem: object(
    'What went wrong (RFC 9457).',
    {
      type: { type: 'string', enum: PROBLEM_CODES.map(problemType), description: 'Which problem it is: compare this.' },
      title: { type: 'string', description: 'The name of the status.' },
      status: { type: 'integer', minimum: 400, maximum: 599, description: 'The status of the answer.' },
      detail: { type: 'string', description: 'One sentence for a person, to be shown as it is.' },
      instance: {
        type: 'string',
        format: 'uri-reference',
        description: 'The path that was asked for, where one could be read.',
      },
      requestId: { type: 'string', description: 'What the log has it under; `X-Request-Id` says the same.' },
      errors: fieldProblems,
    },
    ['instance', 'errors'],
  ),
  FieldProblem: object('One thing that is wrong with the input.', {
    field: { type: 'string', description: 'The field or parameter, as it was named; `body` for all of it.' },
    message: { type: 'string', description: 'One sentence for a person.' },
  }),
} satisfies Record<AnswerSchema, Schema>;

/** The schemas that others refer to, by name. */
export function schemas(): Record<SchemaName, Schema> {
  const taken = toJsonSchemaDefs(bodies, conversion);
  // Items are validated one by one, so the schemas of the lists do not include them.
  Object.assign(taken.Batch?.properties?.operations ?? {}, { items: ref('BatchOperation') });
  Object.assign(taken.Import?.properties?.tasks ?? {}, { items: ref('ImportedTask') });
  return { ...answers, ...(taken as Record<keyof typeof bodies, Schema>) };
}

function componentOf(name: string): string {
  return `#/components/schemas/${name}`;
}
