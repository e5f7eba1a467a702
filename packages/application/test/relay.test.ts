import { type Delivery, eventRelay, type JournalEntry } from '@todo-backend/application';
import { InMemoryOutbox, InMemoryTaskRepository, sequentialIds, taskWriter } from '@todo-backend/application/testing';
import { createTask } from '@todo-backend/domain';
import test from 'ava';

const accepted: Delivery = { outcome: 'accepted' };
const failed: Delivery = { outcome: 'failed', reason: 'The sink answered 503.' };

/** A relay with a scripted sink and a clock that the test moves. */
function setUp(answer: (entry: JournalEntry, asked: number) => Delivery, maxAttempts = 3) {
  let now = 0;
  const asked: string[] = [];
  const repository = new InMemoryTaskRepository();
  const outbox = new InMemoryOutbox(repository, () => now);
  const newId = sequentialIds();
  const sink = {
    async publish(entry: JournalEntry) {
      asked.push(`${entry.userId} ${entry.sequence}`);
      return answer(entry, asked.length);
    },
  };
  return {
    outbox,
    asked,
    round: eventRelay({ outbox, sink }, { maxAttempts, firstDelay: 1_000, longestDelay: 60_000 }),
    wait: (milliseconds: number) => {
      now += milliseconds;
    },
    async add(userId: string, events: number) {
      for (let i = 0; i < events; i++) {
        await taskWriter(repository).add(
          createTask(
            {
              title: 'a task',
              description: null,
              priority: 'low',
              category: 'work',
              dueDate: null,
              tags: [],
              recurrence: null,
              remindAt: null,
            },
            { id: newId(), userId, now: '2026-03-01T12:00:00.000Z' },
          ),
        );
      }
    },
  };
}

test('accepted events are delivered once, in order', async (t) => {
  const { add, round, asked } = setUp(() => accepted);
  await add('alice', 3);
  t.deepEqual(await round(), { delivered: 3, buried: [] });
  t.deepEqual(await round(), { delivered: 0, buried: [] });
  t.deepEqual(asked, ['alice 1', 'alice 2', 'alice 3']);
});

test('a rejected event becomes a dead letter at once, and the next ones are delivered', async (t) => {
  const { add, round, outbox } = setUp(({ sequence }) =>
    sequence === 2 ? { outcome: 'rejected', reason: 'The sink answered 422.' } : accepted,
  );
  await add('alice', 3);
  const { delivered, buried } = await round();
  t.is(delivered, 2);
  t.deepEqual(
    buried.map(({ entry, reason }) => [entry.sequence, reason]),
    [[2, 'The sink answered 422.']],
  );
  t.is(outbox.deadLetters.length, 1);
});

test('a failed event is retried with growing delays before it becomes a dead letter; other users are not held up', async (t) => {
  const { add, round, asked, wait, outbox } = setUp(({ userId }) => (userId === 'alice' ? failed : accepted));
  await add('alice', 1);
  await add('bob', 1);
  t.like(await round(), { delivered: 1, failed: 'The sink answered 503.' });
  await round();
  t.deepEqual(asked, ['alice 1', 'bob 1'], 'not before the delay is over');
  wait(1_000);
  await round();
  wait(1_000);
  await round();
  t.is(asked.length, 3, 'the second delay is twice as long at the most');
  wait(1_000);
  const { buried } = await round();
  t.is(buried.length, 1);
  t.is(outbox.deadLetters.length, 1);
  t.is(asked.filter((event) => event === 'alice 1').length, 3);
});

test('the sink may ask for a longer delay', async (t) => {
  const { add, round, asked, wait } = setUp(() => ({ ...failed, retryAfter: 30_000 }) as Delivery);
  await add('alice', 1);
  await round();
  wait(29_999);
  await round();
  t.is(asked.length, 1);
  wait(1);
  await round();
  t.is(asked.length, 2);
});

test('attempts are not counted while the sink is unreachable', async (t) => {
  let isAway = true;
  const { add, round, outbox } = setUp(
    () => (isAway ? { outcome: 'unreachable', reason: 'ECONNREFUSED' } : accepted),
    1,
  );
  await add('alice', 2);
  for (let i = 0; i < 5; i++) t.like(await round(), { delivered: 0, unreachable: 'ECONNREFUSED' });
  t.deepEqual(outbox.deadLetters, []);
  isAway = false;
  t.is((await round()).delivered, 2);
});

test('a stopped round releases its remaining events, and the next one continues', async (t) => {
  let asked = 0;
  const { add, round } = setUp(() => {
    asked++;
    return accepted;
  });
  await add('alice', 3);
  t.is((await round(() => asked >= 1)).delivered, 1);
  t.is((await round()).delivered, 2);
});

test('a requeued dead letter is delivered, or becomes a dead letter again', async (t) => {
  let answer: Delivery = { outcome: 'rejected', reason: 'no' };
  const { add, round, outbox } = setUp(() => answer);
  await add('alice', 1);
  await round();
  await outbox.requeue();
  t.is((await round()).buried.length, 1);
  answer = accepted;
  await outbox.requeue();
  t.is((await round()).delivered, 1);
  t.deepEqual(outbox.deadLetters, []);
});
