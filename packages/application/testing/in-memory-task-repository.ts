import {
  type Decision,
  IdempotencyKeyReusedError,
  type Journal,
  type JournalEntry,
  type JournalQuery,
  type Once,
  type SortKey,
  type TaskCounts,
  type TaskListing,
  type TaskPosition,
  type TaskQuery,
  type TaskRepository,
  UserUnknownError,
} from '@todo-backend/application';
import {
  compareDueDates,
  PRIORITIES,
  type Task,
  type TaskId,
  type TaskTransition,
  type UserId,
} from '@todo-backend/domain';

/** Tasks and their journal in memory, for tests. Stores copies, so that a task that was changed but not saved cannot leak. */
export class InMemoryTaskRepository implements TaskRepository, Journal {
  readonly #tasks = new Map<TaskId, Task>();
  readonly #journals = new Map<UserId, JournalEntry[]>();
  /** Of what is to happen only once; kept for good, which is longer than is asked for. */
  readonly #results = new Map<string, { fingerprint: string; result: unknown }>();
  readonly #users: Set<UserId> | undefined;

  /** @param users those who exist; everybody does when left out */
  constructor(users?: Iterable<UserId>) {
    this.#users = users && new Set(users);
  }

  addUser(user: UserId): void {
    this.#users?.add(user);
  }

  /** Takes the user's tasks and journal along, as a foreign key with `on delete cascade` does. */
  removeUser(user: UserId): void {
    this.#users?.delete(user);
    this.#journals.delete(user);
    for (const task of this.#ownedBy(user)) this.#tasks.delete(task.id);
  }

  /** The journals of all users, for `InMemoryOutbox`. */
  journals(): ReadonlyMap<UserId, readonly JournalEntry[]> {
    return structuredClone(this.#journals);
  }

  async list(owner: UserId, query: TaskQuery): Promise<TaskListing> {
    const { sortBy, sortOrder, after, limit } = query;
    const direction = sortOrder === 'asc' ? 1 : -1;
    const order = (a: Task, b: Task) => {
      const missingLast = sortBy === 'dueDate' ? Number(a.dueDate === null) - Number(b.dueDate === null) : 0;
      return missingLast || direction * (compareBy[sortBy](a, b) || compareBy.createdAt(a, b) || compare(a.id, b.id));
    };
    const tasks = this.#ownedBy(owner)
      .filter((task) => matches(task, query))
      .filter((task) => after === undefined || order(task, at(task, sortBy, after)) > 0)
      .sort(order)
      .slice(0, limit);
    return { tasks, version: this.#version(owner) };
  }

  async find(owner: UserId, id: TaskId): Promise<Task | undefined> {
    const task = this.#tasks.get(id);
    return task?.userId === owner ? structuredClone(task) : undefined;
  }

  async change<Result>(
    owner: UserId,
    ids: readonly TaskId[],
    decide: (found: ReadonlyMap<TaskId, Task>) => Decision<Result>,
    once?: Once,
  ): Promise<Result> {
    this.#requireUser(owner);
    const name = JSON.stringify([owner, once?.key]);
    const earlier = once && this.#results.get(name);
    if (earlier !== undefined) {
      if (earlier.fingerprint !== once?.fingerprint) throw new IdempotencyKeyReusedError();
      return structuredClone(earlier.result) as Result;
    }
    const found = this.#ownedBy(owner).filter(({ id }) => ids.includes(id));
    const { transitions, result } = decide(new Map(found.map((task) => [task.id, task])));
    for (const { before, after } of transitions) {
      if (before === undefined && after !== undefined && this.#tasks.has(after.id)) {
        throw new Error(`There is a task ${after.id} already.`);
      }
    }
    for (const transition of transitions) this.#save(owner, structuredClone(transition));
    if (once) this.#results.set(name, { fingerprint: once.fingerprint, result: structuredClone(result) });
    return result;
  }

  async entries(owner: UserId, { taskId, type, since, until, before, limit }: JournalQuery): Promise<JournalEntry[]> {
    return (this.#journals.get(owner) ?? [])
      .filter(
        (entry) =>
          (taskId === undefined || entry.taskId === taskId) &&
          (type === undefined || entry.type === type) &&
          (since === undefined || entry.time >= since) &&
          (until === undefined || entry.time < until) &&
          (before === undefined || entry.sequence < before),
      )
      .reverse()
      .slice(0, limit)
      .map((entry) => structuredClone(entry));
  }

  async count(owner: UserId): Promise<TaskCounts> {
    const tasks = this.#ownedBy(owner);
    const completed = tasks.filter(({ status }) => status === 'completed').length;
    return { total: tasks.length, pending: tasks.length - completed, completed, version: this.#version(owner) };
  }

  #version(owner: UserId): number {
    return this.#journals.get(owner)?.length ?? 0;
  }

  #save(owner: UserId, { before, after, event }: TaskTransition): void {
    if (event === undefined) return;
    if (after !== undefined) this.#tasks.set(after.id, after);
    else if (before !== undefined) this.#tasks.delete(before.id);
    const journal = this.#journals.get(owner) ?? [];
    this.#journals.set(owner, [...journal, { ...event, sequence: journal.length + 1 }]);
  }

  #ownedBy(owner: UserId): Task[] {
    return [...this.#tasks.values()].filter(({ userId }) => userId === owner).map((task) => structuredClone(task));
  }

  #requireUser(user: UserId): void {
    if (this.#users?.has(user) === false) throw new UserUnknownError();
  }
}

/** A task that stands at a position. */
function at(task: Task, sortBy: SortKey, { key, createdAt, id }: TaskPosition): Task {
  return { ...task, [sortBy]: key, createdAt, id };
}

function matches(task: Task, { status, priority, category, search }: TaskQuery): boolean {
  const wanted = (search ?? '').toUpperCase();
  return (
    (status === undefined || task.status === status) &&
    (priority === undefined || task.priority === priority) &&
    (category === undefined || task.category === category) &&
    [task.title, task.description ?? ''].some((text) => text.toUpperCase().includes(wanted))
  );
}

const compareBy: Record<SortKey, (a: Task, b: Task) => number> = {
  createdAt: (a, b) => compare(a.createdAt, b.createdAt),
  updatedAt: (a, b) => compare(a.updatedAt, b.updatedAt),
  dueDate: (a, b) => (a.dueDate === null || b.dueDate === null ? 0 : compareDueDates(a.dueDate, b.dueDate)),
  priority: (a, b) => PRIORITIES.indexOf(a.priority) - PRIORITIES.indexOf(b.priority),
  title: (a, b) => compareCodePoints(a.title.toUpperCase(), b.title.toUpperCase()),
};

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/** As PostgreSQL's collation "C" orders UTF-8; JavaScript's `<` orders by UTF-16 code units. */
function compareCodePoints(a: string, b: string): number {
  const [left, right] = [Array.from(a), Array.from(b)];
  const index = left.findIndex((character, i) => character !== right[i]);
  if (index === -1 || index >= right.length) return left.length - right.length;
  return (left[index]?.codePointAt(0) ?? 0) - (right[index]?.codePointAt(0) ?? 0);
}
