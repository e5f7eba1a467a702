import {
  CATEGORIES,
  PRIORITIES,
  RECURRENCE_ANCHORS,
  STATUSES,
  type Task,
  type TaskContent,
  UNDO_FIELDS,
  type UndoField,
} from '@todo-backend/domain';
import * as v from 'valibot';
import { shortened } from './answer.js';
import { described } from './tool.js';

/** How a task repeats, as a tool takes it. */
export const recurrence = v.object({
  rule: v.string(),
  anchor: v.optional(v.picklist(RECURRENCE_ANCHORS)),
  timeZone: v.string(),
});

/** The content of a task as a tool takes it. The use cases check it: this tells a model what there is. */
export const content = {
  title: v.string(),
  description: v.nullable(v.string()),
  priority: v.picklist(PRIORITIES),
  category: v.picklist(CATEGORIES),
  dueDate: described(
    v.nullable(v.string()),
    '2026-03-10, 2026-03-10T09:30 (wall clock), or 2026-03-10T09:30:00+01:00 (instant)',
  ),
  tags: v.array(v.string()),
  recurrence: described(
    v.nullable(recurrence),
    'rule: RFC 5545, such as FREQ=WEEKLY;BYDAY=MO; timeZone: IANA. Needs a dueDate',
  ),
  remindAt: described(v.nullable(v.string()), 'instant'),
} satisfies Readonly<Record<keyof TaskContent, v.GenericSchema>>;

/** A task in a list: without its description, which may be long. */
export const row = {
  id: v.string(),
  title: v.string(),
  status: v.picklist(STATUSES),
  priority: v.string(),
  category: v.string(),
  dueDate: v.nullable(v.string()),
  tags: content.tags,
  repeats: v.boolean(),
  hasDescription: v.boolean(),
};

export function presentRow({ id, title, status, priority, category, dueDate, tags, recurrence, description }: Task) {
  const [repeats, hasDescription] = [recurrence !== null, description !== null];
  return { id, title, status, priority, category, dueDate, tags, repeats, hasDescription };
}

/** A whole task. */
export const whole = {
  id: v.string(),
  title: v.string(),
  description: v.nullable(v.string()),
  status: v.string(),
  priority: v.string(),
  category: v.string(),
  dueDate: v.nullable(v.string()),
  tags: content.tags,
  recurrence: v.nullable(v.record(v.string(), v.string())),
  remindAt: v.nullable(v.string()),
  createdAt: v.string(),
  updatedAt: v.string(),
};

export function presentWhole({ userId: _, series: __, ...task }: Task) {
  return task;
}

/** Characters of a tag, where whole ones would be too many. */
const SHORT_TAG = 10;

/** The task with the beginnings of its tags. */
export function withShortTags(task: Task): Task {
  return { ...task, tags: task.tags.map((tag) => shortened(tag, SHORT_TAG)) };
}

/** What a field was and is; a side that is missing is none. */
type Change = { readonly before?: string | null; readonly after?: string | null };

/** By the name of the field. */
export type FieldChanges = { readonly [Field in UndoField]?: Change };

/** The fields whose texts may be long. */
const TEXTS: readonly UndoField[] = ['title', 'description', 'tags'];

/**
 * The fields that differ between two states of a task, or of those that a change has.
 *
 * @param longest characters of a title, of a description, or of all tags, which are one text here
 */
export function fieldChanges(before: Partial<Task>, after: Partial<Task>, longest: number): FieldChanges {
  const changed = UNDO_FIELDS.filter((field) => textOf(before[field]) !== textOf(after[field]));
  const shown = (field: UndoField, value: string | undefined) =>
    value !== undefined && TEXTS.includes(field) ? shortened(value, longest) : value;
  return Object.fromEntries(
    changed.map((field): [UndoField, Change] => {
      const [was, is] = [shown(field, textOf(before[field])), shown(field, textOf(after[field]))];
      return [field, { ...(was !== undefined && { before: was }), ...(is !== undefined && { after: is }) }];
    }),
  );
}

/** A value as a text; `undefined` where there is none. */
function textOf(value: Task[UndoField] | undefined): string | undefined {
  if (value == null || typeof value === 'string') return value ?? undefined;
  if ('rule' in value) return `${value.rule} (${value.anchor}, ${value.timeZone})`;
  return value.length === 0 ? undefined : value.join(', ');
}
