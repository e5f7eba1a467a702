import { useEffect, useState } from 'react';
import { Field } from '@/components/field';
import { explain, type Recurrence, type Task, TodoApiError, type TodoClient } from '@/lib/api';
import { inWords } from '@/lib/due-date';
import {
  inShort,
  type Pattern,
  type Preset,
  patternOf,
  presetOf,
  presets,
  ruleOf,
  UNITS,
  WEEKDAYS,
  type Weekday,
} from '@/lib/recurrence';
import { options } from './choices';

/** How a task is to repeat, as it was chosen. */
export type Repetition =
  | { readonly kind: 'none' }
  /** Its rule follows from the due date, also when that is changed. */
  | { readonly kind: 'preset'; readonly preset: Preset }
  | { readonly kind: 'custom'; readonly pattern: Pattern; readonly anchor: Recurrence['anchor'] }
  /** As it was before. */
  | { readonly kind: 'kept'; readonly recurrence: Recurrence };

export function repetitionOf(recurrence: Recurrence | null | undefined): Repetition {
  return recurrence ? { kind: 'kept', recurrence } : { kind: 'none' };
}

/** @param day the day on which the task is due, without which it cannot repeat */
export function recurrenceOf(repetition: Repetition, day: string): Recurrence | null {
  if (day === '' || repetition.kind === 'none') return null;
  if (repetition.kind === 'kept') return repetition.recurrence;
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  if (repetition.kind === 'preset') return { rule: presets(day)[repetition.preset].rule, anchor: 'schedule', timeZone };
  return { rule: ruleOf(repetition.pattern, day), anchor: repetition.anchor, timeZone };
}

interface RecurrenceFieldProps {
  readonly value: Repetition;
  /** The day on which the task is due. */
  readonly day: string;
  readonly error: string | undefined;
  readonly onChange: (value: Repetition) => void;
  /** How it repeats as it is saved. */
  readonly saved: Recurrence | null | undefined;
}

/** Whether and how a task repeats. */
export function RecurrenceField({ value, day, error, onChange, saved }: RecurrenceFieldProps) {
  const hasDay = day !== '';
  const isOther = saved && hasDay && presetOf(saved, day) === undefined;

  function choose(choice: string) {
    if (choice === 'none') onChange({ kind: 'none' });
    else if (choice === 'kept') onChange(repetitionOf(saved));
    else if (choice === 'custom') {
      const before = recurrenceOf(value, day) ?? undefined;
      onChange({ kind: 'custom', pattern: patternOf(before?.rule, day), anchor: before?.anchor ?? 'schedule' });
    } else onChange({ kind: 'preset', preset: choice as Preset });
  }

  return (
    <Field label="Repeat" error={error} {...(!hasDay && { hint: 'What repeats needs a due date.' })}>
      {(props) => (
        <select
          {...props}
          disabled={!hasDay}
          value={hasDay ? chosen(value, day) : 'none'}
          onChange={({ target }) => choose(target.value)}
        >
          <option value="none">Does not repeat</option>
          {hasDay &&
            Object.entries(presets(day)).map(([preset, { name }]) => (
              <option key={preset} value={preset}>
                {name}
              </option>
            ))}
          {isOther && <option value="kept">{inShort(saved)}</option>}
          <option value="custom">Custom…</option>
        </select>
      )}
    </Field>
  );
}

function chosen(value: Repetition, day: string): string {
  if (value.kind === 'preset') return value.preset;
  if (value.kind === 'kept') return presetOf(value.recurrence, day) ?? 'kept';
  return value.kind;
}

type Custom = Extract<Repetition, { kind: 'custom' }>;

/** The fields of a rule of one's own. */
export function CustomRecurrence({ value, onChange }: { value: Custom; onChange: (value: Custom) => void }) {
  const { pattern, anchor } = value;
  const set = (change: Partial<Pattern>) => onChange({ ...value, pattern: { ...pattern, ...change } });
  const toggle = (day: Weekday, isOn: boolean) =>
    set({ days: isOn ? [...pattern.days, day] : pattern.days.filter((other) => other !== day) });
  return (
    <fieldset className="custom">
      <legend>Custom repetition</legend>
      <div className="fields">
        <Field label="Every">
          {(props) => (
            <input
              {...props}
              type="number"
              min={1}
              max={1000}
              required
              value={pattern.every}
              onChange={({ target }) => set({ every: target.value })}
            />
          )}
        </Field>
        <Field label="Unit">
          {(props) => (
            <select
              {...props}
              value={pattern.unit}
              onChange={({ target }) => set({ unit: target.value as Pattern['unit'] })}
            >
              {options(UNITS).map(({ value, name }) => (
                <option key={value} value={value}>
                  {name}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label="Counted from">
          {(props) => (
            <select
              {...props}
              value={anchor}
              onChange={({ target }) => onChange({ ...value, anchor: target.value as Recurrence['anchor'] })}
            >
              <option value="schedule">The due date</option>
              <option value="completion">The completion</option>
            </select>
          )}
        </Field>
      </div>
      {pattern.unit === 'WEEKLY' && (
        <fieldset className="weekdays">
          <legend className="for-screen-readers">On these days</legend>
          {options(WEEKDAYS).map(({ value: day, name }) => (
            <label key={day} className="choice">
              <input
                type="checkbox"
                checked={pattern.days.includes(day as Weekday)}
                onChange={({ target }) => toggle(day as Weekday, target.checked)}
              />
              {name}
            </label>
          ))}
        </fieldset>
      )}
      <div className="fields">
        <Field label="Ends">
          {(props) => (
            <select
              {...props}
              value={pattern.end}
              onChange={({ target }) => set({ end: target.value as Pattern['end'] })}
            >
              <option value="never">Never</option>
              <option value="until">On a date</option>
              <option value="count">After a number of times</option>
            </select>
          )}
        </Field>
        {pattern.end === 'until' && (
          <Field label="Last day">
            {(props) => (
              <input
                {...props}
                type="date"
                required
                value={pattern.until}
                onChange={({ target }) => set({ until: target.value })}
              />
            )}
          </Field>
        )}
        {pattern.end === 'count' && (
          <Field label="Times">
            {(props) => (
              <input
                {...props}
                type="number"
                min={2}
                max={366}
                required
                value={pattern.count}
                onChange={({ target }) => set({ count: target.value })}
              />
            )}
          </Field>
        )}
      </div>
    </fieldset>
  );
}

interface NextDatesProps {
  readonly api: TodoClient;
  readonly userId: string;
  readonly dueDate: string;
  readonly recurrence: Recurrence;
  /** The task, where that is how it is saved: then it is known how often it was repeated before. */
  readonly task: Task | undefined;
}

/** Milliseconds without a change after which the dates are asked for. */
const PAUSE = 300;

/** The next dates of a task that repeats, or why its rule is refused. */
export function NextDates({ api, userId, dueDate, recurrence, task }: NextDatesProps) {
  const { rule, anchor, timeZone } = recurrence;
  const id = task?.id;
  const [answer, setAnswer] = useState<{ readonly dates?: readonly string[]; readonly problem?: string }>();

  useEffect(() => {
    const asked = new AbortController();
    const { signal } = asked;
    const query = { due_date: dueDate, rule, anchor, time_zone: timeZone, limit: 5 };
    const timer = setTimeout(async () => {
      try {
        const dates =
          id === undefined
            ? await api.previewOccurrences(userId, query, { signal })
            : await api.occurrences(userId, id, { limit: 5 }, { signal });
        setAnswer({ dates });
      } catch (error) {
        if (!signal.aborted) setAnswer({ problem: whyRefused(error) });
      }
    }, PAUSE);
    return () => {
      clearTimeout(timer);
      asked.abort();
    };
  }, [api, userId, id, dueDate, rule, anchor, timeZone]);

  return (
    <div className="next-dates" role="status">
      {answer?.problem !== undefined && <p className="error">{answer.problem}</p>}
      {answer?.dates?.length === 0 && <p className="hint">This is the last time.</p>}
      {answer?.dates && answer.dates.length > 0 && (
        <>
          <p className="hint">{anchor === 'completion' ? 'Next, if done in time:' : 'Next:'}</p>
          <ul>
            {answer.dates.map((date) => (
              <li key={date} className="badge">
                <time dateTime={date}>{inWords(date)}</time>
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}

function whyRefused(error: unknown): string {
  const problem = error instanceof TodoApiError ? error.errors[0] : undefined;
  return problem?.message ?? explain(error);
}
