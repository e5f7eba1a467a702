import { UserRow } from './better-auth.js';
import { DeadLetterRow } from './dead-letters.js';
import { IdempotencyKeyRow } from './idempotency-keys.js';
import { RateLimitRow } from './rate-limits.js';
import { TaskEventRow } from './task-events.js';
import { TaskLedgerRow } from './task-ledgers.js';
import { TaskRow } from './tasks.js';

/** One entity for each table. */
export const entities = [UserRow, TaskRow, TaskLedgerRow, TaskEventRow, DeadLetterRow, IdempotencyKeyRow, RateLimitRow];

/** Tables that MikroORM does not manage: those of Better Auth, and the list of migrations. */
export const UNMANAGED_TABLES = ['user', 'jwks', 'mikro_orm_migrations'] as const;
