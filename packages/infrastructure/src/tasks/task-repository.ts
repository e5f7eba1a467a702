import {
  type ChangeDetails,
  DEFAULT_MAX_TASKS,
  type Decide,
  type DependedEvent,
  type JournalPosition,
  journalPosition,
  type Once,
  placeOf,
  type TagCounts,
  type TaskCounts,
  TaskLimitError,
  type TaskListing,
  type TaskQuery,
  type TaskRepository,
  UserUnknownError,
} from '@todo-backend/application';
import type { Task, TaskId, UserId } from '@todo-backend/domain';
import { type Kysely, type RawBuilder, sql } from 'kysely';
import { BLANKED_AT_ONCE, blankEvents, ERASED, ledgerChanges, positionOf } from '../journal/append.js';
import { lastDeletion, type StoredEntry, storedEntry, toEntry, toEventRow } from '../journal/entry.js';
import { ledgerPosition, selectLedger } from '../journal/ledger.js';
import { BETTER_AUTH_TABLES, type BetterAuthTables } from '../postgres/better-auth.js';
import { asCaller, knowsCaller, noOffset } from '../postgres/caller.js';
import type { Database } from '../postgres/database.js';
import { isInTheWay, isOfAnotherType, isTaken } from '../postgres/errors.js';
import { runIn, type Statement, Statements, value } from '../postgres/statements.js';
import type { Tables } from '../schema/tables.js';
import { type StoredTask, storedTask, toRow, toTask } from '../schema/task-row.js';
import { onlyOnce } from './idempotency.js';
import { hasEvent, outcomeOf, type RecordedTransition } from './outcome.js';
import { growsWithTasks, listShape, listValues, MANY_TASKS, selectTags, selectTasks } from './task-list.js';
import { createOne, insertStandIn, saveMany, standInEmail, updateOne } from './task-writes.js';

/** How to store tasks. */
export interface SqlTaskRepositoryOptions extends Pick<BetterAuthTables, 'userTable'> {
  /** How many tasks a user may have. Default {@link DEFAULT_MAX_TASKS}. */
  readonly maxTasks?: number;
  /** Put the owner of a task into the stand-in `user` table when they are first seen. */
  readonly standaloneUsers: boolean;
}

/** A row of a list. Without tasks, there is one row with only the position. */
type ListedTask = readonly [...StoredTask, position: JournalPosition | null];

/** A row of the tags. Without tags, there is one row with only the position. */
type CountedTag = readonly [tag: string | null, count: number, position: JournalPosition | null];

/** Instead of a position: the user has too many tasks for a statement that others wait for. */
const TOO_MANY = '';

/** What a change returns, and the position that it has reached; `undefined` when nothing was to be saved. */
interface Changed<Result> {
  readonly result: Result;
  readonly position: JournalPosition | undefined;
}

/** Thrown in the transaction of a dry run, to roll it back. */
class DryRun {
  readonly result: unknown;

  constructor(result: unknown) {
    this.result = result;
  }
}

/** What {@link SqlTaskRepository.count} reads of the ledger. */
const COUNTS = [sql.ref('tasks').as('tasks'), sql.ref('completed').as('completed'), ledgerPosition];

const hasManyTasks = sql<boolean>`"tasks" > ${sql.lit(MANY_TASKS)}`;
const hasFewTasks = sql<boolean>`"ledger"."hasManyTasks" is not true`;

/** The position, or {@link TOO_MANY}. */
function positionUnless(isLimited: boolean) {
  return isLimited
    ? sql`case when ${hasFewTasks} then "ledger"."position" else ${sql.lit(TOO_MANY)} end`.as('position')
    : sql.ref('ledger.position').as('position');
}

function toTagCounts(rows: readonly CountedTag[]): TagCounts {
  const [, , position] = rows[0] ?? [];
  return {
    tags: rows.flatMap(([tag, count]) => (tag === null ? [] : [{ tag, count }])),
    position: position ?? journalPosition(0),
  };
}

function toListing(owner: UserId, rows: readonly ListedTask[]): TaskListing {
  const [first] = rows;
  const [facts] = first ?? [];
  return {
    tasks: facts === '' ? [] : rows.map((row) => toTask(owner, row)),
    position: first?.at(-1) ?? journalPosition(0),
  };
}

/** Tasks in PostgreSQL, on a server or embedded. */
export class SqlTaskRepository implements TaskRepository {
  readonly #database: Database;
  /** Set when users are not managed by Better Auth. */
  readonly #standIn: typeof insertStandIn | undefined;
  readonly #userTable: string;
  readonly #maxTasks: number;
  readonly #statements: Statements;

  constructor(
    database: Database,
    {
      standaloneUsers,
      userTable = BETTER_AUTH_TABLES.userTable,
      maxTasks = DEFAULT_MAX_TASKS,
    }: SqlTaskRepositoryOptions,
  ) {
    this.#maxTasks = maxTasks;
    this.#database = database;
    this.#userTable = userTable;
    this.#standIn = standaloneUsers ? insertStandIn : undefined;
    this.#statements = new Statements(database.builder);
  }

  async list(owner: UserId, query: TaskQuery): Promise<TaskListing> {
    const rows = await this.#database.read<ListedTask>(this.#listStatement(owner, query, growsWithTasks(query)));
    if (rows[0]?.at(-1) !== TOO_MANY) return toListing(owner, rows);
    const statement = this.#listStatement(owner, query, false);
    if (query.limit !== undefined) return toListing(owner, await this.#database.readSlowly<ListedTask>(statement));
    const parts = this.#database.readInParts(statement, (rows: ListedTask[]) => toListing(owner, rows));
    const { value: first } = await parts.next();
    return { ...(first ?? toListing(owner, [])), rest: parts };
  }

  /** @param isLimited whether a user with many tasks gets {@link TOO_MANY} instead of them */
  #listStatement(owner: UserId, query: TaskQuery, isLimited: boolean): Statement {
    return this.#statements.get(
      `list ${listShape(query)} ${isLimited}`,
      (db) =>
        this.#withLedger(db)
          .leftJoinLateral(
            (eb) => selectTasks(eb, query, [this.#isOwn('tasks'), ...(isLimited ? [hasFewTasks] : [])]).as('found'),
            (join) => join.onTrue(),
          )
          .select([...storedTask, positionUnless(isLimited)]),
      { owner, ...listValues(query) },
    );
  }

  /** Begins with the owner's ledger, which may be missing. */
  #withLedger(db: Kysely<Tables>) {
    return asCaller(db)
      .selectFrom('caller')
      .leftJoinLateral(
        (eb) =>
          eb
            .selectFrom('task_ledgers')
            .select([ledgerPosition, hasManyTasks.as('hasManyTasks')])
            .where(this.#isOwn('task_ledgers'))
            .offset(noOffset)
            .as('ledger'),
        (join) => join.onTrue(),
      );
  }

  async find(owner: UserId, id: TaskId): Promise<Task | undefined> {
    const statement = this.#statements.get(
      'find',
      (db) =>
        asCaller(db)
          .selectFrom('caller')
          .innerJoinLateral(
            (eb) =>
              eb
                .selectFrom('tasks')
                .select(storedTask)
                .where('id', '=', value<string>('id'))
                .where(this.#isOwn('tasks'))
                .offset(noOffset)
                .as('found'),
            (join) => join.onTrue(),
          )
          .selectAll('found'),
      { owner, id },
    );
    const [row] = await this.#database.read<StoredTask>(statement);
    return row && toTask(owner, row);
  }

  async count(owner: UserId): Promise<TaskCounts> {
    const statement = this.#statements.get('count', (db) => selectLedger(db, COUNTS, this.ownedBy('task_ledgers')), {
      owner,
    });
    const [ledger] =
      await this.#database.read<readonly [tasks: number, completed: number, position: JournalPosition]>(statement);
    const [total, completed, position] = ledger ?? [0, 0, journalPosition(0)];
    return { total, pending: total - completed, completed, position };
  }

  async tags(owner: UserId): Promise<TagCounts> {
    const rows = await this.#database.read<CountedTag>(this.#tagsStatement(owner, true));
    const [, , position] = rows[0] ?? [];
    if (position !== TOO_MANY) return toTagCounts(rows);
    return toTagCounts(await this.#database.readSlowly<CountedTag>(this.#tagsStatement(owner, false)));
  }

  #tagsStatement(owner: UserId, isLimited: boolean): Statement {
    return this.#statements.get(
      `tags ${isLimited}`,
      (db) =>
        this.#withLedger(db)
          .leftJoinLateral(
            selectTags([this.#isOwn('tasks'), ...(isLimited ? [hasFewTasks] : [])]).as<'used'>(sql`used`),
            (join) => join.onTrue(),
          )
          .select(['used.tag', 'used.count', positionUnless(isLimited)]),
      { owner },
    );
  }

  async change<Result>(
    owner: UserId,
    ids: readonly TaskId[],
    decide: Decide<Result>,
    once?: Once,
    { sequences = [], onSaved }: ChangeDetails = {},
  ): Promise<Result> {
    if (once === undefined && ids.length <= 1 && sequences.length === 0) {
      const done = await this.#changeOptimistically(owner, ids[0], decide);
      if (done?.position !== undefined) onSaved?.(done.position);
      if (done !== undefined) return done.result;
    }
    let position: JournalPosition | undefined;
    const change = () =>
      this.#database.transaction({ user: owner }, (db) => {
        const run = async () => {
          const changed = await this.#changeLocked(db, owner, ids, sequences, decide);
          position = changed.position;
          return changed.result;
        };
        return once === undefined ? run() : onlyOnce(db, owner, once, run);
      });
    try {
      // A task that was missing may have been created, or restored, at the same time: now it is there.
      const result = await change().catch((error) => (isTaken(error) ? change() : Promise.reject(error)));
      if (position !== undefined) onSaved?.(position);
      return result;
    } catch (error) {
      if (error instanceof DryRun) return error.result as Result;
      throw error;
    }
  }

  /** The owner predicate of every statement, in addition to row level security. */
  protected ownedBy(table: 'tasks' | 'task_ledgers' | 'task_events'): RawBuilder<boolean> {
    return sql<boolean>`${sql.ref(`${table}.userId`)} = ${value('owner')}`;
  }

  #isOwn(table: 'tasks' | 'task_ledgers'): RawBuilder<boolean> {
    return sql<boolean>`${this.ownedBy(table)} and ${knowsCaller}`;
  }

  /**
   * Changes one task with optimistic locking: reads it, and writes if it is unchanged. That takes two statements, or
   * one for a new task, instead of the five of a transaction.
   *
   * @returns `undefined` when a transaction is needed: the task does not exist, is to be deleted, conflicts with
   *   another change, would be one too many, or is a dry run
   */
  async #changeOptimistically<Result>(
    owner: UserId,
    id: TaskId | undefined,
    decide: Decide<Result>,
  ): Promise<Changed<Result> | undefined> {
    const found = id === undefined ? undefined : await this.find(owner, id);
    if (id !== undefined && found === undefined) return undefined;
    const { transitions, result, dryRun } = decide(new Map(found && [[found.id, found]]), []);
    if (dryRun) return undefined;
    const [transition, ...more] = transitions.filter(hasEvent);
    if (transition === undefined) return { result, position: undefined };
    const { before, after, event } = transition;
    if (more.length > 0 || after === undefined) return undefined;
    const { data, ...eventRow } = toEventRow(event);
    const statement = this.#statements.get(
      before === undefined ? 'create' : 'update',
      (db) =>
        before === undefined ? createOne(db, this.#standIn, this.#maxTasks) : updateOne(db, this.ownedBy('tasks')),
      {
        owner,
        email: standInEmail(owner),
        readAt: before?.updatedAt,
        ...toRow(after, transition.remindedUntil),
        ...eventRow,
        data: JSON.stringify(data),
        ...ledgerChanges([transition]),
      },
    );
    try {
      const position = positionOf(await this.#database.write<readonly [number]>(statement), [transition]);
      return position === undefined ? undefined : { result, position };
    } catch (error) {
      if (isInTheWay(error)) return undefined;
      throw error;
    }
  }

  /** Changes tasks with pessimistic locking, in the transaction of `db`. */
  async #changeLocked<Result>(
    db: Kysely<Tables>,
    owner: UserId,
    ids: readonly TaskId[],
    sequences: readonly number[],
    decide: Decide<Result>,
  ): Promise<Changed<Result>> {
    const found = ids.length === 0 ? [] : await this.#lock(db, owner, ids);
    if (found.length < ids.length) await this.#requireUser(db, owner);
    const events = sequences.length === 0 ? [] : await this.#lockJournal(db, owner, sequences);
    if (sequences.length > 0 && found.length < ids.length) {
      // What was missing could be restored until the ledger was locked.
      const known = new Set(found.map(({ id }) => id));
      found.push(
        ...(await this.#lock(
          db,
          owner,
          [...new Set(ids)].filter((id) => !known.has(id)),
        )),
      );
    }
    const { transitions, result, dryRun } = decide(new Map(found.map((task) => [task.id, task])), events);
    const real = transitions.filter(hasEvent);
    const position = real.length === 0 ? undefined : await this.#save(db, owner, real);
    if (dryRun) throw new DryRun(result);
    return { result, position };
  }

  /** Locks in the order of the ids, to avoid deadlocks. */
  async #lock(db: Kysely<Tables>, owner: UserId, ids: readonly TaskId[]): Promise<Task[]> {
    const statement = this.#statements.get(
      'lock',
      (db) =>
        db
          .selectFrom('tasks')
          .select(storedTask)
          .where('id', '=', sql<string>`any(${value('ids')}::uuid[])`)
          .where(this.ownedBy('tasks'))
          .orderBy('id')
          .forUpdate(),
      { owner, ids },
    );
    return (await runIn<StoredTask>(db, statement)).map((row) => toTask(owner, row));
  }

  /** Locks the owner's ledger, without which nobody adds to the journal or erases from it, and reads events. */
  async #lockJournal(db: Kysely<Tables>, owner: UserId, sequences: readonly number[]): Promise<DependedEvent[]> {
    const ledger = this.#statements.get(
      'lock ledger',
      (db) => db.selectFrom('task_ledgers').select('sequence').where(this.ownedBy('task_ledgers')).forUpdate(),
      { owner },
    );
    await runIn(db, ledger);
    const events = this.#statements.get(
      'events',
      (db) =>
        db
          .selectFrom('task_events')
          .select([storedEntry.as('entry'), lastDeletion.as('deletedAgainBy')])
          .where('sequence', '=', sql<number>`any(${value('sequences')}::int[])`)
          .where(this.ownedBy('task_events'))
          .orderBy('sequence', 'desc'),
      { owner, sequences },
    );
    const rows = await runIn<readonly [StoredEntry, string | null]>(db, events);
    return rows.map(([entry, deletedAgainBy]) => ({ ...toEntry(entry), deletedAgainBy: deletedAgainBy ?? undefined }));
  }

  /** Writes tasks and journal in one statement; a second one removes the texts of erased tasks. */
  async #save(db: Kysely<Tables>, owner: UserId, transitions: readonly RecordedTransition[]): Promise<JournalPosition> {
    const { created, updated, deleted } = outcomeOf(transitions);
    const [creates = false, updates = false, deletes = false] = [created, updated, deleted].map(
      ({ length }) => length > 0,
    );
    const statement = this.#statements.get(
      `save ${[creates, updates, deletes]}`,
      (db) => saveMany(db, { creates, updates, deletes }, this.ownedBy('tasks'), this.#standIn, this.#maxTasks),
      {
        owner,
        email: standInEmail(owner),
        created: JSON.stringify(created.map(({ after, remindedUntil }) => toRow(after, remindedUntil))),
        updated: JSON.stringify(updated.map(({ after, remindedUntil }) => toRow(after, remindedUntil))),
        deleted,
        events: JSON.stringify(transitions.map(({ event }) => toEventRow(event))),
        ...ledgerChanges(transitions),
      },
    );
    const position = positionOf(await runIn<readonly [number]>(db, statement), transitions);
    if (position === undefined) throw new TaskLimitError(this.#maxTasks);
    const erased = transitions.filter(({ event }) => event.type === ERASED).map(({ event }) => event.taskId);
    if (erased.length > 0) await this.#blank(db, owner, erased, placeOf(position).sequence);
    return position;
  }

  /** Removes the texts from the events of erased tasks, wherever in the journal they are. */
  async #blank(db: Kysely<Tables>, owner: UserId, tasks: readonly TaskId[], sequence: number): Promise<void> {
    await sql`select set_config('app.erased_tasks', ${tasks.join()}, true)`.execute(db);
    for (let from = 1; from <= sequence; from += BLANKED_AT_ONCE) {
      const statement = this.#statements.get('blank', (db) => blankEvents(db, this.ownedBy('task_events')), {
        owner,
        tasks,
        from,
      });
      await runIn(db, statement);
    }
  }

  /** When tasks are missing, checks whether their owner was deleted too. */
  async #requireUser(db: Kysely<Tables>, owner: UserId): Promise<void> {
    if (this.#standIn) return;
    // The text as well: 07 is the number 7, and nobody's name.
    const users = sql<{ id: unknown }>`
      select "id" from ${sql.table(this.#userTable)} where "id" = ${owner} and "id"::text = ${owner}`;
    const { rows } = await users.execute(db).catch((error) => {
      if (isOfAnotherType(error)) return { rows: [] };
      throw error;
    });
    if (rows.length === 0) throw new UserUnknownError();
  }
}
