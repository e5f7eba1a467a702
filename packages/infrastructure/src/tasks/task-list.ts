import type { SortKey, TaskQuery } from '@todo-backend/application';
import { type Expression, type ExpressionBuilder, type RawBuilder, sql } from 'kysely';
import { type CallerTables, noOffset } from '../postgres/caller.js';
import { value } from '../postgres/statements.js';

/** A name for the text of {@link selectTasks}, which depends on what the query has, and not on its values. */
export function listShape({ status, priority, category, search, sortBy, sortOrder, after, limit }: TaskQuery): string {
  const given = [status, priority, category, search || undefined, after, limit].map((part) => part !== undefined);
  return [sortBy, sortOrder, after?.key === null, ...given].join();
}

/** The values of {@link selectTasks}. */
export function listValues({ status, priority, category, search, sortBy, after, limit }: TaskQuery) {
  const { key, createdAt, id } = after ?? {};
  // A time in the column is the wall clock or the time in UTC. A title may end with a Z, too.
  const withoutZone = sortBy !== 'title' && key?.endsWith('Z') ? key.slice(0, -1) : key;
  return { status, priority, category, search, limit, key: withoutZone, createdAt, id };
}

type Selected = ExpressionBuilder<CallerTables, 'caller'>;

/** The rows of a list in their order, of those that `isOwn` lets through. They are read only once they are chosen. */
export function selectTasks(eb: Selected, query: TaskQuery, isOwn: readonly Expression<boolean>[]) {
  const { status, priority, category, search, sortBy, sortOrder, after, limit } = query;
  const sorted = eb
    .selectFrom('tasks')
    .selectAll('tasks')
    .where((eb) =>
      eb.and([
        ...isOwn,
        ...(status === undefined ? [] : [eb('status', '=', value<typeof status>('status'))]),
        ...(priority === undefined ? [] : [eb('priority', '=', value<typeof priority>('priority'))]),
        ...(category === undefined ? [] : [eb('category', '=', value<typeof category>('category'))]),
        ...(search ? [eb.or([contains('title'), contains('description')])] : []),
        ...(after === undefined ? [] : [comesAfter(query, after.key)]),
      ]),
    )
    .$if(sortBy !== 'createdAt', (select) => select.orderBy(sortKey(sortBy), (order) => order[sortOrder]().nullsLast()))
    .orderBy('tasks.createdAt', sortOrder)
    .orderBy('tasks.id', sortOrder)
    .offset(noOffset);
  return limit === undefined ? sorted : sorted.limit(value<number>('limit'));
}

/** What a list is sorted by first. */
function sortKey(sortBy: SortKey): RawBuilder<unknown> {
  return sortBy === 'title' ? sql`${caseFolded(sql`"tasks"."title"`)} collate "C"` : sql.ref(`tasks.${sortBy}`);
}

/** The tasks after a position; those without a key come last in both directions. */
function comesAfter({ sortBy, sortOrder }: TaskQuery, key: string | null): RawBuilder<boolean> {
  const beyond = sql.raw(sortOrder === 'asc' ? '>' : '<');
  const tie = sql`("tasks"."createdAt", "tasks"."id") ${beyond} (${value('createdAt')}::timestamptz, ${value('id')}::uuid)`;
  const sorted = sortKey(sortBy);
  if (key === null) return sql`(${sorted} is null and ${tie})`;
  const place = PLACES[sortBy];
  return sql`(${sorted} ${beyond} ${place} or (${sorted} = ${place} and ${tie}) or ${sorted} is null)`;
}

/** The position in the order of each sort key. */
const PLACES: Record<SortKey, RawBuilder<unknown>> = {
  createdAt: sql`${value('key')}::timestamp at time zone 'UTC'`,
  updatedAt: sql`${value('key')}::timestamp at time zone 'UTC'`,
  dueDate: sql`${value('key')}::timestamp`,
  priority: sql`${value('key')}::task_priority`,
  title: sql`${caseFolded(sql`${value('key')}::text`)} collate "C"`,
};

/** `position`, not `like`: every character means itself. */
function contains(column: 'title' | 'description'): RawBuilder<boolean> {
  const searched = caseFolded(sql`${value('search')}::text`);
  return sql<boolean>`position(${searched} in ${caseFolded(sql.ref(`tasks.${column}`))}) > 0`;
}

/**
 * Upper case by the rules of Unicode, whatever the locale of the database: `É` and `é` are equal on all of them. Upper,
 * because lower case depends on the place in the word (the Greek sigma).
 */
function caseFolded(text: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`upper(${text} collate "und-x-icu")`;
}
