import { useCallback, useRef, useState } from 'react';
import type { NewTask, Task, TaskChanges, TaskQuery, TodoClient } from './api';
import { useLive } from './use-live';

type Change =
  | { readonly kind: 'add' | 'replace'; readonly task: Task }
  | { readonly kind: 'remove'; readonly id: string };

/**
 * The tasks of a user, with changes that are seen before the API has answered and taken back when it refuses.
 *
 * @param query has to stay the same object until other tasks are wanted
 */
export function useTasks(api: TodoClient, userId: string, query: TaskQuery) {
  const load = useCallback((signal: AbortSignal) => api.listTasks(userId, query, { signal }), [api, userId, query]);
  const { data, error, isLoading, reload, change } = useLive(load);
  const [pending, setPending] = useState<readonly Change[]>([]);
  const last = useRef<Promise<unknown>>(Promise.resolve());
  /** Unfiltered and newest first: there the answer to a change says all that there is to know. */
  const isPlain = useRef(true);
  isPlain.current = Object.keys(query).length === 0;

  /**
   * Not `useOptimistic`: it would keep what one change has shown until all others are answered too.
   *
   * @param shown what is seen until the API answers
   * @param send gives what is so then
   */
  async function write(shown: Change, send: () => Promise<Change>): Promise<void> {
    setPending((pending) => [...pending, shown]);
    // One after the other, so that two on one task arrive in their order.
    const sent = last.current.then(send);
    last.current = sent.catch(() => {});
    try {
      const done = await sent;
      change((tasks) => apply(tasks, done));
      // Where the task stands now, and whether the filters still let it through, is for the API to say.
      if (!isPlain.current) reload();
    } catch (error) {
      // So is what has become of it, where a change was refused or its answer lost.
      reload();
      throw error;
    } finally {
      setPending((pending) => pending.filter((other) => other !== shown));
    }
  }

  return {
    tasks: data && pending.reduce(apply, data),
    error,
    isLoading,
    reload,
    /** @param idempotencyKey the same one when it is sent again because its answer was lost: it happens once */
    create(task: NewTask, idempotencyKey: string) {
      const shown = { kind: 'add', task: draft(userId, task) } as const;
      return write(shown, async () => ({ kind: 'add', task: await api.createTask(userId, task, { idempotencyKey }) }));
    },
    /** Rejects with status 412 when the task is not what it was here any more: nobody's change is lost. */
    update(task: Task, changes: TaskChanges, idempotencyKey: string) {
      const shown = { kind: 'replace', task: { ...task, ...changes } } as const;
      const options = { idempotencyKey, unchangedSince: task };
      return write(shown, async () => ({
        kind: 'replace',
        task: await api.updateTask(userId, task.id, changes, options),
      }));
    },
    complete(task: Task, completed: boolean) {
      const shown = { kind: 'replace', task: { ...task, completed } } as const;
      return write(shown, async () => ({
        kind: 'replace',
        task: await api.completeTask(userId, task.id, { completed }),
      }));
    },
    remove(task: Task) {
      const shown = { kind: 'remove', id: task.id } as const;
      return write(shown, async () => {
        await api.deleteTask(userId, task.id);
        return shown;
      });
    },
  };
}

function apply(tasks: readonly Task[], change: Change): Task[] {
  switch (change.kind) {
    case 'add':
      return [change.task, ...tasks.filter(({ id }) => id !== change.task.id)];
    case 'replace':
      return tasks.map((task) => (task.id === change.task.id ? change.task : task));
    case 'remove':
      return tasks.filter(({ id }) => id !== change.id);
  }
}

/** What of `input` is not what the task is already. */
export function changesOf(task: Task, input: NewTask): TaskChanges {
  const names = ['title', 'description', 'priority', 'category', 'dueDate'] as const;
  return Object.fromEntries(names.filter((name) => input[name] !== task[name]).map((name) => [name, input[name]]));
}

const DRAFT = 'draft-';
let drafts = 0;

/** Whether the API does not know of this task yet. */
export function isDraft({ id }: Task): boolean {
  return id.startsWith(DRAFT);
}

/** What a new task looks like before the API has given it an id. */
function draft(userId: string, { description = null, dueDate = null, ...task }: NewTask): Task {
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
  };
}
