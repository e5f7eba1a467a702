import type { Task } from '@/lib/api';
import { dayIn, dayOf, isOver } from '@/lib/due-date';

/** In the order in which they are shown. */
export const GROUPS = {
  overdue: 'Overdue',
  today: 'Today',
  upcoming: 'Upcoming',
  none: 'No date',
  done: 'Done',
} as const;

export type Group = keyof typeof GROUPS;

/** @param today the day of `now` */
export function groupOf({ completed, dueDate }: Task, now: Date, today = dayIn(0, now)): Group {
  if (completed) return 'done';
  if (dueDate === null) return 'none';
  if (isOver(dueDate, now, today)) return 'overdue';
  return dayOf(dueDate) === today ? 'today' : 'upcoming';
}

/** The groups that have tasks. Within a group they stay in their order. */
export function inGroups(tasks: readonly Task[], now: Date): readonly (readonly [Group, readonly Task[]])[] {
  // Once: with thousands of tasks that is most of the work.
  const today = dayIn(0, now);
  const groups = Map.groupBy(tasks, (task) => groupOf(task, now, today));
  return (Object.keys(GROUPS) as Group[]).flatMap((group) => {
    const members = groups.get(group);
    return members ? [[group, members] as const] : [];
  });
}
