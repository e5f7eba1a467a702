import { type JournalPosition, journalPosition } from '@todo-backend/application';
import { isCompleted, type Task, type TaskEventType, type TaskTransition } from '@todo-backend/domain';
import { type QueryCreator, type RawBuilder, sql } from 'kysely';
import { rowOfValues, rowsOfJson, value } from '../postgres/statements.js';
import type { Tables } from '../schema/tables.js';
import { EVENT_COLUMNS, EVENT_TYPES, type NewEventRow } from './entry.js';

/** The events of {@link appendEvents}: one as parameters, or any number as JSON in the parameter `events`. */
export const ONE_EVENT = rowOfValues<NewEventRow>(EVENT_TYPES);
export const EVENTS_OF_JSON = rowsOfJson<NewEventRow>(EVENT_TYPES, 'events');

/** The changes that transitions, each with an event, make to the ledger: the parameters of {@link updateLedger}. */
export function ledgerChanges(transitions: readonly TaskTransition[]) {
  const sum = (weight: (task: Task) => number) =>
    transitions.reduce(
      (sum, { before, after }) => sum + (after ? weight(after) : 0) - (before ? weight(before) : 0),
      0,
    );
  return {
    moreEvents: transitions.length,
    lastEventId: transitions.at(-1)?.event?.id,
    moreTasks: sum(() => 1),
    moreCompleted: sum((task) => Number(isCompleted(task))),
  };
}

/** What the statements return: the sequence that the journal has reached. */
export const LEDGER_SEQUENCE = sql<number>`"sequence"`.as('sequence');

/** A source of one row, for unconditional writes. */
export const ONCE = sql`(select) as "once"`;

const moreEvents = sql<number>`${value('moreEvents')}::int`;
const moreTasks = sql<number>`${value('moreTasks')}::int`;
const moreCompleted = sql<number>`${value('moreCompleted')}::int`;

/**
 * Updates or creates the owner's ledger. Its row stays locked until the commit, so that the sequence has no gaps and no
 * number becomes visible before an earlier one.
 *
 * @param source a common table expression with one row, or with none when nothing is to be written
 * @param maxTasks when the owner would have more tasks, nothing is updated and no row returned
 */
export function updateLedger(db: QueryCreator<Tables>, source: RawBuilder<unknown>, maxTasks?: number) {
  return db
    .insertInto('task_ledgers')
    .columns(['userId', 'sequence', 'lastEventId', 'tasks', 'completed'])
    .expression(sql`select ${value('owner')}, ${moreEvents}, ${value('lastEventId')}::uuid, ${moreTasks}, ${moreCompleted} from ${source}
      ${maxTasks === undefined ? sql`` : sql`where ${moreTasks} <= ${sql.lit(maxTasks)}`}`)
    .onConflict((conflict) => {
      const update = conflict.column('userId').doUpdateSet(({ ref }) => ({
        sequence: sql<number>`${ref('task_ledgers.sequence')} + ${ref('excluded.sequence')}`,
        lastEventId: ref('excluded.lastEventId'),
        tasks: sql<number>`${ref('task_ledgers.tasks')} + ${ref('excluded.tasks')}`,
        completed: sql<number>`${ref('task_ledgers.completed')} + ${ref('excluded.completed')}`,
      }));
      if (maxTasks === undefined) return update;
      return update.where(
        sql<boolean>`(excluded."tasks" <= 0 or "task_ledgers"."tasks" + excluded."tasks" <= ${sql.lit(maxTasks)})`,
      );
    })
    .returning('sequence');
}

/** Appends events to the owner's journal, numbered from the result of {@link updateLedger}, `ledger`. */
export function appendEvents(db: QueryCreator<Tables>, events: RawBuilder<unknown>) {
  const columns = sql.join(EVENT_COLUMNS.map((column) => sql.ref(column)));
  return db
    .insertInto('task_events')
    .columns(['userId', 'sequence', ...EVENT_COLUMNS])
    .expression(sql`
      select ${value('owner')}, "ledger"."sequence" - ${moreEvents} + "event"."position"::int, ${columns}
      from "ledger", ${events} as "event"`);
}

/** The position that a statement with {@link updateLedger} has reached. `undefined` when it wrote nothing. */
export function positionOf(
  [ledger]: readonly (readonly [sequence: number])[],
  transitions: readonly TaskTransition[],
): JournalPosition | undefined {
  return ledger && journalPosition(ledger[0], transitions.at(-1)?.event?.id);
}

/** Entries that one statement of {@link blankEvents} looks at. */
export const BLANKED_AT_ONCE = 50_000;

/** The texts of an event, and what they become, as `blanked` does it. */
const BLANK = [
  ['{task,title}', '""'],
  ['{task,description}', 'null'],
  ['{task,tags}', '[]'],
  ['{changes,title}', '{"before": "", "after": ""}'],
  ['{changes,description}', '{"before": null, "after": null}'],
  ['{changes,tags}', '{"before": [], "after": []}'],
] as const;

const withoutTexts = BLANK.reduce(
  (data, [path, blank]) => sql`jsonb_set(${data}, ${sql.lit(path)}, ${sql.lit(blank)}, false)`,
  sql`"data"::jsonb`,
);

/**
 * Removes the texts from the events of erased tasks, up to {@link BLANKED_AT_ONCE} from a sequence on. A policy allows
 * it for the tasks that the transaction names in `app.erased_tasks`, and the rights are to that column only.
 */
export function blankEvents(db: QueryCreator<Tables>, isOwn: RawBuilder<boolean>) {
  const from = sql<number>`${value('from')}::int`;
  return db
    .updateTable('task_events')
    .set({ data: sql<object>`(${withoutTexts} || '{"erased": true}')::json` })
    .where(isOwn)
    .where('taskId', '=', sql<string>`any(${value('tasks')}::uuid[])`)
    .where('type', '<>', sql.lit(ERASED))
    .where('sequence', '>=', from)
    .where('sequence', '<', sql<number>`${from} + ${sql.lit(BLANKED_AT_ONCE)}`);
}

/** The type of the events that record an erasure. */
export const ERASED = 'todo.task.erased.v1' satisfies TaskEventType;
