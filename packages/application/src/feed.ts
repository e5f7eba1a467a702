import type { UserId } from '@todo-backend/domain';
import type { JournalPosition } from './position.js';

/** Called when a journal may have grown: up to `position`, where that is known. */
export type Wake = (position?: JournalPosition) => void;

/**
 * Tells those who wait for changes that there may be some. It carries hints, not changes: they come more than once, and
 * some for nothing. What happened is in the journal.
 */
export interface ChangeFeed {
  /** Says that the owner's journal has grown: up to `position`, where that is known. Neither waits nor fails. */
  announce(owner: UserId, position?: JournalPosition): void;

  /**
   * Calls `wake` when the owner's journal may have grown after the subscription: at once where the change was announced
   * here, and within seconds where it was made by another process.
   *
   * @returns ends the subscription
   */
  subscribe(owner: UserId, wake: Wake): () => void;
}

/** A {@link ChangeFeed} that knows who subscribes. */
export interface LocalFeed extends ChangeFeed {
  /** The owners whose journals are watched. */
  watched(): UserId[];
}

/** The feed of one process: all there is in memory and on an embedded database, and a part of what servers share. */
export function localFeed(): LocalFeed {
  const subscriptions = new Map<UserId, Set<Wake>>();
  return {
    announce(owner, position) {
      for (const wake of subscriptions.get(owner) ?? []) wake(position);
    },
    subscribe(owner, wake) {
      const ofOwner = subscriptions.get(owner) ?? new Set();
      subscriptions.set(owner, ofOwner.add(wake));
      return () => {
        ofOwner.delete(wake);
        if (ofOwner.size === 0 && subscriptions.get(owner) === ofOwner) subscriptions.delete(owner);
      };
    },
    watched: () => [...subscriptions.keys()],
  };
}
