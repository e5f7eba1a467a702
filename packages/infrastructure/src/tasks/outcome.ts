import type { TaskEvent, TaskId, TaskTransition } from '@todo-backend/domain';

/** A transition that changes something. */
export type RecordedTransition = TaskTransition & { readonly event: TaskEvent };

export function hasEvent(transition: TaskTransition): transition is RecordedTransition {
  return transition.event !== undefined;
}

/** What to write: for a task that changes more than once, only its final state. */
export function outcomeOf(transitions: readonly TaskTransition[]) {
  const states = new Map<TaskId, Pick<TaskTransition, 'before' | 'after' | 'remindedUntil'>>();
  for (const { before, after, remindedUntil } of transitions) {
    const id = (after ?? before)?.id;
    if (id === undefined) continue;
    const earlier = states.get(id);
    const reminded = remindedUntil && { remindedUntil };
    states.set(id, earlier ? { ...earlier, after, ...reminded } : { before, after, ...reminded });
  }
  const all = [...states.values()];
  return {
    created: all.flatMap((state) => (!state.before && state.after ? [{ ...state, after: state.after }] : [])),
    updated: all.flatMap((state) => (state.before && state.after ? [{ ...state, after: state.after }] : [])),
    deleted: all.flatMap(({ before, after }) => (before && !after ? [before.id] : [])),
  };
}
