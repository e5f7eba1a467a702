import {
  TASK_EVENT_TYPES,
  type TaskEvent,
  type TaskEventOf,
  type TaskEventType,
  type TaskId,
  type Timestamp,
  type UserId,
} from '@todo-backend/domain';
import * as v from 'valibot';
import { ResyncRequiredError } from '../errors.js';
import {
  type JournalPlace,
  type JournalPosition,
  journalPosition,
  POSITION_ID_LENGTH,
  POSITION_PATTERN,
  placeOf,
} from '../position.js';
import { TaskIdSchema } from '../task-id.js';
import { CURSOR_DESCRIPTION, countUpTo, foreignId, moment, parse, positionInput } from '../validation.js';
import { type ChangesPage, type ChangesQueryInput, ChangesQuerySchema, type JournalSpan, pageOf } from './changes.js';

/** An event in its owner's journal. */
export type JournalEntry = TaskEvent & {
  /** Numbers the owner's events from 1, without gaps. */
  readonly sequence: number;
};

/** An entry that deleted a task. */
export type DeletionEntry = TaskEventOf<'todo.task.deleted.v1'> & Pick<JournalEntry, 'sequence'>;

/** Selects entries of a journal, newest first unless it says `after`. */
export interface JournalQuery {
  readonly taskId?: TaskId | undefined;
  readonly type?: TaskEventType | undefined;
  /** Only what the agent with this id did. */
  readonly actor?: string | undefined;
  /** From this moment on. */
  readonly since?: Timestamp | undefined;
  /** Before this moment. */
  readonly until?: Timestamp | undefined;
  /** Only entries with a lower sequence. */
  readonly before?: number | undefined;
  /** Only entries with a higher sequence, and oldest first. */
  readonly after?: number | undefined;
  readonly limit: number;
}

/** All that the agent with this id did from a moment on. What users themselves did is never of it, whatever their ids. */
export interface AgentActivity {
  readonly actor: string;
  readonly since: Timestamp;
}

/** Names events: by their ids, all of one request, or all of an agent from a moment on. */
export type EventSelection = { readonly ids: readonly string[] } | { readonly correlationId: string } | AgentActivity;

/** Selects tasks that were deleted, and are not back. */
export interface TrashQuery {
  readonly taskId?: TaskId | undefined;
  /** Only those that were deleted by an entry with a lower sequence. */
  readonly before?: number | undefined;
  readonly limit: number;
}

/** Reads the journal of what happened to a user's tasks. May throw `UnavailableError` (`UNAVAILABLE`). */
export interface Journal {
  entries(owner: UserId, query: JournalQuery): Promise<readonly JournalEntry[]>;

  /** How far it has come. */
  position(owner: UserId): Promise<JournalPosition>;

  /** The id of the entry with this sequence; `undefined` where there is none, or none any more. */
  idAt(owner: UserId, sequence: number): Promise<string | undefined>;

  /** The selected events, newest first. At most `limit`. */
  select(owner: UserId, selection: EventSelection, limit: number): Promise<readonly JournalEntry[]>;

  /** What changed after the entry `after`: at most `limit` tasks. All of it is of one moment. */
  changes(owner: UserId, query: { readonly after: number; readonly limit: number }): Promise<JournalSpan>;

  /** The entries that deleted the tasks which can be restored, newest first. */
  trash(owner: UserId, query: TrashQuery): Promise<readonly DeletionEntry[]>;
}

/** The maximum number of entries per page. */
export const JOURNAL_MAX_LIMIT = 200;

/** The input of {@link JournalQuerySchema}. */
export interface JournalQueryInput {
  readonly taskId?: string | undefined;
  readonly type?: TaskEventType | undefined;
  /** The id of an agent. */
  readonly actor?: string | undefined;
  /** An instant (RFC 3339). */
  readonly since?: string | undefined;
  /** An instant (RFC 3339). */
  readonly until?: string | undefined;
  /** The `next` of the previous page; not together with `after`. */
  readonly cursor?: string | undefined;
  /** A position: only what happened since, oldest first. */
  readonly after?: string | undefined;
  /** 1 to {@link JOURNAL_MAX_LIMIT}; default 50. */
  readonly limit?: number | undefined;
}

/** A cursor: a position, or in links of earlier versions the sequence alone, which is shorter. */
const CURSOR_PATTERN = `${POSITION_PATTERN}|^[1-9]\\d{0,7}$`;

const entries = {
  taskId: v.optional(v.pipe(TaskIdSchema, v.metadata({ description: 'Only what happened to this task.' }))),
  type: v.optional(
    v.pipe(
      v.picklist(TASK_EVENT_TYPES, `Type must be one of ${TASK_EVENT_TYPES.join(', ')}.`),
      v.metadata({ description: 'Only events of this type.' }),
    ),
  ),
  actor: foreignId('actor', 'Only what the agent with this id did.'),
  since: moment('since', 'Only what happened from this time on.'),
  until: moment('until', 'Only what happened before this time.'),
  cursor: positionInput('Cursor', CURSOR_DESCRIPTION, CURSOR_PATTERN),
  after: positionInput(
    'After',
    'Only what happened after this position, oldest first. Not together with `cursor`, which goes back in time.',
  ),
  limit: v.optional(countUpTo('Limit', JOURNAL_MAX_LIMIT, 'At the most so many entries.'), 50),
} satisfies Record<keyof JournalQueryInput, v.GenericSchema>;

/** Checks {@link JournalQueryInput}. Unknown names are ignored. */
export const JournalQuerySchema = v.pipe(
  v.object(entries),
  v.forward(
    v.check(({ cursor, after }) => cursor === undefined || after === undefined, 'Choose one: cursor or after.'),
    ['cursor'],
  ),
);

/** A page of a journal: newest first, or oldest first from `after` on. */
export interface JournalPage {
  readonly entries: readonly JournalEntry[];
  /** The `cursor`, or the `after`, of the next page, if there is one. */
  readonly next: string | undefined;
}

/** The use cases over the {@link Journal} that only read. */
export function journalUseCases({ journal }: { readonly journal: Journal }) {
  /** @throws `ResyncRequiredError` where the entry at this place is another one, or `mustBeThere` and is not */
  async function assertKnown(owner: UserId, { sequence, idEnd }: JournalPlace, mustBeThere: boolean): Promise<void> {
    const isStart = sequence === 0 && journalPosition(0).endsWith(idEnd);
    // Nothing is missing after the start as long as the first entry is there.
    const id = await journal.idAt(owner, isStart ? 1 : sequence);
    const isKnown = id === undefined ? !mustBeThere : isStart || id.endsWith(idEnd);
    if (!isKnown) throw new ResyncRequiredError();
  }

  return {
    /**
     * What happened to the owner's tasks: newest first, or oldest first from `after` on.
     *
     * @throws `InvalidInputError` (`INVALID_INPUT`), with every problem of the query
     * @throws `ResyncRequiredError` (`RESYNC_REQUIRED`) when `after` or `cursor` is not a position of this journal (any more)
     */
    async list(owner: UserId, input: JournalQueryInput = {}): Promise<JournalPage> {
      const { limit, cursor, after, ...query } = parse(JournalQuerySchema, input);
      const isPosition = cursor !== undefined && cursor.length > POSITION_ID_LENGTH;
      const before = isPosition ? placeOf(cursor) : undefined;
      const from = after === undefined ? undefined : placeOf(after);
      if (before !== undefined) await assertKnown(owner, before, false);
      if (from !== undefined && after !== (await journal.position(owner))) await assertKnown(owner, from, true);
      const entries = await journal.entries(owner, {
        ...query,
        before: before?.sequence ?? (cursor === undefined ? undefined : Number(cursor)),
        after: from?.sequence,
        limit: limit + 1,
      });
      const page = entries.slice(0, limit);
      const last = page.at(-1);
      return {
        entries: page,
        next: last && entries.length > limit ? journalPosition(last.sequence, last.id) : undefined,
      };
    },

    /** How far the owner's journal has come. */
    position(owner: UserId): Promise<JournalPosition> {
      return journal.position(owner);
    },

    /**
     * What has changed since a position: each task once, as it is now, in the order of its last change. Applying the
     * changes twice does no harm.
     *
     * @returns without `since`, no changes and the present position
     * @throws `InvalidInputError` (`INVALID_INPUT`), with every problem of the query
     * @throws `ResyncRequiredError` (`RESYNC_REQUIRED`) when `since` is not a position of this journal (any more)
     */
    async changes(owner: UserId, input: ChangesQueryInput = {}): Promise<ChangesPage> {
      const { since, limit } = parse(ChangesQuerySchema, input);
      if (since === undefined) return { changes: [], position: await journal.position(owner), more: false };
      const span = await journal.changes(owner, { after: placeOf(since).sequence, limit: limit + 1 });
      return pageOf(span, since, limit);
    },
  };
}

/** What users can ask of their journal. */
export type JournalUseCases = ReturnType<typeof journalUseCases>;
