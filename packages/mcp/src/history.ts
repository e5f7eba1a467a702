import { type JournalEntry, journalPosition, type UndoInput, type UndoResult } from '@todo-backend/application';
import { type Actor, InvalidInputError, type Task } from '@todo-backend/domain';
import * as v from 'valibot';
import { asManyAsFit, NOTICE, pageThatFits } from './answer.js';
import type { Call } from './caller.js';
import { fieldChanges } from './fields.js';
import { changes, cursor, described, dryRun, limit, READS, tool } from './tool.js';
import { changeOptions } from './writing.js';

/** Characters of a text in the history. */
const LONGEST_TEXT = 200;

export const recentChanges = tool({
  name: 'recent_changes',
  title: 'See what changed',
  description: 'What happened to the tasks, newest first: what, when, by whom, and the changeId to undo it.',
  scope: 'todo:read',
  annotations: READS,
  input: v.object({
    taskId: v.optional(described(v.string(), 'Only what happened to this task.')),
    since: v.optional(described(v.string(), 'An instant, such as 2026-03-10T09:30:00Z.')),
    limit,
    cursor,
  }),
  output: v.object({
    notice: v.string(),
    changes: v.array(
      v.object({
        eventId: v.string(),
        time: v.string(),
        change: v.string(),
        by: v.string(),
        taskId: v.string(),
        changeId: v.nullable(v.string()),
        undoes: v.optional(v.string()),
        fields: v.record(v.string(), v.unknown()),
      }),
    ),
    next: v.optional(v.string()),
    more: v.optional(v.string()),
  }),
  async run(call, query) {
    const { entries: items, next } = await call.journal.list(call.userId, query);
    return pageThatFits(
      { items, next },
      ({ sequence, id }) => journalPosition(sequence, id),
      (shown) => ({ changes: shown.map((entry) => presentEntry(entry, call)) }),
      'There are older ones. Call again with next as cursor.',
    );
  },
});

function presentEntry(entry: JournalEntry, { agentId }: Call) {
  const { id, time, type, actor, taskId, correlationId, undoes } = entry;
  return {
    eventId: id,
    time,
    change: type.split('.')[2],
    by: nameOf(actor, agentId),
    taskId,
    changeId: correlationId,
    ...(undoes !== undefined && { undoes }),
    fields: fieldsOf(entry),
  };
}

function nameOf({ type, id }: Actor, agentId: string): string {
  if (type === 'user') return 'the user';
  return id === agentId ? 'you' : `another agent: ${id}`;
}

function fieldsOf(entry: JournalEntry) {
  if ('changes' in entry) {
    const sides = (side: 'before' | 'after') =>
      Object.fromEntries(
        Object.entries(entry.changes).map(([field, change]) => [field, change[side]]),
      ) as Partial<Task>;
    return fieldChanges(sides('before'), sides('after'), LONGEST_TEXT);
  }
  // A reminder changes nothing.
  if (!('task' in entry) || entry.type === 'todo.task.reminder-due.v1') return {};
  return entry.type === 'todo.task.deleted.v1'
    ? fieldChanges(entry.task, {}, LONGEST_TEXT)
    : fieldChanges({}, entry.task, LONGEST_TEXT);
}

/** Results of an undo in an answer: those of very many events would be very long. */
const MOST_RESULTS = 100;

export const undoChanges = tool({
  name: 'undo_changes',
  title: 'Undo changes',
  description:
    'Takes back all of one change (changeId), or single events (eventIds), field by field. A field that was changed since is left alone and named. All or nothing, unless atomic is false. An undo can be undone, too.',
  scope: 'todo:write',
  annotations: changes({ destroys: true, isIdempotent: true }),
  input: v.object({
    changeId: v.optional(v.string()),
    eventIds: v.optional(v.pipe(v.array(v.string()), v.minLength(1), v.maxLength(MOST_RESULTS))),
    atomic: v.optional(v.boolean(), true),
    dryRun,
  }),
  output: v.object({
    notice: v.string(),
    dryRun: v.boolean(),
    changeId: v.optional(described(v.string(), 'Of the undo itself.')),
    undone: v.number(),
    nothingToUndo: v.number(),
    changedSince: v.number(),
    results: v.array(
      v.object({
        eventId: v.string(),
        taskId: v.string(),
        title: v.optional(v.string()),
        outcome: v.picklist(['undone', 'nothing', 'conflict']),
        fields: described(v.array(v.string()), 'That went back or, in a conflict, were changed since.'),
      }),
    ),
    notShown: v.number(),
  }),
  async run(call, { changeId, eventIds, atomic, dryRun }) {
    if ((changeId === undefined) === (eventIds === undefined)) {
      throw new InvalidInputError([{ field: 'changeId', message: 'Give either changeId or eventIds.' }]);
    }
    const input: UndoInput = { correlationId: changeId, events: eventIds, atomic, dryRun };
    const results = await call.recovery.undo(call.userId, input, changeOptions(call));
    const count = (outcome: UndoResult['outcome']) => results.filter((one) => one.outcome === outcome).length;
    // Counted once: the answer is made several times until it fits.
    const counts = {
      undone: count('undone'),
      nothingToUndo: count('nothing'),
      changedSince: count('conflict'),
    };
    // What needs a decision comes first.
    const inOrder = [...results].sort((a, b) => Number(b.outcome === 'conflict') - Number(a.outcome === 'conflict'));
    return asManyAsFit(inOrder.slice(0, MOST_RESULTS), (shown) => ({
      notice: NOTICE,
      dryRun,
      ...(!dryRun && { changeId: call.changeId }),
      ...counts,
      results: shown.map(({ task, eventId, taskId, outcome, fields }) => ({
        eventId,
        taskId,
        ...(task !== undefined && { title: task.title }),
        outcome,
        fields,
      })),
      notShown: results.length - shown.length,
    }));
  },
});
