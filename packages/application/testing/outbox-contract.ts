import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Outbox, RequeuedEvent, Settlement, TaskRepository, WaitingEvents } from '@todo-backend/application';
import { createTask } from '@todo-backend/domain';
import { taskWriter } from './task-writer.js';

/** What the contract needs of an adapter besides the port. */
export interface OutboxHarness {
  readonly outbox: Outbox;
  /** Writes the events that the outbox hands on. */
  readonly tasks: TaskRepository;
  /** A fresh id for a task. */
  newId(): string;
  /** Lets a new user exist. */
  newUser(): Promise<string>;
  /** Has all dead letters delivered once more, as an operator does. */
  requeue(): Promise<unknown>;
}

/** One thing that every {@link Outbox} does, as a test that throws where it does not. */
export interface OutboxCase {
  readonly name: string;
  verify(harness: OutboxHarness): Promise<void>;
}

/** Milliseconds: longer than any test takes. */
const LONG = 60_000;
/** Milliseconds: over at once. */
const SHORT = 1;

/**
 * The behaviour that the relay relies on, for every adapter of {@link Outbox}. Run the cases one after the other: a claim
 * takes the events of all users.
 */
export const outboxContract: readonly OutboxCase[] = [
  contract('hands on the events of a user in their order, and each to one relay only', async (context) => {
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

  contract('goes on where a relay has stopped, and counts how often the next event has failed', async (context) => {
    const { outbox, add, claim } = context;
    await add(3);
    await outbox.settle(await claim(LONG), { reached: 1, attempts: 2, delay: 0, buried: [] });
    const next = await claim(LONG);
    assert.deepEqual([sequences(next), next.attempts], [[2, 3], 2]);
    await outbox.settle(next, { reached: undefined, attempts: 3, delay: LONG, buried: [] });
    await assert.rejects(claim(LONG), /nothing waits/, 'not before the delay is over');
  }),

  contract('ends a claim with its lease, and tells whoever settles too late', async (context) => {
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

  contract('gives two relays at once different users', async ({ outbox, add, newUser }) => {
    const users = [await newUser(), await newUser(), await newUser()];
    for (const user of users) await add(1, user);
    const [one, other] = await Promise.all([outbox.claim(LONG), outbox.claim(LONG)]);
    const claimed = [...one.waiting, ...other.waiting].filter(({ userId }) => users.includes(userId));
    assert.deepEqual(claimed.map(({ userId }) => userId).sort(), [...users].sort());
    for (const waiting of claimed) await outbox.settle(waiting, done(waiting.upTo));
  }),
];

interface Context extends OutboxHarness {
  /** Writes so many events of a user: the test's own when left out. */
  add(events: number, user?: string): Promise<void>;
  /** Claims, and gives the claim of the test's own user. */
  claim(lease: number): Promise<WaitingEvents>;
  claimRequeued(lease: number): Promise<RequeuedEvent>;
}

function contract(name: string, verify: (context: Context) => Promise<void>): OutboxCase {
  return {
    name,
    async verify(harness) {
      const { outbox, tasks, newId } = harness;
      const owner = await harness.newUser();
      await verify({
        ...harness,
        async add(events, userId = owner) {
          for (let i = 0; i < events; i++) {
            await taskWriter(tasks).add(
              createTask(
                { title: 'a task', description: null, priority: 'low', category: 'work', dueDate: null },
                { id: newId(), userId, now: '2026-03-01T12:00:00.000Z' },
              ),
            );
          }
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
