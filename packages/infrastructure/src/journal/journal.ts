import {
  CHANGES_MAX_ENTRIES,
  type DeletionEntry,
  type EventSelection,
  type Journal,
  type JournalEntry,
  type JournalPosition,
  type JournalQuery,
  type JournalSpan,
  journalPosition,
  placeOf,
  type TaskChange,
  type TrashQuery,
} from '@todo-backend/application';
import type { Actor, TaskEventType, TaskId, UserId } from '@todo-backend/domain';
import { type ExpressionBuilder, type Kysely, type RawBuilder, type SelectQueryBuilder, sql } from 'kysely';
import { asCaller, type CallerTables, knowsCaller, noOffset } from '../postgres/caller.js';
import type { Database } from '../postgres/database.js';
import { type Statement, Statements, value } from '../postgres/statements.js';
import type { Tables } from '../schema/tables.js';
import { isDeletion } from '../schema/task-events.js';
import { type StoredTask, storedTask, toTask } from '../schema/task-row.js';
import { type StoredEntry, storedEntry, toEntry } from './entry.js';
import { ledgerPosition, selectLedger } from './ledger.js';

/** The most entries of a user that a filter reads on a connection that others wait behind. */
const LONG_JOURNAL = 10_000;

/** The journal in PostgreSQL, on a server or embedded. */
export class SqlJournal implements Journal {
  readonly #database: Database;
  readonly #statements: Statements;

  constructor(database: Database) {
    this.#database = database;
    this.#statements = new Statements(database.builder);
  }

  async entries(owner: UserId, query: JournalQuery): Promise<JournalEntry[]> {
    const filters = filtersOf(query);
    const order = query.after === undefined ? 'desc' : 'asc';
    const statement = this.#statements.get(
      `entries ${filters}`,
      (db) =>
        this.#selectEntries(db, (events) =>
          events.where((eb) => eb.and(filters.map((name) => FILTERS[name](eb)))).orderBy('sequence', order),
        ),
      { owner, ...query },
    );
    // A filter reads past everything that it does not match.
    const isSlow = filters.some((name) => name !== 'before' && name !== 'after');
    const rows = await this.#readPast<readonly [StoredEntry]>(owner, statement, isSlow);
    return rows.map(([entry]) => toEntry(entry));
  }

  async position(owner: UserId): Promise<JournalPosition> {
    const statement = this.#statements.get(
      'position',
      (db) => selectLedger(db, [ledgerPosition], this.ownedBy('task_ledgers')),
      { owner },
    );
    const [row] = await this.#database.read<readonly [JournalPosition]>(statement);
    return row?.[0] ?? journalPosition(0);
  }

  async idAt(owner: UserId, sequence: number): Promise<string | undefined> {
    const statement = this.#statements.get(
      'id',
      (db) =>
        asCaller(db)
          .selectFrom('caller')
          .innerJoinLateral(
            (eb) =>
              eb
                .selectFrom('task_events')
                .select('eventId')
                .where('sequence', '=', value<number>('sequence'))
                .where(this.#isOwn())
                .offset(noOffset)
                .as('found'),
            (join) => join.onTrue(),
          )
          .select('found.eventId'),
      { owner, sequence },
    );
    const [row] = await this.#database.read<readonly [string]>(statement);
    return row?.[0];
  }

  async select(owner: UserId, selection: EventSelection, limit: number): Promise<JournalEntry[]> {
    const way = 'ids' in selection ? 'ids' : 'actor' in selection ? 'actor' : 'correlationId';
    const statement = this.#statements.get(
      `select ${way}`,
      (db) => this.#selectEntries(db, (events) => events.where(SELECTIONS[way]).orderBy('sequence', 'desc')),
      // The scan ends early once it has found so many as there can be.
      { owner, ...selection, limit: 'ids' in selection ? Math.min(limit, selection.ids.length) : limit },
    );
    const rows = await this.#readPast<readonly [StoredEntry]>(owner, statement, true);
    return rows.map(([entry]) => toEntry(entry));
  }

  async changes(owner: UserId, { after, limit }: { after: number; limit: number }): Promise<JournalSpan> {
    const statement = this.#statements.get(
      'changes',
      (db) =>
        asCaller(db)
          .with(
            (cte) => cte('span').materialized(),
            (db) =>
              (db as Kysely<CallerTables>)
                .selectFrom('caller')
                .innerJoinLateral(
                  (eb) =>
                    eb
                      .selectFrom('task_events')
                      .select(['sequence', 'taskId'])
                      .where('sequence', '>', value<number>('after'))
                      .where(this.#isOwn())
                      .orderBy('sequence')
                      .limit(sql.lit(CHANGES_MAX_ENTRIES))
                      .offset(noOffset)
                      .as('found'),
                  (join) => join.onTrue(),
                )
                .select(['found.sequence', 'found.taskId']),
          )
          .selectFrom('caller')
          .leftJoinLateral(
            (eb) =>
              eb
                .selectFrom('task_ledgers')
                .select(ledgerPosition)
                .where(this.#isOwn('task_ledgers'))
                .offset(noOffset)
                .as('ledger'),
            (join) => join.onTrue(),
          )
          .leftJoinLateral(
            (eb) =>
              eb
                .selectFrom('task_events')
                .select('eventId')
                .where('sequence', '=', value<number>('after'))
                .where(this.#isOwn())
                .offset(noOffset)
                .as('start'),
            (join) => join.onTrue(),
          )
          .leftJoinLateral(
            (eb) =>
              eb
                .selectFrom('span')
                .select(['taskId', sql<number>`max("sequence")`.as('last')])
                .groupBy('taskId')
                .orderBy('last')
                .limit(value<number>('limit'))
                .as('changed'),
            (join) => join.onTrue(),
          )
          .leftJoinLateral(
            (eb) =>
              eb
                .selectFrom('task_events')
                .select(['eventId', 'type', 'actorType', 'actorId', 'correlationId'])
                .whereRef('sequence', '=', 'changed.last')
                .where(this.#isOwn())
                .offset(noOffset)
                .as('event'),
            (join) => join.onTrue(),
          )
          .leftJoinLateral(
            (eb) =>
              eb
                .selectFrom('tasks')
                .select(storedTask)
                .whereRef('tasks.id', '=', 'changed.taskId')
                .where(this.#isOwn('tasks'))
                .offset(noOffset)
                .as('task'),
            (join) => join.onTrue(),
          )
          .select([
            'facts',
            'title',
            'description',
            'ledger.position',
            'start.eventId as startId',
            sql<number>`(select count(*)::int from "span")`.as('entries'),
            sql<number | null>`(select max("sequence") from "span")`.as('end'),
            'changed.taskId',
            'changed.last',
            'event.eventId',
            'event.type',
            'event.actorType',
            'event.actorId',
            'event.correlationId',
          ])
          .orderBy('changed.last'),
      { owner, after, limit },
    );
    return toSpan(owner, after, await this.#database.read<StoredChange>(statement));
  }

  async trash(owner: UserId, { taskId, before, limit }: TrashQuery): Promise<DeletionEntry[]> {
    const statement = this.#statements.get(
      `trash ${taskId !== undefined} ${before !== undefined}`,
      (db) =>
        this.#selectEntries(db, (events) => {
          let deletions = events
            .where(sql.raw<boolean>(isDeletion('task_events')))
            .where(isGone)
            .where(isLastDeletion);
          if (taskId !== undefined) deletions = deletions.where('taskId', '=', value<string>('taskId'));
          if (before !== undefined) deletions = deletions.where('sequence', '<', value<number>('before'));
          return deletions.orderBy('sequence', 'desc');
        }),
      { owner, taskId, before, limit },
    );
    const rows = await this.#readPast<readonly [StoredEntry]>(owner, statement, true);
    return rows.map(([entry]) => toEntry(entry) as DeletionEntry);
  }

  /** Reads with a filter, which reads past everything that it does not match. */
  async #readPast<Row extends readonly unknown[]>(
    owner: UserId,
    statement: Statement,
    maySkip: boolean,
  ): Promise<Row[]> {
    const isSlow = maySkip && placeOf(await this.position(owner)).sequence > LONG_JOURNAL;
    return isSlow ? this.#database.readSlowly<Row>(statement) : this.#database.read<Row>(statement);
  }

  /** The owner predicate, in addition to row level security. */
  protected ownedBy(table: OwnedTable = 'task_events'): RawBuilder<boolean> {
    return sql<boolean>`${sql.ref(`${table}.userId`)} = ${value('owner')}`;
  }

  /** Selects entries of the owner, at most the parameter `limit`. */
  #selectEntries(db: Kysely<Tables>, narrow: (events: Events) => Events) {
    return asCaller(db)
      .selectFrom('caller')
      .innerJoinLateral(
        (eb) =>
          narrow(eb.selectFrom('task_events').select(storedEntry.as('entry')).where(this.#isOwn()))
            .limit(value<number>('limit'))
            .offset(noOffset)
            .as('found'),
        (join) => join.onTrue(),
      )
      .select('found.entry');
  }

  #isOwn(table: OwnedTable = 'task_events'): RawBuilder<boolean> {
    return sql<boolean>`${this.ownedBy(table)} and ${knowsCaller}`;
  }
}

/** The tables of the statements here. */
type OwnedTable = 'task_events' | 'task_ledgers' | 'tasks';

type Events = SelectQueryBuilder<CallerTables, 'task_events' | 'caller', { entry: StoredEntry }>;

/** The task of an event does not exist. */
const isGone = sql<boolean>`not exists (
  select from tasks where tasks."userId" = task_events."userId" and tasks."id" = task_events."taskId")`;

/** It was not deleted again later. */
const isLastDeletion = sql<boolean>`not exists (
  select from task_events later where later."userId" = task_events."userId" and later."taskId" = task_events."taskId"
    and later."sequence" > task_events."sequence" and ${sql.raw(isDeletion('later'))})`;

/** A row of the changes. Without changes, there is one row with only the facts about the journal. */
type StoredChange = readonly [
  ...(StoredTask | readonly [null, null, null]),
  position: JournalPosition | null,
  startId: string | null,
  entries: number,
  end: number | null,
  taskId: TaskId | null,
  last: number,
  eventId: string,
  type: TaskEventType,
  actorType: Actor['type'],
  actorId: string,
  correlationId: string | null,
];

function toSpan(owner: UserId, after: number, rows: readonly StoredChange[]): JournalSpan {
  const [, , , position, startId, entries, end] = rows[0] ?? [];
  return {
    position: position ?? journalPosition(0),
    startId: startId ?? undefined,
    entries: entries ?? 0,
    end: end ?? after,
    changes: rows.flatMap((row) => toChange(owner, row)),
  };
}

function toChange(owner: UserId, row: StoredChange): TaskChange[] {
  const [facts, title, description, , , , , taskId, last, eventId, type, actorType, actorId, correlationId] = row;
  if (taskId === null) return [];
  const task = facts === null ? undefined : toTask(owner, [facts, title, description]);
  const actor = { type: actorType, id: actorId };
  return [{ taskId, task, position: journalPosition(last, eventId), type, actor, correlationId }];
}

type Filter = Exclude<keyof JournalQuery, 'limit'>;
type Filtered = ExpressionBuilder<CallerTables, 'task_events' | 'caller'>;

/** The condition of each filter, whose parameter has the same name. A missing condition is a type error. */
const FILTERS: { readonly [Name in Filter]: (eb: Filtered) => ReturnType<Filtered> } = {
  taskId: (eb) => eb('taskId', '=', value<string>('taskId')),
  type: (eb) => eb('type', '=', value<string>('type')),
  actor: (eb) => eb.and([eb('actorType', '=', sql.lit('agent')), eb('actorId', '=', value<string>('actor'))]),
  since: (eb) => eb('time', '>=', value<string>('since')),
  until: (eb) => eb('time', '<', value<string>('until')),
  before: (eb) => eb('sequence', '<', value<number>('before')),
  after: (eb) => eb('sequence', '>', value<number>('after')),
};

/** The condition of each way to select events, by a field that only this way has. */
const SELECTIONS = {
  ids: () => sql<boolean>`"eventId" = any(${value('ids')}::uuid[])`,
  correlationId: (eb: Filtered) => eb('correlationId', '=', value<string>('correlationId')),
  actor: (eb: Filtered) => eb.and([FILTERS.actor(eb), FILTERS.since(eb)]),
};

function filtersOf(query: JournalQuery): Filter[] {
  return (Object.keys(FILTERS) as Filter[]).filter((name) => query[name] !== undefined);
}
