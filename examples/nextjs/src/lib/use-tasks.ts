import { useCallback, useMemo, useRef, useState } from 'react';
import {
  type CallOptions,
  isGone,
  isRefused,
  type NewTask,
  newIdempotencyKey,
  type Task,
  type TaskChanges,
  type TaskQuery,
  type TodoClient,
  type UndoResult,
} from './api';
import { isEqual } from './equal';
import { useLive } from './use-live';

type Change =
  /** `show` is what is hoped for, `replace` and `put` are what is so. What is `put` may be new here: it goes to its place. */
  | { readonly kind: 'add' | 'show' | 'replace' | 'put'; readonly task: Task }
  | { readonly kind: 'remove'; readonly ids: ReadonlySet<string> };

/** Something that was done here, and can be undone. */
export interface Action {
  /** The id of the request that did it. */
  readonly id: string;
  readonly kind: 'added' | 'changed' | 'completed' | 'reopened' | 'deleted';
  readonly title: string;
  /** How many tasks it was about, where it was not about that one. */
  readonly count?: number;
}

/** What became of it. */
export interface Undone {
  readonly action: Action;
  readonly results: readonly UndoResult[];
  /** Why it could not be undone. */
  readonly error?: unknown;
}

interface Loaded {
  readonly tasks: readonly Task[];
  /** Those that were added under filters that do not let them through. */
  readonly unmatched: ReadonlySet<string>;
}

/**
 * The tasks of a user, with changes that are seen before the API has answered and taken back when it refuses, and with
 * what is changed elsewhere.
 *
 * @param query has to stay the same object until other tasks are wanted
 * @param matches what the API cannot be asked for; has to stay the same function until that is something else
 */
export function useTasks(api: TodoClient, userId: string, query: TaskQuery, matches?: (task: Task) => boolean) {
  /** The ids of the tasks that were added since the query is this one: they stay in sight. */
  const added = useMemo(() => ({ query, ids: [] as string[] }), [query]).ids;
  const load = useCallback(
    async (options: CallOptions): Promise<Loaded> => {
      const tasks = await api.listTasks(userId, query, options);
      const known = new Set(tasks.map(({ id }) => id));
      const missing = added.filter((id) => !known.has(id));
      const found = await Promise.all(missing.map((id) => taskOrNothing(api, userId, id, options)));
      const unmatched = found.filter((task) => task !== undefined).reverse();
      return { tasks: [...unmatched, ...tasks], unmatched: new Set(unmatched.map(({ id }) => id)) };
    },
    [api, userId, query, added],
  );
  const [pending, setPending] = useState<readonly Change[]>([]);
  const last = useRef<Promise<unknown>>(Promise.resolve());
  /** The ids of the requests that were sent from here, except of those whose answer was lost. */
  const own = useRef(new Set<string>());
  const done = useRef<Action[]>([]);
  const undone = useRef<Action[]>([]);
  /** Unfiltered and newest first: there the answer to a change says all that there is to know. */
  const isPlain = Object.keys(query).length === 0;
  const latest = useRef({ isPlain, added });
  latest.current = { isPlain, added };

  const live = useLive(api, userId, load, ({ taskId, task, correlationId }) => {
    // What was done here is known from its answer.
    if (correlationId !== null && own.current.has(correlationId)) return;
    take(task === null ? { kind: 'remove', ids: new Set([taskId]) } : { kind: 'put', task });
    if (!isPlain) live.refresh();
  });
  const { data, error, isLoading, reload, change } = live;

  function take(done: Change) {
    change(({ tasks, unmatched }) => ({ tasks: apply(tasks, done, latest.current.isPlain), unmatched }));
  }

  /** One after the other, so that two on one task arrive in their order. */
  function inTurn<T>(send: () => Promise<T>): Promise<T> {
    const sent = last.current.then(send);
    last.current = sent.catch(() => {});
    return sent;
  }

  /** @throws what was wrong, after what has become of it is asked for where that is not known */
  async function asOwn<T>(id: string, send: () => Promise<T>): Promise<T> {
    own.current.add(id);
    try {
      return await send();
    } catch (error) {
      own.current.delete(id);
      reload();
      throw error;
    }
  }

  /**
   * Not `useOptimistic`: it would keep what one change has shown until all others are answered too.
   *
   * @param shown what is seen until the API answers
   * @param send gives what is so then
   */
  async function write(action: Action, shown: Change, send: (id: Sent) => Promise<Change>): Promise<void> {
    const { id } = action;
    setPending((pending) => [...pending, shown]);
    try {
      await inTurn(async () => {
        const change = await asOwn(id, () => send({ requestId: id, idempotencyKey: id }));
        if (action.count !== 0) done.current.push(action);
        undone.current = [];
        if (change.kind === 'add') latest.current.added.push(change.task.id);
        take(change);
        // Where the task stands now, and whether the filters still let it through, is for the API to say.
        if (!latest.current.isPlain) reload();
      });
    } finally {
      setPending((pending) => pending.filter((other) => other !== shown));
    }
  }

  /** Undoes what was done last, or what was undone last: that is a change like any other. Nothing where there is none. */
  function takeBack(from: typeof done, to: typeof done): Promise<Undone | undefined> {
    // What was done last is known when all that was begun is over.
    return inTurn(async () => {
      const action = from.current.at(-1);
      if (!action) return undefined;
      const id = newIdempotencyKey();
      try {
        const sent = { requestId: id, idempotencyKey: id };
        const results = await asOwn(id, () => api.undo(userId, { correlationId: action.id }, sent));
        from.current.pop();
        to.current.push({ ...action, id });
        for (const { taskId, task } of results) {
          if (task) take({ kind: 'put', task });
          else if (task === null) take({ kind: 'remove', ids: new Set([taskId]) });
        }
        // Of more than 100 tasks it is not said what they are now.
        if (!latest.current.isPlain || results.some(({ task }) => task === undefined)) reload();
        return { action, results };
      } catch (error) {
        // It does not stand in the way of what was done before it.
        if (isRefused(error)) from.current.pop();
        return { action, results: [], error };
      }
    });
  }

  const shown = useMemo(() => {
    const tasks = data && pending.reduce((tasks, change) => apply(tasks, change, isPlain), data.tasks);
    if (!tasks || !matches) return { tasks, unmatched: data?.unmatched };
    const kept = tasks.filter((task) => matches(task) || isDraft(task) || added.includes(task.id));
    const unmatched = kept.filter((task) => !matches(task) || data.unmatched.has(task.id));
    return { tasks: kept, unmatched: new Set(unmatched.map(({ id }) => id)) };
  }, [data, pending, isPlain, matches, added]);

  return {
    ...shown,
    error,
    isLoading,
    reload,
    /** @param id the same one when it is sent again because its answer was lost: it happens once */
    create(task: NewTask, id: string) {
      const shown = { kind: 'add', task: draft(userId, task) } as const;
      return write({ id, kind: 'added', title: task.title }, shown, async (sent) => ({
        kind: 'add',
        task: await api.createTask(userId, task, sent),
      }));
    },
    /** Rejects with status 412 when the task is not what it was here any more: nobody's change is lost. */
    update(task: Task, changes: TaskChanges, id: string) {
      const shown = { kind: 'show', task: { ...task, ...changes } } as const;
      return write({ id, kind: 'changed', title: shown.task.title }, shown, async (sent) => ({
        kind: 'replace',
        task: await api.updateTask(userId, task.id, changes, { ...sent, unchangedSince: task }),
      }));
    },
    async complete(task: Task, completed: boolean) {
      const shown = { kind: 'show', task: { ...task, completed } } as const;
      const kind = completed ? 'completed' : 'reopened';
      await write({ id: newIdempotencyKey(), kind, title: task.title }, shown, async (sent) => ({
        kind: 'replace',
        task: await api.completeTask(userId, task.id, { completed }, sent),
      }));
      // The next one comes or goes with it, of which the answer does not tell.
      if (task.recurrence) reload();
    },
    remove(task: Task) {
      const shown = { kind: 'remove', ids: new Set([task.id]) } as const;
      return write({ id: newIdempotencyKey(), kind: 'deleted', title: task.title }, shown, async ({ requestId }) => {
        await api.deleteTask(userId, task.id, { requestId });
        return shown;
      });
    },
    /** Deletes all that are completed and let through by the query, and says how many. */
    async clear(completed: readonly Task[]): Promise<number> {
      const { sort_by, sort_order, ...filter } = query;
      const shown = { kind: 'remove', ids: new Set(completed.map(({ id }) => id)) } as const;
      const id = newIdempotencyKey();
      const action: Action & { count: number } = { id, kind: 'deleted', title: '', count: 0 };
      await write(action, shown, async (sent) => {
        action.count = await api.deleteTasks(userId, { ...filter, status: 'completed' }, sent);
        return shown;
      });
      // Which ones that were is for the API to say.
      reload();
      return action.count;
    },
    undo: () => takeBack(done, undone),
    redo: () => takeBack(undone, done),
  };
}

interface Sent {
  readonly requestId: string;
  readonly idempotencyKey: string;
}

async function taskOrNothing(api: TodoClient, userId: string, id: string, { signal }: CallOptions) {
  try {
    return await api.getTask(userId, id, signal && { signal });
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** @param isPlain whether these are all tasks, newest first */
function apply(tasks: readonly Task[], change: Change, isPlain: boolean): readonly Task[] {
  if (change.kind === 'remove') return tasks.filter(({ id }) => !change.ids.has(id));
  const { kind, task } = change;
  if (kind === 'add') return [task, ...tasks.filter(({ id }) => id !== task.id)];
  const place = tasks.findIndex(({ id }) => id === task.id);
  const known = tasks[place];
  // An answer and the news of what others did may come in any order.
  if (known) return kind !== 'show' && known.updatedAt > task.updatedAt ? tasks : tasks.with(place, task);
  if (kind !== 'put' || !isPlain) return tasks;
  const next = tasks.findIndex((other) => isNewer(task, other));
  return tasks.toSpliced(next < 0 ? tasks.length : next, 0, task);
}

function isNewer(a: Task, b: Task): boolean {
  return a.createdAt === b.createdAt ? a.id > b.id : a.createdAt > b.createdAt;
}

/** What of `input` is not what the task is already. */
export function changesOf(task: Task, input: NewTask): TaskChanges {
  const changed = FIELDS.filter((name) => input[name] !== undefined && !isEqual(input[name], task[name]));
  return Object.fromEntries(changed.map((name) => [name, input[name]]));
}

const FIELDS = [
  'title',
  'description',
  'priority',
  'category',
  'dueDate',
  'tags',
  'recurrence',
  'remindAt',
] as const satisfies (keyof NewTask)[];

const DRAFT = 'draft-';
let drafts = 0;

/** Whether the API does not know of this task yet. */
export function isDraft({ id }: Task): boolean {
  return id.startsWith(DRAFT);
}

/** What a new task looks like before the API has given it an id. */
function draft(userId: string, input: NewTask): Task {
  const { description = null, dueDate = null, tags = [], recurrence = null, remindAt = null, ...task } = input;
  const now = new Date().toISOString();
  drafts++;
  return {
    ...task,
    id: `${DRAFT}${drafts}`,
    description,
    dueDate,
    status: 'pending',
    completed: false,
    createdAt: now,
    updatedAt: now,
    userId,
    tags,
    recurrence,
    remindAt,
    series: null,
  };
}
