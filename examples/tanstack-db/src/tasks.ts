import { createCollection, createPacedMutations, type PendingMutation, queueStrategy } from '@tanstack/db';
import {
  type BatchOperation,
  type CallOptions,
  type Task,
  TodoApiError,
  type TodoClient,
  TodoNetworkError,
} from '@todo-backend/client';

/**
 * The tasks of a user as a collection that keeps up with other devices, and `change`, in which the collection is changed:
 * `change(() => tasks.delete(id))`. That is shown at once, and taken back when the API refuses it.
 */
export function taskCollection(todo: TodoClient, userId: string) {
  /** Up to where the collection has everything. */
  let position: string | undefined;
  let catchUp = async () => {};

  const tasks = createCollection<Task, string>({
    getKey: ({ id }) => id,
    sync: {
      rowUpdateMode: 'full',
      sync({ begin, write, truncate, commit, markReady, markError }) {
        const controller = new AbortController();
        const { signal } = controller;
        /** Where each task was changed last, of those that came as changes. */
        const seen = new Map<string, string>();
        // Nobody may have looked for a while: then the rows are gone.
        position = undefined;

        async function loadAll() {
          let all: Task[] = [];
          const at = await positionOf(async (options) => {
            all = await todo.listTasks(userId, {}, { ...options, signal });
          });
          begin();
          truncate();
          for (const value of all) write({ type: 'insert', value });
          commit();
          position = at;
        }

        async function loadChanges(since: string) {
          const page = await todo.changes(userId, { since, limit: 1000 }, { signal });
          begin();
          for (const { taskId: key, task, position } of page.changes) {
            write(task === null ? { type: 'delete', key } : { type: 'update', value: task });
            seen.set(key, position);
          }
          commit();
          position = page.position;
          if (page.more) await loadChanges(position);
        }

        catchUp = oneByOne(async () => {
          for (;;) {
            try {
              return await (position === undefined ? loadAll() : loadChanges(position));
            } catch (error) {
              if (isGone(error)) position = undefined;
              else if (isPassing(error)) await new Promise((resolve) => setTimeout(resolve, 1000));
              else throw error;
            }
          }
        });

        async function follow() {
          await catchUp();
          markReady();
          // The stream says that there is something. All that is shown comes from `changes`, in one order.
          const onChange = ({ taskId, position: at }: { taskId: string; position: string }) =>
            at === position || at === seen.get(taskId) ? undefined : catchUp();
          await todo.watch(userId, { ...(position && { since: position }), signal, onChange, onResync: catchUp });
        }

        follow().catch((error) => {
          if (!signal.aborted) markError(error);
        });
        return () => controller.abort();
      },
    },
  });

  const change = createPacedMutations<() => void, Task>({
    onMutate: (work) => work(),
    async mutationFn({ transaction }) {
      const operations = transaction.mutations.flatMap(operationsOf);
      const written = await positionOf((options) => todo.batchTasks(userId, { operations }, options));
      // What is shown already is dropped when this ends. By then the collection has what was written.
      if (written !== position) await catchUp();
    },
    // One after the other: TanStack DB shows nothing that comes from the server while a change is under way, so that one
    // that ends beside another would be gone for a while.
    strategy: queueStrategy(),
  });

  return { tasks, change };
}

/** The position of what a call answers. */
async function positionOf(call: (options: CallOptions) => Promise<unknown>): Promise<string | undefined> {
  let position: string | undefined;
  await call({
    onPosition(told) {
      position = told;
    },
  });
  return position;
}

/** The same work, never twice at a time: whoever calls gets a run that begins after the call. */
function oneByOne(work: () => Promise<void>): () => Promise<void> {
  let last = Promise.resolve();
  let next: Promise<void> | undefined;
  return () => {
    next ??= last = last
      .catch(() => {})
      .then(() => {
        next = undefined;
        return work();
      });
    return next;
  };
}

/** What the API has to do for a change of a row. It makes the ids of new tasks itself. */
function operationsOf({ type, key, modified, changes }: PendingMutation<Task>): BatchOperation[] {
  if (type === 'delete') return [{ op: 'delete', id: key }];
  const { title, description, priority, category, dueDate } = type === 'insert' ? modified : (changes as Partial<Task>);
  const content = { title, description, priority, category, dueDate };
  if (type === 'insert') return [{ op: 'create', task: content as Task }];
  const { completed } = changes as Partial<Task>;
  return [
    ...(Object.values(content).some((value) => value !== undefined)
      ? [{ op: 'update' as const, id: key, changes: content as Partial<Task> }]
      : []),
    ...(completed === undefined ? [] : [{ op: 'complete' as const, id: key, completed }]),
  ];
}

/** Whether the server cannot tell any more what has changed since. */
function isGone(error: unknown): boolean {
  return error instanceof TodoApiError && error.status === 410;
}

/** Whether the server may well be there again in a moment. */
function isPassing(error: unknown): boolean {
  return (
    error instanceof TodoNetworkError ||
    (error instanceof TodoApiError && (error.status >= 500 || error.status === 429))
  );
}
