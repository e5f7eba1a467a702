import type { DuePage, DueReminders, RecordedReminders, Reminders, ToReminder } from '@todo-backend/application';
import type { UserId } from '@todo-backend/domain';
import type { InMemoryTaskRepository } from './in-memory-task-repository.js';

/** Reminders that one look finds. */
const DUE_AT_ONCE = 100;

/** The reminders of an {@link InMemoryTaskRepository}, for tests. */
export class InMemoryReminders implements Reminders {
  readonly #repository: InMemoryTaskRepository;
  readonly #now: () => number;

  /** @param now milliseconds since 1970 */
  constructor(repository: InMemoryTaskRepository, now: () => number = Date.now) {
    this.#repository = repository;
    this.#now = now;
  }

  async due(except: readonly UserId[]): Promise<DuePage> {
    const now = this.#now();
    const waits = this.#repository
      .toBeReminded()
      .filter(({ userId }) => !except.includes(userId))
      .map(({ userId, id, remindAt }) => ({ userId, id, wait: Date.parse(remindAt) - now }))
      .sort((a, b) => a.wait - b.wait);
    const due = waits.filter(({ wait }) => wait <= 0).slice(0, DUE_AT_ONCE);
    return {
      due: [...Map.groupBy(due, ({ userId }) => userId)].map(([userId, found]) => ({
        userId,
        tasks: found.map(({ id }) => id),
      })),
      more: due.length === DUE_AT_ONCE,
      next: waits.find(({ wait }) => wait > 0)?.wait,
    };
  }

  async record({ userId, tasks }: DueReminders, toReminder: ToReminder): Promise<RecordedReminders> {
    const now = new Date(this.#now()).toISOString();
    const coming = this.#repository
      .toBeReminded()
      .filter((task) => task.userId === userId && tasks.includes(task.id) && task.remindAt <= now)
      .sort((a, b) => (a.remindAt < b.remindAt ? -1 : 1));
    const events = coming.flatMap((task) => toReminder(task, now) ?? []);
    const position = this.#repository.remind(userId, coming, events);
    return { come: coming.length, position: events.length > 0 ? position : undefined };
  }
}
