import { type ChangeFeed, type JournalPosition, journalPosition, localFeed } from '@todo-backend/application';
import type { UserId } from '@todo-backend/domain';
import { sql } from 'kysely';
import { ledgerPosition } from '../journal/ledger.js';
import type { Database } from '../postgres/database.js';
import type { Notifications } from '../postgres/notifications.js';

/** Options of {@link serverFeed}. */
export interface ServerFeedOptions {
  /** Milliseconds between two looks at the ledgers of watched users. Default 2 seconds. */
  readonly pollInterval?: number | undefined;
  /** Milliseconds for which changes are collected before other servers are told of them. Default 200. */
  readonly notifyInterval?: number | undefined;
  /** Whether there are no notifications, as behind a transaction pooler: then looking at the ledgers is all there is. */
  readonly pollsOnly?: boolean | undefined;
  /** Called when the database cannot be asked, and not again until everything that failed has succeeded. */
  readonly onProblem?: ((error: unknown) => void) | undefined;
}

/** A feed that runs in the background. */
export interface RunningFeed extends ChangeFeed {
  /** Ends what it does in the background. */
  close(): Promise<void>;
}

/** Users whose ledgers one statement looks at. */
const POLLED_AT_ONCE = 5_000;

/** Users that other servers are told of at once. The others are left to the poll. */
const NOTIFIED_AT_ONCE = 1_000;

/**
 * The feed of servers that share a database. Those who wait on the same server hear of a change at once. Between servers,
 * a notification goes out after the commit, on a connection of its own: in the transaction of the change it would make
 * all commits wait for each other. Notifications may be lost, so every few seconds the ledgers of the watched users are
 * looked at, which alone would be right.
 */
export function serverFeed(database: Database, options: ServerFeedOptions = {}): RunningFeed {
  const { pollInterval = 2_000, notifyInterval = 200, pollsOnly = false, onProblem } = options;
  const local = localFeed();
  const changed = new Set<UserId>();
  let notifications: Notifications | undefined;
  let isListening = false;
  /** The steps that failed when they last asked the database. */
  const failing = new Set<() => Promise<boolean>>();
  let isClosed = false;
  let soon: NodeJS.Timeout | undefined;

  function tell(step: () => Promise<boolean>, error: unknown): void {
    if (failing.size === 0 && !isClosed) onProblem?.(error);
    failing.add(step);
  }

  /** Forgets the connection, and what it may not have sent: the next one begins anew. */
  function lose(lost: Notifications | undefined): void {
    if (lost === undefined || lost !== notifications) return;
    notifications = undefined;
    isListening = false;
    // Nobody waits for the end of a connection that does not answer.
    lost.close().catch(() => {});
  }

  /** Listens where somebody waits, and tells other servers what has changed here. */
  async function notify(): Promise<boolean> {
    const wantsToListen = local.watched().length > 0;
    if (pollsOnly || isClosed || (changed.size === 0 && wantsToListen === isListening)) return false;
    notifications ??= await connect();
    const connection = notifications;
    const owners = [...changed];
    changed.clear();
    try {
      if (wantsToListen !== isListening) await connection.listen(wantsToListen);
      if (owners.length > 0) await connection.send(owners);
    } catch (error) {
      lose(connection);
      // The next time goes on from here.
      for (const owner of owners) changed.add(owner);
      throw error;
    }
    isListening = connection === notifications && wantsToListen;
    return true;
  }

  async function connect(): Promise<Notifications> {
    let opened: Notifications | undefined;
    opened = await database.openNotifications({
      onPayload: (owner) => local.announce(owner),
      onLost(error) {
        lose(opened);
        if (error !== undefined) tell(notify, error);
      },
    });
    return opened;
  }

  async function poll(): Promise<boolean> {
    const watched = local.watched();
    for (let start = 0; start < watched.length && !isClosed; start += POLLED_AT_ONCE) {
      const owners = watched.slice(start, start + POLLED_AT_ONCE);
      const positions = await positionsOf(database, owners);
      // Who has no ledger had no task yet, or was deleted.
      for (const owner of owners) local.announce(owner, positions.get(owner) ?? journalPosition(0));
    }
    return watched.length > 0;
  }

  const notifying = repeated(notify);
  const polling = repeated(poll);

  /**
   * Runs a step, and once more where it was asked for meanwhile. One that fails is told of, and the next poll makes up for
   * it. A step that had nothing to ask the database says nothing about an outage.
   */
  function repeated(step: () => Promise<boolean>) {
    let running: Promise<void> | undefined;
    let isWanted = false;
    const run = async () => {
      do {
        isWanted = false;
        try {
          if (await step()) failing.delete(step);
        } catch (error) {
          tell(step, error);
        }
      } while (isWanted && !isClosed);
      running = undefined;
    };
    return {
      run(): void {
        isWanted = true;
        running ??= run();
      },
      end: () => running,
    };
  }

  const notifySoon = () => {
    if (pollsOnly || isClosed) return;
    soon ??= setTimeout(() => {
      soon = undefined;
      notifying.run();
    }, notifyInterval).unref();
  };

  const timer = setInterval(() => {
    notifying.run();
    polling.run();
  }, pollInterval).unref();

  return {
    announce(owner, position) {
      local.announce(owner, position);
      if (pollsOnly || changed.size >= NOTIFIED_AT_ONCE) return;
      changed.add(owner);
      notifySoon();
    },
    subscribe(owner, wake) {
      const unsubscribe = local.subscribe(owner, wake);
      if (!isListening) notifySoon();
      return unsubscribe;
    },
    async close() {
      isClosed = true;
      clearInterval(timer);
      clearTimeout(soon);
      await Promise.all([notifying.end(), polling.end()]);
      await notifications?.close();
    },
  };
}

/** How far the journals of these users have come. */
async function positionsOf(database: Database, owners: readonly UserId[]): Promise<Map<UserId, JournalPosition>> {
  const rows = await database.transaction({ task: 'feed' }, (db) =>
    db
      .selectFrom('task_ledgers')
      .select(['userId', ledgerPosition])
      .where('userId', '=', sql<UserId>`any(${owners}::text[])`)
      .execute(),
  );
  return new Map(rows.map(({ userId, position }) => [userId, position]));
}
