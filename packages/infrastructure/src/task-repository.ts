import {
  type Decision,
  type Once,
  type TaskCounts,
  type TaskListing,
  type TaskQuery,
  type TaskRepository,
  UserUnknownError,
} from '@todo-backend/application';
import type { Task, TaskEvent, TaskId, TaskTransition, UserId } from '@todo-backend/domain';
import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { Database } from './database.js';
import { isInTheWay } from './database-errors.js';
import { onlyOnce } from './idempotency.js';
import { rowOfValues, rowsOfJson, runIn, Statements, value } from './statements.js';
import { appendToJournal, EVENT_COLUMNS, gains, toEventRow } from './task-journal.js';
import { listShape, listValues, selectTasks } from './task-list.js';
import { ROW_COLUMNS, type StoredTask, TASK_COLUMNS, type Tables, toRow, toTask } from './task-row.js';

/** How to keep tasks. */
export interface SqlTaskRepositoryOptions {
  /** Put the owner of a task into the stand-in `user` table when they are first seen. */
  readonly standaloneUsers: boolean;
}

/** The values of a statement, by name. */
type Values = Readonly<Record<string, unknown>>;

/** Tasks and their journal in PostgreSQL, on a server or embedded. */
export class SqlTaskRepository implements TaskRepository {
  readonly #database: Database;
  readonly #standaloneUsers: boolean;
  readonly #statements: Statements;

  constructor(database: Database, { standaloneUsers }: SqlTaskRepositoryOptions) {
    this.#database = database;
    this.#standaloneUsers = standaloneUsers;
    this.#statements = new Statements((statement) => database.compile(statement));
  }

  async list(owner: UserId, query: TaskQuery): Promise<TaskListing> {
    const rows = await this.#read<readonly [...task: StoredTask, version: number | null]>(
      `list ${listShape(query)}`,
      () => sql`
        select ${TASK_COLUMNS}, ledger."sequence" as version from me
        left join lateral (
          select "sequence" from "task_ledgers" where ${this.ownedBy('task_ledgers')} and ${KNOWS_ME} offset 0
        ) as ledger on true
        left join lateral (${selectTasks(query, sql`${this.ownedBy('tasks')} and ${KNOWS_ME}`)}) as found on true`,
      { owner, ...listValues(query) },
    );
    const [first] = rows;
    // Where there are no tasks, there is a row of nothing for the version.
    const tasks = first?.[0] === '' ? [] : rows.map((row) => toTask(owner, row));
    return { tasks, version: first?.[3] ?? 0 };
  }

  async find(owner: UserId, id: TaskId): Promise<Task | undefined> {
    const [row] = await this.#read<StoredTask>(
      'find',
      () => sql`
        select found.* from me, lateral (
          select ${TASK_COLUMNS} from "tasks" where "id" = ${value('id')} and ${this.ownedBy('tasks')} and ${KNOWS_ME}
          offset 0
        ) as found`,
      { owner, id },
    );
    return row && toTask(owner, row);
  }

  async count(owner: UserId): Promise<TaskCounts> {
    const [ledger = [0, 0, 0]] = await this.#read<readonly [tasks: number, completed: number, sequence: number]>(
      'count',
      () => sql`
        select found.* from me, lateral (
          select "tasks", "completed", "sequence" from "task_ledgers"
          where ${this.ownedBy('task_ledgers')} and ${KNOWS_ME} offset 0
        ) as found`,
      { owner },
    );
    const [total, completed, version] = ledger;
    return { total, pending: total - completed, completed, version };
  }

  async change<Result>(
    owner: UserId,
    ids: readonly TaskId[],
    decide: (found: ReadonlyMap<TaskId, Task>) => Decision<Result>,
    once?: Once,
  ): Promise<Result> {
    if (once === undefined && ids.length <= 1) {
      const done = await this.#changeAtOnce(owner, ids[0], decide);
      if (done !== undefined) return done.result;
    }
    return this.#database.transaction(owner, (db) => {
      const run = () => this.#changeLocked(db, owner, ids, decide);
      return once === undefined ? run() : onlyOnce(db, owner, once, run);
    });
  }

  /** The first wall, in every statement. Behind it PostgreSQL's row level security is the second. */
  protected ownedBy(table: 'tasks' | 'task_ledgers'): RawBuilder<boolean> {
    return sql<boolean>`${sql.ref(`${table}.userId`)} = ${value('owner')}`;
  }

  /** What the owner may see, in one statement that says who that is. */
  #read<Row extends readonly unknown[]>(name: string, build: () => RawBuilder<unknown>, values: Values) {
    return this.#database.read<Row>(this.#statements.get(name, () => sql`with ${ME} ${build()}`, values));
  }

  /** As {@link #read}, of one that writes. */
  #write(name: string, build: () => RawBuilder<unknown>, values: Values) {
    return this.#database.write(this.#statements.get(name, () => sql`with ${ME} ${build()}`, values));
  }

  /**
   * The short way, for the usual change of one task: read it, and write if it is as it was read. Two statements, or one
   * for a new task, instead of a transaction of five.
   *
   * @returns `undefined` where the other way is to be taken: there is no such task, it is to be deleted, or another
   *   change came first, or is in the way
   */
  async #changeAtOnce<Result>(
    owner: UserId,
    id: TaskId | undefined,
    decide: (found: ReadonlyMap<TaskId, Task>) => Decision<Result>,
  ): Promise<{ result: Result } | undefined> {
    const found = id === undefined ? undefined : await this.find(owner, id);
    if (id !== undefined && found === undefined) return undefined;
    const { transitions, result } = decide(new Map(found && [[found.id, found]]));
    const [change, ...more] = transitions.filter(hasEvent);
    if (change === undefined) return { result };
    const { before, after, event } = change;
    if (more.length > 0 || after === undefined) return undefined;
    const { data, ...eventRow } = toEventRow(event);
    const values = {
      owner,
      email: standInEmail(owner),
      readAt: before?.updatedAt,
      ...toRow(after),
      ...eventRow,
      data: JSON.stringify(data),
      ...gains([change]),
    };
    const write = () =>
      before === undefined
        ? this.#write(
            'create',
            () => sql`, ${this.#standIn()} created as (${insertTasks(sql`me`, ONE_ROW)}),
              ${appendToJournal(sql`me`, ONE_EVENT)} select from ledger`,
            values,
          )
        : this.#write(
            'update',
            () => sql`, ${updateUnchanged(this.ownedBy('tasks'))}, ${appendToJournal(sql`updated`, ONE_EVENT)}
              select from ledger`,
            values,
          );
    try {
      return (await write()).length === 0 ? undefined : { result };
    } catch (error) {
      if (isInTheWay(error)) return undefined;
      throw error;
    }
  }

  /** The long way: all rows are locked first, in a transaction. */
  async #changeLocked<Result>(
    db: Kysely<Tables>,
    owner: UserId,
    ids: readonly TaskId[],
    decide: (found: ReadonlyMap<TaskId, Task>) => Decision<Result>,
  ): Promise<Result> {
    const found = ids.length === 0 ? [] : await this.#lock(db, owner, ids);
    if (found.length < ids.length) await this.#requireUser(db, owner);
    const { transitions, result } = decide(new Map(found.map((task) => [task.id, task])));
    const real = transitions.filter(hasEvent);
    if (real.length > 0) await this.#save(db, owner, real);
    return result;
  }

  /** In the order of the ids, so that two who lock the same tasks do not wait for each other. */
  async #lock(db: Kysely<Tables>, owner: UserId, ids: readonly TaskId[]): Promise<Task[]> {
    const statement = this.#statements.get(
      'lock',
      () => sql`
        select ${TASK_COLUMNS} from "tasks" where "id" = any(${value('ids')}::uuid[]) and ${this.ownedBy('tasks')}
        order by "id" for update`,
      { owner, ids },
    );
    return (await runIn<StoredTask>(db, statement)).map((row) => toTask(owner, row));
  }

  /** Tasks and journal in one statement. */
  async #save(db: Kysely<Tables>, owner: UserId, changes: readonly RealChange[]): Promise<void> {
    const { created, updated, deleted } = outcome(changes);
    const isOwn = this.ownedBy('tasks');
    const parts = () => [
      ...(created.length > 0
        ? [sql`${this.#standIn()} created as (${insertTasks(ALWAYS, rowsOfJson(ROW_COLUMNS, 'created'))})`]
        : []),
      ...(updated.length > 0 ? [updateTasks(isOwn)] : []),
      ...(deleted.length > 0
        ? [sql`deleted as (delete from "tasks" where "id" = any(${value('deleted')}::uuid[]) and ${isOwn})`]
        : []),
      appendToJournal(ALWAYS, rowsOfJson(EVENT_COLUMNS, 'events')),
    ];
    const shape = [created, updated, deleted].map(({ length }) => Math.min(length, 1));
    const statement = this.#statements.get(`save ${shape}`, () => sql`with ${sql.join(parts())} select from ledger`, {
      owner,
      email: standInEmail(owner),
      created: JSON.stringify(created.map(toRow)),
      updated: JSON.stringify(updated.map(toRow)),
      deleted,
      events: JSON.stringify(changes.map(({ event }) => toEventRow(event))),
      ...gains(changes),
    });
    await runIn(db, statement);
  }

  /** Puts the owner into the stand-in table in the same statement; one that is there already stays as it is. */
  #standIn(): RawBuilder<unknown> {
    if (!this.#standaloneUsers) return sql``;
    return sql`stand_in as (
      insert into "user" ("id", "name", "email", "emailVerified")
      values (${value('owner')}, ${value('owner')}, ${value('email')}, false) on conflict do nothing),`;
  }

  /** Tasks are missing. Whether that is all, or their owner is gone as well, only the `user` table knows. */
  async #requireUser(db: Kysely<Tables>, owner: UserId): Promise<void> {
    if (this.#standaloneUsers) return;
    const user = await db.selectFrom('user').where('id', '=', owner).select('id').executeTakeFirst();
    if (user === undefined) throw new UserUnknownError();
  }
}

/**
 * Tells PostgreSQL in the same statement, and so in the same round trip, whose rows are all there is. What reads must be
 * a subquery that {@link KNOWS_ME}, with an offset that keeps it one: no plan can read a row before the setting is made.
 * Should one do so all the same, it finds none.
 */
export const ME = sql`me as materialized (select set_config('app.user_id', ${value('owner')}, true) as known)`;

export const KNOWS_ME = sql<boolean>`me.known is not null`;

/** A change that changes something. */
type RealChange = TaskTransition & { readonly event: TaskEvent };

function hasEvent(change: TaskTransition): change is RealChange {
  return change.event !== undefined;
}

/** Nobody's: the column must not be empty, nor the same for two. */
function standInEmail(owner: UserId): string {
  return `${owner}@standalone.invalid`;
}

/** What there is to write: of a task that changes more than once, how it is in the end. */
function outcome(changes: readonly TaskTransition[]) {
  const states = new Map<TaskId, { before: Task | undefined; after: Task | undefined }>();
  for (const { before, after } of changes) {
    const id = (after ?? before)?.id;
    if (id !== undefined) states.set(id, { before: states.has(id) ? states.get(id)?.before : before, after });
  }
  const all = [...states.values()];
  return {
    created: all.flatMap(({ before, after }) => (!before && after ? [after] : [])),
    updated: all.flatMap(({ before, after }) => (before && after ? [after] : [])),
    deleted: all.flatMap(({ before, after }) => (before && !after ? [before.id] : [])),
  };
}

/** The one row of a change of one task, and that of its event. */
const ONE_ROW = rowOfValues(ROW_COLUMNS);
const ONE_EVENT = rowOfValues(EVENT_COLUMNS);

/** Where rows are to be written whatever else there is. */
const ALWAYS = sql`(select) as one`;

/** Inserts rows of {@link ROW_COLUMNS}, if there is one in `source`. */
function insertTasks(source: RawBuilder<unknown>, rows: RawBuilder<unknown>) {
  return sql`insert into "tasks" (${COLUMNS}) select ${COLUMNS} from ${source}, ${rows} as row`;
}

/**
 * An update that happens only if the task is as it was read. It is spelt as an insert, because that looks at no row
 * before it has something to insert: at that time the setting is made, whatever the plan, and the row is locked.
 */
function updateUnchanged(isOwn: RawBuilder<boolean>) {
  return sql`
    locked as materialized (
      select from me, lateral (
        select from "tasks" where "id" = ${value('id')} and "updatedAt" = ${value('readAt')} and ${isOwn}
          and ${KNOWS_ME}
        offset 0 for update
      ) as found
    ),
    updated as (
      ${insertTasks(sql`locked`, ONE_ROW)}
      on conflict ("id") do update set (${CONTENT}) = row(${contentOf('excluded')})
      returning 1
    )`;
}

function updateTasks(isOwn: RawBuilder<boolean>) {
  return sql`updated as (
    update "tasks" set (${CONTENT}) = row(${contentOf('row')})
    from ${rowsOfJson(ROW_COLUMNS, 'updated')} as row where "tasks"."id" = row."id" and ${isOwn})`;
}

/** What can change about a row. */
const CONTENT_NAMES = [
  'title',
  'description',
  'priority',
  'category',
  'status',
  'dueDate',
  'dueDateIsFloating',
  'updatedAt',
] as const;
const CONTENT = sql.join(CONTENT_NAMES.map((name) => sql.ref(name)));
const COLUMNS = sql`"id", "userId", "createdAt", ${CONTENT}`;

function contentOf(row: string) {
  return sql.join(CONTENT_NAMES.map((name) => sql.ref(`${row}.${name}`)));
}
