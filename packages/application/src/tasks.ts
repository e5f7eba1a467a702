import {
  type Actor,
  createTask,
  creation,
  deletion,
  type EventOrigin,
  editTask,
  InvalidInputError,
  importTask,
  isCompleted,
  type Problem,
  revision,
  setCompleted,
  type Task,
  type TaskChange,
  TaskChangedError,
  type TaskId,
  TaskNotFoundError,
  type Timestamp,
  type UserId,
} from '@todo-backend/domain';
import type { InferOutput } from 'valibot';
import type { Clock, Decision, IdGenerator, JournalEntry, Once, TaskCounts, TaskRepository } from './ports.js';
import {
  BatchSchema,
  CompletionSchema,
  cursorAfter,
  ImportedTaskSchema,
  ImportSchema,
  JournalQuerySchema,
  NewTaskSchema,
  OperationSchema,
  parseInput,
  parseItem,
  TaskChangesSchema,
  TaskIdSchema,
  TaskQuerySchema,
} from './task-input.js';

/** What the use cases need from outside. */
export interface TaskPorts {
  readonly tasks: TaskRepository;
  readonly clock: Clock;
  readonly newId: IdGenerator;
}

/** What there is to say of a change besides the change itself. */
export interface ChangeOptions {
  /** Who makes it, for the journal. The owner, when left out. */
  readonly actor?: Actor | undefined;
  /** What it is a part of, for the journal, such as the id of a request. */
  readonly correlationId?: string | undefined;
  /** Makes it happen once, however often it is asked for with the same key. */
  readonly once?: Once | undefined;
}

/** What there is to say of a change to one task that is there already. */
export interface RevisionOptions extends ChangeOptions {
  /** Only if the task's `updatedAt` is one of these: `TaskChangedError` (`TASK_CHANGED`) otherwise. */
  readonly ifUpdatedAt?: readonly Timestamp[] | undefined;
}

/** A list of tasks, or a part of it. */
export interface TaskPage {
  readonly tasks: readonly Task[];
  /** A number that every change of any of the owner's tasks makes larger. */
  readonly version: number;
  /** The `cursor` of the next part, where there is one. */
  readonly next: string | undefined;
}

/** A part of a journal, newest first. */
export interface JournalPage {
  readonly entries: readonly JournalEntry[];
  /** The `cursor` of the next, older part, where there is one. */
  readonly next: string | undefined;
}

/** What became of one operation of a batch: a task that was deleted is `null`. */
export type OperationResult =
  | { readonly op: Operation['op']; readonly task: Task | null }
  | { readonly code: 'INVALID_INPUT' | 'TASK_NOT_FOUND'; readonly problems: readonly Problem[] };

type Operation = InferOutput<typeof OperationSchema>;

/** Everything that the system does. */
export type TaskUseCases = ReturnType<typeof taskUseCases>;

/**
 * The use cases over their ports. Each one acts for the `owner`, whom the host has authenticated, and takes the rest
 * as it came from the client: it is checked here, for every host alike.
 *
 * Each may throw, besides what the repository throws, `InvalidInputError` (`INVALID_INPUT`) with all problems at once;
 * those that name a task throw `TaskNotFoundError` (`TASK_NOT_FOUND`).
 */
export function taskUseCases({ tasks, clock, newId }: TaskPorts) {
  /** Changes one task of the owner that is there already; gives what it is then, or was last. */
  function revise(
    owner: UserId,
    id: TaskId,
    change: (task: Task, origin: EventOrigin) => TaskChange,
    { ifUpdatedAt, ...options }: RevisionOptions,
  ): Promise<Task> {
    const decide = (found: ReadonlyMap<TaskId, Task>): Decision<Task> => {
      const task = found.get(id);
      if (task === undefined) throw new TaskNotFoundError();
      if (ifUpdatedAt?.includes(task.updatedAt) === false) throw new TaskChangedError();
      const made = change(task, origin(owner, options));
      return { changes: [made], result: made.after ?? task };
    };
    return tasks.change(owner, [id], decide, options.once);
  }

  function origin(owner: UserId, { actor, correlationId }: ChangeOptions): EventOrigin {
    return {
      id: newId(),
      time: clock(),
      actor: actor ?? { type: 'user', id: owner },
      correlationId: correlationId ?? null,
    };
  }

  return {
    /** The owner's tasks, by the filters and in the order of {@link TaskQuerySchema}. */
    async list(owner: UserId, input: unknown = {}): Promise<TaskPage> {
      const { query } = parseInput({ query: TaskQuerySchema }, { query: input });
      const { limit } = query;
      if (limit === undefined) return { ...(await tasks.list(owner, query)), next: undefined };
      const { tasks: found, version } = await tasks.list(owner, { ...query, limit: limit + 1 });
      const page = found.slice(0, limit);
      const last = page.at(-1);
      return { tasks: page, version, next: last && found.length > limit ? cursorAfter(last, query) : undefined };
    },

    /** The `version` that {@link list} would tell, found out without loading any task. */
    async listVersion(owner: UserId, input: unknown = {}): Promise<number> {
      parseInput({ query: TaskQuerySchema }, { query: input });
      return (await tasks.count(owner)).version;
    },

    async get(owner: UserId, id: unknown): Promise<Task> {
      const task = await tasks.find(owner, parseTaskId(id));
      if (task === undefined) throw new TaskNotFoundError();
      return task;
    },

    /** Creates a pending task from {@link NewTaskSchema}. */
    async create(owner: UserId, input: unknown, options: ChangeOptions = {}): Promise<Task> {
      const { body } = parseInput({ body: NewTaskSchema }, { body: input });
      const task = createTask(body, { id: newId(), userId: owner, now: clock() });
      const changes = [creation(task, origin(owner, options))];
      return tasks.change(owner, [], () => ({ changes, result: task }), options.once);
    },

    /** Changes what {@link TaskChangesSchema} names and leaves the rest. */
    async update(owner: UserId, id: unknown, input: unknown, options: RevisionOptions = {}): Promise<Task> {
      const { task_id, body } = parseInput(
        { task_id: TaskIdSchema, body: TaskChangesSchema },
        { task_id: id, body: input },
      );
      const edit = (task: Task, origin: EventOrigin) => revision(task, editTask(task, body, origin.time), origin);
      return revise(owner, task_id, edit, options);
    },

    /** Completes or reopens, or toggles when the input does not say which: see {@link CompletionSchema}. */
    async complete(owner: UserId, id: unknown, input?: unknown, options: RevisionOptions = {}): Promise<Task> {
      const { task_id, body } = parseInput(
        { task_id: TaskIdSchema, body: CompletionSchema },
        { task_id: id, body: input },
      );
      return revise(owner, task_id, (task, origin) => completion(task, body.completed, origin), options);
    },

    async remove(owner: UserId, id: unknown, options: RevisionOptions = {}): Promise<void> {
      await revise(owner, parseTaskId(id), deletion, options);
    },

    /**
     * Does what {@link BatchSchema} lists, one after the other: all of it or, with the problems of every operation,
     * nothing. Not `atomic`, it does what it can.
     */
    async batch(owner: UserId, input: unknown, options: ChangeOptions = {}): Promise<readonly OperationResult[]> {
      const { body } = parseInput({ body: BatchSchema }, { body: input });
      const operations = body.operations.map((item, i) => parseItem(OperationSchema, item, `operations.${i}`));
      const ids = operations.flatMap((item) => ('output' in item && 'id' in item.output ? [item.output.id] : []));

      const decide = (found: ReadonlyMap<TaskId, Task>): Decision<OperationResult[]> => {
        const current = new Map(found);
        const changes: TaskChange[] = [];
        const result = operations.map((item, i): OperationResult => {
          if ('problems' in item) return { code: 'INVALID_INPUT', ...item };
          const change = operate(item.output, current, origin(owner, options));
          if (change === undefined) {
            const { code, message } = new TaskNotFoundError();
            return { code, problems: [{ field: `operations.${i}.id`, message }] };
          }
          changes.push(change);
          const { before, after } = change;
          if (after) current.set(after.id, after);
          else if (before) current.delete(before.id);
          return { op: item.output.op, task: after ?? null };
        });
        const problems = result.flatMap((item) => ('problems' in item ? item.problems : []));
        if (body.atomic && problems.length > 0) throw new InvalidInputError(problems);
        return { changes, result };
      };

      const operate = (operation: Operation, current: ReadonlyMap<TaskId, Task>, origin: EventOrigin) => {
        if (operation.op === 'create') {
          return creation(createTask(operation.task, { id: newId(), userId: owner, now: origin.time }), origin);
        }
        const task = current.get(operation.id);
        if (task === undefined) return undefined;
        if (operation.op === 'delete') return deletion(task, origin);
        if (operation.op === 'complete') return completion(task, operation.completed, origin);
        return revision(task, editTask(task, operation.changes, origin.time), origin);
      };

      return tasks.change(owner, [...new Set(ids)], decide, options.once);
    },

    /**
     * Creates the tasks of {@link ImportSchema} with the history that they bring along, and new ids: all of them or,
     * with every problem, none.
     *
     * @returns how many
     */
    async import(owner: UserId, input: unknown, options: ChangeOptions = {}): Promise<number> {
      const { body } = parseInput({ body: ImportSchema }, { body: input });
      const items = body.tasks.map((item, i) => parseItem(ImportedTaskSchema, item, `tasks.${i}`));
      const problems = items.flatMap((item) => ('problems' in item ? item.problems : []));
      if (problems.length > 0) throw new InvalidInputError(problems);
      const changes = items.flatMap((item) => {
        if ('problems' in item) return [];
        const from = origin(owner, options);
        const { status, createdAt = from.time, updatedAt = createdAt, ...content } = item.output;
        const task = importTask(
          content,
          { status, createdAt, updatedAt },
          { id: newId(), userId: owner, now: from.time },
        );
        return [creation(task, from)];
      });
      return tasks.change(owner, [], () => ({ changes, result: changes.length }), options.once);
    },

    async count(owner: UserId): Promise<TaskCounts> {
      return tasks.count(owner);
    },

    /** What happened to the owner's tasks, newest first, by the filters of {@link JournalQuerySchema}. */
    async history(owner: UserId, query: unknown = {}): Promise<JournalPage> {
      const { limit, ...wanted } = parseInput({ query: JournalQuerySchema }, { query }).query;
      const entries = await tasks.history(owner, { ...wanted, limit: limit + 1 });
      const page = entries.slice(0, limit);
      return { entries: page, next: entries.length > limit ? String(page.at(-1)?.sequence) : undefined };
    },
  };
}

/** The task completed or reopened, or toggled when nobody says which. */
function completion(task: Task, completed: boolean | undefined, origin: EventOrigin): TaskChange {
  return revision(task, setCompleted(task, completed ?? !isCompleted(task), origin.time), origin);
}

function parseTaskId(id: unknown): TaskId {
  return parseInput({ task_id: TaskIdSchema }, { task_id: id }).task_id;
}
