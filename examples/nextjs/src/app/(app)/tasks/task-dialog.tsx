import { type FormEvent, useLayoutEffect, useRef, useState } from 'react';
import { Dialog } from '@/components/dialog';
import { Field } from '@/components/field';
import { History } from '@/components/history';
import {
  type Category,
  explain,
  type NewTask,
  newIdempotencyKey,
  type Priority,
  type Task,
  TodoApiError,
  type TodoClient,
} from '@/lib/api';
import { dueOn, whenOf } from '@/lib/due-date';
import { isEqual } from '@/lib/equal';
import { MOST } from '@/lib/text-length';
import { CATEGORIES, options, PRIORITIES } from './choices';
import { CustomRecurrence, NextDates, RecurrenceField, recurrenceOf, repetitionOf } from './recurrence-field';
import { NotificationOffer, ReminderField, ReminderTime, remindAtOf, reminderOf } from './reminder-field';

/** A task that is being written. */
export interface Draft {
  /** The task that is changed, as it was last seen; a new one when left out. */
  readonly task?: Task;
  readonly input: NewTask;
  /** Whether the API has it, and has not answered. */
  readonly isSaving?: boolean;
  /** Why it was refused before. */
  readonly error?: unknown;
}

interface TaskDialogProps extends FormProps {
  readonly draft: Draft | undefined;
}

interface FormProps {
  readonly api: TodoClient;
  readonly userId: string;
  readonly onSave: (draft: Draft, idempotencyKey: string) => void;
  readonly onClose: () => void;
}

export function TaskDialog({ api, userId, draft, onSave, onClose }: TaskDialogProps) {
  return (
    <Dialog title={draft?.task ? 'Edit the task' : 'New task'} isOpen={draft !== undefined} onClose={onClose}>
      {/* Another form where the task is another, or was changed by somebody else. */}
      {draft && (
        <TaskForm
          key={draft.task?.updatedAt}
          api={api}
          userId={userId}
          draft={draft}
          onSave={onSave}
          onClose={onClose}
        />
      )}
      {draft?.task && (
        <History key={`history ${draft.task.updatedAt}`} api={api} userId={userId} taskId={draft.task.id} />
      )}
    </Dialog>
  );
}

function TaskForm({ api, userId, draft, onSave, onClose }: FormProps & { readonly draft: Draft }) {
  const { task, input, isSaving = false, error } = draft;
  const form = useRef<HTMLFormElement>(null);
  const [due, setDue] = useState(() => whenOf(input.dueDate));
  const [saved] = useState(() => input.recurrence);
  const [repetition, setRepetition] = useState(() => repetitionOf(saved));
  const [reminder, setReminder] = useState(() => reminderOf(input.remindAt, due));
  // What is left as it is stays an instant, where it was one.
  const dueDate = task && isEqual(due, whenOf(task.dueDate)) ? task.dueDate : dueOn(due);
  const recurrence = recurrenceOf(repetition, due.day);
  /** The same one until something else is typed: what is sent again because its answer was lost happens once. */
  const key = useRef<string>(undefined);
  const problems = error instanceof TodoApiError ? error.errors : [];
  const problemOf = (name: keyof NewTask) => problems.find(({ field }) => field.split('.')[0] === name)?.message;

  // The first thing to do: what was refused, or the title.
  useLayoutEffect(() => {
    if (isSaving) return;
    const first =
      form.current?.querySelector<HTMLElement>('[aria-invalid]') ??
      form.current?.querySelector<HTMLElement>('[name=title]');
    requestAnimationFrame(() => first?.focus());
  }, [isSaving]);

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    if (isSaving) return;
    const data = new FormData(event.currentTarget);
    const text = (name: string) => String(data.get(name) ?? '');
    const input: NewTask = {
      title: text('title'),
      description: text('description') || null,
      priority: text('priority') as Priority,
      category: text('category') as Category,
      dueDate,
      recurrence,
      remindAt: remindAtOf(reminder, due, task?.remindAt),
      // What is left as it is keeps a comma in a tag.
      tags: task && text('tags') === inOneLine(task.tags) ? task.tags : tagsOf(text('tags')),
    };
    key.current ??= newIdempotencyKey();
    onSave({ ...(task && { task }), input }, key.current);
  }

  return (
    <form
      ref={form}
      onSubmit={submit}
      onChange={() => {
        key.current = undefined;
      }}
    >
      {error !== undefined && (
        // Where the fields say it, it need not be seen twice.
        <p role="alert" className={problems.length > 0 ? 'for-screen-readers' : 'error'}>
          {explain(error)}
        </p>
      )}
      <fieldset disabled={isSaving}>
        <Field label="Title" error={problemOf('title')} limit={{ most: MOST.title, text: input.title }}>
          {(props) => (
            <input {...props} name="title" required autoComplete="off" dir="auto" defaultValue={input.title} />
          )}
        </Field>
        <Field
          label="Description"
          error={problemOf('description')}
          limit={{ most: MOST.description, text: input.description ?? '' }}
        >
          {(props) => (
            <textarea {...props} name="description" rows={3} dir="auto" defaultValue={input.description ?? ''} />
          )}
        </Field>
        <Field label="Tags, with commas between them" error={problemOf('tags')}>
          {(props) => (
            <input {...props} name="tags" autoComplete="off" dir="auto" defaultValue={inOneLine(input.tags)} />
          )}
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
        </div>
        <div className="fields">
          <Field label="Due date" error={problemOf('dueDate')}>
            {(props) => (
              <input
                {...props}
                type="date"
                value={due.day}
                onChange={({ target }) => setDue({ ...due, day: target.value })}
              />
            )}
          </Field>
          <Field label="Due time">
            {(props) => (
              <input
                {...props}
                type="time"
                disabled={due.day === ''}
                value={due.time}
                onChange={({ target }) => setDue({ ...due, time: target.value })}
              />
            )}
          </Field>
        </div>
        <RecurrenceField
          value={repetition}
          day={due.day}
          saved={saved}
          error={problemOf('recurrence')}
          onChange={setRepetition}
        />
        {due.day !== '' && repetition.kind === 'custom' && (
          <CustomRecurrence value={repetition} onChange={setRepetition} />
        )}
        {recurrence && dueDate && (
          <NextDates
            api={api}
            userId={userId}
            dueDate={dueDate}
            recurrence={recurrence}
            task={task?.dueDate === dueDate && isEqual(task.recurrence, recurrence) ? task : undefined}
          />
        )}
        <div className="fields">
          <ReminderField value={reminder} due={due} error={problemOf('remindAt')} onChange={setReminder} />
          {reminder.kind === 'at' && (
            <ReminderTime at={reminder.at} onChange={(at) => setReminder({ kind: 'at', at })} />
          )}
        </div>
        {reminder.kind !== 'none' && <NotificationOffer />}
      </fieldset>
      <div className="actions">
        <button type="button" className="quiet" onClick={onClose}>
          Cancel
        </button>
        <button type="submit" className="primary" aria-disabled={isSaving}>
          {isSaving ? 'Saving…' : 'Save'}
        </button>
      </div>
    </form>
  );
}

function inOneLine(tags: readonly string[] = []): string {
  return tags.join(', ');
}

function tagsOf(line: string): string[] {
  return line
    .split(',')
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '');
}
