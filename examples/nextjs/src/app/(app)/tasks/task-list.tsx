import { type FocusEvent, useEffect, useRef } from 'react';
import { icons } from '@/components/icons';
import type { Task } from '@/lib/api';
import { inWords, isOver } from '@/lib/due-date';
import { isDraft } from '@/lib/use-tasks';
import { CATEGORIES, PRIORITIES } from './choices';

interface RowActions {
  readonly onComplete: (task: Task, completed: boolean) => void;
  readonly onEdit: (task: Task) => void;
  readonly onDelete: (task: Task) => void;
}

interface TaskListProps extends RowActions {
  readonly tasks: readonly Task[] | undefined;
  readonly isLoading: boolean;
  readonly isFiltered: boolean;
  readonly onClearFilters: () => void;
}

export function TaskList({ tasks, isLoading, isFiltered, onClearFilters, ...actions }: TaskListProps) {
  const { ref, onFocus } = useFocusThatStays(tasks);
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
          {tasks.map((task) => (
            <Row key={task.id} task={task} {...actions} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Row({ task, onComplete, onEdit, onDelete }: RowActions & { readonly task: Task }) {
  const { id, title, description, priority, category, dueDate, completed, createdAt, updatedAt } = task;
  const isLate = dueDate !== null && !completed && isOver(dueDate);
  return (
    <li
      className={['task', completed && 'is-done', isLate && 'is-late'].filter(Boolean).join(' ')}
      data-task={id}
      aria-busy={isDraft(task)}
    >
      <input
        type="checkbox"
        id={`done-${id}`}
        checked={completed}
        disabled={isDraft(task)}
        aria-describedby={`about-${id}`}
        onChange={(event) => onComplete(task, event.target.checked)}
      />
      <label htmlFor={`done-${id}`}>{title}</label>
      <div className="row-actions">
        <button type="button" aria-label={`Edit “${title}”`} disabled={isDraft(task)} onClick={() => onEdit(task)}>
          {icons.edit}
        </button>
        <button type="button" aria-label={`Delete “${title}”`} disabled={isDraft(task)} onClick={() => onDelete(task)}>
          {icons.delete}
        </button>
      </div>
      {description && <p className="description">{description}</p>}
      <p id={`about-${id}`} className="about">
        {dueDate && (
          <span className="due">
            {icons.calendar}
            {isLate && 'Overdue · '}
            <time dateTime={dueDate}>{inWords(dueDate)}</time>
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
    </li>
  );
}

/** A task may go (deleted, or no more let through by the filters) while it has the focus: then the next one gets it. */
function useFocusThatStays(tasks: readonly Task[] | undefined) {
  const ref = useRef<HTMLElement>(null);
  const focused = useRef({ id: '', place: 0 });

  useEffect(() => {
    const { id, place } = focused.current;
    if (id === '' || tasks === undefined || tasks.some((task) => task.id === id)) return;
    focused.current.id = '';
    if (document.activeElement !== document.body) return;
    const next = tasks[Math.min(place, tasks.length - 1)];
    ((next && document.getElementById(`done-${next.id}`)) ?? ref.current)?.focus();
  }, [tasks]);

  return {
    ref,
    onFocus(event: FocusEvent) {
      const place = tasks?.findIndex(({ id }) => event.target.closest(`[data-task="${id}"]`)) ?? -1;
      focused.current = { id: tasks?.[place]?.id ?? '', place };
    },
  };
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
