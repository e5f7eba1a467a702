import type { JournalEntry, Outbox, RequeuedEvent, Retry, Settlement, WaitingEvents } from '@todo-backend/application';
import type { UserId } from '@todo-backend/domain';
import type { InMemoryTaskRepository } from './in-memory-task-repository.js';

/** How far the delivery of one user's events has got. Times are in milliseconds. */
interface Progress {
  reached: number;
  attempts: number;
  deliverAfter: number;
  claim: string | undefined;
}

/** A dead letter; not delivered until it is requeued. */
interface DeadLetter {
  readonly entry: JournalEntry;
  reason: string;
  attempts: number;
  deliverAfter: number;
  claim: string | undefined;
}

/** The journals of an {@link InMemoryTaskRepository} as a queue, for tests. */
export class InMemoryOutbox implements Outbox {
  readonly #repository: InMemoryTaskRepository;
  readonly #progress = new Map<UserId, Progress>();
  readonly #deadLetters = new Map<string, DeadLetter>();
  readonly #now: () => number;
  #claims = 0;

  /** @param now milliseconds since 1970 */
  constructor(repository: InMemoryTaskRepository, now: () => number = Date.now) {
    this.#repository = repository;
    this.#now = now;
  }

  /** The dead letters that are not requeued, with their reasons. */
  get deadLetters(): { eventId: string; reason: string }[] {
    return this.#letters()
      .filter(({ deliverAfter }) => deliverAfter === Number.POSITIVE_INFINITY)
      .map(({ entry, reason }) => ({ eventId: entry.id, reason }));
  }

  /** Requeues one dead letter or all of them. Returns how many. */
  async requeue(eventId?: string): Promise<number> {
    const letters = this.#letters().filter(
      ({ entry, deliverAfter }) =>
        deliverAfter === Number.POSITIVE_INFINITY && (eventId === undefined || entry.id === eventId),
    );
    for (const letter of letters) Object.assign(letter, { deliverAfter: this.#now(), attempts: 0 });
    return letters.length;
  }

  /** The number of undelivered events. */
  get waiting(): number {
    const left = [...this.#repository.journals()].map(
      ([user, { sequence }]) => sequence - this.#progressOf(user).reached,
    );
    return left.reduce((sum, events) => sum + events, 0);
  }

  async claim(lease: number): Promise<{ waiting: WaitingEvents[]; requeued: RequeuedEvent[] }> {
    const now = this.#now();
    const waiting: WaitingEvents[] = [];
    for (const [userId, journal] of this.#repository.journals()) {
      const progress = this.#progressOf(userId);
      if (journal.sequence <= progress.reached || progress.deliverAfter > now) continue;
      const entries = journal.entries.filter(({ sequence }) => sequence > progress.reached);
      const claim = this.#claim(progress, now + lease);
      waiting.push({ userId, claim, entries, upTo: journal.sequence, attempts: progress.attempts });
    }
    const requeued = this.#letters()
      .filter(({ deliverAfter }) => deliverAfter <= now)
      .map((letter) => ({
        entry: letter.entry,
        claim: this.#claim(letter, now + lease),
        attempts: letter.attempts,
      }));
    return { waiting, requeued };
  }

  async settle({ userId, claim }: WaitingEvents, settlement: Settlement): Promise<boolean> {
    const progress = this.#progressOf(userId);
    if (progress.claim !== claim || !this.#repository.journals().has(userId)) return false;
    const { reached = 0, attempts, delay, buried } = settlement;
    Object.assign(progress, {
      reached: Math.max(progress.reached, reached),
      attempts,
      deliverAfter: this.#now() + delay,
      claim: undefined,
    });
    for (const { entry, reason } of buried) {
      this.#deadLetters.set(entry.id, {
        entry,
        reason,
        attempts: 0,
        deliverAfter: Number.POSITIVE_INFINITY,
        claim: undefined,
      });
    }
    return true;
  }

  async postpone({ entry, claim }: RequeuedEvent, { attempts, delay }: Retry): Promise<boolean> {
    return this.#settleLetter(entry, claim, { attempts, deliverAfter: this.#now() + delay });
  }

  async bury({ entry, claim }: RequeuedEvent, reason: string): Promise<boolean> {
    return this.#settleLetter(entry, claim, { reason, deliverAfter: Number.POSITIVE_INFINITY });
  }

  async unbury({ id }: JournalEntry): Promise<void> {
    this.#deadLetters.delete(id);
  }

  #settleLetter({ id }: JournalEntry, claim: string, change: Partial<DeadLetter>): boolean {
    const letter = this.#letters().find(({ entry }) => entry.id === id);
    if (letter?.claim !== claim) return false;
    Object.assign(letter, change, { claim: undefined });
    return true;
  }

  /** The dead letters whose events are still in a journal. */
  #letters(): DeadLetter[] {
    const journals = this.#repository.journals();
    return [...this.#deadLetters.values()].filter(({ entry }) =>
      journals.get(entry.userId)?.entries.some(({ id }) => id === entry.id),
    );
  }

  #claim(claimed: Progress | DeadLetter, until: number): string {
    claimed.deliverAfter = until;
    claimed.claim = String(++this.#claims);
    return claimed.claim;
  }

  #progressOf(userId: UserId): Progress {
    const known = this.#progress.get(userId) ?? { reached: 0, attempts: 0, deliverAfter: 0, claim: undefined };
    this.#progress.set(userId, known);
    return known;
  }
}
