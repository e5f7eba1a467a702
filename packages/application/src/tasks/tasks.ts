import {
  createTask,
  creation,
  type DueDate,
  deletion,
  InvalidInputError,
  isRepeating,
  type Task,
  TaskChangedError,
  type TaskId,
  TaskNotFoundError,
  type Timestamp,
  type UserId,
} from '@todo-backend/domain';
import type { JournalPosition } from '../position.js';
import { checkTaskId, parseTaskId } from '../task-id.js';
import { check, outputsOf, parse } from '../validation.js';
import { type BatchInput, type OperationResult, planBatch } from './batch.js';
import { type ChangeContext, type ChangeOptions, changesOver, type TaskPorts } from './change-context.js';
import { assertRepeats, type Completed, complete, edit } from './completing.js';
import { type ImportInput, planImport } from './import.js';
import {
  type CompletionInput,
  CompletionSchema,
  type NewTaskInput,
  NewTaskSchema,
  type OccurrencesQueryInput,
  OccurrencesQuerySchema,
  type PreviewInput,
  PreviewSchema,
  type TaskPatchInput,
  TaskPatchSchema,
} from './input.js';
import { nextDueDates, recurrenceProblem } from './occurrences.js';
import {
  cursorAfter,
  isSelected,
  type TaskFilterInput,
  TaskFilterSchema,
  type TaskQuery,
  type TaskQueryInput,
  TaskQuerySchema,
} from './query.js';
import type { Decision, TagCounts, TaskCounts, TaskListing } from './task-repository.js';

/** The most tasks that are deleted at once: as many as an undo brings back. */
export const DELETE_MAX_TASKS = 10_000;

/** Options of a change to an existing task. */
export interface RevisionOptions extends ChangeOptions {
  /** Only if the task's `updatedAt` is one of these: `TaskChangedError` (`TASK_CHANGED`) otherwise. */
  readonly ifUpdatedAt?: readonly Timestamp[] | undefined;
}

/** A list of tasks, or a page of it. */
export interface TaskPage {
  readonly tasks: readonly Task[];
  /** Changes with every change to any of the owner's tasks. */
  readonly position: JournalPosition;
  /** The `cursor` of the next page, if there is one. */
  readonly next: string | undefined;
}

/** What users can do with their tasks. */
export type TaskUseCases = ReturnType<typeof taskUseCases>;

/**
 * The use cases over their ports. Each one acts for the `owner`, whom the host has authenticated. Input is also checked
 * at run time, so that a host can pass on client input as it is.
 *
 * Besides the errors of the repository, each may throw `InvalidInputError` (`INVALID_INPUT`) with all problems at once,
 * and those that take a task id `TaskNotFoundError` (`TASK_NOT_FOUND`).
 */
export function taskUseCases(ports: TaskPorts) {
  const { tasks, clock, newId } = ports;
  const { change, contextOf, originOf } = changesOver(ports);

  /** Changes an existing task of the owner. Returns the new state, or the last one of a deleted task. */
  function revise(
    owner: UserId,
    id: TaskId,
    revisionOf: (task: Task, found: ReadonlyMap<TaskId, Task>, context: ChangeContext) => Completed,
    { ifUpdatedAt, ...options }: RevisionOptions,
  ): Promise<Task> {
    const decide = (found: ReadonlyMap<TaskId, Task>): Decision<Task> => {
      const task = found.get(id);
      if (task === undefined) throw new TaskNotFoundError();
      if (ifUpdatedAt?.includes(task.updatedAt) === false) throw new TaskChangedError();
      const revised = revisionOf(task, found, contextOf(owner, options));
      return { ...revised, result: revised.transitions[0].after ?? task };
    };
    return change(owner, [id], decide, options);
  }

  async function stream(owner: UserId, input: TaskQueryInput = {}): Promise<TaskPage & Pick<TaskListing, 'rest'>> {
    const query = parse(TaskQuerySchema, input);
    const { limit } = query;
    if (limit === undefined) return { ...(await tasks.list(owner, query)), next: undefined };
    // One more than requested shows whether there is a next page.
    const { tasks: found, position } = await tasks.list(owner, { ...query, limit: limit + 1 });
    const page = found.slice(0, limit);
    const last = page.at(-1);
    return { tasks: page, position, next: last && found.length > limit ? cursorAfter(last, query) : undefined };
  }

  return {
    /** The owner's tasks. Without a `limit`, all that the query matches. */
    async list(owner: UserId, input: TaskQueryInput = {}): Promise<TaskPage> {
      const { rest, ...page } = await stream(owner, input);
      if (rest === undefined) return page;
      const all = [...page.tasks];
      for await (const { tasks } of rest) all.push(...tasks);
      return { ...page, tasks: all };
    },

    /** As `list`, but a long list without a `limit` comes in parts, so that it never has to be in memory as a whole. */
    stream,

    async get(owner: UserId, id: string): Promise<Task> {
      const task = await tasks.find(owner, parseTaskId(id));
      if (task === undefined) throw new TaskNotFoundError();
      return task;
    },

    /**
     * The next due dates of a task, as they come when each occurrence is completed in time; none where it does not repeat.
     * The first is what completing it now would give.
     */
    async occurrences(owner: UserId, id: string, input: OccurrencesQueryInput = {}): Promise<readonly DueDate[]> {
      const { taskId, query } = outputsOf({ taskId: checkTaskId(id), query: check(OccurrencesQuerySchema, input) });
      const task = await tasks.find(owner, taskId);
      if (task === undefined) throw new TaskNotFoundError();
      return isRepeating(task) ? nextDueDates({ ...task, ...task.series }, clock(), query.limit) : [];
    },

    /**
     * The due dates that would follow one, by a rule that is not stored yet.
     *
     * @throws `InvalidInputError` (`INVALID_INPUT`) also when the rule gives no date
     */
    preview(input: PreviewInput): readonly DueDate[] {
      const { dueDate, limit, ...recurrence } = parse(PreviewSchema, input);
      const message = recurrenceProblem(recurrence, dueDate);
      if (message !== undefined) throw new InvalidInputError([{ field: 'rule', message }]);
      return nextDueDates({ recurrence, dueDate, start: dueDate, before: 0 }, clock(), limit);
    },

    async count(owner: UserId): Promise<TaskCounts> {
      return tasks.count(owner);
    },

    /** The tags of the owner's tasks, and how many tasks have each. */
    async tags(owner: UserId): Promise<TagCounts> {
      return tasks.tags(owner);
    },

    /** Creates a pending task. */
    async create(owner: UserId, input: NewTaskInput, options: ChangeOptions = {}): Promise<Task> {
      const content = parse(NewTaskSchema, input);
      const task = createTask(content, { id: newId(), userId: owner, now: clock() });
      assertRepeats(task);
      const transitions = [creation(task, originOf(owner, options))];
      return change(owner, [], () => ({ transitions, result: task }), options);
    },

    /** Changes the fields that are given, and leaves the rest. */
    async update(owner: UserId, id: string, input: TaskPatchInput, options: RevisionOptions = {}): Promise<Task> {
      const { taskId, patch } = outputsOf({ taskId: checkTaskId(id), patch: check(TaskPatchSchema, input) });
      return revise(owner, taskId, (task, _, context) => ({ transitions: [edit(task, patch, context)] }), options);
    },

    /**
     * Completes, reopens or (without input) toggles a task. Completing one that repeats also creates its next occurrence,
     * once; reopening it takes that away, unless it was changed.
     */
    async complete(owner: UserId, id: string, input?: CompletionInput, options: RevisionOptions = {}): Promise<Task> {
      const { taskId, wanted } = outputsOf({ taskId: checkTaskId(id), wanted: check(CompletionSchema, input) });
      return revise(owner, taskId, (task, found, context) => complete(task, wanted.completed, found, context), options);
    },

    async delete(owner: UserId, id: string, options: RevisionOptions = {}): Promise<void> {
      await revise(
        owner,
        parseTaskId(id),
        (task, _, { newOrigin }) => ({ transitions: [deletion(task, newOrigin())] }),
        options,
      );
    },

    /**
     * Deletes all tasks that a filter selects, in one transaction. A task that does not match any more by then stays.
     *
     * @returns the number of tasks
     * @throws `InvalidInputError` (`INVALID_INPUT`) also when there is no filter, or more than {@link DELETE_MAX_TASKS} match
     */
    async deleteSelected(owner: UserId, input: TaskFilterInput, options: ChangeOptions = {}): Promise<number> {
      const filter = parse(TaskFilterSchema, input);
      const query: TaskQuery = { ...filter, sortBy: 'createdAt', sortOrder: 'asc', limit: DELETE_MAX_TASKS + 1 };
      const found = (await tasks.list(owner, query)).tasks.map(({ id }) => id);
      const { newOrigin } = contextOf(owner, options);
      // Not before this: a request that is repeated gets the first answer, whatever there is now.
      const decide = (present: ReadonlyMap<TaskId, Task>): Decision<number> => {
        if (found.length > DELETE_MAX_TASKS) {
          const message = `More than ${DELETE_MAX_TASKS.toLocaleString('en')} tasks match. Add a filter, and delete them in parts.`;
          throw new InvalidInputError([{ field: 'status', message }]);
        }
        const selected = [...present.values()].filter((task) => isSelected(task, filter));
        return { transitions: selected.map((task) => deletion(task, newOrigin())), result: selected.length };
      };
      return change(owner, found.slice(0, DELETE_MAX_TASKS), decide, options);
    },

    /**
     * Carries out operations in one transaction. If one fails, none is done and the error has the problems of all; with
     * `atomic: false` each succeeds or fails on its own.
     */
    async batch(owner: UserId, input: BatchInput, options: ChangeOptions = {}): Promise<readonly OperationResult[]> {
      const { ids, decide } = planBatch(input, contextOf(owner, options));
      return change(owner, ids, decide, options);
    },

    /**
     * Imports tasks from another system, with new ids: all of them or, if one is not valid, none.
     *
     * @returns the number of tasks
     */
    async import(owner: UserId, input: ImportInput, options: ChangeOptions = {}): Promise<number> {
      const transitions = planImport(input, contextOf(owner, options));
      return change(owner, [], () => ({ transitions, result: transitions.length }), options);
    },
  };
}
