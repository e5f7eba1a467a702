import type { SortKey, TaskQuery } from '@todo-backend/application';
import { type RawBuilder, sql } from 'kysely';
import { value } from './statements.js';

/** What tells the texts of two lists apart, in a word. */
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

/**
 * A list in its order, of the rows that `isOwn` lets through, as they are stored: what is made of them is made of those
 * that are left.
 */
export function selectTasks(query: TaskQuery, isOwn: RawBuilder<unknown>): RawBuilder<unknown> {
  const { status, priority, category, search, sortBy, sortOrder, after, limit } = query;
  const conditions = [
    isOwn,
    ...(status === undefined ? [] : [sql`"status" = ${value('status')}`]),
    ...(priority === undefined ? [] : [sql`"priority" = ${value('priority')}`]),
    ...(category === undefined ? [] : [sql`"category" = ${value('category')}`]),
    ...(search ? [sql`(${CONTAINS})`] : []),
    ...(after === undefined ? [] : [comesAfter(query, after.key)]),
  ];
  const direction = sql.raw(sortOrder);
  const first = sortBy === 'createdAt' ? sql`` : sql`${sortKey(sortBy)} ${direction} nulls last,`;
  return sql`
    select * from "tasks" where ${sql.join(conditions, sql` and `)}
    order by ${first} "tasks"."createdAt" ${direction}, "tasks"."id" ${direction}
    ${limit === undefined ? sql`` : sql`limit ${value('limit')}`} offset 0`;
}

/** What a list is sorted by first. */
function sortKey(sortBy: SortKey): RawBuilder<unknown> {
  return sortBy === 'title' ? sql`${caseFolded(sql`"tasks"."title"`)} collate "C"` : sql.ref(`tasks.${sortBy}`);
}

/** The tasks that come after a position; those without a key come last in both directions. */
function comesAfter({ sortBy, sortOrder }: TaskQuery, key: string | null): RawBuilder<unknown> {
  const beyond = sql.raw(sortOrder === 'asc' ? '>' : '<');
  const tie = sql`("tasks"."createdAt", "tasks"."id") ${beyond} (${value('createdAt')}::timestamptz, ${value('id')}::uuid)`;
  const sorted = sortKey(sortBy);
  if (key === null) return sql`(${sorted} is null and ${tie})`;
  const place = {
    createdAt: sql`${value('key')}::timestamp at time zone 'UTC'`,
    updatedAt: sql`${value('key')}::timestamp at time zone 'UTC'`,
    dueDate: sql`${value('key')}::timestamp`,
    priority: sql`${value('key')}::task_priority`,
    title: sql`${caseFolded(sql`${value('key')}::text`)} collate "C"`,
  }[sortBy];
  return sql`(${sorted} ${beyond} ${place} or (${sorted} = ${place} and ${tie}) or ${sorted} is null)`;
}

/** `position`, not `like`: every character means itself. */
const CONTAINS = sql.join(
  ['title', 'description'].map(
    (column) =>
      sql`position(${caseFolded(sql`${value('search')}::text`)} in ${caseFolded(sql.ref(`tasks.${column}`))}) > 0`,
  ),
  sql` or `,
);

/**
 * Upper case by the rules of Unicode, whatever the locale of the database: `É` and `é` are the same on all of them.
 * Upper, because lower case depends on the place in the word (the Greek sigma).
 */
function caseFolded(text: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`upper(${text} collate "und-x-icu")`;
}
