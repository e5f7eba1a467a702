import {
  createTask,
  creation,
  deletion,
  InvalidInputError,
  type Problem,
  type Task,
  type TaskId,
  TaskNotFoundError,
  type TaskTransition,
} from '@todo-backend/domain';
import * as v from 'valibot';
import { TaskIdSchema } from '../task-id.js';
import { type Checked, check, dryRun, flag, isRequired, parse, record } from '../validation.js';
import type { ChangeContext } from './change-context.js';
import { assertRepeats, type Completed, complete, edit } from './completing.js';
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

/** A task, and what it was before. `null` stands for a task that is not there. */
export interface ChangedTask {
  readonly task: Task | null;
  readonly before: Task | null;
}

/** The result of one operation of a batch. */
export type OperationResult =
  | (ChangedTask & {
      readonly op: OperationInput['op'];
      /** The next occurrence of the task, where it came or went with it. */
      readonly next?: ChangedTask | undefined;
    })
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
  const reads: TaskId[] = [];
  const result = operations.map((item, i): OperationResult => {
    if ('problems' in item) return { code: 'INVALID_INPUT', ...item };
    try {
      const done = carryOutOne(item.output, current, context);
      transitions.push(...done.transitions);
      reads.push(...(done.reads ?? []));
      for (const { before, after } of done.transitions) {
        if (after) current.set(after.id, after);
        else if (before) current.delete(before.id);
      }
      const [first, next] = done.transitions;
      return { op: item.output.op, ...changeOf(first), ...(next && { next: changeOf(next) }) };
    } catch (error) {
      return failureOf(error, i, item.output);
    }
  });
  return { transitions, result, reads };
}

function changeOf({ before, after }: TaskTransition): ChangedTask {
  return { task: after ?? null, before: before ?? null };
}

/** What an operation does. */
function carryOutOne(operation: Operation, current: ReadonlyMap<TaskId, Task>, context: ChangeContext): Completed {
  const { owner, newId, newOrigin } = context;
  if (operation.op === 'create') {
    const origin = newOrigin();
    const task = createTask(operation.task, { id: newId(), userId: owner, now: origin.time });
    assertRepeats(task);
    return { transitions: [creation(task, origin)] };
  }
  const task = current.get(operation.id);
  if (task === undefined) throw new TaskNotFoundError();
  switch (operation.op) {
    case 'update':
      return { transitions: [edit(task, operation.changes, context)] };
    case 'complete':
      return complete(task, operation.completed, current, context);
    case 'delete':
      return { transitions: [deletion(task, newOrigin())] };
  }
}

/** Where in an operation the fields of a task are. */
const PLACES = { create: '.task', update: '.changes', complete: '', delete: '' } as const;

/** The result of an operation that cannot be carried out. */
function failureOf(error: unknown, index: number, { op }: Operation): OperationResult {
  if (error instanceof TaskNotFoundError) {
    return { code: error.code, problems: [{ field: `operations.${index}.id`, message: error.message }] };
  }
  if (!(error instanceof InvalidInputError)) throw error;
  const problems = error.problems.map(({ field, message }) => ({
    field: `operations.${index}${PLACES[op]}.${field}`,
    message,
  }));
  return { code: error.code, problems };
}
