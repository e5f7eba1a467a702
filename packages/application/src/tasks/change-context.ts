import type { EventOrigin, UserId } from '@todo-backend/domain';
import type { IdGenerator } from '../ids.js';

/** What a change of many tasks depends on. */
export interface ChangeContext {
  readonly owner: UserId;
  readonly newId: IdGenerator;
  /** The origin of the next event. */
  readonly newOrigin: () => EventOrigin;
}
