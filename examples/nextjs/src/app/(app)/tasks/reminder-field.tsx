import { useState } from 'react';
import { Field } from '@/components/field';
import { dayOf, dueOn, inWords, timeOf, type When } from '@/lib/due-date';

const MINUTE = 60_000;

/** Minutes before the due date. */
const OFFSETS = { 0: 'At the time', 10: '10 minutes before', 60: '1 hour before', 1440: '1 day before' } as const;

/** What a day without a time is reckoned from. */
const MORNING = '09:00';

/** When a task is to be reminded of, as it was chosen. */
export type Reminder =
  | { readonly kind: 'none' }
  /** It goes along when the due date is changed. */
  | { readonly kind: 'before'; readonly minutes: number }
  /** As `<input type="datetime-local">` has it. */
  | { readonly kind: 'at'; readonly at: string };

export function reminderOf(remindAt: string | null | undefined, due: When): Reminder {
  if (!remindAt) return { kind: 'none' };
  const start = startOf(due);
  const minutes = start && (start.getTime() - Date.parse(remindAt)) / MINUTE;
  if (minutes !== undefined && Object.hasOwn(OFFSETS, minutes)) return { kind: 'before', minutes };
  return { kind: 'at', at: localTime(remindAt) };
}

/** @param saved what is left as it is keeps its seconds */
export function remindAtOf(reminder: Reminder, due: When, saved: string | null | undefined): string | null {
  if (reminder.kind === 'none') return null;
  if (reminder.kind === 'at') {
    if (saved && localTime(saved) === reminder.at) return saved;
    return reminder.at === '' ? null : new Date(reminder.at).toISOString();
  }
  const start = startOf(due);
  return start ? new Date(start.getTime() - reminder.minutes * MINUTE).toISOString() : null;
}

function startOf({ day, time }: When): Date | undefined {
  const start = dueOn({ day, time: time || MORNING });
  return start === null ? undefined : new Date(start);
}

function localTime(instant: string): string {
  return `${dayOf(instant)}T${timeOf(instant)}`;
}

interface ReminderFieldProps {
  readonly value: Reminder;
  readonly due: When;
  readonly error: string | undefined;
  readonly onChange: (value: Reminder) => void;
}

/** When to remind of a task. */
export function ReminderField({ value, due, error, onChange }: ReminderFieldProps) {
  const hasDay = due.day !== '';
  const remindAt = remindAtOf(value, due, undefined);

  function choose(choice: string) {
    if (choice === 'none') onChange({ kind: 'none' });
    else if (choice === 'at') onChange({ kind: 'at', at: remindAt ? localTime(remindAt) : '' });
    else onChange({ kind: 'before', minutes: Number(choice) });
  }

  return (
    <Field
      label="Reminder"
      error={error}
      {...(value.kind === 'before' && remindAt !== null && { hint: inWords(remindAt) })}
    >
      {(props) => (
        <select
          {...props}
          name="reminder"
          value={value.kind !== 'before' ? value.kind : remindAt === null ? 'none' : value.minutes}
          onChange={({ target }) => choose(target.value)}
        >
          <option value="none">None</option>
          {hasDay &&
            Object.entries(OFFSETS).map(([minutes, name]) => (
              <option key={minutes} value={minutes}>
                {name}
              </option>
            ))}
          <option value="at">At another time…</option>
        </select>
      )}
    </Field>
  );
}

/** The time of a reminder that is not reckoned from the due date. */
export function ReminderTime({ at, onChange }: { readonly at: string; readonly onChange: (at: string) => void }) {
  return (
    <Field label="Remind me at">
      {(props) => (
        <input {...props} type="datetime-local" required value={at} onChange={({ target }) => onChange(target.value)} />
      )}
    </Field>
  );
}

/** Offers notifications of the browser to who sets a reminder: nobody is asked before. */
export function NotificationOffer() {
  const [permission, setPermission] = useState(() =>
    'Notification' in globalThis ? Notification.permission : 'denied',
  );
  if (permission !== 'default') return null;
  return (
    <p className="hint">
      Reminders are shown on these pages.{' '}
      <button
        type="button"
        className="quiet offer"
        onClick={async ({ currentTarget }) => {
          // The button goes when that is answered.
          currentTarget.form?.querySelector<HTMLElement>('[name=reminder]')?.focus();
          setPermission(await Notification.requestPermission());
        }}
      >
        Notify me outside of them, too
      </button>
    </p>
  );
}
