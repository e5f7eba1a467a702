import { memo, useEffect, useMemo, useState } from 'react';
import { icons } from '@/components/icons';
import type { Task } from '@/lib/api';
import { inWords } from '@/lib/due-date';
import { isEqual } from '@/lib/equal';
import { inShort } from '@/lib/recurrence';
import { useFocusThatStays } from '@/lib/use-focus';
import { isDraft } from '@/lib/use-tasks';
import { CATEGORIES, PRIORITIES } from './choices';
import { GROUPS, type Group, inGroups } from './groups';

export interface RowActions {
  readonly onComplete: (task: Task, completed: boolean) => void;
  readonly onEdit: (task: Task) => void;
  readonly onDelete: (task: Task) => void;
  /** Shows only the tasks with this tag. */
  readonly onTag: (tag: string) => void;
  /** Deletes these, which are all that are completed under the filters. */
  readonly onClear: (completed: readonly Task[]) => void;
}

interface TaskListProps {
  readonly tasks: readonly Task[] | undefined;
  /** The ids of those that are only shown because they were just added. */
  readonly unmatched: ReadonlySet<string> | undefined;
  /** Another one each minute: what is overdue by then goes to its group. */
  readonly now: Date;
  readonly isLoading: boolean;
  readonly isFiltered: boolean;
  /** The task that is to get the focus, as soon as it is there. */
  readonly toFocus: { readonly id: string } | undefined;
  /** These have to stay the same: with them, what has not changed is not rendered again. */
  readonly actions: RowActions;
  readonly onClearFilters: () => void;
}

/** Rendered only when something of it has changed: with thousands of tasks, typing and dialogs would have to wait for it. */
export const TaskList = memo(function TaskList(props: TaskListProps) {
  const { tasks, unmatched, now, isLoading, isFiltered, toFocus, actions, onClearFilters } = props;
  const groups = useMemo(() => inGroups(tasks ?? [], now), [tasks, now]);
  const inOrder = useMemo(() => tasks && groups.flatMap(([, tasks]) => tasks), [tasks, groups]);
  const { ref, onFocus } = useFocusThatStays(inOrder, toFocus);
  // One list: a row that goes to another group stays the same element, and keeps the focus.
  const entries = groups.flatMap(([group, tasks]) => [
    { group, tasks, task: undefined },
    ...tasks.map((task) => ({ group, tasks, task })),
  ]);
  const count = usePartByPart(entries.length);
  return (
    <section ref={ref} aria-label="Your tasks" aria-busy={isLoading} tabIndex={-1} onFocus={onFocus}>
      <p role="status" className={tasks?.length === 0 ? 'for-screen-readers' : 'count'}>
        {tasks && (tasks.length === 1 ? '1 task' : `${tasks.length} tasks`)}
      </p>
      {tasks === undefined && isLoading && <Placeholders />}
      {tasks?.length === 0 && (
        <div className="empty">
          <EmptyPicture />
          {isFiltered ? (
            <>
              <p>No tasks match.</p>
              <button type="button" className="quiet" onClick={onClearFilters}>
                Show all tasks
              </button>
            </>
          ) : (
            <p>Nothing to do. Write down what comes to mind.</p>
          )}
        </div>
      )}
      {tasks && tasks.length > 0 && (
        <ul className="tasks">
          {entries
            .slice(0, count)
            .map(({ group, tasks, task }) =>
              task ? (
                <Row
                  key={task.id}
                  task={task}
                  isUnmatched={unmatched?.has(task.id) ?? false}
                  isLate={group === 'overdue'}
                  isToCome={!task.completed && task.remindAt !== null && new Date(task.remindAt) > now}
                  today={now.toDateString()}
                  actions={actions}
                />
              ) : (
                <Heading
                  key={group}
                  group={group}
                  count={tasks.length}
                  toClear={group === 'done' ? tasks.filter(({ id }) => !unmatched?.has(id)) : []}
                  onClear={actions.onClear}
                />
              ),
            )}
        </ul>
      )}
    </section>
  );
});

interface HeadingProps {
  readonly group: Group;
  readonly count: number;
  readonly toClear: readonly Task[];
  readonly onClear: (completed: readonly Task[]) => void;
}

function Heading({ group, count, toClear, onClear }: HeadingProps) {
  return (
    <li className="group">
      <h2 className="group-name">
        {GROUPS[group]} <span className="hint">{count}</span>
      </h2>
      {toClear.length > 0 && (
        <button
          type="button"
          className="quiet"
          onClick={({ currentTarget }) => {
            // The button goes with the tasks.
            currentTarget.closest('section')?.focus({ preventScroll: true });
            onClear(toClear);
          }}
        >
          Clear completed
        </button>
      )}
    </li>
  );
}

/** How many rows are made at a time. */
const PART = 50;

/**
 * How many of so many rows are there by now. To make thousands at once takes a second in which no key is heard: they come
 * part by part. In the end all of them are there, for the search of the browser and for screen readers.
 */
function usePartByPart(total: number): number {
  const [count, setCount] = useState(PART);
  if (count >= total + PART && count > PART) setCount(Math.max(total, PART));

  useEffect(() => {
    if (count >= total) return;
    const timer = setTimeout(() => setCount((count) => count + PART));
    return () => clearTimeout(timer);
  }, [count, total]);

  return count;
}

interface RowProps {
  readonly task: Task;
  readonly isUnmatched: boolean;
  readonly isLate: boolean;
  /** Whether its reminder has yet to come. */
  readonly isToCome: boolean;
  /** Due dates are told from it. */
  readonly today: string;
  readonly actions: RowActions;
}

/** A list that is loaded again has other objects, with mostly the same in them. */
const Row = memo(RowOfTask, isEqual);

function RowOfTask({ task, isUnmatched, isLate, isToCome, actions }: RowProps) {
  const { id, title, description, priority, category, dueDate, completed, createdAt, updatedAt } = task;
  const { tags, recurrence, remindAt } = task;
  return (
    <li
      className={['task', completed && 'is-done', isLate && 'is-late'].filter(Boolean).join(' ')}
      data-item={id}
      aria-busy={isDraft(task)}
    >
      <input
        type="checkbox"
        id={`done-${id}`}
        checked={completed}
        disabled={isDraft(task)}
        aria-describedby={`about-${id}`}
        onChange={(event) => actions.onComplete(task, event.target.checked)}
      />
      <label htmlFor={`done-${id}`} dir="auto">
        {title}
      </label>
      <div className="row-actions">
        <button
          type="button"
          aria-label={`Edit “${title}”`}
          disabled={isDraft(task)}
          onClick={() => actions.onEdit(task)}
        >
          {icons.edit}
        </button>
        <button
          type="button"
          aria-label={`Delete “${title}”`}
          disabled={isDraft(task)}
          onClick={() => actions.onDelete(task)}
        >
          {icons.delete}
        </button>
      </div>
      {description && (
        <p className="description" dir="auto">
          {description}
        </p>
      )}
      <p id={`about-${id}`} className="about">
        {isUnmatched && <span className="badge">Does not match the filter</span>}
        {dueDate && (
          <span className="fact due">
            {icons.calendar}
            {isLate && 'Overdue · '}
            <time dateTime={dueDate}>{inWords(dueDate)}</time>
          </span>
        )}
        {recurrence && (
          <span className="fact">
            {icons.repeat}
            {inShort(recurrence)}
          </span>
        )}
        {isToCome && remindAt && (
          <span className="fact">
            {icons.bell}
            <span className="for-screen-readers">Reminder </span>
            <time dateTime={remindAt}>{inWords(remindAt)}</time>
          </span>
        )}
        <span className="kind">
          {priority !== 'medium' && (
            <span className={`badge is-${priority}`}>
              {PRIORITIES[priority]}
              <span className="for-screen-readers"> priority</span>
            </span>
          )}
          <span>{CATEGORIES[category]}</span>
          {!completed && updatedAt !== createdAt && <span>updated</span>}
        </span>
      </p>
      {tags.length > 0 && (
        <ul className="tags" aria-label={`Tags of “${title}”`}>
          {tags.map((tag) => (
            <li key={tag}>
              <button
                type="button"
                className="chip"
                title="Show only tasks with this tag"
                onClick={() => actions.onTag(tag)}
              >
                <bdi>{tag}</bdi>
              </button>
            </li>
          ))}
        </ul>
      )}
    </li>
  );
}

function Placeholders() {
  return (
    <div className="placeholders">
      <span className="for-screen-readers">Loading…</span>
      <div />
      <div />
      <div />
    </div>
  );
}

function EmptyPicture() {
  return (
    <svg className="picture" viewBox="0 0 160 100" aria-hidden="true" focusable="false">
      <circle cx="112" cy="34" r="16" className="sun" />
      <path d="M10 88c22-34 42-40 62-16 14-22 40-30 78 16Z" className="hill" />
      <path d="M10 88h140" />
    </svg>
  );
}
