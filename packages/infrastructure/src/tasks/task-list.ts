import { MAX_TAG_COUNTS, type SortKey, type TaskQuery } from '@todo-backend/application';
import { folded } from '@todo-backend/domain';
import { type Expression, type ExpressionBuilder, type RawBuilder, sql } from 'kysely';
import { type CallerTables, noOffset } from '../postgres/caller.js';
import { value } from '../postgres/statements.js';

/** A name for the SQL of {@link selectTasks}, which depends on the fields of the query but not on their values. */
export function listShape({ sortBy, sortOrder, after, search, hasDueDate, ...others }: TaskQuery): string {
  const { status, priority, category, tags, dueAfter, dueBefore, limit } = others;
  const parts = [status, priority, category, tags, search || undefined, dueAfter, dueBefore, after, limit];
  return [sortBy, sortOrder, after?.key === null, hasDueDate, ...parts.map((part) => part !== undefined)].join();
}

/** The parameters of {@link selectTasks}. */
export function listValues({ sortBy, after, search, dueAfter, dueBefore, ...others }: TaskQuery) {
  const { status, priority, category, tags, limit } = others;
  const { key, createdAt, id } = after ?? {};
  // Times are compared without the Z of UTC. A title may also end with a Z, which is kept.
  const withoutZone = sortBy !== 'title' && key?.endsWith('Z') ? key.slice(0, -1) : key;
  return {
    status,
    priority,
    category,
    tags: tags && [...new Set(tags.map(folded))],
    search: search && folded(search),
    wallClockAfter: dueAfter?.floating,
    instantAfter: dueAfter?.instant,
    wallClockBefore: dueBefore?.floating,
    instantBefore: dueBefore?.instant,
    limit,
    key: withoutZone,
    createdAt,
    id,
  };
}

/** The most tasks of a user whose lists are always read in one statement, together with those of others. */
export const MANY_TASKS = 1_000;

/** Whether a list takes longer the more tasks there are: all but a page in the order of an index. */
export function growsWithTasks({ sortBy, limit, ...query }: TaskQuery): boolean {
  const { status, priority, category, tags, search, dueAfter, dueBefore, hasDueDate } = query;
  const texts = status || priority || category || tags || search;
  const isFiltered = texts || dueAfter || dueBefore || hasDueDate !== undefined;
  return limit === undefined || sortBy !== 'createdAt' || Boolean(isFiltered);
}

type Selected = ExpressionBuilder<CallerTables, 'caller'>;

/** Selects the rows of a list, in order, that match `isOwn`. Their columns are only read after the selection. */
export function selectTasks(eb: Selected, query: TaskQuery, isOwn: readonly Expression<boolean>[]) {
  const { status, priority, category, tags, search, dueAfter, dueBefore, hasDueDate } = query;
  const { sortBy, sortOrder, after, limit } = query;
  const sorted = eb
    .selectFrom('tasks')
    .selectAll('tasks')
    .where((eb) =>
      eb.and([
        ...isOwn,
        ...(status === undefined ? [] : [eb('status', '=', value<typeof status>('status'))]),
        ...(priority === undefined ? [] : [eb('priority', '=', value<typeof priority>('priority'))]),
        ...(category === undefined ? [] : [eb('category', '=', value<typeof category>('category'))]),
        ...(tags === undefined ? [] : [hasAll]),
        ...(search ? [eb.or([contains('title'), contains('description')])] : []),
        ...(hasDueDate === undefined ? [] : [eb('dueDate', hasDueDate ? 'is not' : 'is', null)]),
        ...(dueAfter === undefined ? [] : [isDue('>=', 'After')]),
        ...(dueBefore === undefined ? [] : [isDue('<', 'Before')]),
        ...(after === undefined ? [] : [comesAfter(query, after.key)]),
      ]),
    )
    .$if(sortBy !== 'createdAt', (select) => select.orderBy(sortKey(sortBy), (order) => order[sortOrder]().nullsLast()))
    .orderBy('tasks.createdAt', sortOrder)
    .orderBy('tasks.id', sortOrder)
    .offset(noOffset);
  return limit === undefined ? sorted : sorted.limit(value<number>('limit'));
}

/** The first sort expression of a list. */
function sortKey(sortBy: SortKey): RawBuilder<unknown> {
  return sortBy === 'title' ? sql`"tasks"."title" collate "todo_title"` : sql.ref(`tasks.${sortBy}`);
}

/** Matches the tasks after a position. Those without a key come last in both directions. */
function comesAfter({ sortBy, sortOrder }: TaskQuery, key: string | null): RawBuilder<boolean> {
  const beyond = sql.raw(sortOrder === 'asc' ? '>' : '<');
  const tie = sql<boolean>`("tasks"."createdAt", "tasks"."id") ${beyond} (${value('createdAt')}::timestamptz, ${value('id')}::uuid)`;
  // Alone, it is where PostgreSQL begins to read the index.
  if (sortBy === 'createdAt') return tie;
  const sorted = sortKey(sortBy);
  if (key === null) return sql`(${sorted} is null and ${tie})`;
  const place = PLACES[sortBy];
  return sql`(${sorted} ${beyond} ${place} or (${sorted} = ${place} and ${tie}) or ${sorted} is null)`;
}

/** The key of a position, for each other sort key. */
const PLACES: Record<Exclude<SortKey, 'createdAt'>, RawBuilder<unknown>> = {
  updatedAt: sql`${value('key')}::timestamp at time zone 'UTC'`,
  dueDate: sql`${value('key')}::timestamp`,
  priority: sql`${value('key')}::task_priority`,
  title: sql`${value('key')}::text collate "todo_title"`,
};

/** Each kind of due date is compared with a bound of its own. */
function isDue(operator: '>=' | '<', bound: 'After' | 'Before'): RawBuilder<boolean> {
  return sql<boolean>`"tasks"."dueDate" ${sql.raw(operator)} case when "tasks"."dueDateIsFloating"
    then ${value(`wallClock${bound}`)}::timestamp else ${value(`instant${bound}`)}::timestamp end`;
}

/** `position` instead of `like`, which has wildcards. */
function contains(column: 'title' | 'description'): RawBuilder<boolean> {
  return sql<boolean>`position(${value('search')}::text in ${foldedColumn(sql.ref(`tasks.${column}`))}) > 0`;
}

/** The task has all tags of the parameter `tags`, which are folded, and different. Whoever has fewer need not be folded. */
const hasAll = sql<boolean>`cardinality("tasks"."tags") >= cardinality(${value('tags')}::text[])
  and ${value('tags')}::text[] <@ array(
  select ${foldedColumn(sql.ref('tag'))} from unnest("tasks"."tags") as "tag")`;

/** Counts the tags of the tasks that match `isOwn`. Only one of each spelling is folded. */
export function selectTags(isOwn: readonly Expression<boolean>[]) {
  return sql<{ tag: string; count: number }>`(
    select "tag", "count" from (
      select (array_agg("tag" order by "uses" desc, "tag" collate "todo_title"))[1] as "tag", sum("uses")::int as "count"
      from (
        select "tag", count(*) as "uses" from "tasks", unnest("tasks"."tags") as "tag"
        where ${sql.join(isOwn, sql` and `)} group by "tag"
      ) "spellings"
      group by ${foldedColumn(sql.ref('tag'))}
    ) "tags"
    order by "count" desc, "tag" collate "todo_title"
    limit ${sql.lit(MAX_TAG_COUNTS)}
  )`;
}

/** As {@link folded}, by the rules of Unicode and independent of the locale of the database. ASCII needs less. */
function foldedColumn(text: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    case when octet_length(${text}) = length(${text}) then upper(${text} collate "C")
    else normalize(upper(lower(normalize(${text}, NFD) collate "und-x-icu")), NFD) collate "C" end`;
}
