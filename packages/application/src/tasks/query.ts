import {
  CATEGORIES,
  type Category,
  DUE_DATE_PROBLEM,
  type DueDate,
  folded,
  MAX_TAGS,
  PRIORITIES,
  type Priority,
  parseDueDate,
  STATUSES,
  type Status,
  TAG_MAX_LENGTH,
  type Task,
  type TaskId,
  type Timestamp,
  tagProblem,
  textProblem,
  titleProblem,
} from '@todo-backend/domain';
import * as v from 'valibot';
import { countUpTo, domainRule, dueDate, NO_NUL, NOT_BLANK, oneOf } from '../validation.js';
import { type DueBound, dueBound, isDueFrom } from './due-bound.js';
import { timeZone } from './time-zone.js';

/** The keys that tasks can be sorted by. */
export const SORT_KEYS = ['createdAt', 'updatedAt', 'dueDate', 'priority', 'title'] as const;
export type SortKey = (typeof SORT_KEYS)[number];

export const SORT_ORDERS = ['asc', 'desc'] as const;
export type SortOrder = (typeof SORT_ORDERS)[number];

/** The longest search text, in UTF-16 code units: as long as a description can be. */
export const SEARCH_MAX_LENGTH = 2000;

/** The maximum `limit` of a list. */
export const LIST_MAX_LIMIT = 1000;

/** Selects tasks. */
export interface TaskFilter {
  readonly status?: Status | undefined;
  readonly priority?: Priority | undefined;
  readonly category?: Category | undefined;
  /** Tasks that have all of these tags, ignoring case. */
  readonly tags?: readonly string[] | undefined;
  /** Tasks whose title or description contains this text. Matched literally, ignoring case. */
  readonly search?: string | undefined;
  /** Tasks that are due at this bound or after it. */
  readonly dueAfter?: DueBound | undefined;
  /** Tasks that are due before this bound. */
  readonly dueBefore?: DueBound | undefined;
  /** Tasks with a due date, or without. */
  readonly hasDueDate?: boolean | undefined;
}

/** Selects and sorts tasks. */
export interface TaskQuery extends TaskFilter {
  /**
   * Priority sorts by weight, title by Unicode with numbers in it by their value, a missing due date last in both
   * directions. Ties break by `createdAt`, then by `id`, in the same direction: the order is total.
   */
  readonly sortBy: SortKey;
  readonly sortOrder: SortOrder;
  /** Only tasks after this position, whose own task may have been deleted. */
  readonly after?: TaskPosition | undefined;
  /** At most this many; default all. */
  readonly limit?: number | undefined;
}

/** The position of a task in the order of a {@link TaskQuery}. */
export interface TaskPosition {
  /** The task's value of the sort key. */
  readonly key: string | null;
  readonly createdAt: Timestamp;
  readonly id: TaskId;
}

/** The input of {@link TaskFilterSchema}. `status`, `priority` and `category` are case-insensitive. */
export interface TaskFilterInput {
  readonly status?: Status | undefined;
  readonly priority?: Priority | undefined;
  readonly category?: Category | undefined;
  /** Up to `MAX_TAGS`: only tasks that have all of them. */
  readonly tags?: readonly string[] | undefined;
  /** Up to {@link SEARCH_MAX_LENGTH} UTF-16 code units. */
  readonly search?: string | undefined;
  /** In a format that `parseDueDate` accepts; inclusive. */
  readonly dueAfter?: string | undefined;
  /** In a format that `parseDueDate` accepts; exclusive. */
  readonly dueBefore?: string | undefined;
  readonly hasDueDate?: boolean | undefined;
  /** An IANA time zone, by which wall clocks and instants are compared. Default UTC. */
  readonly timeZone?: string | undefined;
}

/** The input of {@link TaskQuerySchema}. */
export interface TaskQueryInput extends TaskFilterInput {
  /** Default `createdAt`. */
  readonly sortBy?: SortKey | undefined;
  /** Default `desc`. */
  readonly sortOrder?: SortOrder | undefined;
  /** 1 to {@link LIST_MAX_LIMIT}; default all tasks. */
  readonly limit?: number | undefined;
  /** The `next` of the previous page, in the same order. */
  readonly cursor?: string | undefined;
}

const CURSOR_PROBLEM = 'Cursor must be one from an earlier answer, for the same order.';

/** JSON Schema pattern: the order, the key of the last task, when it was created, and its id. */
const CURSOR_PATTERN = `^\\["(?:${SORT_KEYS.join('|')})","(?:asc|desc)",(?:null|"(?:[^"\\\\]|\\\\.)*"),"\\d{4}-\\d{2}-\\d{2}T[\\d:.]+Z","[\\da-f-]{36}"\\]$`;

const filters = {
  status: filter('Status', STATUSES),
  priority: filter('Priority', PRIORITIES),
  category: filter('Category', CATEGORIES),
  tags: v.optional(
    v.pipe(
      v.array(
        v.pipe(
          v.string('A tag must be a text.'),
          domainRule(tagProblem),
          v.trim(),
          v.metadata({ maxLength: TAG_MAX_LENGTH, pattern: NOT_BLANK }),
        ),
        'Tags must be an array of texts.',
      ),
      v.maxLength(MAX_TAGS, `Tags must be at most ${MAX_TAGS}.`),
      v.metadata({
        description: 'Only tasks with this tag, in any letter case. Given several times: with all of them.',
      }),
    ),
  ),
  search: v.optional(
    v.pipe(
      v.string('Search must be a text.'),
      v.maxLength(SEARCH_MAX_LENGTH, `Search must have at most ${SEARCH_MAX_LENGTH} characters.`),
      domainRule((text) => textProblem('Search', text)),
      v.metadata({
        description:
          'Only tasks with this text in title or description. Letter case does not matter (`GROẞE` finds `große`), nor how a character is composed, and every character means itself.',
        pattern: NO_NUL,
      }),
    ),
  ),
  dueAfter: dueParameter('due_after', 'Only tasks that are due at this time or later.'),
  dueBefore: dueParameter('due_before', 'Only tasks that are due before this time.'),
  hasDueDate: v.optional(
    v.pipe(
      v.boolean('Parameter has_due_date must be true or false.'),
      v.metadata({ description: 'Only tasks with a due date, or only those without.' }),
    ),
  ),
  timeZone: v.optional(
    timeZone(
      'Where the user is, as an IANA time zone: how due dates without a zone compare with a `due_after` or `due_before` that has one, and the other way round. UTC when left out.',
    ),
    // No default: it would be checked with each list, which takes longer than the rest of the query.
  ),
} satisfies Record<keyof TaskFilterInput, v.GenericSchema>;

const entries = {
  ...filters,
  sortBy: v.optional(
    v.pipe(
      v.picklist(SORT_KEYS, `Sort key must be one of ${SORT_KEYS.join(', ')}.`),
      v.metadata({
        description:
          'Priority sorts by weight, title as people expect it (`Task 2` before `Task 10`, `ä` beside `a`), a missing due date last in both directions. Ties break by creation.',
      }),
    ),
    'createdAt',
  ),
  sortOrder: v.optional(
    v.pipe(
      v.picklist(SORT_ORDERS, 'Sort order must be asc or desc.'),
      v.metadata({ description: 'Ascending or descending.' }),
    ),
    'desc',
  ),
  limit: v.optional(countUpTo('Limit', LIST_MAX_LIMIT, 'At the most so many tasks. All of them when left out.')),
  cursor: v.optional(
    v.pipe(
      v.string(CURSOR_PROBLEM),
      v.metadata({
        description: 'Where to go on, as the link to the next part of an earlier answer has it.',
        pattern: CURSOR_PATTERN,
      }),
    ),
  ),
} satisfies Record<keyof TaskQueryInput, v.GenericSchema>;

const NO_FILTER = 'Say which tasks: at least one filter is needed, such as status=completed.';

/** Checks {@link TaskFilterInput}, which has to have at least one filter. Unknown names are ignored. */
export const TaskFilterSchema = v.pipe(
  v.object(filters),
  v.forward(
    v.check(({ timeZone: _, tags = [], search, hasDueDate, ...others }) => {
      const isGiven = tags.length > 0 || Boolean(search) || hasDueDate !== undefined;
      return isGiven || Object.values(others).some((value) => value !== undefined);
    }, NO_FILTER),
    ['status'],
  ),
  v.transform(toFilter),
);

/** Checks {@link TaskQueryInput}. Unknown names are ignored. */
export const TaskQuerySchema = v.pipe(
  v.object(entries),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed || dataset.value.cursor === undefined) return;
    const { cursor } = dataset.value;
    if (readCursor(cursor, dataset.value) !== undefined) return;
    addIssue({
      message: CURSOR_PROBLEM,
      path: [{ type: 'object', origin: 'value', input: dataset.value, key: 'cursor', value: cursor }],
    });
  }),
  v.transform(
    ({ cursor, ...query }): TaskQuery => ({
      ...toFilter(query),
      after: cursor === undefined ? undefined : readCursor(cursor, query),
    }),
  ),
);

type DueInput = {
  readonly timeZone?: string | undefined;
  readonly dueAfter?: DueDate | undefined;
  readonly dueBefore?: DueDate | undefined;
};

/** Due dates as bounds, in the time zone. */
function toFilter<Input extends DueInput>({ timeZone = 'UTC', dueAfter, dueBefore, ...others }: Input) {
  return {
    ...others,
    dueAfter: dueAfter && dueBound(dueAfter, timeZone),
    dueBefore: dueBefore && dueBound(dueBefore, timeZone),
  };
}

/** Whether a filter selects a task. */
export function isSelected(task: Task, filter: TaskFilter): boolean {
  const { status, priority, category, tags = [], search, dueAfter, dueBefore, hasDueDate } = filter;
  const { dueDate } = task;
  const wanted = folded(search ?? '');
  const own = tags.length === 0 ? [] : task.tags.map(folded);
  return (
    (status === undefined || task.status === status) &&
    (priority === undefined || task.priority === priority) &&
    (category === undefined || task.category === category) &&
    tags.every((tag) => own.includes(folded(tag))) &&
    (hasDueDate === undefined || (dueDate !== null) === hasDueDate) &&
    (dueAfter === undefined || (dueDate !== null && isDueFrom(dueDate, dueAfter))) &&
    (dueBefore === undefined || (dueDate !== null && !isDueFrom(dueDate, dueBefore))) &&
    [task.title, task.description ?? ''].some((text) => folded(text).includes(wanted))
  );
}

/** The cursor of the page that begins after `task`. */
export function cursorAfter(task: Task, { sortBy, sortOrder }: Order): string {
  return JSON.stringify([sortBy, sortOrder, task[sortBy], task.createdAt, task.id]);
}

type Order = Pick<TaskQuery, 'sortBy' | 'sortOrder'>;

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

function readCursor(text: string, order: Order): TaskPosition | undefined {
  const result = v.safeParse(CursorSchema, text);
  if (!result.success) return undefined;
  const [sortBy, sortOrder, key, createdAt, id] = result.output;
  const isOfThisOrder = sortBy === order.sortBy && sortOrder === order.sortOrder;
  return isOfThisOrder && isKey[sortBy](key) ? { key, createdAt, id } : undefined;
}

/** Whether a sort key can have this value. */
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

/** A due date as a parameter. */
function dueParameter(name: string, description: string) {
  return v.optional(dueDate(DUE_DATE_PROBLEM.replace('Due date', `Parameter ${name}`), description));
}

function filter<const Values extends readonly string[]>(name: string, values: Values) {
  const description = `Only tasks of this ${name.toLowerCase()}. Any letter case is taken.`;
  return v.optional(oneOf(name, values, description));
}
