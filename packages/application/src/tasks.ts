import {
  createTask,
  editTask,
  isCompleted,
  setCompleted,
  type Task,
  type TaskId,
  TaskNotFoundError,
  type UserId,
} from '@todo-backend/domain';
import type { Clock, IdGenerator, TaskCounts, TaskRepository } from './ports.js';
import {
  CompletionSchema,
  NewTaskSchema,
  parseInput,
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
  return {
    /** The owner's tasks, by the filters and in the order of {@link TaskQuerySchema}. */
    async list(owner: UserId, query: unknown = {}): Promise<Task[]> {
      return tasks.list(owner, parseInput({ query: TaskQuerySchema }, { query }).query);
    },

    async get(owner: UserId, id: unknown): Promise<Task> {
      return found(await tasks.find(owner, parseTaskId(id)));
    },

    /** Creates a pending task from {@link NewTaskSchema}. */
    async create(owner: UserId, input: unknown): Promise<Task> {
      const { body } = parseInput({ body: NewTaskSchema }, { body: input });
      const task = createTask(body, { id: newId(), userId: owner, now: clock() });
      await tasks.add(task);
      return task;
    },

    /** Changes what {@link TaskChangesSchema} names and leaves the rest. */
    async update(owner: UserId, id: unknown, input: unknown): Promise<Task> {
      const { task_id, body } = parseInput(
        { task_id: TaskIdSchema, body: TaskChangesSchema },
        { task_id: id, body: input },
      );
      return found(await tasks.update(owner, task_id, (task) => editTask(task, body, clock())));
    },

    /** Completes or reopens, or toggles when the input does not say which: see {@link CompletionSchema}. */
    async complete(owner: UserId, id: unknown, input?: unknown): Promise<Task> {
      const { task_id, body } = parseInput(
        { task_id: TaskIdSchema, body: CompletionSchema },
        { task_id: id, body: input },
      );
      return found(
        await tasks.update(owner, task_id, (task) => setCompleted(task, body.completed ?? !isCompleted(task), clock())),
      );
    },

    async remove(owner: UserId, id: unknown): Promise<void> {
      if (!(await tasks.remove(owner, parseTaskId(id)))) throw new TaskNotFoundError();
    },

    async count(owner: UserId): Promise<TaskCounts> {
      return tasks.count(owner);
    },
  };
}

function parseTaskId(id: unknown): TaskId {
  return parseInput({ task_id: TaskIdSchema }, { task_id: id }).task_id;
}

function found(task: Task | undefined): Task {
  if (task === undefined) throw new TaskNotFoundError();
  return task;
}
