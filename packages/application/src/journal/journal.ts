import {
  TASK_EVENT_TYPES,
  type TaskEvent,
  type TaskEventType,
  type TaskId,
  type Timestamp,
  type UserId,
} from '@todo-backend/domain';
import * as v from 'valibot';
import { TaskIdSchema } from '../task-id.js';
import { countUpTo, moment, parse } from '../validation.js';

/** An event in its owner's journal. */
export type JournalEntry = TaskEvent & {
  /** Numbers the owner's events from 1, without gaps. */
  readonly sequence: number;
};

/** Selects entries of a journal, newest first. */
export interface JournalQuery {
  readonly taskId?: TaskId | undefined;
  readonly type?: TaskEventType | undefined;
  /** From this moment on. */
  readonly since?: Timestamp | undefined;
  /** Before this moment. */
  readonly until?: Timestamp | undefined;
  /** Only entries with a lower sequence. */
  readonly before?: number | undefined;
  readonly limit: number;
}

/** Reads the journal of what happened to a user's tasks. May throw `UnavailableError` (`UNAVAILABLE`). */
export interface Journal {
  entries(owner: UserId, query: JournalQuery): Promise<readonly JournalEntry[]>;
}

/** The maximum number of entries per page. */
export const JOURNAL_MAX_LIMIT = 200;

/** The input of {@link JournalQuerySchema}. */
export interface JournalQueryInput {
  readonly taskId?: string | undefined;
  readonly type?: TaskEventType | undefined;
  /** An instant (RFC 3339). */
  readonly since?: string | undefined;
  /** An instant (RFC 3339). */
  readonly until?: string | undefined;
  /** The `next` of the previous page. */
  readonly cursor?: string | undefined;
  /** 1 to {@link JOURNAL_MAX_LIMIT}; default 50. */
  readonly limit?: number | undefined;
}

const CURSOR_PROBLEM = 'Cursor must be one from an earlier answer.';

const SEQUENCE_MAX = 2_147_483_647;

const entries = {
  taskId: v.optional(v.pipe(TaskIdSchema, v.metadata({ description: 'Only what happened to this task.' }))),
  type: v.optional(
    v.pipe(
      v.picklist(TASK_EVENT_TYPES, `Type must be one of ${TASK_EVENT_TYPES.join(', ')}.`),
      v.metadata({ description: 'Only events of this type.' }),
    ),
  ),
  since: moment('since', 'Only what happened from this time on.'),
  until: moment('until', 'Only what happened before this time.'),
  cursor: v.optional(
    v.pipe(
      v.string(CURSOR_PROBLEM),
      v.regex(/^[1-9]\d{0,9}$/, CURSOR_PROBLEM),
      v.transform(Number),
      v.number(),
      v.integer(),
      v.minValue(1),
      v.maxValue(SEQUENCE_MAX, CURSOR_PROBLEM),
      v.metadata({ description: 'Where to go on, as the link to the next part of an earlier answer has it.' }),
    ),
  ),
  limit: v.optional(countUpTo('Limit', JOURNAL_MAX_LIMIT, 'At the most so many entries.'), 50),
} satisfies Record<keyof JournalQueryInput, v.GenericSchema>;

/** Checks {@link JournalQueryInput}. Unknown names are ignored. */
export const JournalQuerySchema = v.pipe(
  v.object(entries),
  v.transform(({ cursor, ...query }): JournalQuery => ({ ...query, before: cursor })),
);

/** A page of a journal, newest first. */
export interface JournalPage {
  readonly entries: readonly JournalEntry[];
  /** The `cursor` of the next, older page, if there is one. */
  readonly next: string | undefined;
}

/** What users can ask of their journal. */
export type JournalUseCases = ReturnType<typeof journalUseCases>;

/** The use cases over the {@link Journal}. */
export function journalUseCases({ journal }: { readonly journal: Journal }) {
  return {
    /**
     * What happened to the owner's tasks, newest first.
     *
     * @throws `InvalidInputError` (`INVALID_INPUT`), with every problem of the query
     */
    async list(owner: UserId, input: JournalQueryInput = {}): Promise<JournalPage> {
      const { limit, ...query } = parse(JournalQuerySchema, input);
      const entries = await journal.entries(owner, { ...query, limit: limit + 1 });
      const page = entries.slice(0, limit);
      return { entries: page, next: entries.length > limit ? String(page.at(-1)?.sequence) : undefined };
    },
  };
}
