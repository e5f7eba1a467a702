'use client';

import { useMemo, useRef, useState } from 'react';
import { Away } from '@/components/away';
import { icons } from '@/components/icons';
import { connect, explain, type Task } from '@/lib/api';
import { useTasks } from '@/lib/use-tasks';
import { FilterBar, useFilters } from './filters';
import { QuickAdd } from './quick-add';
import { DeleteDialog, type Draft, TaskDialog } from './task-dialog';
import { TaskList } from './task-list';

/** All that can be done with tasks. */
export function Tasks({ userId, backendUrl }: { readonly userId: string; readonly backendUrl: string }) {
  const api = useMemo(() => connect(backendUrl), [backendUrl]);
  const filters = useFilters();
  const { tasks, create, update, complete, remove, ...state } = useTasks(api, userId, filters.query);
  const [draft, setDraft] = useState<Draft>();
  const [toDelete, setToDelete] = useState<Task>();
  const [said, setSaid] = useState('');
  const [problem, setProblem] = useState('');
  const isWriting = useRef(false);
  isWriting.current = draft !== undefined;

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

  async function save(draft: Draft): Promise<void> {
    const { task, input } = draft;
    const [done, write] = task ? ['changed', update(task, input)] : ['added', create(input)];
    setDraft(undefined);
    try {
      await attempt(input.title, done, write);
    } catch (error) {
      // Nothing that was typed is lost; but a dialog that was opened since is not replaced.
      if (isWriting.current) report(input.title, done)(error);
      else setDraft({ ...draft, error });
    }
  }

  return (
    <>
      <h1>Tasks</h1>
      <QuickAdd
        onAdd={(title) => attempt(title, 'added', create({ ...filters.defaults, title }))}
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
        {problem !== '' && (
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
