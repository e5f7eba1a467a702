import {
  completion,
  createTask,
  creation,
  deletion,
  editTask,
  InvalidInputError,
  type Problem,
  revision,
  type Task,
  type TaskId,
  TaskNotFoundError,
  type TaskTransition,
} from '@todo-backend/domain';
import * as v from 'valibot';
import { TaskIdSchema } from '../task-id.js';
import { type Checked, check, dryRun, flag, isRequired, parse, record } from '../validation.js';
import type { ChangeContext } from './change-context.js';
import { completed, type NewTaskInput, nested, type TaskPatchInput } from './input.js';
import type { Decision } from './task-repository.js';

/** The maximum number of operations in a batch. */
export const BATCH_MAX_OPERATIONS = 100;

/** One operation of a batch. */
export type OperationInput =
  | { readonly op: 'create'; readonly task: NewTaskInput }
  | { readonly op: 'update'; readonly id: string; readonly changes: TaskPatchInput }
  | { readonly op: 'complete'; readonly id: string; readonly completed?: boolean | undefined }
  | { readonly op: 'delete'; readonly id: string };

/** Operations to carry out in order, in one transaction. */
export interface BatchInput {
  /** 1 to {@link BATCH_MAX_OPERATIONS}. */
  readonly operations: readonly OperationInput[];
  /** All or nothing (the default). With `false`, each operation succeeds or fails on its own. */
  readonly atomic?: boolean | undefined;
  /** Only says what would become of it. Default false. */
  readonly dryRun?: boolean | undefined;
}

/** The result of one operation of a batch: the task, and what it was before. `null` stands for a task that is not there. */
export type OperationResult =
  | { readonly op: OperationInput['op']; readonly task: Task | null; readonly before: Task | null }
  | { readonly code: 'INVALID_INPUT' | 'TASK_NOT_FOUND'; readonly problems: readonly Problem[] };

/** Checks a {@link BatchInput}, but not its operations: {@link OperationSchema} checks each one on its own. */
export const BatchSchema = record({
  operations: v.pipe(
    v.array(v.unknown(), 'Operations must be an array.'),
    v.minLength(1, 'Operations must not be empty.'),
    v.maxLength(BATCH_MAX_OPERATIONS, `Operations must be at most ${BATCH_MAX_OPERATIONS}.`),
    v.metadata({ description: 'What to do, one after the other. Each sees what those before it did.' }),
  ),
  atomic: flag('Atomic', 'Whether all of it is done or nothing. Otherwise what can be done is.', true),
  dryRun,
} satisfies Record<keyof BatchInput, v.GenericSchema>);

/** Checks one {@link OperationInput}. */
export const OperationSchema = v.variant(
  'op',
  [
    v.object({ op: v.literal('create'), task: nested.task }, isRequired),
    v.object({ op: v.literal('update'), id: TaskIdSchema, changes: nested.changes }, isRequired),
    v.object({ op: v.literal('complete'), id: TaskIdSchema, completed }, isRequired),
    v.object({ op: v.literal('delete'), id: TaskIdSchema }, isRequired),
  ],
  'The operation must be an object whose op is create, update, complete or delete.',
);

type Operation = v.InferOutput<typeof OperationSchema>;

/** A batch that has been checked. */
export interface BatchPlan {
  /** The tasks that the operations refer to. */
  readonly ids: readonly TaskId[];
  /** Carries the operations out on the tasks that exist. */
  readonly decide: (found: ReadonlyMap<TaskId, Task>) => Decision<readonly OperationResult[]>;
}

/**
 * Checks a batch and plans it.
 *
 * @throws {@link InvalidInputError} `INVALID_INPUT` when the batch itself is not valid. `decide` throws it for the
 *   operations of an atomic batch
 */
export function planBatch(input: unknown, context: ChangeContext): BatchPlan {
  const { operations: items, atomic, dryRun } = parse(BatchSchema, input);
  const operations = items.map((item, i) => check(OperationSchema, item, `operations.${i}`));
  const ids = operations.flatMap((item) => ('output' in item && 'id' in item.output ? [item.output.id] : []));
  return {
    ids: [...new Set(ids)],
    decide(found) {
      const decision = carryOut(operations, found, context);
      const problems = decision.result.flatMap((item) => ('problems' in item ? item.problems : []));
      if (atomic && problems.length > 0) throw new InvalidInputError(problems);
      return { ...decision, dryRun };
    },
  };
}

function carryOut(
  operations: readonly Checked<Operation>[],
  found: ReadonlyMap<TaskId, Task>,
  context: ChangeContext,
): Decision<readonly OperationResult[]> {
  const current = new Map(found);
  const transitions: TaskTransition[] = [];
  const result = operations.map((item, i): OperationResult => {
    if ('problems' in item) return { code: 'INVALID_INPUT', ...item };
    const transition = transitionOf(item.output, current, context);
    if (transition === undefined) {
      const { code, message } = new TaskNotFoundError();
      return { code, problems: [{ field: `operations.${i}.id`, message }] };
    }
    transitions.push(transition);
    const { before, after } = transition;
    if (after) current.set(after.id, after);
    else if (before) current.delete(before.id);
    return { op: item.output.op, task: after ?? null, before: before ?? null };
  });
  return { transitions, result };
}

/** The transition that an operation makes; `undefined` when there is no such task. */
function transitionOf(
  operation: Operation,
  current: ReadonlyMap<TaskId, Task>,
  { owner, newId, newOrigin }: ChangeContext,
): TaskTransition | undefined {
  const origin = newOrigin();
  if (operation.op === 'create') {
    return creation(createTask(operation.task, { id: newId(), userId: owner, now: origin.time }), origin);
  }
  const task = current.get(operation.id);
  if (task === undefined) return undefined;
  switch (operation.op) {
    case 'update':
      return revision(task, editTask(task, operation.changes, origin.time), origin);
    case 'complete':
      return completion(task, operation.completed, origin);
    case 'delete':
      return deletion(task, origin);
  }
}
