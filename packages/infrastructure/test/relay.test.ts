import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type EventSink,
  eventRelay,
  type JournalEntry,
  type Outbox,
  type RelayRound,
  type WaitingEvents,
} from '@todo-backend/application';
import { taskWriter } from '@todo-backend/application/testing';
import { createTask, setCompleted } from '@todo-backend/domain';
import { cloudEventsSink, Database, SqlJournal, SqlOutbox, SqlTaskRepository } from '@todo-backend/infrastructure';
import test, { type ExecutionContext } from 'ava';
import { type CloudEvent, HTTP } from 'cloudevents';
import { databases, execute, freePort, postgresTest } from '../../../test/postgres.ts';
import { FULL } from '../../../test/reliability/program.ts';

const serverTest = await postgresTest(test);
const STANDALONE = { standaloneUsers: true };
const newDatabase = databases(test);
const FAST = { firstDelay: 5, longestDelay: 20 };

/** How a sink responds: with a status, by closing the connection before or after accepting the event, or not at all. */
type Answer = number | 'cut' | 'taken, then cut' | 'hang';

/** An event sink on a real socket. It records accepted events, and responds according to `answer`. */
class Sink {
  readonly taken: CloudEvent<unknown>[] = [];
  answer: (event: CloudEvent<unknown>) => Answer = () => 204;
  /** Open requests, and their maximum so far. */
  open = 0;
  mostOpen = 0;
  #server: Server | undefined;
  port = 0;

  async start(): Promise<string> {
    this.port ||= await freePort();
    this.#server = createServer(async (request, response) => {
      this.mostOpen = Math.max(this.mostOpen, ++this.open);
      response.on('close', () => this.open--);
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      // The official SDK parses and validates the event.
      const event = HTTP.toEvent({ headers: request.headers, body: Buffer.concat(chunks).toString() });
      if (Array.isArray(event)) throw new Error('one event at a time');
      (event as CloudEvent<unknown>).validate();
      const answer = this.answer(event as CloudEvent<unknown>);
      if (answer === 'hang') return;
      if (answer === 'taken, then cut' || Number(answer) < 300) this.taken.push(event as CloudEvent<unknown>);
      if (typeof answer === 'string') request.socket.destroy();
      else response.writeHead(answer, { 'Retry-After': '0', Location: '/elsewhere' }).end('whatever');
    });
    await new Promise<void>((resolve) => this.#server?.listen(this.port, '127.0.0.1', resolve));
    return `http://127.0.0.1:${this.port}/events`;
  }

  async stop(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((resolve) => this.#server?.close(resolve));
  }
}

/** Creates tasks with two events each. */
async function fill(database: Database, users: readonly string[], tasks: number): Promise<void> {
  const writer = taskWriter(new SqlTaskRepository(database, STANDALONE));
  for (const userId of users) {
    for (let i = 0; i < tasks; i++) {
      const task = createTask(
        {
          title: `task ${i}`,
          description: null,
          priority: 'low',
          category: 'work',
          dueDate: null,
          tags: [],
          recurrence: null,
          remindAt: null,
        },
        { id: randomUUID(), userId, now: '2026-03-01T12:00:00.000Z' },
      );
      await writer.add(task);
      await writer.update(userId, task.id, (current) => setCompleted(current, true, '2026-03-02T12:00:00.000Z'));
    }
  }
}

/** Claims all users, and returns the claim of one. */
async function claimOf(outbox: SqlOutbox, user: string, lease: number): Promise<WaitingEvents> {
  const claimed = (await outbox.claim(lease)).waiting.find(({ userId }) => userId === user);
  if (claimed === undefined) throw new Error(`${user} has nothing that waits, or is claimed.`);
  return claimed;
}

/** Runs rounds until no events are waiting. */
async function drain(outbox: SqlOutbox, ...rounds: (() => Promise<RelayRound>)[]): Promise<void> {
  const run = async (round: () => Promise<RelayRound>) => {
    while ((await outbox.backlog()).waiting > 0) {
      const { delivered } = await round();
      if (delivered === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  await Promise.all(rounds.map(run));
}

/** The sequences that the sink accepted of a user, without immediate duplicates. */
function inOrder(sink: Sink, user: string): number[] {
  return sink.taken
    .filter(({ partitionkey }) => partitionkey === user)
    .map(({ sequence }) => Number(sequence))
    .filter((sequence, i, sequences) => sequence !== sequences[i - 1]);
}

const upTo = (length: number) => Array.from({ length }, (_, i) => i + 1);

/** `RELIABILITY=full` uses the size in `docs/reliability.md`. */
const DELIVERY = FULL
  ? { users: 50, tasks: 50, deaths: 5, dead: 2_000 }
  : { users: 25, tasks: 4, deaths: 1, dead: 200 };

async function assertDelivery(t: ExecutionContext, first: Database, second: Database): Promise<void> {
  const users = Array.from({ length: DELIVERY.users }, (_, i) => `user ${i}`);
  const events = 2 * DELIVERY.tasks * DELIVERY.users;
  await fill(first, users, DELIVERY.tasks);
  const sink = new Sink();
  const url = await sink.start();
  let asked = 0;
  // Events that were accepted, but whose response was lost: they must be delivered again.
  const lost: string[] = [];
  sink.answer = ({ id }) => {
    const answer = ([503, 204, 'cut', 204, 503, 204, 'taken, then cut', 204] as const)[asked++ % 8] ?? 204;
    if (answer === 'taken, then cut') lost.push(id);
    return answer;
  };
  const outboxes = [new SqlOutbox(first), new SqlOutbox(second)] as const;
  // Nothing becomes a dead letter, even with many random failures.
  const options = { ...FAST, maxAttempts: Number.POSITIVE_INFINITY };
  const rounds = outboxes.map((outbox) => eventRelay({ outbox, sink: cloudEventsSink(url) }, options));
  t.deepEqual(await outboxes[0].backlog(), { waiting: events, dead: 0 });

  const start = performance.now();
  const draining = drain(outboxes[0], ...rounds);
  for (let death = 1; death <= DELIVERY.deaths; death++) {
    while (sink.taken.length < (events * death) / (DELIVERY.deaths + 4)) await sleep(5);
    await sink.stop();
    await sleep(DELIVERY.dead);
    t.true((await outboxes[0].backlog()).waiting > 0);
    await sink.start();
  }
  await draining;
  const seconds = (performance.now() - start) / 1_000;

  for (const user of users) t.deepEqual(inOrder(sink, user), upTo(2 * DELIVERY.tasks), 'each one, in order');
  t.deepEqual(sink.taken.map(({ id }) => id).sort(), [...new Set(sink.taken.map(({ id }) => id)), ...lost].sort());
  t.deepEqual(await outboxes[0].backlog(), { waiting: 0, dead: 0 });
  t.log(
    `${events} events of ${users.length} users in ${seconds.toFixed(1)} s; the sink died ${DELIVERY.deaths} times, was ` +
      `asked ${asked} times, lost ${lost.length} answers, and took ${sink.taken.length - events} events twice`,
  );
  await sink.stop();
}

serverTest(
  'two relays, a sink that often fails and is unreachable at times: every event, in order, twice only after a lost response',
  async (t) => {
    const url = await newDatabase();
    const [first, second] = await Promise.all([Database.postgres({ url }), Database.postgres({ url })]);
    await first.migrate(STANDALONE);
    await assertDelivery(t, first, second);
    await Promise.all([first.close(), second.close()]);
  },
);

test('the same on PGlite', async (t) => {
  const database = await Database.embedded();
  await database.migrate(STANDALONE);
  await assertDelivery(t, database, database);
  await database.close();
});

serverTest('an event is sent as a CloudEvent with the journal entry', async (t) => {
  const database = await Database.postgres({ url: await newDatabase() });
  await database.migrate(STANDALONE);
  await fill(database, ['älice\u{1f600}'], 1);
  const sink = new Sink();
  const relay = eventRelay({ outbox: new SqlOutbox(database), sink: cloudEventsSink(await sink.start()) });
  t.deepEqual(await relay(), { delivered: 2, buried: [] });
  const journal = await new SqlJournal(database).entries('älice\u{1f600}', { limit: 10 });
  t.deepEqual(
    sink.taken.map(({ data }) => data),
    [...journal].reverse(),
  );
  const [created, completed] = sink.taken;
  t.is(created?.type, 'todo.task.created.v1');
  t.like(completed, {
    specversion: '1.0',
    id: journal[0]?.id,
    source: '/todo-backend',
    type: 'todo.task.completed.v1',
    subject: journal[0]?.taskId,
    time: '2026-03-02T12:00:00.000Z',
    partitionkey: 'älice\u{1f600}',
    sequence: '0000000002',
  });
  await sink.stop();
  await database.close();
});

serverTest('a rejected event becomes a dead letter, and can be requeued', async (t) => {
  const database = await Database.postgres({ url: await newDatabase() });
  await database.migrate(STANDALONE);
  const outbox = new SqlOutbox(database);
  await fill(database, ['alice'], 3);
  const sink = new Sink();
  const relay = eventRelay({ outbox, sink: cloudEventsSink(await sink.start()) }, { ...FAST, maxAttempts: 3 });
  // The second is rejected and the fourth always fails; neither holds up the others.
  sink.answer = ({ sequence }) => ({ '0000000002': 422, '0000000004': 500 })[String(sequence)] ?? 204;
  await drain(outbox, relay);
  const taken = () => sink.taken.map(({ sequence }) => Number(sequence));
  t.deepEqual(taken(), [1, 3, 5, 6]);
  const letters = await outbox.deadLetters();
  t.deepEqual(
    letters.map(({ userId, sequence, reason }) => [userId, sequence, reason]),
    [
      ['alice', 2, 'The sink answered 422.'],
      ['alice', 4, 'The sink answered 500.'],
    ],
  );
  t.deepEqual(await relay(), { delivered: 0, buried: [] }, 'they rest until somebody says otherwise');

  t.is(await outbox.requeue(randomUUID()), 0);
  t.is(await outbox.requeue(letters[0]?.eventId), 1);
  t.is((await relay()).buried.length, 1, 'still refused: dead again');
  t.is((await outbox.deadLetters()).length, 2);
  sink.answer = () => 204;
  t.is(await outbox.requeue(), 2);
  t.is((await relay()).delivered, 2);
  t.deepEqual(taken().sort(), [1, 2, 3, 4, 5, 6]);
  t.deepEqual(await outbox.deadLetters(), []);
  await sink.stop();
  await database.close();
});

for (const [poison, reason] of [
  ['cut', 'fetch failed (UND_ERR_SOCKET)'],
  ['hang', 'There was no answer within 2000 ms.'],
  [302, 'The sink answered 302.'],
  [503, 'The sink answered 503.'],
] as const) {
  serverTest(
    `an event that the sink answers with "${poison}" does not hold up other users, and becomes a dead letter`,
    async (t) => {
      const database = await Database.postgres({ url: await newDatabase() });
      await database.migrate(STANDALONE);
      const outbox = new SqlOutbox(database);
      const users = Array.from({ length: 30 }, (_, i) => `user ${i}`);
      await fill(database, ['alice'], 2);
      await fill(database, users, 2);
      const sink = new Sink();
      const isPoison = ({ partitionkey, sequence }: CloudEvent<unknown>) =>
        partitionkey === 'alice' && Number(sequence) === 2;
      sink.answer = (event) => (isPoison(event) ? poison : 204);
      const to = { outbox, sink: cloudEventsSink(await sink.start(), { timeout: 2_000 }) };
      const patient = eventRelay(to, { ...FAST, maxAttempts: Number.POSITIVE_INFINITY });
      const reasons = new Set<string | undefined>();
      while ((await outbox.backlog()).waiting > 3) {
        const { buried, failed, unreachable } = await patient();
        t.deepEqual({ buried, unreachable }, { buried: [], unreachable: undefined });
        reasons.add(failed);
      }
      for (const user of users) t.deepEqual(inOrder(sink, user), upTo(4), 'all of the others are there');
      t.true(reasons.has(reason), [...reasons].join());

      await drain(outbox, eventRelay(to, { ...FAST, maxAttempts: 3 }));
      t.deepEqual(inOrder(sink, 'alice'), [1, 3, 4]);
      t.deepEqual(
        (await outbox.deadLetters()).map(({ userId, sequence }) => [userId, sequence]),
        [['alice', 2]],
      );
      await sink.stop();
      await database.close();
    },
  );
}

serverTest(
  'a hanging sink has few open requests, causes no dead letters, and gets all events when it recovers',
  async (t) => {
    const database = await Database.postgres({ url: await newDatabase() });
    await database.migrate(STANDALONE);
    const outbox = new SqlOutbox(database);
    const users = Array.from({ length: 45 }, (_, i) => `user ${i}`);
    await fill(database, users, 1);
    const sink = new Sink();
    sink.answer = () => 'hang';
    const url = await sink.start();
    const relay = eventRelay(
      { outbox, sink: cloudEventsSink(url, { timeout: 300 }) },
      { firstDelay: 600_000, longestDelay: 600_000 },
    );
    const tried = [];
    for (let i = 0; i < 4; i++) {
      const { delivered, buried, failed } = await relay();
      t.deepEqual({ delivered, buried }, { delivered: 0, buried: [] });
      tried.push(failed !== undefined);
    }
    t.deepEqual(
      tried,
      [true, true, true, false],
      '20 at a time, each user once, and none of them again before it is due',
    );
    t.true(sink.mostOpen <= 20, String(sink.mostOpen));
    t.deepEqual(await outbox.backlog(), { waiting: 90, dead: 0 });

    sink.answer = () => 204;
    await database.transaction({ task: 'delivery' }, (db) =>
      db.updateTable('task_ledgers').set({ deliverAfter: '-infinity' }).execute(),
    );
    // With the default timeout, because a busy machine can take more than 300 ms.
    await drain(outbox, eventRelay({ outbox, sink: cloudEventsSink(url) }, FAST));
    for (const user of users) t.deepEqual(inOrder(sink, user), [1, 2]);
    await sink.stop();
    await database.close();
  },
);

serverTest('without a connection the sink is unreachable, and no attempts are counted', async (t) => {
  const database = await Database.postgres({ url: await newDatabase() });
  await database.migrate(STANDALONE);
  const outbox = new SqlOutbox(database);
  await fill(database, ['alice'], 1);
  const sink = new Sink();
  await sink.start();
  const urls = [
    `http://127.0.0.1:${await freePort()}/`,
    `http://localhost:${await freePort()}/`,
    'http://nobody.invalid/',
    `https://127.0.0.1:${sink.port}/`,
  ];
  for (const url of urls) {
    const round = await eventRelay({ outbox, sink: cloudEventsSink(url) })();
    t.like(round, { delivered: 0, buried: [] });
    t.regex(round.unreachable ?? '', /\S/, url);
    t.is(round.failed, undefined, url);
  }
  t.is((await claimOf(outbox, 'alice', 1)).attempts, 0);
  await sink.stop();
  await database.close();
});

serverTest('a requeued event is tried as often as any other before it becomes a dead letter again', async (t) => {
  const database = await Database.postgres({ url: await newDatabase() });
  await database.migrate(STANDALONE);
  const outbox = new SqlOutbox(database);
  await fill(database, ['alice', 'bob'], 10);
  const sink = new Sink();
  const relay = eventRelay({ outbox, sink: cloudEventsSink(await sink.start()) }, { ...FAST, maxAttempts: 10 });
  sink.answer = () => 422;
  await drain(outbox, relay);
  t.deepEqual(await outbox.backlog(), { waiting: 0, dead: 40 });

  // Half of the attempts fail, and one event always does.
  const asked = new Map<string, number>();
  const hopeless = (await outbox.deadLetters()).find(({ userId, sequence }) => userId === 'bob' && sequence === 7);
  let requests = 0;
  sink.answer = ({ id }) => {
    asked.set(id, (asked.get(id) ?? 0) + 1);
    if (id === hopeless?.eventId) return 503;
    return ([503, 204, 'cut', 204] as const)[requests++ % 4] ?? 204;
  };
  t.is(await outbox.requeue(), 40);
  const buried: string[] = [];
  while ((await outbox.backlog()).dead > 1 || buried.length === 0) {
    for (const { entry } of (await relay()).buried) buried.push(entry.id);
    await sleep(10);
  }
  t.deepEqual(buried, [hopeless?.eventId], 'none of the others');
  t.is(asked.get(buried[0] ?? ''), 10);
  t.is(sink.taken.length, 39);
  t.like(await outbox.deadLetters(), [{ userId: 'bob', sequence: 7, reason: 'The sink answered 503.' }]);
  t.is(await outbox.requeue(), 1);
  sink.answer = () => 204;
  t.is((await relay()).delivered, 1);
  t.deepEqual(await outbox.backlog(), { waiting: 0, dead: 0 });
  await sink.stop();
  await database.close();
});

for (const [what, retryAfter] of [
  ['', undefined],
  [', whatever it wishes for', 1e15],
] as const) {
  test(`an event that always fails becomes a dead letter after 20 attempts and about an hour${what}`, async (t) => {
    const entry = {} as JournalEntry;
    let waiting: WaitingEvents = { userId: 'alice', claim: '', entries: [entry], upTo: 1, attempts: 0 };
    const delays: number[] = [];
    const outbox: Outbox = {
      claim: async () => ({ waiting: [waiting], requeued: [] }),
      async settle(_, { attempts, delay }) {
        waiting = { ...waiting, attempts };
        delays.push(delay);
        return true;
      },
      postpone: async () => true,
      bury: async () => true,
      unbury: async () => {},
    };
    const delivery = {
      outcome: 'failed',
      reason: 'on purpose',
      ...(retryAfter !== undefined && { retryAfter }),
    } as const;
    const relay = eventRelay({ outbox, sink: { publish: async () => delivery } });
    let rounds = 1;
    while ((await relay()).buried.length === 0) rounds++;
    t.is(rounds, 20);
    const minutes = delays.reduce((sum, delay) => sum + delay, 0) / 60_000;
    t.true(minutes > 29 && minutes < 96, `${minutes} minutes`);
  });
}

serverTest('claims of a dead relay are released when the lease expires', async (t) => {
  const database = await Database.postgres({ url: await newDatabase() });
  await database.migrate(STANDALONE);
  const outbox = new SqlOutbox(database);
  await fill(database, ['alice'], 1);
  const claimed = await claimOf(outbox, 'alice', 600_000);
  t.is(claimed.entries.length, 2);
  t.deepEqual(await outbox.claim(600_000), { waiting: [], requeued: [] }, 'somebody has it');
  t.true(await outbox.settle(claimed, { reached: 1, attempts: 0, delay: 0, buried: [] }));
  t.is((await claimOf(outbox, 'alice', 1)).entries.length, 1, 'given free, and half done');
  await sleep(50);
  t.is((await claimOf(outbox, 'alice', 600_000)).entries.length, 1, 'whoever had it has died');
  await database.close();
});

serverTest('a relay that stalled for longer than its lease changes nothing that another one has claimed', async (t) => {
  const url = await newDatabase();
  const [first, second] = await Promise.all([Database.postgres({ url }), Database.postgres({ url })]);
  await first.migrate(STANDALONE);
  await fill(first, ['alice'], 1);
  const others = new SqlOutbox(second);
  let theirs: WaitingEvents | undefined;
  // While the first relay waits for the response, its lease ends and the second one claims the user.
  const slow: EventSink = {
    async publish() {
      while (theirs === undefined) {
        await sleep(50);
        theirs = (await others.claim(600_000)).waiting[0];
      }
      return { outcome: 'rejected', reason: 'too late' };
    },
  };
  const relay = eventRelay({ outbox: new SqlOutbox(first), sink: slow }, { lease: 2_000 });
  t.deepEqual(await relay(), { delivered: 0, buried: [] });
  t.deepEqual(await others.deadLetters(), []);
  t.deepEqual((await others.claim(600_000)).waiting, [], 'it is still the second one that has the user');
  t.truthy(theirs);
  t.true(theirs && (await others.settle(theirs, { reached: 2, attempts: 0, delay: 0, buried: [] })));
  t.deepEqual(await others.backlog(), { waiting: 0, dead: 0 });
  await Promise.all([first.close(), second.close()]);
});

serverTest('the same with a dead letter that was requeued', async (t) => {
  const database = await Database.postgres({ url: await newDatabase() });
  await database.migrate(STANDALONE);
  await fill(database, ['alice'], 1);
  const outbox = new SqlOutbox(database);
  const { entries, ...claimed } = await claimOf(outbox, 'alice', 600_000);
  const buried = entries.map((entry) => ({ entry, reason: 'first' }));
  await outbox.settle({ entries, ...claimed }, { reached: 2, attempts: 0, delay: 0, buried });
  t.is(await outbox.requeue(entries[0]?.id), 1);
  const [late] = (await outbox.claim(1)).requeued;
  await sleep(50);
  const [next] = (await outbox.claim(600_000)).requeued;
  if (late === undefined || next === undefined) return t.fail('not requeued');
  t.false(await outbox.postpone(late, { attempts: 7, delay: 0 }));
  t.false(await outbox.bury(late, 'too late'));
  t.deepEqual((await outbox.claim(1)).requeued, [], 'it is still claimed');
  t.true(await outbox.postpone(next, { attempts: 3, delay: 0 }));
  const [again] = (await outbox.claim(600_000)).requeued;
  t.is(again?.attempts, 3);
  t.true(again && (await outbox.bury(again, 'second')));
  t.deepEqual((await outbox.deadLetters()).map(({ reason }) => reason).sort(), ['first', 'second']);
  t.is(await outbox.requeue(), 2);
  t.deepEqual(
    (await outbox.claim(1)).requeued.map(({ attempts }) => attempts),
    [0, 0],
    'counted anew',
  );
  await database.close();
});

serverTest('pruning deletes old events, keeps undelivered ones, and is denied to the API role', async (t) => {
  const url = await newDatabase();
  const database = await Database.postgres({ url });
  await database.migrate(STANDALONE);
  const outbox = new SqlOutbox(database);
  await fill(database, ['alice', 'bob'], 2);
  const sequences = () =>
    execute(
      url,
      `select "userId", array_agg("sequence" order by "sequence") as kept from task_events group by 1 order by 1`,
    );
  await outbox.settle(await claimOf(outbox, 'alice', 1), { reached: 3, attempts: 0, delay: 0, buried: [] });
  t.is(await outbox.prune('2026-03-02T00:00:00.000Z', true, () => {}), 2, 'those of the first day, where delivered');
  t.deepEqual(await sequences(), [
    { userId: 'alice', kept: [2, 4] },
    { userId: 'bob', kept: [1, 2, 3, 4] },
  ]);
  t.is(await outbox.prune('2026-03-02T00:00:00.000Z', false, () => {}), 2);
  t.deepEqual(await sequences(), [
    { userId: 'alice', kept: [2, 4] },
    { userId: 'bob', kept: [2, 4] },
  ]);
  t.is(await outbox.prune('2026-03-03T00:00:00.000Z', false, () => {}), 4);
  // Readers of the journal and the relay skip the gap; numbering continues.
  await fill(database, ['alice'], 1);
  t.deepEqual(
    (await new SqlJournal(database).entries('alice', { limit: 9 })).map(({ sequence }) => sequence),
    [6, 5],
  );
  const sink = new Sink();
  const relay = eventRelay({ outbox, sink: cloudEventsSink(await sink.start()) });
  await drain(outbox, relay);
  t.deepEqual(
    sink.taken.map(({ sequence }) => Number(sequence)),
    [5, 6],
  );
  await sink.stop();
  await database.close();
});

serverTest(
  'an ordinary owner can prune even if the API role belongs to another database, and no other role can change the journal',
  async (t) => {
    const url = await newDatabase();
    const other = await Database.postgres({ url: await newDatabase() });
    await other.migrate(STANDALONE);
    await other.close();
    const owned = new URL(url);
    owned.username = `owner_${owned.pathname.slice(1)}`;
    await execute(url, `create role ${owned.username} login`);
    await execute(url, `grant all on schema public to ${owned.username}`);
    const database = await Database.postgres({ url: owned.href });
    await database.migrate(STANDALONE);
    t.deepEqual(await database.check(), { rowSecurity: true });
    await fill(database, ['alice'], 2);
    const changed = await database.transaction({ user: 'alice' }, (db) =>
      db.updateTable('task_events').set({ type: 'forged' }).executeTakeFirst(),
    );
    t.is(changed.numUpdatedRows, 0n);
    const deleted = await database.transaction({ user: 'alice' }, (db) =>
      db.deleteFrom('task_events').executeTakeFirst(),
    );
    t.is(deleted.numDeletedRows, 0n);
    const outbox = new SqlOutbox(database);
    t.is((await outbox.backlog()).waiting, 4);
    t.is(await outbox.prune('2026-03-03T00:00:00.000Z', false, () => {}), 4);
    await database.close();
  },
);
