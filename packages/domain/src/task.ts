import { type DueDate, isFloating } from './due-date.js';
import { isEqual } from './equality.js';
import { InvalidInputError, type Problem } from './errors.js';
import { parseRecurrenceRule, type Recurrence } from './recurrence.js';
import { type Series, seriesOf } from './series.js';
import { folded, isLonger, isVisible, textProblem } from './text.js';
import { justAfter, type Timestamp } from './time.js';

/** The priorities, lowest first. */
export const PRIORITIES = ['low', 'medium', 'high'] as const;
export type Priority = (typeof PRIORITIES)[number];

export const CATEGORIES = ['work', 'personal', 'home', 'other'] as const;
export type Category = (typeof CATEGORIES)[number];

export const STATUSES = ['pending', 'completed'] as const;
export type Status = (typeof STATUSES)[number];

/** The longest title, in characters (Unicode code points, as PostgreSQL's `varchar` counts). */
export const TITLE_MAX_LENGTH = 255;

/** The longest description, in characters (Unicode code points). */
export const DESCRIPTION_MAX_LENGTH = 1000;

/** The most tags of a task. */
export const MAX_TAGS = 20;

/** The longest tag, in characters (Unicode code points). */
export const TAG_MAX_LENGTH = 50;

/** Better Auth's `user.id`: opaque text, not necessarily a UUID. */
export type UserId = string;

/** A UUID in lower case. */
export type TaskId = string;

/** The fields of a task that a user can edit. */
export interface TaskContent {
  /** 1 to {@link TITLE_MAX_LENGTH} characters, without white space around it. */
  readonly title: string;
  /** Up to {@link DESCRIPTION_MAX_LENGTH} characters; empty is not the same as `null`. */
  readonly description: string | null;
  readonly priority: Priority;
  readonly category: Category;
  readonly dueDate: DueDate | null;
  /**
   * Up to {@link MAX_TAGS} texts of 1 to {@link TAG_MAX_LENGTH} characters, without white space around them, in the order
   * given. No two of them are the same to {@link folded}.
   */
  readonly tags: readonly string[];
  /** How it repeats. Only together with a due date. */
  readonly recurrence: Recurrence | null;
  /** When its user is to be reminded of it. */
  readonly remindAt: Timestamp | null;
}

/** Some of a task's content; omitted or `undefined` fields stay as they are. */
export type TaskPatch = { readonly [Field in keyof TaskContent]?: TaskContent[Field] | undefined };

/** A task of one user. Immutable: the functions of this module return new tasks. */
export interface Task extends TaskContent {
  readonly id: TaskId;
  readonly userId: UserId;
  readonly status: Status;
  readonly createdAt: Timestamp;
  /** Equal to `createdAt` until the first change; each change makes it later. */
  readonly updatedAt: Timestamp;
  /** Which occurrence it is, of a task that repeats; `null` where it does not. */
  readonly series: Series | null;
}

/** What {@link createTask} needs besides the content. */
export interface TaskOrigin {
  readonly id: TaskId;
  readonly userId: UserId;
  readonly now: Timestamp;
}

/**
 * A new, pending task.
 *
 * @throws {@link InvalidInputError} `INVALID_INPUT`, with every problem of the content
 */
export function createTask(content: TaskContent, { id, userId, now }: TaskOrigin): Task {
  assertValid(content);
  const { title, description, priority, category, dueDate, tags, recurrence, remindAt } = content;
  assertRepeatable(content);
  return {
    id,
    userId,
    title: title.trim(),
    description,
    priority,
    category,
    status: 'pending',
    dueDate,
    tags: trimmed(tags),
    recurrence,
    remindAt,
    createdAt: now,
    updatedAt: now,
    series: seriesOf(id, content),
  };
}

/** What an imported task keeps from its original system. */
export interface ImportedState {
  readonly status: Status;
  readonly createdAt: Timestamp;
  /** Not before `createdAt`. */
  readonly updatedAt: Timestamp;
  /** Which occurrence of its series it is. The first, when left out. */
  readonly series?: Series | undefined;
}

/**
 * A new task with the status and the times that it had in another system. A time in the future becomes now.
 *
 * @throws {@link InvalidInputError} `INVALID_INPUT`, with every problem of the content
 */
export function importTask(content: TaskContent, state: ImportedState, origin: TaskOrigin): Task {
  const created = state.createdAt < origin.now ? state.createdAt : origin.now;
  const updated = state.updatedAt < origin.now ? state.updatedAt : origin.now;
  const task = createTask(content, origin);
  const series = task.series && (state.series ?? task.series);
  return {
    ...task,
    status: state.status,
    createdAt: created,
    updatedAt: updated > created ? updated : created,
    // A rule that counts from a due date of the other kind would give dates of that kind.
    series: series && task.dueDate && isFloating(series.start) === isFloating(task.dueDate) ? series : task.series,
  };
}

/**
 * The task with some of its content changed.
 *
 * @returns the same object when nothing differs, so that `updatedAt` shows real changes only
 * @throws {@link InvalidInputError} `INVALID_INPUT`, with every problem of the patch
 */
export function editTask(task: Task, patch: TaskPatch, now: Timestamp): Task {
  assertValid(patch);
  const { title = task.title, description = task.description, priority = task.priority } = patch;
  const { category = task.category, dueDate = task.dueDate, tags = task.tags } = patch;
  const { recurrence = task.recurrence, remindAt = task.remindAt } = patch;
  const content = { title: title.trim(), description, priority, category, dueDate, tags: trimmed(tags) };
  const edited: TaskContent = { ...content, recurrence, remindAt };
  assertRepeatable(edited, task);
  return changed(task, { ...edited, series: seriesOf(task.id, edited, task) }, now);
}

/** The task completed, or pending again; the same object when nothing differs. */
export function setCompleted(task: Task, completed: boolean, now: Timestamp): Task {
  return changed(task, { status: completed ? 'completed' : 'pending' }, now);
}

/** The fields of a task that a user decides about. */
export type TaskState = TaskContent & Pick<Task, 'status'>;

/**
 * The task with fields as they were before; the same object when nothing differs.
 *
 * @param series as it was before, where that goes back too; otherwise it follows from the fields
 */
export function putBack(task: Task, fields: Partial<TaskState>, now: Timestamp, series?: Series | null): Task {
  const following = seriesOf(task.id, { ...task, ...fields }, task);
  // While it did not repeat, it may have got a due date of the other kind.
  const isBack = series && following && isFloating(series.start) === isFloating(following.start);
  return changed(task, { ...fields, series: isBack ? series : following }, now);
}

/** The task as a new version. */
export function renewed(task: Task, now: Timestamp): Task {
  // Strictly later even if the clock stands still or goes back: `updatedAt` identifies the version.
  return { ...task, updatedAt: now > task.updatedAt ? now : justAfter(task.updatedAt) };
}

/** Whether the task is done. Derived from `status`, so that the two cannot disagree. */
export function isCompleted(task: Pick<Task, 'status'>): boolean {
  return task.status === 'completed';
}

/** The problem of a title, as a sentence, or `undefined`. Surrounding white space does not count. */
export function titleProblem(title: string): string | undefined {
  const content = title.trim();
  if (!isVisible(content) || isLonger(content, TITLE_MAX_LENGTH)) {
    return `Title must have 1 to ${TITLE_MAX_LENGTH} characters.`;
  }
  return textProblem('Title', title);
}

/** The problem of a description, as a sentence, or `undefined`. */
export function descriptionProblem(description: string): string | undefined {
  if (isLonger(description, DESCRIPTION_MAX_LENGTH)) {
    return `Description must have at most ${DESCRIPTION_MAX_LENGTH} characters.`;
  }
  return textProblem('Description', description);
}

/** A problem of a list of tags: of one of them, or of all. */
export interface TagProblem {
  /** Which one, from 0 on; `undefined` for the list. */
  readonly index?: number;
  /** One sentence for a person. */
  readonly message: string;
}

/** The problems of tags. White space around them does not count. */
export function tagProblems(tags: readonly string[]): TagProblem[] {
  if (tags.length > MAX_TAGS) return [{ message: `Tags must be at most ${MAX_TAGS}.` }];
  const seen = new Set<string>();
  return tags.flatMap((tag, index): TagProblem[] => {
    const message = tagProblem(tag);
    if (message !== undefined) return [{ index, message }];
    const name = folded(tag.trim());
    if (seen.has(name)) return [{ index, message: 'A tag must not be there twice: letter case makes no other one.' }];
    seen.add(name);
    return [];
  });
}

/** The problem of a tag, as a sentence, or `undefined`. */
export function tagProblem(tag: string): string | undefined {
  const content = tag.trim();
  if (!isVisible(content) || isLonger(content, TAG_MAX_LENGTH))
    return `A tag must have 1 to ${TAG_MAX_LENGTH} characters.`;
  return textProblem('A tag', tag);
}

function trimmed(tags: readonly string[]): readonly string[] {
  return tags.map((tag) => tag.trim());
}

function changed(task: Task, changes: Partial<Task>, now: Timestamp): Task {
  const different = Object.entries(changes).filter(([field, value]) => !isEqual(task[field as keyof Task], value));
  return different.length > 0 ? renewed({ ...task, ...Object.fromEntries(different) }, now) : task;
}

/** The rule of each field, which returns its problems. A missing field is a type error. */
const contentRules: { readonly [Field in keyof TaskContent]: (value: TaskContent[Field]) => readonly Problem[] } = {
  title: (title) => problemsOf('title', titleProblem(title)),
  description: (description) =>
    problemsOf('description', description === null ? undefined : descriptionProblem(description)),
  // Their types only allow valid values.
  priority: () => [],
  category: () => [],
  dueDate: () => [],
  tags: (tags) =>
    tagProblems(tags).map(({ index, message }) => ({ field: index === undefined ? 'tags' : `tags.${index}`, message })),
  recurrence: (recurrence) =>
    problemsOf('recurrence.rule', recurrence === null ? undefined : ruleProblem(recurrence.rule)),
  remindAt: () => [],
};

/** The message for a task that repeats and has no due date. */
export const REPEATS_WITHOUT_DUE_DATE =
  'A task that repeats needs a due date. Send a dueDate, or recurrence: null to end the repetition.';

/** The problem of a recurrence rule, as a sentence, or `undefined`. */
export function ruleProblem(rule: string): string | undefined {
  const parsed = parseRecurrenceRule(rule);
  return 'problem' in parsed ? parsed.problem : undefined;
}

function assertRepeatable({ recurrence, dueDate }: TaskContent, before?: TaskContent): void {
  if (recurrence === null || dueDate !== null) return;
  // An undo may have left it so.
  if (before?.dueDate === null && isEqual(before.recurrence, recurrence)) return;
  throw new InvalidInputError([{ field: 'dueDate', message: REPEATS_WITHOUT_DUE_DATE }]);
}

function problemsOf(field: string, message: string | undefined): readonly Problem[] {
  return message === undefined ? [] : [{ field, message }];
}

function assertValid(patch: TaskPatch): void {
  const fields = Object.keys(contentRules) as (keyof TaskContent)[];
  const problems = fields.flatMap((field) => applied(field, patch[field]));
  if (problems.length > 0) throw new InvalidInputError(problems);
}

function applied<Field extends keyof TaskContent>(
  field: Field,
  value: TaskContent[Field] | undefined,
): readonly Problem[] {
  return value === undefined ? [] : contentRules[field](value);
}
