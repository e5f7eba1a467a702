import type { Timestamp } from '@todo-backend/domain';

/** Returns the current time. */
export type Clock = () => Timestamp;
