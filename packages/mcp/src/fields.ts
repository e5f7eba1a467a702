import {
  CATEGORIES,
  PRIORITIES,
  STATUSES,
  type Task,
  type TaskContent,
  UNDO_FIELDS,
  type UndoField,
} from '@todo-backend/domain';
import * as v from 'valibot';
import { shortened } from './answer.js';
import { described } from './tool.js';

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
} satisfies Readonly<Record<keyof TaskContent, v.GenericSchema>>;

/** A task in a list: without its description, which may be long. */
export const row = {
  id: v.string(),
  title: v.string(),
  status: v.picklist(STATUSES),
  priority: v.string(),
  category: v.string(),
  dueDate: v.nullable(v.string()),
  hasDescription: v.boolean(),
};

export function presentRow({ id, title, status, priority, category, dueDate, description }: Task) {
  return { id, title, status, priority, category, dueDate, hasDescription: description !== null };
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
  createdAt: v.string(),
  updatedAt: v.string(),
};

export function presentWhole({ userId: _, ...task }: Task) {
  return task;
}

/** What a field was and is; a side that is missing is none. */
type Change = { readonly before?: string | null; readonly after?: string | null };

/** By the name of the field. */
export type FieldChanges = { readonly [Field in UndoField]?: Change };

/** The fields whose texts may be long. */
const TEXTS: readonly UndoField[] = ['title', 'description'];

/**
 * The fields that differ between two states of a task, or of those that a change has.
 *
 * @param longest characters of a title or a description
 */
export function fieldChanges(before: Partial<Task>, after: Partial<Task>, longest: number): FieldChanges {
  const changed = UNDO_FIELDS.filter((field) => (before[field] ?? null) !== (after[field] ?? null));
  const shown = (field: UndoField, value: string | null | undefined) =>
    value != null && TEXTS.includes(field) ? shortened(value, longest) : (value ?? undefined);
  return Object.fromEntries(
    changed.map((field): [UndoField, Change] => {
      const [was, is] = [shown(field, before[field]), shown(field, after[field])];
      return [field, { ...(was !== undefined && { before: was }), ...(is !== undefined && { after: is }) }];
    }),
  );
}
