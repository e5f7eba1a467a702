import type { DuePage, DueReminders, RecordedReminders, Reminders, ToReminder } from '@todo-backend/application';
import type { TaskId, UserId } from '@todo-backend/domain';
import { type Kysely, type QueryCreator, type RawBuilder, sql } from 'kysely';
import {
  appendEvents,
  EVENTS_OF_JSON,
  LEDGER_SEQUENCE,
  ledgerChanges,
  ONCE,
  positionOf,
  updateLedger,
} from '../journal/append.js';
import { toEventRow, utcText } from '../journal/entry.js';
import { asTask, knowsCaller } from '../postgres/caller.js';
import type { Database } from '../postgres/database.js';
import { runIn, type Statement, Statements, value, withParts } from '../postgres/statements.js';
import type { Tables } from '../schema/tables.js';
import { type StoredTask, storedTask, toTask } from '../schema/task-row.js';
import { IS_TO_BE_REMINDED } from '../schema/tasks.js';

/** Reminders that one look finds, and one transaction records at the most. */
const DUE_AT_ONCE = 100;

/** How far ahead a look sees the next reminder. */
const LOOKAHEAD = sql`interval '1 second'`;

/** How long to wait for the journal of a user whom somebody else is holding up: others have reminders, too. */
const LOCK_TIMEOUT = '1s';

const isToBeReminded = sql<boolean>`${sql.raw(IS_TO_BE_REMINDED)}`;

/** A reminder that has come, or will soon. */
type FoundReminder = readonly [userId: UserId, id: TaskId, wait: number];

/** The reminders in PostgreSQL, on a server or embedded. The clock of the database decides which have come. */
export class SqlReminders implements Reminders {
  readonly #database: Database;
  readonly #statements: Statements;

  constructor(database: Database) {
    this.#database = database;
    this.#statements = new Statements(database.builder);
  }

  async due(except: readonly UserId[]): Promise<DuePage> {
    const statement = this.#dueStatement(except);
    // What others leave out has to be passed over.
    const found = await (except.length === 0
      ? this.#database.read<FoundReminder>(statement)
      : this.#database.readSlowly<FoundReminder>(statement));
    const due = found.filter(([, , wait]) => wait <= 0);
    return {
      due: [...Map.groupBy(due, ([userId]) => userId)].map(([userId, found]) => ({
        userId,
        tasks: found.map(([, id]) => id),
      })),
      more: due.length === DUE_AT_ONCE,
      next: found[due.length]?.[2],
    };
  }

  #dueStatement(except: readonly UserId[]): Statement {
    const isWanted =
      except.length === 0 ? sql<boolean>`true` : sql<boolean>`"userId" <> all(${value('except')}::text[])`;
    return this.#statements.get(
      `due ${except.length > 0}`,
      (db) =>
        asTask(db, { task: 'delivery' })
          .selectFrom('caller')
          .innerJoinLateral(
            (eb) =>
              eb
                .selectFrom('tasks')
                .select([
                  // As JSON, because PGlite drops a byte order mark from the beginning of a text that it reads.
                  sql<UserId>`to_json("userId")`.as('owner'),
                  'id',
                  sql<number>`(extract(epoch from "remindAt" - now()) * 1000)::float8`.as('wait'),
                ])
                .where(isToBeReminded)
                .where('remindAt', '<=', sql<string>`now() + ${LOOKAHEAD}`)
                .where(isWanted)
                .where(knowsCaller)
                .orderBy('remindAt')
                .limit(sql.lit(DUE_AT_ONCE))
                .as('found'),
            (join) => join.onTrue(),
          )
          .selectAll('found')
          .orderBy('found.wait'),
      { except },
    );
  }

  record({ userId: owner, tasks: ids }: DueReminders, toReminder: ToReminder): Promise<RecordedReminders> {
    return this.#database.transaction({ user: owner }, async (db) => {
      const rows = await runIn<readonly [...StoredTask, now: string, patience: string]>(db, this.#lock(owner, ids));
      const tasks = rows.map((row) => toTask(owner, row));
      const transitions = tasks.flatMap((task, i) => {
        const event = toReminder(task, rows[i]?.[3] ?? '');
        return event === undefined ? [] : [{ before: task, after: task, event }];
      });
      const come = tasks.map(({ id }) => id);
      if (come.length === 0) return { come: 0, position: undefined };
      if (transitions.length === 0) {
        await runIn(
          db,
          this.#statements.get('mark', (db) => this.#mark(db), { owner, come }),
        );
        return { come: come.length, position: undefined };
      }
      const statement = this.#statements.get('mark and append', (db) => this.#markAndAppend(db), {
        owner,
        come,
        events: JSON.stringify(transitions.map(({ event }) => toEventRow(event))),
        ...ledgerChanges(transitions),
      });
      return { come: come.length, position: positionOf(await runIn<readonly [number]>(db, statement), transitions) };
    });
  }

  /** The owner predicate of every statement about one user, in addition to row level security. */
  protected ownedBy(table: 'tasks'): RawBuilder<boolean> {
    return sql<boolean>`${sql.ref(`${table}.userId`)} = ${value('owner')}`;
  }

  /** Reads and locks those of the tasks that nobody holds, and whose reminders have not come yet. */
  #lock(owner: UserId, ids: readonly TaskId[]): Statement {
    return this.#statements.get(
      'lock',
      (db) =>
        db
          .selectFrom('tasks')
          .select([
            ...storedTask,
            utcText(sql`now()`).as('now'),
            sql<string>`(select set_config('lock_timeout', ${sql.lit(LOCK_TIMEOUT)}, true))`.as('patience'),
          ])
          .where('id', '=', sql<string>`any(${value('ids')}::uuid[])`)
          .where(this.ownedBy('tasks'))
          .where(isToBeReminded)
          .where('remindAt', '<=', sql<string>`now()`)
          .orderBy('remindAt')
          .orderBy('id')
          .forUpdate()
          .skipLocked(),
      { owner, ids },
    );
  }

  /** Only this column: the task does not change, nor does its version. */
  #mark(db: QueryCreator<Tables>) {
    return db
      .updateTable('tasks')
      .set(({ ref }) => ({ remindedUntil: ref('remindAt') }))
      .where('id', '=', sql<string>`any(${value('come')}::uuid[])`)
      .where(this.ownedBy('tasks'));
  }

  #markAndAppend(db: Kysely<Tables>) {
    return withParts(db, {
      marked: (db) => this.#mark(db),
      ledger: (db) => updateLedger(db, ONCE),
      appended: (db) => appendEvents(db, EVENTS_OF_JSON),
    })
      .selectFrom('ledger')
      .select(LEDGER_SEQUENCE);
  }
}
