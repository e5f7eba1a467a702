import type { ChangedTask, ChangeOptions, OperationInput } from '@todo-backend/application';
import { isCompleted, type Task } from '@todo-backend/domain';
import * as v from 'valibot';
import { firstThatFits, NOTICE } from './answer.js';
import type { Call } from './caller.js';
import { content, fieldChanges, recurrence } from './fields.js';
import { changes, described, dryRun, ids, several, tool } from './tool.js';

/** Who does it, and what it belongs to. */
export function changeOptions({ agentId, changeId }: Call): ChangeOptions {
  return { actor: { type: 'agent', id: agentId }, correlationId: changeId };
}

/** What changed, or would. Missing ids are those of tasks that a dry run would add. */
const output = v.object({
  notice: v.string(),
  dryRun: v.boolean(),
  changeId: v.optional(described(v.string(), 'For undo_changes.')),
  changes: v.array(
    v.object({
      id: v.optional(v.string()),
      change: v.picklist(['added', 'updated', 'completed', 'reopened', 'deleted', 'nothing']),
      fields: described(v.record(v.string(), v.unknown()), 'Before and after of each field that differs.'),
    }),
  ),
  hint: v.string(),
});

/** Characters of a text in an answer, where whole texts would be too many. */
const SHORTER = [Number.POSITIVE_INFINITY, 200, 40, 0];

/** Does all of these operations or nothing, and tells what changed. */
async function change(call: Call, operations: readonly OperationInput[], isDryRun: boolean) {
  const results = await call.tasks.batch(call.userId, { operations, dryRun: isDryRun }, changeOptions(call));
  const outputs = SHORTER.map((longest) => () => ({
    notice: NOTICE,
    dryRun: isDryRun,
    ...(!isDryRun && { changeId: call.changeId }),
    changes: results
      .flatMap((result) => ('op' in result ? [result, ...(result.next ? [result.next] : [])] : []))
      .map((one) => present(one, isDryRun, longest)),
    hint: isDryRun
      ? 'Nothing was changed. To do it, call again without dryRun.'
      : 'This can be undone by undo_changes, with this changeId.',
  }));
  return firstThatFits(outputs);
}

function present({ task, before }: ChangedTask, isDryRun: boolean, longest: number) {
  const id = before?.id ?? (isDryRun ? undefined : task?.id);
  const fields = fieldChanges(before ?? {}, task ?? {}, longest);
  return { ...(id !== undefined && { id }), change: wordFor(before, task, Object.keys(fields).length), fields };
}

function wordFor(before: Task | null, after: Task | null, changed: number) {
  if (before === null) return 'added';
  if (after === null) return 'deleted';
  if (changed === 0) return 'nothing';
  if (isCompleted(before) === isCompleted(after)) return 'updated';
  return isCompleted(after) ? 'completed' : 'reopened';
}

const { title, description, priority, category, dueDate, tags } = content;

export const addTasks = tool({
  name: 'add_tasks',
  title: 'Add tasks',
  description: 'Adds up to 25 tasks: all of them or, where one is not valid, none. Calling again adds them again.',
  scope: 'todo:write',
  annotations: changes({ destroys: false, isIdempotent: false }),
  input: v.object({
    tasks: several(
      v.object({
        title,
        description: v.optional(description),
        priority: v.optional(priority, 'medium'),
        category: v.optional(category, 'other'),
        dueDate: v.optional(dueDate),
        tags: v.optional(tags),
        // What they mean is said once, by the tool that changes them.
        recurrence: v.optional(recurrence),
        remindAt: v.optional(v.string()),
      }),
    ),
    dryRun,
  }),
  output,
  run: (call, input) =>
    change(
      call,
      input.tasks.map((task) => ({ op: 'create', task })),
      input.dryRun,
    ),
});

export const updateTasks = tool({
  name: 'update_tasks',
  title: 'Change tasks',
  description:
    'Changes the fields that are given of up to 25 tasks, and leaves the rest as it is: all tasks or none. Null clears. Tags are replaced.',
  scope: 'todo:write',
  annotations: changes({ destroys: true, isIdempotent: true }),
  input: v.object({ changes: several(v.object({ id: v.string(), ...v.partial(v.object(content)).entries })), dryRun }),
  output,
  run: (call, input) =>
    change(
      call,
      input.changes.map(({ id, ...changes }) => ({ op: 'update', id, changes })),
      input.dryRun,
    ),
});

export const completeTasks = tool({
  name: 'complete_tasks',
  title: 'Complete or reopen tasks',
  description:
    'Completes up to 25 tasks, or reopens them with completed false: all of them or none. Never toggles. Completing one that repeats adds the next.',
  scope: 'todo:write',
  annotations: changes({ destroys: false, isIdempotent: true }),
  input: v.object({ ids, completed: v.boolean(), dryRun }),
  output,
  run: (call, { ids, completed, dryRun }) =>
    change(
      call,
      [...new Set(ids)].map((id) => ({ op: 'complete', id, completed })),
      dryRun,
    ),
});

export const deleteTasks = tool({
  name: 'delete_tasks',
  title: 'Delete tasks',
  description: 'Deletes up to 25 tasks: all of them or none. They go to the trash, and undo_changes brings them back.',
  scope: 'todo:write',
  annotations: changes({ destroys: true, isIdempotent: true }),
  input: v.object({ ids, dryRun }),
  output,
  run: (call, { ids, dryRun }) =>
    change(
      call,
      [...new Set(ids)].map((id) => ({ op: 'delete', id })),
      dryRun,
    ),
});
