import type { Task, TaskEvent, TaskId, TaskTransition } from '@todo-backend/domain';

/** A transition that changes something. */
export type RecordedTransition = TaskTransition & { readonly event: TaskEvent };

export function hasEvent(transition: TaskTransition): transition is RecordedTransition {
  return transition.event !== undefined;
}

/** What to write: for a task that changes more than once, only its final state. */
export function outcomeOf(transitions: readonly TaskTransition[]) {
  const states = new Map<TaskId, { before: Task | undefined; after: Task | undefined }>();
  for (const { before, after } of transitions) {
    const id = (after ?? before)?.id;
    if (id !== undefined) states.set(id, { before: states.has(id) ? states.get(id)?.before : before, after });
  }
  const all = [...states.values()];
  return {
    created: all.flatMap(({ before, after }) => (!before && after ? [after] : [])),
    updated: all.flatMap(({ before, after }) => (before && after ? [after] : [])),
    deleted: all.flatMap(({ before, after }) => (before && !after ? [before.id] : [])),
  };
}
