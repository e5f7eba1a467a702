import { type Database, expireIdempotencyKeys, onceReachable, type SqlOutbox } from '@todo-backend/infrastructure';
import type { Config } from './config.js';
import { createContainer } from './container.js';
import { createLogger } from './logger.js';
import { openDatabase } from './serve.js';

const DAY = 86_400_000;

/** Migrates the database. Prints the names of the migrations that were run. */
export async function migrate(config: Config): Promise<void> {
  await withDatabase(config, async (database) => {
    const done = await whenReachable(config, () => database.migrate(config));
    console.log(done.length === 0 ? 'The database is up to date.' : `Migrated: ${done.join(', ')}`);
  });
}

/** Deletes the events past the journal's retention, and expired idempotency keys. Prints their numbers. */
export async function prune(config: Config): Promise<void> {
  const { retentionDays, sinkUrl } = config.events;
  const before = new Date(Date.now() - retentionDays * DAY).toISOString();
  await withOutbox(config, async (outbox, database) => {
    const events = await outbox.prune(before, sinkUrl !== undefined, (soFar) => console.log(`${soFar} events …`));
    console.log(`Deleted ${events} events from before ${before}.`);
    console.log(`Deleted ${await expireIdempotencyKeys(database)} expired idempotency keys.`);
  });
}

/** Prints the dead letters. */
export async function listDeadLetters(config: Config): Promise<void> {
  await withOutbox(config, async (outbox) => {
    const letters = await outbox.deadLetters();
    for (const { eventId, type, failedAt, reason, userId, sequence } of letters) {
      console.log(`${eventId}  ${failedAt}  ${type}  ${JSON.stringify(userId)} ${sequence}  ${reason}`);
    }
    console.log(letters.length === 0 ? 'There are no dead letters.' : `${letters.length} dead letters.`);
  });
}

/** Requeues one dead letter, or all of them. */
export async function requeue(config: Config, eventId: string | undefined): Promise<void> {
  await withOutbox(config, async (outbox) => {
    const count = await outbox.requeue(eventId);
    console.log(
      count === 0 ? 'There is no such dead letter.' : `Requeued ${count}: the relay of a server takes them up.`,
    );
  });
}

async function withOutbox(
  config: Config,
  run: (outbox: SqlOutbox, database: Database) => Promise<void>,
): Promise<void> {
  await withDatabase(config, async (database) => {
    await whenReachable(config, () => database.check());
    const { outbox } = createContainer({ config, logger: await createLogger(config), database });
    await run(outbox, database);
  });
}

async function withDatabase(config: Config, run: (database: Database) => Promise<void>): Promise<void> {
  const { database, close } = await openDatabase(config);
  try {
    await run(database);
  } finally {
    await close();
  }
}

/** Runs what needs the database once it can be reached, and prints that it waits. */
function whenReachable<T>({ startTimeout }: Config, run: () => Promise<T>): Promise<T> {
  return onceReachable(run, {
    startTimeout,
    onWait: (reason) => console.error(`Waiting for the database: ${reason}`),
  });
}
