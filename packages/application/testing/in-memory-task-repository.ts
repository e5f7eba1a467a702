import {
  type SortKey,
  type TaskCounts,
  type TaskQuery,
  type TaskRepository,
  UserUnknownError,
} from '@todo-backend/application';
import { compareDueDates, PRIORITIES, type Task, type TaskId, type UserId } from '@todo-backend/domain';

/** Tasks in memory, for tests. Holds values, so that a task that was changed but not saved cannot leak. */
export class InMemoryTaskRepository implements TaskRepository {
  readonly #tasks = new Map<TaskId, Task>();
  readonly #users: Set<UserId> | undefined;

  /** @param users those who exist; everybody does when left out */
  constructor(users?: Iterable<UserId>) {
    this.#users = users && new Set(users);
  }

  addUser(user: UserId): void {
    this.#users?.add(user);
  }

  /** Takes the user's tasks along, as a foreign key with `on delete cascade` does. */
  removeUser(user: UserId): void {
    this.#users?.delete(user);
    for (const task of this.#ownedBy(user)) this.#tasks.delete(task.id);
  }

  async list(owner: UserId, query: TaskQuery): Promise<Task[]> {
    const direction = query.sortOrder === 'asc' ? 1 : -1;
    return this.#ownedBy(owner)
      .filter((task) => matches(task, query))
      .sort((a, b) => {
        const missingLast = query.sortBy === 'dueDate' ? Number(a.dueDate === null) - Number(b.dueDate === null) : 0;
        return (
          missingLast || direction * (compareBy[query.sortBy](a, b) || compareBy.createdAt(a, b) || compare(a.id, b.id))
        );
      });
  }

  async find(owner: UserId, id: TaskId): Promise<Task | undefined> {
    const task = this.#tasks.get(id);
    return task?.userId === owner ? structuredClone(task) : undefined;
  }

  async add(task: Task): Promise<void> {
    this.#requireUser(task.userId);
    if (this.#tasks.has(task.id)) throw new Error(`There is a task ${task.id} already.`);
    this.#tasks.set(task.id, structuredClone(task));
  }

  async update(owner: UserId, id: TaskId, change: (task: Task) => Task): Promise<Task | undefined> {
    this.#requireUser(owner);
    const task = this.#tasks.get(id);
    if (task?.userId !== owner) return undefined;
    const after = change(structuredClone(task));
    this.#tasks.set(id, structuredClone(after));
    return after;
  }

  async remove(owner: UserId, id: TaskId): Promise<boolean> {
    this.#requireUser(owner);
    return this.#tasks.get(id)?.userId === owner && this.#tasks.delete(id);
  }

  async count(owner: UserId): Promise<TaskCounts> {
    const tasks = this.#ownedBy(owner);
    const completed = tasks.filter(({ status }) => status === 'completed').length;
    return { total: tasks.length, pending: tasks.length - completed, completed };
  }

  #ownedBy(owner: UserId): Task[] {
    return [...this.#tasks.values()].filter(({ userId }) => userId === owner).map((task) => structuredClone(task));
  }

  #requireUser(user: UserId): void {
    if (this.#users?.has(user) === false) throw new UserUnknownError();
  }
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
