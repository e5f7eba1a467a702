import {
  isSelected,
  MAX_TAG_COUNTS,
  type SortKey,
  type TagCount,
  type TaskPosition,
  type TaskQuery,
} from '@todo-backend/application';
import { compareDueDates, folded, PRIORITIES, type Task } from '@todo-backend/domain';

/** The tasks that match a query, sorted. */
export function selectTasks(tasks: readonly Task[], query: TaskQuery): Task[] {
  const { sortBy, after, limit } = query;
  const order = orderOf(query);
  return tasks
    .filter((task) => isSelected(task, query))
    .filter((task) => after === undefined || order(task, at(task, sortBy, after)) > 0)
    .sort(order)
    .slice(0, limit);
}

function orderOf({ sortBy, sortOrder }: TaskQuery): (a: Task, b: Task) => number {
  const direction = sortOrder === 'asc' ? 1 : -1;
  return (a, b) => {
    const missingLast = sortBy === 'dueDate' ? Number(a.dueDate === null) - Number(b.dueDate === null) : 0;
    return missingLast || direction * (compareBy[sortBy](a, b) || compareBy.createdAt(a, b) || compare(a.id, b.id));
  };
}

/** A task at this position. */
function at(task: Task, sortBy: SortKey, { key, createdAt, id }: TaskPosition): Task {
  return { ...task, [sortBy]: key, createdAt, id };
}

/** How many tasks have each tag, as `TaskRepository.tags` has it. */
export function countTags(tasks: readonly Task[]): TagCount[] {
  const spellings = Map.groupBy(
    tasks.flatMap(({ tags }) => tags),
    (tag) => tag,
  );
  const used = [...spellings].map(([tag, { length }]) => ({ tag, count: length })).sort(byUse);
  return [...Map.groupBy(used, ({ tag }) => folded(tag)).values()]
    .map((same) => ({ tag: same[0]?.tag ?? '', count: same.reduce((sum, { count }) => sum + count, 0) }))
    .sort(byUse)
    .slice(0, MAX_TAG_COUNTS);
}

function byUse(a: TagCount, b: TagCount): number {
  return b.count - a.count || titles.compare(a.tag, b.tag) || compareCodePoints(a.tag, b.tag);
}

/** CLDR's root collation, with numbers by their value. */
const titles = new Intl.Collator('en', { numeric: true });

const compareBy: Record<SortKey, (a: Task, b: Task) => number> = {
  createdAt: (a, b) => compare(a.createdAt, b.createdAt),
  updatedAt: (a, b) => compare(a.updatedAt, b.updatedAt),
  dueDate: (a, b) => (a.dueDate === null || b.dueDate === null ? 0 : compareDueDates(a.dueDate, b.dueDate)),
  priority: (a, b) => PRIORITIES.indexOf(a.priority) - PRIORITIES.indexOf(b.priority),
  title: (a, b) => titles.compare(a.title, b.title) || compareCodePoints(a.title, b.title),
};

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/** As PostgreSQL breaks ties: by UTF-8. JavaScript's `<` orders by UTF-16 code units. */
function compareCodePoints(a: string, b: string): number {
  const [left, right] = [Array.from(a), Array.from(b)];
  const index = left.findIndex((character, i) => character !== right[i]);
  if (index === -1 || index >= right.length) return left.length - right.length;
  return (left[index]?.codePointAt(0) ?? 0) - (right[index]?.codePointAt(0) ?? 0);
}
