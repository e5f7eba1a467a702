import type { UserId } from '@todo-backend/domain';
import { type Kysely, type QueryCreator, type RawBuilder, sql } from 'kysely';
import { appendEvents, EVENTS_OF_JSON, LEDGER_SEQUENCE, ONCE, ONE_EVENT, updateLedger } from '../journal/append.js';
import { asCaller, type CallerTables, knowsCaller, noOffset } from '../postgres/caller.js';
import { rowOfValues, rowsOfJson, value, withParts } from '../postgres/statements.js';
import type { Tables } from '../schema/tables.js';
import { CONTENT_COLUMNS, type NewRow, ROW_COLUMNS, ROW_TYPES } from '../schema/task-row.js';

/** A placeholder address, because the column is required and unique. */
export function standInEmail(owner: UserId): string {
  return `${owner}@standalone.invalid`;
}

type Part = typeof insertStandIn;

/** Creates one task, with its event. Returns a row unless the owner has too many tasks. */
export function createOne(db: Kysely<Tables>, standIn: Part | undefined, maxTasks: number) {
  const caller = sql.table('caller');
  return withParts(asCaller(db), {
    stand_in: standIn,
    ledger: (db) => updateLedger(db, caller, maxTasks),
    created: (db) => insertTasks(db, sql.table('ledger'), ONE_ROW),
    appended: (db) => appendEvents(db, ONE_EVENT),
  })
    .selectFrom('ledger')
    .select(LEDGER_SEQUENCE);
}

/** Updates one task, with its event, if it is unchanged. Returns a row if it was. */
export function updateOne(db: Kysely<Tables>, isOwn: RawBuilder<boolean>) {
  return withParts(asCaller(db), {
    locked: (db) => lockUnchanged(db as QueryCreator<CallerTables>, isOwn),
    updated: (db) => updateLocked(db, sql.table('locked')),
    ledger: (db) => updateLedger(db, sql.table('updated')),
    appended: (db) => appendEvents(db, ONE_EVENT),
  })
    .selectFrom('ledger')
    .select(LEDGER_SEQUENCE);
}

/**
 * Writes any number of tasks and their events, in a transaction that has locked the tasks. Returns no row when the owner
 * would have too many tasks: then the transaction is to be rolled back.
 */
export function saveMany(
  db: Kysely<Tables>,
  { creates, updates, deletes }: Readonly<Record<'creates' | 'updates' | 'deletes', boolean>>,
  isOwn: RawBuilder<boolean>,
  standIn: Part | undefined,
  maxTasks: number,
) {
  return withParts(db, {
    stand_in: creates ? standIn : undefined,
    created: creates ? (db) => insertTasks(db, ONCE, rowsOf('created')) : undefined,
    updated: updates ? (db) => updateTasks(db, isOwn) : undefined,
    deleted: deletes ? (db) => deleteTasks(db, isOwn) : undefined,
    ledger: (db) => updateLedger(db, ONCE, creates ? maxTasks : undefined),
    appended: (db) => appendEvents(db, EVENTS_OF_JSON),
  })
    .selectFrom('ledger')
    .select(LEDGER_SEQUENCE);
}

/** One row as parameters, or any number of rows as JSON in one parameter. */
const ONE_ROW = rowOfValues<NewRow>(ROW_TYPES);
const rowsOf = (name: 'created' | 'updated') => rowsOfJson<NewRow>(ROW_TYPES, name);

/** Inserts the owner into the stand-in table if missing. */
export function insertStandIn(db: QueryCreator<Tables>) {
  return db
    .insertInto('user')
    .values({
      id: value<string>('owner'),
      name: value<string>('owner'),
      email: value<string>('email'),
      emailVerified: false,
    })
    .onConflict((conflict) => conflict.doNothing());
}

/** Inserts the rows, once for each row of `source`. */
function insertTasks(db: QueryCreator<Tables>, source: RawBuilder<unknown>, rows: RawBuilder<unknown>) {
  const columns = sql.join(ROW_COLUMNS.map((column) => sql.ref(column)));
  return db
    .insertInto('tasks')
    .columns(ROW_COLUMNS)
    .expression(sql`select ${columns} from ${source}, ${rows} as "row"`);
}

/** Locks the task with the parameter `id` if it is unchanged: one row, or none. */
function lockUnchanged(db: QueryCreator<CallerTables>, isOwn: RawBuilder<boolean>) {
  return db
    .selectFrom('caller')
    .innerJoinLateral(
      (eb) =>
        eb
          .selectFrom('tasks')
          .select(sql.lit(true).as('isUnchanged'))
          .where('id', '=', value<string>('id'))
          .where('updatedAt', '=', value<string>('readAt'))
          .where(isOwn)
          .where(knowsCaller)
          .offset(noOffset)
          .forUpdate()
          .as('found'),
      (join) => join.onTrue(),
    )
    .select('found.isUnchanged');
}

/**
 * Updates the one task that `source` has locked. An insert with a conflict, because it reads no row of the table before
 * it has one to insert: by then the caller's setting is set, whatever the plan.
 */
function updateLocked(db: QueryCreator<Tables>, source: RawBuilder<unknown>) {
  return insertTasks(db, source, ONE_ROW)
    .onConflict((conflict) =>
      conflict
        .column('id')
        .doUpdateSet((eb) => Object.fromEntries(CONTENT_COLUMNS.map((name) => [name, eb.ref(`excluded.${name}`)]))),
    )
    .returning(sql<number>`1`.as('updated'));
}

/** Updates the tasks of the parameter `updated`, whose rows the transaction has locked. */
function updateTasks(db: QueryCreator<Tables>, isOwn: RawBuilder<boolean>) {
  return db
    .updateTable('tasks')
    .from(rowsOf('updated').as('row'))
    .set((eb) => ({
      ...Object.fromEntries(CONTENT_COLUMNS.map((name) => [name, eb.ref(`row.${name}`)])),
      // Another value only where it was deleted and made again, both in this change.
      createdAt: eb.ref('row.createdAt'),
      remindedUntil: eb.fn.coalesce('row.remindedUntil', 'tasks.remindedUntil'),
    }))
    .whereRef('tasks.id', '=', 'row.id')
    .where(isOwn);
}

/** Deletes the tasks with the ids in the parameter `deleted`. */
function deleteTasks(db: QueryCreator<Tables>, isOwn: RawBuilder<boolean>) {
  return db
    .deleteFrom('tasks')
    .where('id', '=', sql<string>`any(${value('deleted')}::uuid[])`)
    .where(isOwn);
}
