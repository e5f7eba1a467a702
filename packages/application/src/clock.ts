import type { Timestamp } from '@todo-backend/domain';

/** Tells the time. */
export type Clock = () => Timestamp;
