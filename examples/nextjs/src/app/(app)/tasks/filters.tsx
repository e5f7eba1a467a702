import { useSearchParams } from 'next/navigation';
import { type RefObject, useCallback, useEffect, useId, useMemo, useState } from 'react';
import { icons } from '@/components/icons';
import type { Task, TaskQuery } from '@/lib/api';
import { dayIn, dueOn } from '@/lib/due-date';
import { CATEGORIES, DUE, ORDERS, options, PRIORITIES, STATUSES } from './choices';
import { groupOf } from './groups';

const CHOICES = { status: STATUSES, priority: PRIORITIES, category: CATEGORIES, due: DUE, order: ORDERS };
const TEXTS = ['tag', 'search'] as const;
const NAMES = ['status', 'priority', 'category', 'due', 'tag', 'search', 'order'] as const;
const NOTHING = { status: '', priority: '', category: '', due: '', tag: '', search: '' };

/** Milliseconds without a key pressed after which is searched. */
const PAUSE = 300;

/**
 * Which tasks are shown, and in which order. It is in the address too: it can be bookmarked, and survives a reload.
 *
 * @param visit another one each time that somebody is led here, and the address counts again
 * @param now another one each minute: with the day, the tasks of today are others
 */
export function useFilters(visit: string, now: Date) {
  const params = useSearchParams();
  const [choice, setChoice] = useState(() => fromAddress(params));
  const [typed, setTyped] = useState(choice.search);
  const [lastVisit, setLastVisit] = useState(visit);
  if (visit !== lastVisit) {
    const led = fromAddress(params);
    setLastVisit(visit);
    setChoice(led);
    setTyped(led.search);
  }
  const today = dayIn(0, now);
  // biome-ignore lint/correctness/useExhaustiveDependencies: within a day it stays the same
  const query = useMemo(() => toQuery(choice, now), [choice, today]);

  useEffect(() => {
    const timer = setTimeout(() => {
      setChoice((choice) => (choice.search === typed.trim() ? choice : { ...choice, search: typed.trim() }));
    }, PAUSE);
    return () => clearTimeout(timer);
  }, [typed]);

  useEffect(() => {
    const given = Object.entries(choice).filter(([, value]) => value !== '');
    const text = given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
    history.replaceState(null, '', location.pathname + text);
  }, [choice]);

  return {
    query,
    /** What the API cannot be asked for: what is due today without a time is not overdue before tomorrow. */
    matches: useMemo(
      () => (choice.due === 'overdue' ? (task: Task) => groupOf(task, now) === 'overdue' : undefined),
      [choice.due, now],
    ),
    choice,
    choose: (name: keyof typeof CHOICES | 'tag', value: string) =>
      setChoice((choice) => ({ ...choice, [name]: value })),
    typed,
    setTyped,
    isFiltered: Object.keys(NOTHING).some((name) => choice[name as keyof typeof NOTHING] !== ''),
    clear: useCallback(() => {
      setTyped('');
      setChoice((choice) => ({ ...choice, ...NOTHING }));
    }, []),
    /** What a new task is, so that it is among those that are shown. */
    defaults: {
      priority: query.priority ?? 'medium',
      category: query.category ?? 'personal',
      ...(query.tag && { tags: query.tag }),
      ...(choice.due === 'today' && { dueDate: dueOn({ day: today, time: '' }) }),
    } as const,
  };
}

type Filters = ReturnType<typeof useFilters>;

interface FilterBarProps {
  readonly filters: Filters;
  /** The field of the search. */
  readonly ref: RefObject<HTMLInputElement | null>;
}

export function FilterBar({ filters, ref }: FilterBarProps) {
  const { choice, choose, typed, setTyped } = filters;
  const name = useId();
  // On a small screen: how many there are behind the button.
  const [isOpen, setOpen] = useState(false);
  const inUse = [choice.priority, choice.category, choice.due, choice.order].filter((value) => value !== '').length;
  return (
    <search className="filters" aria-label="Tasks">
      <label className="search">
        <span className="for-screen-readers">Search</span>
        {icons.search}
        <input
          ref={ref}
          type="search"
          placeholder="Search"
          dir="auto"
          aria-keyshortcuts="/"
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
        />
      </label>
      <fieldset className="segments">
        <legend className="for-screen-readers">Status</legend>
        {options({ '': 'All', ...STATUSES }).map((option) => (
          <label key={option.value}>
            <input
              type="radio"
              name={name}
              value={option.value}
              checked={choice.status === option.value}
              onChange={() => choose('status', option.value)}
            />
            <span>{option.name}</span>
          </label>
        ))}
      </fieldset>
      <button
        type="button"
        className="more"
        aria-expanded={isOpen}
        aria-controls={`${name}-more`}
        onClick={() => setOpen(!isOpen)}
      >
        {icons.filters} Filters
        {inUse > 0 && (
          <span className="badge">
            {inUse}
            <span className="for-screen-readers"> in use</span>
          </span>
        )}
      </button>
      <div id={`${name}-more`} className={isOpen ? 'selects is-open' : 'selects'}>
        <Select
          label="Priority"
          value={choice.priority}
          choices={{ '': 'Any priority', ...PRIORITIES }}
          onChoose={(value) => choose('priority', value)}
        />
        <Select
          label="Category"
          value={choice.category}
          choices={{ '': 'Any category', ...CATEGORIES }}
          onChoose={(value) => choose('category', value)}
        />
        <Select
          label="Due"
          value={choice.due}
          choices={{ '': 'Any due date', ...DUE }}
          onChoose={(value) => choose('due', value)}
        />
        <Select label="Order" value={choice.order} choices={ORDERS} onChoose={(value) => choose('order', value)} />
      </div>
      {choice.tag !== '' && (
        <p className="tags">
          <button
            type="button"
            className="chip is-chosen"
            aria-label={`Not only the tag “${choice.tag}”`}
            onClick={() => choose('tag', '')}
          >
            <bdi>{choice.tag}</bdi> ×
          </button>
        </p>
      )}
    </search>
  );
}

interface SelectProps {
  readonly label: string;
  readonly value: string;
  readonly choices: Readonly<Record<string, string>>;
  readonly onChoose: (value: string) => void;
}

function Select({ label, value, choices, onChoose }: SelectProps) {
  return (
    <select aria-label={label} value={value} onChange={(event) => onChoose(event.target.value)}>
      {options(choices).map((option) => (
        <option key={option.value} value={option.value}>
          {option.name}
        </option>
      ))}
    </select>
  );
}

/** What the address says, as far as it can be chosen. */
function fromAddress(params: URLSearchParams) {
  const entries = NAMES.map((name) => {
    const value = params.get(name) ?? '';
    return [name, isText(name) || Object.hasOwn(CHOICES[name], value) ? value : ''];
  });
  return Object.fromEntries(entries) as Record<(typeof NAMES)[number], string>;
}

function isText(name: (typeof NAMES)[number]): name is (typeof TEXTS)[number] {
  return TEXTS.some((text) => text === name);
}

function toQuery({ order, tag, due, ...filters }: ReturnType<typeof fromAddress>, now: Date): TaskQuery {
  const [sort_by = '', sort_order = ''] = order.split('-');
  const given = Object.entries({ ...filters, sort_by, sort_order }).filter(([, value]) => value !== '');
  return { ...dueQuery(due, now), ...Object.fromEntries(given), ...(tag !== '' && { tag: [tag] }) };
}

/** By the clock and the time zone of the browser. */
function dueQuery(due: string, now: Date): TaskQuery {
  const { timeZone: time_zone } = Intl.DateTimeFormat().resolvedOptions();
  const [today, tomorrow] = [dayIn(0, now), dayIn(1, now)];
  switch (due) {
    case 'overdue':
      // Also what is due later today: see `matches`.
      return { status: 'pending', due_before: tomorrow, time_zone };
    case 'today':
      return { due_after: today, due_before: tomorrow, time_zone };
    case 'week':
      return { due_after: today, due_before: dayIn(7, now), time_zone };
    case 'none':
      return { has_due_date: false };
    default:
      return {};
  }
}
