import type { EntitySchemaWithMeta } from '@mikro-orm/core';
import type { InferKyselyTable } from '@mikro-orm/sql';
import type { GeneratedAlways } from 'kysely';
import type { UserRow } from './better-auth.js';
import type { DeadLetterRow } from './dead-letters.js';
import type { IdempotencyKeyRow } from './idempotency-keys.js';
import type { RateLimitRow } from './rate-limits.js';
import type { TaskEventRow } from './task-events.js';
import type { TaskLedgerRow } from './task-ledgers.js';
import type { StoredRecurrence, TaskRow } from './tasks.js';

type Table<Row extends EntitySchemaWithMeta> = InferKyselyTable<Row, { columnNamingStrategy: 'property' }>;

/** The types of the tables, for Kysely. */
export interface Tables {
  tasks: Omit<Table<typeof TaskRow>, 'completed' | 'tags' | 'recurrence'> & {
    completed: GeneratedAlways<boolean>;
    tags: readonly string[];
    recurrence: StoredRecurrence | null;
  };
  task_ledgers: Table<typeof TaskLedgerRow>;
  task_events: Table<typeof TaskEventRow>;
  // The reference to the event consists of the two columns of its key.
  dead_letters: Omit<Table<typeof DeadLetterRow>, 'event'> & Pick<Table<typeof TaskEventRow>, 'userId' | 'sequence'>;
  idempotency_keys: Table<typeof IdempotencyKeyRow>;
  rate_limits: Table<typeof RateLimitRow>;
  user: Table<typeof UserRow>;
}
