import type { Clock, IdGenerator } from '@todo-backend/application';
import { justAfter, type Timestamp } from '@todo-backend/domain';

/** A clock that only moves when told to. */
export interface FixedClock extends Clock {
  /** Sets the clock, also backwards. */
  set(moment: Timestamp): void;
  /** Advances the clock by a millisecond. */
  tick(): void;
}

/** A clock that shows `start` until it is moved. */
export function fixedClock(start: Timestamp = '2026-03-01T12:00:00.000Z'): FixedClock {
  let now = start;
  return Object.assign(() => now, {
    set: (moment: Timestamp) => {
      now = moment;
    },
    tick: () => {
      now = justAfter(now);
    },
  });
}

/** Ids that count up: `00000000-0000-7000-8000-000000000001` and so on. */
export function sequentialIds(): IdGenerator {
  let last = 0;
  return () => `00000000-0000-7000-8000-${(++last).toString(16).padStart(12, '0')}`;
}
