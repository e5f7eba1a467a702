'use client';

import { type ReactNode, useCallback, useMemo, useRef, useState } from 'react';
import { Away } from '@/components/away';
import { type News, Notices } from '@/components/notices';
import { Quoted } from '@/components/quoted';
import { useShortcuts } from '@/components/shortcuts';
import { connect, explain, isOutdated, newIdempotencyKey, type Task } from '@/lib/api';
import { useNow } from '@/lib/use-now';
import { type Action, changesOf, type Undone, useTasks } from '@/lib/use-tasks';
import { FilterBar, useFilters } from './filters';
import { QuickAdd } from './quick-add';
import { type Draft, TaskDialog } from './task-dialog';
import { type RowActions, TaskList } from './task-list';

interface TasksProps {
  readonly userId: string;
  readonly backendUrl: string;
  /** Another one each time that somebody is led to this page. */
  readonly visit: string;
}

/** All that can be done with tasks. */
export function Tasks({ userId, backendUrl, visit }: TasksProps) {
  const api = useMemo(() => connect(backendUrl), [backendUrl]);
  const now = useNow();
  const filters = useFilters(visit, now);
  const { tasks, unmatched, create, update, complete, remove, clear, undo, redo, ...state } = useTasks(
    api,
    userId,
    filters.query,
    filters.matches,
  );
  const [draft, setDraft] = useState<Draft>();
  const [news, setNews] = useState<News>();
  const [problem, setProblem] = useState<ReactNode>();
  const [toFocus, setToFocus] = useState<{ readonly id: string }>();
  const shown = useRef(draft);
  shown.current = draft;
  const [newTask, search] = [useRef<HTMLInputElement>(null), useRef<HTMLInputElement>(null)];
  const endNews = useCallback(() => setNews(undefined), []);

  useShortcuts({
    n: () => newTask.current?.focus(),
    '/': () => search.current?.select(),
    'Ctrl+z': () => void takeBack('undo'),
    'Ctrl+Shift+z': () => void takeBack('redo'),
  });

  /** @throws what the API refused with, after the change was taken back */
  async function attempt(title: string, done: Action['kind'], write: Promise<void>): Promise<void> {
    setProblem(undefined);
    setNews(undefined);
    await write;
    tellOf(<Quoted text={title} />, done);
  }

  function tellOf(what: ReactNode, done: Action['kind']) {
    tell(
      <>
        {what} {done}.
      </>,
      'undo',
    );
  }

  async function clearCompleted(completed: readonly Task[]): Promise<void> {
    setProblem(undefined);
    setNews(undefined);
    try {
      const count = await clear(completed);
      if (count === 0) tell('There was nothing to clear any more.');
      else tellOf(completedTasks(count), 'deleted');
    } catch (error) {
      setProblem(`The completed tasks could not be deleted. ${explain(error)}`);
    }
  }

  function report(title: string, done: Action['kind']): (error: unknown) => void {
    return (error) =>
      setProblem(
        <>
          <Quoted text={title} /> could not be {done}. {explain(error)}
        </>,
      );
  }

  /** Undoes what was done last, or does it again, and says so. */
  async function takeBack(how: 'undo' | 'redo'): Promise<Undone | undefined> {
    setProblem(undefined);
    setNews(undefined);
    const undone = await (how === 'undo' ? undo() : redo());
    if (!undone) {
      tell(`There is nothing to ${how}.`);
      return undefined;
    }
    const { action, results, error } = undone;
    const what = (
      <>
        {NOUNS[action.kind]} of{' '}
        {action.count === undefined ? <Quoted text={action.title} /> : completedTasks(action.count)}
      </>
    );
    const done = how === 'undo' ? 'undone' : 'redone';
    if (error !== undefined)
      setProblem(
        <>
          {what} could not be {done}. {explain(error)}
        </>,
      );
    else if (results.every(({ outcome }) => outcome === 'nothing')) tell(<>{what}: nothing of it is left.</>);
    else
      tell(
        <>
          {what} {done}.
        </>,
        how === 'undo' ? 'redo' : 'undo',
      );
    return undone;
  }

  /** @param next what a button offers. The button goes when it is pressed: the focus goes to the task. */
  function tell(text: ReactNode, next?: 'undo' | 'redo') {
    const run = async () => {
      const undone = await takeBack(next ?? 'undo');
      const { taskId = '' } = undone?.results.find(({ task }) => task) ?? {};
      setToFocus({ id: taskId });
    };
    const action = next && { name: next === 'undo' ? 'Undo' : 'Redo', run: () => void run() };
    setNews({ id: newIdempotencyKey(), text, action });
  }

  /** The dialog stays until the API has accepted what is in it. */
  async function save(draft: Draft, idempotencyKey: string): Promise<void> {
    const { task, input } = draft;
    const changes = task && changesOf(task, input);
    if (changes && Object.keys(changes).length === 0) return setDraft(undefined);
    const saving = { ...draft, isSaving: true };
    setDraft(saving);
    const [done, write] =
      task && changes
        ? (['changed', update(task, changes, idempotencyKey)] as const)
        : (['added', create(input, idempotencyKey)] as const);
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

  const latest = useRef<RowActions>(undefined);
  latest.current = {
    onComplete(task, completed) {
      const done = completed ? 'completed' : 'reopened';
      attempt(task.title, done, complete(task, completed)).catch(report(task.title, done));
    },
    onEdit: (task) => setDraft({ task, input: task }),
    onTag: (tag) => filters.choose('tag', tag),
    onClear: (completed) => void clearCompleted(completed),
    onDelete: (task) => void attempt(task.title, 'deleted', remove(task)).catch(report(task.title, 'deleted')),
  };
  const actions = useMemo<RowActions>(
    () => ({
      onComplete: (task, completed) => latest.current?.onComplete(task, completed),
      onEdit: (task) => latest.current?.onEdit(task),
      onDelete: (task) => latest.current?.onDelete(task),
      onTag: (tag) => latest.current?.onTag(tag),
      onClear: (completed) => latest.current?.onClear(completed),
    }),
    [],
  );

  return (
    <>
      <h1 className="in-navigation">Tasks</h1>
      <QuickAdd
        ref={newTask}
        defaults={filters.defaults}
        onAdd={(task, idempotencyKey) => attempt(task.title, 'added', create(task, idempotencyKey))}
        onDetails={(title) => setDraft({ input: { ...filters.defaults, title } })}
      />
      <FilterBar ref={search} filters={filters} />
      <Away {...state} />
      {/* Behind a dialog nobody would hear of a problem, or could dismiss it. */}
      <Notices news={news} onEndNews={endNews} problem={!draft && problem} onDismiss={() => setProblem(undefined)} />
      <TaskList
        tasks={tasks}
        unmatched={unmatched}
        now={now}
        isLoading={state.isLoading}
        isFiltered={filters.isFiltered}
        toFocus={toFocus}
        actions={actions}
        onClearFilters={filters.clear}
      />
      <TaskDialog api={api} userId={userId} draft={draft} onSave={save} onClose={() => setDraft(undefined)} />
    </>
  );
}

function completedTasks(count: number): string {
  return count === 1 ? '1 completed task' : `${count} completed tasks`;
}

const NOUNS: Readonly<Record<Action['kind'], string>> = {
  added: 'Addition',
  changed: 'Change',
  completed: 'Completion',
  reopened: 'Reopening',
  deleted: 'Deletion',
};
