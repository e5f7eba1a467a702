import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Outbox, RequeuedEvent, Settlement, TaskRepository, WaitingEvents } from '@todo-backend/application';
import { createTask, type Timestamp, type UserId } from '@todo-backend/domain';
import { plain } from './contract.js';
import { taskWriter } from './task-writer.js';

/** What the contract needs besides the port. */
export interface OutboxHarness {
  readonly outbox: Outbox;
  /** Writes the events that the outbox delivers. */
  readonly tasks: TaskRepository;
  /** A new task id. */
  newId(): string;
  /** Creates a user. */
  newUser(): Promise<string>;
  /** Requeues all dead letters, as an operator does. */
  requeue(): Promise<unknown>;
  /** Deletes the events of all users older than `before`. */
  prune(before: Timestamp): Promise<unknown>;
  /** Deletes a user as the owner of the `user` table does; `undefined` when users are not checked. */
  readonly deleteUser?: ((user: UserId) => Promise<void>) | undefined;
}

/** A test of one behaviour that every {@link Outbox} must have; throws on failure. */
export interface OutboxCase {
  readonly name: string;
  verify(harness: OutboxHarness): Promise<void>;
}

/** Milliseconds: longer than any test takes. */
const LONG = 600_000;
/** Milliseconds: expires at once. */
const SHORT = 1;

/** The day after all events. */
const TOMORROW = '2026-03-02T00:00:00.000Z';

/**
 * The behaviour that the relay relies on, for every adapter of {@link Outbox}. Run the cases one after the other,
 * because a claim is not limited to the users of one case.
 */
export const outboxContract: readonly OutboxCase[] = [
  contract('delivers the events of a user in order, and each to one relay only', async (context) => {
    const { outbox, add, claim } = context;
    await add(3);
    const claimed = await claim(LONG);
    assert.deepEqual(sequences(claimed), [1, 2, 3]);
    assert.deepEqual([claimed.upTo, claimed.attempts], [3, 0]);
    await assert.rejects(claim(LONG), /nothing waits/, 'it is claimed');
    assert.equal(await outbox.settle(claimed, done(3)), true);
    await assert.rejects(claim(LONG), /nothing waits/, 'it is delivered');
    await add(1);
    const next = await claim(LONG);
    assert.deepEqual(sequences(next), [4]);
    await outbox.settle(next, done(4));
  }),

  contract('continues where a relay has stopped, and counts the failures of the next event', async (context) => {
    const { outbox, add, claim } = context;
    await add(3);
    await outbox.settle(await claim(LONG), { reached: 1, attempts: 2, delay: 0, buried: [] });
    const next = await claim(LONG);
    assert.deepEqual([sequences(next), next.attempts], [[2, 3], 2]);
    await outbox.settle(next, { reached: undefined, attempts: 3, delay: LONG, buried: [] });
    await assert.rejects(claim(LONG), /nothing waits/, 'not before the delay is over');
  }),

  contract('ends a claim with its lease, and rejects a late settlement', async (context) => {
    const { outbox, add, claim } = context;
    await add(2);
    const late = await claim(SHORT);
    await sleep(20);
    const second = await claim(LONG);
    assert.deepEqual(sequences(second), [1, 2]);
    assert.equal(await outbox.settle(late, done(2)), false);
    assert.equal(await outbox.settle(second, { reached: 1, attempts: 0, delay: 0, buried: [] }), true);
    const third = await claim(LONG);
    assert.deepEqual(sequences(third), [2], 'the late one changed nothing');
    await outbox.settle(third, done(2));
  }),

  contract('keeps dead letters until they are requeued', async (context) => {
    const { outbox, add, claim, claimRequeued } = context;
    await add(2);
    const claimed = await claim(LONG);
    const [first] = claimed.entries;
    assert.ok(first);
    await outbox.settle(claimed, { ...done(2), buried: [{ entry: first, reason: 'refused' }] });
    await assert.rejects(claimRequeued(LONG), /nothing is requeued/);

    await context.requeue();
    const requeued = await claimRequeued(LONG);
    assert.deepEqual([requeued.entry, requeued.attempts], [first, 0]);
    await assert.rejects(claimRequeued(LONG), /nothing is requeued/, 'it is claimed');
    assert.equal(await outbox.postpone(requeued, { attempts: 1, delay: 0 }), true);
    const again = await claimRequeued(SHORT);
    assert.equal(again.attempts, 1);
    await sleep(20);
    const owned = await claimRequeued(LONG);
    assert.equal(await outbox.postpone(again, { attempts: 9, delay: 0 }), false, 'its lease is over');
    assert.equal(await outbox.bury(again, 'late'), false);
    assert.equal(await outbox.bury(owned, 'refused again'), true);
    await assert.rejects(claimRequeued(LONG), /nothing is requeued/, 'it rests');

    await context.requeue();
    await outbox.unbury((await claimRequeued(LONG)).entry);
    await context.requeue();
    await assert.rejects(claimRequeued(LONG), /nothing is requeued/, 'it was delivered after all');
  }),

  contract('gives two concurrent relays different users', async ({ outbox, add, newUser }) => {
    const users = [await newUser(), await newUser(), await newUser()];
    for (const user of users) await add(1, user);
    const [one, other] = await Promise.all([outbox.claim(LONG), outbox.claim(LONG)]);
    const claimed = [...one.waiting, ...other.waiting].filter(({ userId }) => users.includes(userId));
    assert.deepEqual(claimed.map(({ userId }) => userId).sort(), [...users].sort());
    for (const waiting of claimed) await outbox.settle(waiting, done(waiting.upTo));
  }),

  contract('settles a claim once, and never goes back', async ({ outbox, add, claim }) => {
    await add(4);
    const claimed = await claim(LONG);
    assert.equal(await outbox.settle(claimed, done(2)), true);
    assert.equal(await outbox.settle(claimed, done(3)), false);
    const second = await claim(LONG);
    assert.deepEqual(sequences(second), [3, 4]);
    assert.equal(await outbox.settle(second, done(1)), true);
    const third = await claim(LONG);
    assert.deepEqual(sequences(third), [3, 4]);
    await outbox.settle(third, done(4));
  }),

  contract('leaves events written after a claim to the next claim', async ({ outbox, add, claim }) => {
    await add(2);
    const claimed = await claim(LONG);
    await add(3);
    await assert.rejects(claim(LONG), /nothing waits/, 'the user is claimed');
    assert.equal(await outbox.settle(claimed, done(claimed.upTo)), true);
    const next = await claim(LONG);
    assert.deepEqual([sequences(next), next.upTo], [[3, 4, 5], 5]);
    await outbox.settle(next, { ...done(4), delay: LONG });
    await add(1);
    await assert.rejects(claim(LONG), /nothing waits/, 'new events wait for the delay too');
  }),

  contract('delivers a long journal in parts, in order and without gaps', async ({ outbox, add, claim }) => {
    await add(230);
    const seen: number[] = [];
    while (seen.length < 230) {
      const claimed = await claim(LONG);
      seen.push(...sequences(claimed));
      assert.equal(claimed.upTo, seen.at(-1), 'a part ends with its last event');
      assert.equal(await outbox.settle(claimed, done(claimed.upTo)), true);
    }
    assert.deepEqual(seen, numbersTo(230));
    await assert.rejects(claim(LONG), /nothing waits/);
  }),

  contract('gives each user to only one of many relays', async ({ outbox, addUsers }) => {
    const users = await addUsers(45);
    const claimed: WaitingEvents[] = [];
    const relay = async () => {
      for (;;) {
        const { waiting } = await outbox.claim(LONG);
        if (waiting.length === 0) return;
        claimed.push(...waiting.filter(({ userId }) => users.includes(userId)));
      }
    };
    await Promise.all([relay(), relay(), relay(), relay()]);
    assert.deepEqual(claimed.map(({ userId }) => userId).sort(), users.sort());
    for (const waiting of claimed) await outbox.settle(waiting, done(waiting.upTo));
  }),

  contract('serves all users before it serves one again', async ({ outbox, addUsers }) => {
    const users = await addUsers(45);
    const served = new Set<UserId>();
    while (served.size < users.length) {
      const waiting = (await outbox.claim(LONG)).waiting.filter(({ userId }) => users.includes(userId));
      const isAgain = waiting.some(({ userId }) => served.has(userId));
      for (const claimed of waiting) {
        served.add(claimed.userId);
        assert.equal(await outbox.settle(claimed, done(0)), true);
      }
      assert.ok(!isAgain || served.size === users.length, 'somebody comes again, and others have not had a turn');
    }
    for (let left = users.length; left > 0; ) {
      for (const claimed of (await outbox.claim(LONG)).waiting) {
        await outbox.settle(claimed, done(claimed.upTo));
        if (users.includes(claimed.userId)) left--;
      }
    }
  }),

  contract('gives each requeued event to only one of many relays', async (context) => {
    const { outbox, add, claim } = context;
    await add(45);
    const claimed = await claim(LONG);
    const buried = claimed.entries.map((entry) => ({ entry, reason: 'refused' }));
    await outbox.settle(claimed, { ...done(45), buried });
    await context.requeue();
    const given: RequeuedEvent[] = [];
    const relay = async () => {
      for (;;) {
        const { requeued } = await outbox.claim(LONG);
        if (requeued.length === 0) return;
        given.push(...requeued.filter(({ entry }) => entry.userId === claimed.userId));
      }
    };
    await Promise.all([relay(), relay(), relay(), relay()]);
    assert.deepEqual(
      given.map(({ entry }) => entry.sequence).sort((a, b) => a - b),
      sequences(claimed),
    );
    for (const { entry } of given) await outbox.unbury(entry);
  }),

  contract('removes a dead letter that was delivered, whoever has claimed it', async (context) => {
    const { outbox, add, claim, claimRequeued } = context;
    await add(1);
    const claimed = await claim(LONG);
    await outbox.settle(claimed, {
      ...done(1),
      buried: claimed.entries.map((entry) => ({ entry, reason: 'refused' })),
    });
    await context.requeue();
    const requeued = await claimRequeued(LONG);
    await outbox.unbury(requeued.entry);
    assert.equal(await outbox.postpone(requeued, { attempts: 1, delay: 0 }), false);
    assert.equal(await outbox.bury(requeued, 'too late'), false);
    await outbox.unbury(requeued.entry);
    await context.requeue();
    await assert.rejects(claimRequeued(LONG), /nothing is requeued/);
  }),

  contract('skips the gap that pruning leaves', async ({ outbox, add, claim, prune }) => {
    await add(2);
    await prune(TOMORROW);
    const nothing = await claim(LONG);
    assert.deepEqual([sequences(nothing), nothing.upTo], [[], 2]);
    assert.equal(await outbox.settle(nothing, done(nothing.upTo)), true);
    await assert.rejects(claim(LONG), /nothing waits/);
    await add(1);
    const next = await claim(LONG);
    assert.deepEqual(sequences(next), [3], 'counting goes on');
    await outbox.settle(next, done(3));
  }),

  contract('creates no dead letter for an event that was pruned meanwhile', async (context) => {
    const { outbox, add, claim, claimRequeued } = context;
    await add(1);
    const claimed = await claim(LONG);
    await context.prune(TOMORROW);
    const buried = claimed.entries.map((entry) => ({ entry, reason: 'refused' }));
    assert.equal(await outbox.settle(claimed, { ...done(1), buried }), true);
    await context.requeue();
    await assert.rejects(claimRequeued(LONG), /nothing is requeued/);
  }),

  contract('forgets a deleted user', async (context) => {
    const { outbox, add, claim, claimRequeued, deleteUser } = context;
    if (deleteUser === undefined) return;
    await add(2);
    const first = await claim(LONG);
    const buried = first.entries.slice(0, 1).map((entry) => ({ entry, reason: 'refused' }));
    await outbox.settle(first, { ...done(1), buried });
    await context.requeue();
    const { waiting, requeued } = await outbox.claim(LONG);
    const claimed = waiting.find(({ userId }) => userId === first.userId) ?? assert.fail();
    const letter = requeued.find(({ entry }) => entry.userId === first.userId) ?? assert.fail();
    await deleteUser(first.userId);
    assert.equal(await outbox.settle(claimed, { ...done(2), buried }), false);
    assert.equal(await outbox.postpone(letter, { attempts: 0, delay: 0 }), false);
    assert.equal(await outbox.bury(letter, 'too late'), false);
    await context.requeue();
    await assert.rejects(claimRequeued(LONG), /nothing is requeued/);
    await assert.rejects(claim(LONG), /nothing waits/);
  }),
];

interface Context extends OutboxHarness {
  /** Writes this many events of a user; default: the test's own. */
  add(events: number, user?: string): Promise<void>;
  /** Creates this many users, with one event each. */
  addUsers(count: number): Promise<UserId[]>;
  /** Claims, and returns the claim of the test's own user. */
  claim(lease: number): Promise<WaitingEvents>;
  claimRequeued(lease: number): Promise<RequeuedEvent>;
}

function contract(name: string, verify: (context: Context) => Promise<void>): OutboxCase {
  return {
    name,
    async verify(harness) {
      const { outbox, tasks, newId } = harness;
      const owner = await harness.newUser();
      const add = async (events: number, userId = owner) => {
        for (let i = 0; i < events; i++) {
          await taskWriter(tasks).add(createTask(plain, { id: newId(), userId, now: '2026-03-01T12:00:00.000Z' }));
        }
      };
      await verify({
        ...harness,
        add,
        async addUsers(count) {
          const users = await Promise.all(Array.from({ length: count }, () => harness.newUser()));
          await Promise.all(users.map((user) => add(1, user)));
          return users;
        },
        async claim(lease) {
          const { waiting } = await outbox.claim(lease);
          return waiting.find(({ userId }) => userId === owner) ?? assert.fail('nothing waits');
        },
        async claimRequeued(lease) {
          const { requeued } = await outbox.claim(lease);
          return requeued.find(({ entry }) => entry.userId === owner) ?? assert.fail('nothing is requeued');
        },
      });
    },
  };
}

function sequences({ entries }: WaitingEvents): number[] {
  return entries.map(({ sequence }) => sequence);
}

function done(reached: number): Settlement {
  return { reached, attempts: 0, delay: 0, buried: [] };
}

function numbersTo(length: number): number[] {
  return Array.from({ length }, (_, i) => i + 1);
}
