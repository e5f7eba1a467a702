import { type FormEvent, useLayoutEffect, useRef } from 'react';
import { Dialog } from '@/components/dialog';
import { Field } from '@/components/field';
import { type Category, explain, type NewTask, type Priority, type Task, TodoApiError } from '@/lib/api';
import { dayOf, dueOn } from '@/lib/due-date';
import { CATEGORIES, options, PRIORITIES } from './choices';

/** A task that is being written. */
export interface Draft {
  /** The task that is changed; a new one when left out. */
  readonly task?: Task;
  readonly input: NewTask;
  /** Why it was refused before. */
  readonly error?: unknown;
}

interface TaskDialogProps {
  readonly draft: Draft | undefined;
  readonly onSave: (draft: Draft) => void;
  readonly onClose: () => void;
}

export function TaskDialog({ draft, onSave, onClose }: TaskDialogProps) {
  return (
    <Dialog title={draft?.task ? 'Edit the task' : 'New task'} isOpen={draft !== undefined} onClose={onClose}>
      {draft && <TaskForm draft={draft} onSave={onSave} onClose={onClose} />}
    </Dialog>
  );
}

function TaskForm({ draft, onSave, onClose }: TaskDialogProps & { readonly draft: Draft }) {
  const { task, input, error } = draft;
  const form = useRef<HTMLFormElement>(null);
  const problems = error instanceof TodoApiError ? error.errors : [];
  const problemOf = (name: keyof NewTask) => problems.find(({ field }) => field === name)?.message;

  // The first thing to do: what was refused, or the title.
  useLayoutEffect(() => {
    const first = form.current?.querySelector<HTMLElement>('[aria-invalid], [name=title]');
    requestAnimationFrame(() => first?.focus());
  }, []);

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    const text = (name: string) => String(data.get(name) ?? '');
    const day = text('dueDate');
    const input: NewTask = {
      title: text('title'),
      description: text('description') || null,
      priority: text('priority') as Priority,
      category: text('category') as Category,
      // A due date that is left as it is keeps its time.
      dueDate: task?.dueDate && dayOf(task.dueDate) === day ? task.dueDate : dueOn(day),
    };
    onSave({ ...(task && { task }), input });
  }

  return (
    <form ref={form} onSubmit={submit}>
      {error !== undefined && (
        <p role="alert" className="error">
          {explain(error)}
        </p>
      )}
      <Field label="Title" error={problemOf('title')}>
        {(props) => <input {...props} name="title" required autoComplete="off" defaultValue={input.title} />}
      </Field>
      <Field label="Description" error={problemOf('description')}>
        {(props) => <textarea {...props} name="description" rows={3} defaultValue={input.description ?? ''} />}
      </Field>
      <div className="fields">
        <Field label="Priority" error={problemOf('priority')}>
          {(props) => (
            <select {...props} name="priority" defaultValue={input.priority}>
              {options(PRIORITIES).map(({ value, name }) => (
                <option key={value} value={value}>
                  {name}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label="Category" error={problemOf('category')}>
          {(props) => (
            <select {...props} name="category" defaultValue={input.category}>
              {options(CATEGORIES).map(({ value, name }) => (
                <option key={value} value={value}>
                  {name}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label="Due date" error={problemOf('dueDate')}>
          {(props) => (
            <input {...props} name="dueDate" type="date" defaultValue={input.dueDate ? dayOf(input.dueDate) : ''} />
          )}
        </Field>
      </div>
      <div className="actions">
        <button type="button" className="quiet" onClick={onClose}>
          Cancel
        </button>
        <button type="submit" className="primary">
          Save
        </button>
      </div>
    </form>
  );
}

interface DeleteDialogProps {
  readonly task: Task | undefined;
  readonly onDelete: (task: Task) => void;
  readonly onClose: () => void;
}

export function DeleteDialog({ task, onDelete, onClose }: DeleteDialogProps) {
  return (
    <Dialog title="Delete the task?" isOpen={task !== undefined} onClose={onClose}>
      <p>“{task?.title}” will be gone for good.</p>
      <div className="actions">
        <button type="button" className="quiet" onClick={onClose}>
          Keep it
        </button>
        <button type="button" className="danger" onClick={() => task && onDelete(task)}>
          Delete
        </button>
      </div>
    </Dialog>
  );
}
