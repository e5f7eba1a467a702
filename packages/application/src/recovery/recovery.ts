import {
  type Actor,
  deletion,
  erasure,
  InvalidInputError,
  inverse,
  isUntouched,
  type Problem,
  type Task,
  type TaskEvent,
  type TaskId,
  TaskNotFoundError,
  type TaskTransition,
  type Timestamp,
  timestamp,
  type UndoField,
  type UndoOutcome,
  type UserId,
} from '@todo-backend/domain';
import * as v from 'valibot';
import { ChangedSinceError, EventNotFoundError, TaskExistsError, UnavailableError } from '../errors.js';
import type { AgentActivity, EventSelection, Journal } from '../journal/journal.js';
import { journalPosition, placeOf } from '../position.js';
import { parseTaskId, UUID } from '../task-id.js';
import { type ChangeContext, type ChangeOptions, changesOver, type TaskPorts } from '../tasks/change-context.js';
import type { Decision, DependedEvent } from '../tasks/task-repository.js';
import {
  CURSOR_DESCRIPTION,
  countUpTo,
  dryRun,
  flag,
  foreignId,
  moment,
  parse,
  positionInput,
  record,
} from '../validation.js';

/** The maximum number of event ids of an undo. */
export const UNDO_MAX_IDS = 1_000;

/** The maximum number of events that an undo takes back: those of the largest import. */
export const UNDO_MAX_EVENTS = 10_000;

/** The maximum number of tasks per page of the trash. */
export const TRASH_MAX_LIMIT = 200;

/** The tasks that one transaction erases. */
const ERASED_AT_ONCE = 10_000;

const DAY = 86_400_000;

/** What to take back: `events`, or `correlationId`, or `actor` with `since`. */
export interface UndoInput {
  /** Ids of events, 1 to {@link UNDO_MAX_IDS}. */
  readonly events?: readonly string[] | undefined;
  /** All that one request did: its id. */
  readonly correlationId?: string | undefined;
  /** All that an agent did: its id. Not who undoes it, which is in the {@link ChangeOptions}. */
  readonly actor?: string | undefined;
  /** From this instant on (RFC 3339), together with `actor`. */
  readonly since?: string | undefined;
  /** Only says what would become of it. Default false. */
  readonly dryRun?: boolean | undefined;
  /** All or nothing (the default). With `false`, what can go back does. */
  readonly atomic?: boolean | undefined;
}

/** What became of one event. */
export interface UndoResult {
  readonly eventId: string;
  readonly taskId: TaskId;
  readonly outcome: UndoOutcome;
  /** The fields that went back; in a conflict, those that were changed since. */
  readonly fields: readonly UndoField[];
  /** The task after it; `undefined` when there is none. */
  readonly task: Task | undefined;
}

const EVENT_ID_PROBLEM = 'The id of an event must be a UUID.';

const EventIdSchema = v.pipe(
  v.string(EVENT_ID_PROBLEM),
  v.regex(UUID, EVENT_ID_PROBLEM),
  v.toLowerCase(),
  v.metadata({ format: 'uuid' }),
);

/** Checks an {@link UndoInput}. */
export const UndoSchema = record({
  events: v.optional(
    v.pipe(
      v.array(EventIdSchema, 'Events must be an array.'),
      v.minLength(1, 'Events must not be empty.'),
      v.maxLength(UNDO_MAX_IDS, `Events must be at most ${UNDO_MAX_IDS}.`),
      v.metadata({ description: 'The ids of the events to take back, as the journal has them.' }),
    ),
  ),
  correlationId: foreignId('correlationId', 'All that one request did: its `X-Request-Id`. Instead of `events`.'),
  actor: foreignId(
    'actor',
    'All that the agent with this id did, from `since` on. Instead of `events` and `correlationId`.',
  ),
  since: moment('since', 'Only together with `actor`: what it did from this time on.'),
  dryRun,
  atomic: flag('Atomic', 'Whether all of it is taken back or nothing. Otherwise what can go back does.', true),
} satisfies Record<keyof UndoInput, v.GenericSchema>);

/** The input of {@link TrashQuerySchema}. */
export interface TrashQueryInput {
  /** The `next` of the previous page. */
  readonly cursor?: string | undefined;
  /** 1 to {@link TRASH_MAX_LIMIT}; default 50. */
  readonly limit?: number | undefined;
}

/** Checks {@link TrashQueryInput}. Unknown names are ignored. */
export const TrashQuerySchema = v.object({
  cursor: positionInput('Cursor', CURSOR_DESCRIPTION),
  limit: v.optional(countUpTo('Limit', TRASH_MAX_LIMIT, 'At the most so many tasks.'), 50),
} satisfies Record<keyof TrashQueryInput, v.GenericSchema>);

/** A deleted task that can be restored. */
export interface TrashedTask {
  /** The event that deleted it. */
  readonly eventId: string;
  readonly task: Task;
  readonly deletedAt: Timestamp;
  readonly deletedBy: Actor;
  /** How long the journal keeps it, at the least. */
  readonly restorableUntil: Timestamp;
}

/** A page of the trash, newest first. */
export interface TrashPage {
  readonly tasks: readonly TrashedTask[];
  /** The `cursor` of the next, older page, if there is one. */
  readonly next: string | undefined;
}

/** The ports that these use cases depend on, and how long the journal is kept. */
export interface RecoveryPorts extends TaskPorts {
  readonly journal: Journal;
  readonly retentionDays: number;
}

/** What users can do about what was done. */
export type RecoveryUseCases = ReturnType<typeof recoveryUseCases>;

/**
 * Taking back what went wrong. Everything here is a change like any other, with events in the journal, so that it can be
 * undone itself; only erasing cannot.
 *
 * Besides the errors of the ports, each may throw `InvalidInputError` (`INVALID_INPUT`) with all problems at once.
 */
export function recoveryUseCases({ journal, retentionDays, ...ports }: RecoveryPorts) {
  const { change, contextOf } = changesOver(ports);

  return {
    /**
     * Takes back events, the newest first, field by field. With a completion, the next occurrence that it made goes away,
     * unless that was changed.
     *
     * @returns what became of each, newest first
     * @throws `EventNotFoundError` (`EVENT_NOT_FOUND`) when one of the events is not in the journal (any more)
     * @throws `ChangedSinceError` (`CHANGED_SINCE`) when an atomic undo meets a field that was changed since
     */
    async undo(owner: UserId, input: UndoInput, options: ChangeOptions = {}): Promise<readonly UndoResult[]> {
      const { selection, dryRun, atomic } = selectionOf(input);
      if ('correlationId' in selection && selection.correlationId === options.correlationId) {
        const message = 'This request cannot undo itself. Send it with another id.';
        throw new InvalidInputError([{ field: 'correlationId', message }]);
      }
      const selected = await journal.select(owner, selection, UNDO_MAX_EVENTS + 1);
      const wanted = 'ids' in selection ? selection.ids.length : Math.max(1, selected.length);
      // Not before this: a request that is repeated gets the first answer, whatever became of the events since.
      const decide = (found: ReadonlyMap<TaskId, Task>, events: readonly DependedEvent[] = []) => {
        if (selected.length > UNDO_MAX_EVENTS) {
          throw new InvalidInputError([tooManyEvents(selection)]);
        }
        if (events.length < wanted) throw new EventNotFoundError();
        const decision = takeBack(events, found, contextOf(owner, options));
        const problems = decision.result.flatMap(problemsOf);
        if (atomic && !dryRun && problems.length > 0) throw new ChangedSinceError(problems);
        return { ...decision, dryRun };
      };
      const ids = new Set([...selected.map(({ taskId }) => taskId), ...nextOnes(selected)]);
      return change(owner, [...ids], decide, options, sequencesOf(selected));
    },

    /** The deleted tasks that can be restored, newest first. */
    async trash(owner: UserId, input: TrashQueryInput = {}): Promise<TrashPage> {
      const { cursor, limit } = parse(TrashQuerySchema, input);
      const before = cursor === undefined ? undefined : placeOf(cursor).sequence;
      const found = await journal.trash(owner, { before, limit: limit + 1 });
      const page = found.slice(0, limit);
      const last = page.at(-1);
      return {
        tasks: page.map(({ id, task, time, actor }) => ({
          eventId: id,
          task,
          deletedAt: time,
          deletedBy: actor,
          restorableUntil: timestamp(new Date(Date.parse(time) + retentionDays * DAY)),
        })),
        next: last && found.length > limit ? journalPosition(last.sequence, last.id) : undefined,
      };
    },

    /**
     * Brings a deleted task back, with its id.
     *
     * @throws `TaskExistsError` (`TASK_EXISTS`) when it is there
     * @throws `TaskNotFoundError` (`TASK_NOT_FOUND`) when there is nothing to restore (any more)
     */
    async restore(owner: UserId, id: string, options: ChangeOptions = {}): Promise<Task> {
      const taskId = parseTaskId(id);
      const trashed = await journal.trash(owner, { taskId, limit: 1 });
      const decide = (found: ReadonlyMap<TaskId, Task>, [event]: readonly DependedEvent[] = []): Decision<Task> => {
        if (found.has(taskId)) throw new TaskExistsError();
        if (event?.deletedAgainBy !== undefined) {
          throw new UnavailableError('The task was restored and deleted again just now. Please try again.');
        }
        const { newOrigin } = contextOf(owner, options);
        const transition = event && inverse(event, undefined, newOrigin()).transition;
        if (transition?.after === undefined) throw new TaskNotFoundError();
        return { transitions: [transition], result: transition.after };
      };
      return change(owner, [taskId], decide, options, sequencesOf(trashed));
    },

    /**
     * Erases a deleted task for good: the texts of all its events.
     *
     * @throws `TaskNotFoundError` (`TASK_NOT_FOUND`) when it is not in the trash
     */
    async erase(owner: UserId, id: string, options: ChangeOptions = {}): Promise<void> {
      const taskId = parseTaskId(id);
      const trashed = await journal.trash(owner, { taskId, limit: 1 });
      const decide = (found: ReadonlyMap<TaskId, Task>, events: readonly TaskEvent[] = []) => {
        const transitions = erasures(events, found, contextOf(owner, options));
        if (transitions.length === 0) throw new TaskNotFoundError();
        return { transitions, result: undefined };
      };
      await change(owner, [taskId], decide, options, sequencesOf(trashed));
    },

    /**
     * Erases all deleted tasks for good, in parts: when it fails, some may be erased.
     *
     * @returns how many
     */
    async emptyTrash(owner: UserId, options: ChangeOptions = {}): Promise<number> {
      let erased = 0;
      let before: number | undefined;
      do {
        const trashed = await journal.trash(owner, { before, limit: ERASED_AT_ONCE });
        const decide = (found: ReadonlyMap<TaskId, Task>, events: readonly TaskEvent[] = []) => {
          const transitions = erasures(events, found, contextOf(owner, options));
          return { transitions, result: transitions.length };
        };
        const ids = trashed.map(({ taskId }) => taskId);
        if (ids.length > 0) erased += await change(owner, ids, decide, options, sequencesOf(trashed));
        before = trashed.length < ERASED_AT_ONCE ? undefined : trashed.at(-1)?.sequence;
      } while (before !== undefined);
      return erased;
    },
  };
}

function selectionOf(input: unknown) {
  const { events, correlationId, actor, since, ...how } = parse(UndoSchema, input);
  const given = Object.entries({ events, correlationId, actor: actor ?? since }).filter(
    ([, value]) => value !== undefined,
  );
  if (given.length !== 1) {
    const named = given.map(([name]) => (name === 'actor' && actor === undefined ? 'since' : name));
    const not = given.length === 0 ? '' : `, not ${new Intl.ListFormat('en').format(named)}`;
    const message = `Choose one: events, or correlationId, or actor with since${not}.`;
    throw new InvalidInputError([{ field: 'events', message }]);
  }
  const selection = events
    ? { ids: [...new Set(events)] }
    : correlationId
      ? { correlationId }
      : activityOf(actor, since);
  return { selection, ...how } satisfies { selection: EventSelection };
}

function activityOf(actor: string | undefined, since: string | undefined): AgentActivity {
  if (actor === undefined) {
    throw new InvalidInputError([{ field: 'actor', message: 'Actor is required with since: say which agent.' }]);
  }
  if (since === undefined) {
    throw new InvalidInputError([{ field: 'since', message: 'Since is required with actor: say from when on.' }]);
  }
  return { actor, since };
}

function tooManyEvents(selection: EventSelection): Problem {
  const many = `more than ${UNDO_MAX_EVENTS.toLocaleString('en')} changes`;
  return 'actor' in selection
    ? { field: 'since', message: `This agent did ${many} since then. Choose a later since.` }
    : { field: 'correlationId', message: `This request did ${many}. Undo them in parts, by their events.` };
}

/** Takes back events, in their order, each from what those before it have left. */
function takeBack(
  events: readonly DependedEvent[],
  found: ReadonlyMap<TaskId, Task>,
  { newOrigin }: ChangeContext,
): Decision<readonly UndoResult[]> {
  const present = new Map(found);
  const takenBack = new Set<string>();
  /** The deletions that are in force again, as the restorations after them were taken back. */
  const inForce = new Map<TaskId, string | undefined>();
  const followers = nextOnes(events);
  /** The versions that tasks are back at, as all that came after them was taken back. */
  const versions = new Map<TaskId, Timestamp>();
  const versionOf = (task: Task) => versions.get(task.id) ?? task.updatedAt;
  const isAsMade = (task: Task) => isUntouched({ ...task, updatedAt: versionOf(task) });
  const transitions: TaskTransition[] = [];
  const apply = (transition: TaskTransition | undefined, taskId: TaskId) => {
    if (transition === undefined) return;
    transitions.push(transition);
    if (transition.after === undefined) present.delete(taskId);
    else present.set(taskId, transition.after);
  };
  const result = events.map((event): UndoResult => {
    const { id: eventId, taskId, deletedAgainBy } = event;
    const task = present.get(taskId);
    // The task is gone by another deletion, which is not to be undone.
    const isInForce = deletedAgainBy === undefined || takenBack.has(deletedAgainBy) || inForce.get(taskId) === eventId;
    // The completion that made it is taken back without it.
    const stays = event.type === 'todo.task.created.v1' && followers.has(taskId) && task && !isAsMade(task);
    if (!isInForce || stays) return { eventId, taskId, outcome: 'nothing', fields: [], task };
    const { outcome, fields, transition } = inverse(event, task, newOrigin());
    if (outcome === 'undone') takenBack.add(eventId);
    if (outcome === 'undone' && event.type === 'todo.task.restored.v1') inForce.set(taskId, event.undoes);
    if (transition !== undefined) {
      const version = outcome === 'undone' ? versionBefore(event, task && versionOf(task)) : undefined;
      if (version === undefined) versions.delete(taskId);
      else versions.set(taskId, version);
    }
    apply(transition, taskId);
    const next = outcome === 'undone' && 'next' in event ? present.get(event.next ?? '') : undefined;
    if (next !== undefined && isAsMade(next)) {
      apply(deletion(next, { ...newOrigin(), undoes: eventId }), next.id);
    }
    return { eventId, taskId, outcome, fields, task: present.get(taskId) };
  });
  return { transitions, result };
}

/** The version of a task before an event, if the event has led to its `present` one, or has deleted it. */
function versionBefore(event: TaskEvent, present: Timestamp | undefined): Timestamp | undefined {
  if (event.type === 'todo.task.deleted.v1') return event.task.updatedAt;
  if (!('changes' in event) || event.changes.updatedAt?.after !== present) return undefined;
  return event.changes.updatedAt?.before;
}

/** The next occurrences that completions have made. */
function nextOnes(events: readonly TaskEvent[]): Set<TaskId> {
  return new Set(events.flatMap((event) => ('next' in event && event.next ? [event.next] : [])));
}

function problemsOf({ eventId, outcome, fields, task }: UndoResult) {
  if (outcome !== 'conflict') return [];
  return fields.map((field) => ({
    field: `events.${eventId}.${field}`,
    message: task === undefined ? 'The task was deleted since.' : `The ${field} was changed since.`,
  }));
}

/** Erases the tasks that these events deleted, and that are not back. */
function erasures(
  events: readonly TaskEvent[],
  found: ReadonlyMap<TaskId, Task>,
  { owner, newOrigin }: ChangeContext,
): TaskTransition[] {
  return events
    .filter(({ taskId, erased }) => !erased && !found.has(taskId))
    .map(({ taskId }) => erasure({ id: taskId, userId: owner }, newOrigin()));
}

function sequencesOf(entries: readonly { readonly sequence: number }[]): number[] {
  return entries.map(({ sequence }) => sequence);
}
