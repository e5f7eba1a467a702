import type { Actor, EventOrigin, TaskId, UserId } from '@todo-backend/domain';
import type { Clock } from '../clock.js';
import { UnavailableError } from '../errors.js';
import type { ChangeFeed } from '../feed.js';
import type { IdGenerator } from '../ids.js';
import type { JournalPosition } from '../position.js';
import type { Decide, Once, TaskRepository } from './task-repository.js';

/** The ports that changes depend on. */
export interface TaskPorts {
  readonly tasks: TaskRepository;
  readonly clock: Clock;
  readonly newId: IdGenerator;
  /** Told of every change. */
  readonly feed?: ChangeFeed | undefined;
}

/** Options of every change. */
export interface ChangeOptions {
  /** Who makes the change, for the journal. Default: the owner. */
  readonly actor?: Actor | undefined;
  /** What the change is a part of, for the journal, such as the id of a request. */
  readonly correlationId?: string | undefined;
  /** Makes the change take effect only once, even if it is requested again with the same key. */
  readonly once?: Once | undefined;
  /** Called when the change is saved, with the position of its last event; not when nothing was changed. */
  readonly onSaved?: ((position: JournalPosition) => void) | undefined;
}

/** What a change of many tasks depends on. */
export interface ChangeContext {
  readonly owner: UserId;
  readonly newId: IdGenerator;
  /** The origin of the next event. */
  readonly newOrigin: () => EventOrigin;
}

/** A decision depends on tasks that were not loaded. */
class NotLoaded {
  readonly ids: readonly TaskId[];

  constructor(ids: readonly TaskId[]) {
    this.ids = ids;
  }
}

/** Refuses decisions that read tasks which were not loaded. The repository saves nothing when `decide` throws. */
function withReads<Result>(decide: Decide<Result>, loaded: ReadonlySet<TaskId>): Decide<Result> {
  return (found, events) => {
    const { reads = [], ...decision } = decide(found, events);
    const missing = reads.filter((id) => !loaded.has(id));
    if (missing.length > 0) throw new NotLoaded(missing);
    return decision;
  };
}

/** How often a decision may be made again: other changes make it read other tasks at most once or twice. */
const MAX_DECISIONS = 10;

/** How all use cases make changes. */
export function changesOver({ tasks, clock, newId, feed }: TaskPorts) {
  const originOf = (owner: UserId, { actor, correlationId }: ChangeOptions): EventOrigin => ({
    id: newId(),
    time: clock(),
    actor: actor ?? { type: 'user', id: owner },
    correlationId: correlationId ?? null,
  });
  return {
    originOf,

    contextOf(owner: UserId, options: ChangeOptions): ChangeContext {
      return { owner, newId, newOrigin: () => originOf(owner, options) };
    },

    /** Changes tasks, and tells of it. */
    async change<Result>(
      owner: UserId,
      ids: readonly TaskId[],
      decide: Decide<Result>,
      options: ChangeOptions,
      sequences?: readonly number[],
    ): Promise<Result> {
      const onSaved = (position: JournalPosition) => {
        feed?.announce(owner, position);
        options.onSaved?.(position);
      };
      const loaded = new Set(ids);
      for (let n = 0; n < MAX_DECISIONS; n++) {
        try {
          return await tasks.change(owner, [...loaded], withReads(decide, new Set(loaded)), options.once, {
            sequences,
            onSaved,
          });
        } catch (error) {
          if (!(error instanceof NotLoaded)) throw error;
          for (const id of error.ids) loaded.add(id);
        }
      }
      throw new UnavailableError('The tasks are being changed by others at the same time. Please try again.');
    },
  };
}
