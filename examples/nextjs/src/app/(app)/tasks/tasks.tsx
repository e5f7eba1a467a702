'use client';

import { useMemo, useRef, useState } from 'react';
import { Away } from '@/components/away';
import { icons } from '@/components/icons';
import { connect, explain, isOutdated, type Task } from '@/lib/api';
import { changesOf, useTasks } from '@/lib/use-tasks';
import { FilterBar, useFilters } from './filters';
import { QuickAdd } from './quick-add';
import { DeleteDialog, type Draft, TaskDialog } from './task-dialog';
import { TaskList } from './task-list';

interface TasksProps {
  readonly userId: string;
  readonly backendUrl: string;
  /** Another one each time that somebody is led to this page. */
  readonly visit: string;
}

/** All that can be done with tasks. */
export function Tasks({ userId, backendUrl, visit }: TasksProps) {
  const api = useMemo(() => connect(backendUrl), [backendUrl]);
  const filters = useFilters(visit);
  const { tasks, create, update, complete, remove, ...state } = useTasks(api, userId, filters.query);
  const [draft, setDraft] = useState<Draft>();
  const [toDelete, setToDelete] = useState<Task>();
  const [said, setSaid] = useState('');
  const [problem, setProblem] = useState('');
  const shown = useRef(draft);
  shown.current = draft;

  /** @throws what the API refused with, after the change was taken back */
  async function attempt(title: string, done: string, write: Promise<void>): Promise<void> {
    setProblem('');
    setSaid('');
    await write;
    setSaid(`“${title}” ${done}.`);
  }

  function report(title: string, done: string): (error: unknown) => void {
    return (error) => setProblem(`“${title}” could not be ${done}. ${explain(error)}`);
  }

  /** The dialog stays until the API has accepted what is in it. */
  async function save(draft: Draft, idempotencyKey: string): Promise<void> {
    const { task, input } = draft;
    const changes = task && changesOf(task, input);
    if (changes && Object.keys(changes).length === 0) return setDraft(undefined);
    const saving = { ...draft, isSaving: true };
    setDraft(saving);
    const [done, write] =
      task && changes ? ['changed', update(task, changes, idempotencyKey)] : ['added', create(input, idempotencyKey)];
    try {
      await attempt(input.title, done, write);
      if (shown.current === saving) setDraft(undefined);
    } catch (error) {
      const next = await refused(draft, error);
      // Who has closed the dialog meanwhile is told all the same, and it is not opened again.
      if (shown.current === saving) setDraft(next);
      else report(input.title, done)(error);
    }
  }

  /** What was typed, with why it was refused; on top of what the task is now, where that was the reason. */
  async function refused(draft: Draft, error: unknown): Promise<Draft> {
    const { task, input } = draft;
    if (!task || !isOutdated(error)) return { ...draft, error };
    try {
      const fresh = await api.getTask(userId, task.id);
      return { task: fresh, input: { ...fresh, ...changesOf(task, input) }, error };
    } catch (error) {
      return { ...draft, error };
    }
  }

  return (
    <>
      <h1 className="in-navigation">Tasks</h1>
      <QuickAdd
        defaults={filters.defaults}
        onAdd={(task, idempotencyKey) => attempt(task.title, 'added', create(task, idempotencyKey))}
        onDetails={(title) => setDraft({ input: { ...filters.defaults, title } })}
      />
      <FilterBar filters={filters} />
      <Away {...state} />
      <TaskList
        tasks={tasks}
        isLoading={state.isLoading}
        isFiltered={filters.isFiltered}
        onClearFilters={filters.clear}
        onComplete={(task, completed) => {
          const done = completed ? 'completed' : 'reopened';
          attempt(task.title, done, complete(task, completed)).catch(report(task.title, done));
        }}
        onEdit={(task) => setDraft({ task, input: task })}
        onDelete={setToDelete}
      />
      <TaskDialog draft={draft} onSave={save} onClose={() => setDraft(undefined)} />
      <DeleteDialog
        task={toDelete}
        onDelete={(task) => {
          setToDelete(undefined);
          attempt(task.title, 'deleted', remove(task)).catch(report(task.title, 'deleted'));
        }}
        onClose={() => setToDelete(undefined)}
      />
      <p role="status" className="for-screen-readers">
        {said}
      </p>
      <div role="alert" className="notices">
        {/* Behind a dialog nobody would hear of it, or could dismiss it. */}
        {problem !== '' && !draft && !toDelete && (
          <div className="notice">
            <p>{problem}</p>
            <button type="button" aria-label="Dismiss" onClick={() => setProblem('')}>
              {icons.close}
            </button>
          </div>
        )}
      </div>
    </>
  );
}
