import type { Category, Priority } from '@/lib/api';

export const STATUSES = { pending: 'To do', completed: 'Done' } as const;

export const PRIORITIES: Readonly<Record<Priority, string>> = { high: 'High', medium: 'Medium', low: 'Low' };

export const CATEGORIES: Readonly<Record<Category, string>> = {
  work: 'Work',
  personal: 'Personal',
  home: 'Home',
  other: 'Other',
};

/** When tasks are due. */
export const DUE = { overdue: 'Overdue', today: 'Today', week: 'Next 7 days', none: 'No date' } as const;

/** `sort_by` and `sort_order`, in words. */
export const ORDERS = {
  '': 'Newest first',
  'createdAt-asc': 'Oldest first',
  'dueDate-asc': 'Due first',
  'dueDate-desc': 'Due last',
  'priority-desc': 'Most important first',
  'priority-asc': 'Least important first',
  'title-asc': 'Title, A to Z',
  'title-desc': 'Title, Z to A',
  'updatedAt-desc': 'Recently changed',
} as const;

/** The options of a `<select>`. */
export function options(choices: Readonly<Record<string, string>>) {
  return Object.entries(choices).map(([value, name]) => ({ value, name }));
}
