import {
  CHANGES_MAX_ENTRIES,
  type ChangeDetails,
  DEFAULT_MAX_TASKS,
  type Decide,
  type DeletionEntry,
  type EventSelection,
  IdempotencyKeyReusedError,
  type Journal,
  type JournalEntry,
  type JournalPosition,
  type JournalQuery,
  type JournalSpan,
  journalPosition,
  type Once,
  type TagCounts,
  type TaskCounts,
  TaskLimitError,
  type TaskListing,
  type TaskQuery,
  type TaskRepository,
  type TrashQuery,
  UserUnknownError,
} from '@todo-backend/application';
import {
  blanked,
  type Task,
  type TaskEvent,
  type TaskId,
  type TaskTransition,
  type Timestamp,
  type UserId,
} from '@todo-backend/domain';
import { countTags, selectTasks } from './task-query.js';

/** The journal of one user. */
interface StoredJournal {
  /** The number of events ever recorded: the sequence of the newest. */
  readonly sequence: number;
  /** The id of that event. */
  readonly lastEventId: string;
  /** The entries that have not been pruned, oldest first. */
  readonly entries: readonly JournalEntry[];
}

/** Tasks and their journal in memory, for tests. Stores copies, so that a task that was changed but not saved cannot leak. */
export class InMemoryTaskRepository implements TaskRepository, Journal {
  #tasks = new Map<TaskId, Task>();
  #journals = new Map<UserId, StoredJournal>();
  /** The reminders of a task up to this moment have come. */
  #remindedUntil = new Map<TaskId, Timestamp>();
  /** Results of idempotent requests. They never expire, although the port allows it. */
  #results = new Map<string, { fingerprint: string; result: unknown }>();
  readonly #users: Set<UserId> | undefined;
  readonly #maxTasks: number;

  /**
   * @param users the users that exist; by default all do
   * @param maxTasks how many tasks a user may have
   */
  constructor(users?: Iterable<UserId>, maxTasks = DEFAULT_MAX_TASKS) {
    this.#users = users && new Set(users);
    this.#maxTasks = maxTasks;
  }

  /** The same tasks, of which a user may have only so many. */
  withMaxTasks(maxTasks: number): InMemoryTaskRepository {
    const other = new InMemoryTaskRepository(undefined, maxTasks);
    other.#tasks = this.#tasks;
    other.#journals = this.#journals;
    other.#remindedUntil = this.#remindedUntil;
    other.#results = this.#results;
    return other;
  }

  addUser(user: UserId): void {
    this.#users?.add(user);
  }

  /** Also removes the user's tasks and journal, as a foreign key with `on delete cascade` does. */
  removeUser(user: UserId): void {
    this.#users?.delete(user);
    this.#journals.delete(user);
    for (const task of this.#ownedBy(user)) this.#tasks.delete(task.id);
  }

  /** The journals of all users, for `InMemoryOutbox`. */
  journals(): ReadonlyMap<UserId, StoredJournal> {
    return structuredClone(this.#journals);
  }

  /**
   * Deletes the events older than `before`. The others keep their sequence.
   *
   * @returns the number of deleted events
   */
  prune(before: Timestamp): number {
    let pruned = 0;
    for (const [user, journal] of this.#journals) {
      const { entries } = journal;
      const kept = entries.filter(({ time }) => time >= before);
      pruned += entries.length - kept.length;
      this.#journals.set(user, { ...journal, entries: kept });
    }
    return pruned;
  }

  /** The tasks of all users whose reminders are still to come, for `InMemoryReminders`. */
  toBeReminded(): (Task & { readonly remindAt: Timestamp })[] {
    return structuredClone([...this.#tasks.values()]).flatMap((task) => {
      const { id, remindAt } = task;
      const isToCome = remindAt !== null && remindAt > (this.#remindedUntil.get(id) ?? '');
      return isToCome ? [{ ...task, remindAt }] : [];
    });
  }

  /** Lets the reminders of tasks come, with these events. */
  remind(owner: UserId, tasks: readonly Task[], events: readonly TaskEvent[]): JournalPosition {
    for (const { id, remindAt } of tasks) if (remindAt !== null) this.#remindedUntil.set(id, remindAt);
    for (const event of structuredClone(events)) this.#append(owner, event);
    return this.#position(owner);
  }

  async list(owner: UserId, query: TaskQuery): Promise<TaskListing> {
    return { tasks: selectTasks(this.#ownedBy(owner), query), position: this.#position(owner) };
  }

  async find(owner: UserId, id: TaskId): Promise<Task | undefined> {
    const task = this.#tasks.get(id);
    return task?.userId === owner ? structuredClone(task) : undefined;
  }

  async change<Result>(
    owner: UserId,
    ids: readonly TaskId[],
    decide: Decide<Result>,
    once?: Once,
    { sequences = [], onSaved }: ChangeDetails = {},
  ): Promise<Result> {
    this.#requireUser(owner);
    const name = JSON.stringify([owner, once?.key]);
    const earlier = once && this.#results.get(name);
    if (earlier !== undefined) {
      if (earlier.fingerprint !== once?.fingerprint) throw new IdempotencyKeyReusedError();
      return structuredClone(earlier.result) as Result;
    }
    const found = this.#ownedBy(owner).filter(({ id }) => ids.includes(id));
    const wanted = new Set(sequences);
    const entries = this.#entries(owner);
    const lastDeletions = new Map(entries.filter(isDeletion).map(({ taskId, id }) => [taskId, id]));
    const events = entries
      .filter(({ sequence }) => wanted.has(sequence))
      .map((entry) => {
        const last = entry.type === 'todo.task.deleted.v1' ? lastDeletions.get(entry.taskId) : undefined;
        return { ...entry, deletedAgainBy: last === entry.id ? undefined : last };
      });
    const decision = decide(new Map(found.map((task) => [task.id, task])), events.reverse());
    const { transitions, result } = decision;
    const present = new Set(this.#tasks.keys());
    for (const { before, after } of transitions) {
      if (before === undefined && after !== undefined && present.has(after.id)) {
        throw new Error(`There is a task ${after.id} already.`);
      }
      if (after !== undefined) present.add(after.id);
      else if (before !== undefined) present.delete(before.id);
    }
    const more = transitions.reduce((sum, { before, after }) => sum + Number(!before) - Number(!after), 0);
    if (more > 0 && this.#ownedBy(owner).length + more > this.#maxTasks) throw new TaskLimitError(this.#maxTasks);
    if (decision.dryRun) return result;
    for (const transition of transitions) this.#save(owner, structuredClone(transition));
    if (once) this.#results.set(name, { fingerprint: once.fingerprint, result: structuredClone(result) });
    if (transitions.some(({ event }) => event !== undefined)) onSaved?.(this.#position(owner));
    return result;
  }

  async entries(owner: UserId, query: JournalQuery): Promise<JournalEntry[]> {
    const { taskId, type, actor, since, until, before, after, limit } = query;
    const found = this.#entries(owner).filter(
      (entry) =>
        (taskId === undefined || entry.taskId === taskId) &&
        (type === undefined || entry.type === type) &&
        (actor === undefined || isOfAgent(entry, actor)) &&
        (since === undefined || entry.time >= since) &&
        (until === undefined || entry.time < until) &&
        (before === undefined || entry.sequence < before) &&
        (after === undefined || entry.sequence > after),
    );
    return (after === undefined ? found.reverse() : found).slice(0, limit);
  }

  async position(owner: UserId): Promise<JournalPosition> {
    return this.#position(owner);
  }

  async idAt(owner: UserId, sequence: number): Promise<string | undefined> {
    return this.#entries(owner).find((entry) => entry.sequence === sequence)?.id;
  }

  async select(owner: UserId, selection: EventSelection, limit: number): Promise<JournalEntry[]> {
    return this.#entries(owner)
      .filter((entry) => {
        if ('ids' in selection) return selection.ids.includes(entry.id);
        if ('correlationId' in selection) return entry.correlationId === selection.correlationId;
        return isOfAgent(entry, selection.actor) && entry.time >= selection.since;
      })
      .reverse()
      .slice(0, limit);
  }

  async changes(owner: UserId, { after, limit }: { after: number; limit: number }): Promise<JournalSpan> {
    const entries = this.#entries(owner)
      .filter(({ sequence }) => sequence > after)
      .slice(0, CHANGES_MAX_ENTRIES);
    const last = new Map(entries.map((entry) => [entry.taskId, entry]));
    const inOrder = [...last.values()].sort((a, b) => a.sequence - b.sequence);
    return {
      position: this.#position(owner),
      startId: await this.idAt(owner, after),
      entries: entries.length,
      end: entries.at(-1)?.sequence ?? after,
      changes: inOrder.slice(0, limit).map(({ taskId, sequence, id, type, actor, correlationId }) => {
        const task = structuredClone(this.#tasks.get(taskId));
        return { taskId, task, position: journalPosition(sequence, id), type, actor, correlationId };
      }),
    };
  }

  async trash(owner: UserId, { taskId, before, limit }: TrashQuery): Promise<DeletionEntry[]> {
    const entries = this.#entries(owner);
    const last = new Map(entries.map((entry) => [entry.taskId, entry]));
    return entries
      .filter(
        (entry): entry is DeletionEntry =>
          isDeletion(entry) &&
          last.get(entry.taskId)?.id === entry.id &&
          (taskId === undefined || entry.taskId === taskId) &&
          (before === undefined || entry.sequence < before),
      )
      .reverse()
      .slice(0, limit);
  }

  /** Copies of the entries, oldest first. */
  #entries(owner: UserId): JournalEntry[] {
    return structuredClone([...(this.#journals.get(owner)?.entries ?? [])]);
  }

  async count(owner: UserId): Promise<TaskCounts> {
    const tasks = this.#ownedBy(owner);
    const completed = tasks.filter(({ status }) => status === 'completed').length;
    return { total: tasks.length, pending: tasks.length - completed, completed, position: this.#position(owner) };
  }

  async tags(owner: UserId): Promise<TagCounts> {
    return { tags: countTags(this.#ownedBy(owner)), position: this.#position(owner) };
  }

  #position(owner: UserId): JournalPosition {
    const { sequence = 0, lastEventId } = this.#journals.get(owner) ?? {};
    return journalPosition(sequence, lastEventId);
  }

  #save(owner: UserId, { before, after, event, remindedUntil }: TaskTransition): void {
    if (event === undefined) return;
    if (after !== undefined) this.#tasks.set(after.id, after);
    else if (before !== undefined) this.#tasks.delete(before.id);
    if (before === undefined && remindedUntil !== undefined) this.#remindedUntil.set(event.taskId, remindedUntil);
    if (after === undefined) this.#remindedUntil.delete(event.taskId);
    this.#append(owner, event);
  }

  #append(owner: UserId, event: TaskEvent): void {
    const { sequence: last = 0, entries = [] } = this.#journals.get(owner) ?? {};
    const sequence = last + 1;
    const isErased = event.type === 'todo.task.erased.v1';
    const kept = isErased
      ? entries.map((entry) => (entry.taskId === event.taskId ? blankedEntry(entry) : entry))
      : entries;
    this.#journals.set(owner, { sequence, lastEventId: event.id, entries: [...kept, { ...event, sequence }] });
  }

  #ownedBy(owner: UserId): Task[] {
    return [...this.#tasks.values()].filter(({ userId }) => userId === owner).map((task) => structuredClone(task));
  }

  #requireUser(user: UserId): void {
    if (this.#users?.has(user) === false) throw new UserUnknownError();
  }
}

function isDeletion({ type, erased }: JournalEntry): boolean {
  return type === 'todo.task.deleted.v1' && !erased;
}

function isOfAgent({ actor: { type, id } }: JournalEntry, agent: string): boolean {
  return type === 'agent' && id === agent;
}

function blankedEntry({ sequence, ...event }: JournalEntry): JournalEntry {
  return { ...blanked(event), sequence };
}
