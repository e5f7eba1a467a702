import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { eventRelay, type RelayRound } from '@todo-backend/application';
import { taskWriter } from '@todo-backend/application/testing';
import { createTask, setCompleted } from '@todo-backend/domain';
import { cloudEventsSink, Database, SqlOutbox, SqlTaskRepository } from '@todo-backend/infrastructure';
import test, { type ExecutionContext } from 'ava';
import { type CloudEvent, HTTP } from 'cloudevents';
import { databases, execute, freePort, postgresTest } from '../../../test/postgres.ts';

const serverTest = await postgresTest(test);
const STANDALONE = { standaloneUsers: true };
const newDatabase = databases(test);
const FAST = { firstDelay: 5, longestDelay: 20 };

/** An event sink on a real socket. It notes what it took, and answers as `answer` says. */
class Sink {
  readonly taken: CloudEvent<unknown>[] = [];
  /** The status to answer with; `undefined` cuts the connection off. */
  answer: (event: CloudEvent<unknown>) => number | undefined = () => 204;
  #server: Server | undefined;
  port = 0;

  async start(): Promise<string> {
    this.port ||= await freePort();
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      // The official SDK reads, and validates, what came.
      const event = HTTP.toEvent({ headers: request.headers, body: Buffer.concat(chunks).toString() });
      if (Array.isArray(event)) throw new Error('one event at a time');
      (event as CloudEvent<unknown>).validate();
      const status = this.answer(event as CloudEvent<unknown>);
      if (status === undefined) {
        request.socket.destroy();
        return;
      }
      if (status < 300) this.taken.push(event as CloudEvent<unknown>);
      response.writeHead(status, { 'Retry-After': '0' }).end('whatever');
    });
    await new Promise<void>((resolve) => this.#server?.listen(this.port, '127.0.0.1', resolve));
    return `http://127.0.0.1:${this.port}/events`;
  }

  async stop(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((resolve) => this.#server?.close(resolve));
  }
}

/** Gives users tasks to hear of; each is told of by two events. */
async function fill(database: Database, users: readonly string[], tasks: number): Promise<void> {
  const writer = taskWriter(new SqlTaskRepository(database, STANDALONE));
  for (const userId of users) {
    for (let i = 0; i < tasks; i++) {
      const task = createTask(
        { title: `task ${i}`, description: null, priority: 'low', category: 'work', dueDate: null },
        { id: randomUUID(), userId, now: '2026-03-01T12:00:00.000Z' },
      );
      await writer.add(task);
      await writer.update(userId, task.id, (current) => setCompleted(current, true, '2026-03-02T12:00:00.000Z'));
    }
  }
}

/** Rounds until nothing waits. */
async function drain(outbox: SqlOutbox, ...rounds: (() => Promise<RelayRound>)[]): Promise<void> {
  const run = async (round: () => Promise<RelayRound>) => {
    while ((await outbox.backlog()).waiting > 0) {
      const { delivered } = await round();
      if (delivered === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  await Promise.all(rounds.map(run));
}

function assertInOrder(t: ExecutionContext, sink: Sink, users: readonly string[], events: number): void {
  for (const user of users) {
    const sequences = sink.taken.filter(({ partitionkey }) => partitionkey === user).map(({ sequence }) => sequence);
    t.deepEqual(
      sequences,
      Array.from({ length: events }, (_, i) => String(i + 1).padStart(10, '0')),
      'each one, once, in order',
    );
  }
}

async function assertDelivery(t: ExecutionContext, first: Database, second: Database): Promise<void> {
  const users = Array.from({ length: 25 }, (_, i) => `user ${i}`);
  await fill(first, users, 4);
  const sink = new Sink();
  const url = await sink.start();
  let asked = 0;
  sink.answer = () => [503, 204, undefined, 204][asked++ % 4];
  const outboxes = [new SqlOutbox(first), new SqlOutbox(second)] as const;
  const rounds = outboxes.map((outbox) => eventRelay({ outbox, sink: cloudEventsSink(url) }, FAST));
  t.deepEqual(await outboxes[0].backlog(), { waiting: 200, dead: 0 });

  const draining = drain(outboxes[0], ...rounds);
  while (sink.taken.length < 40) await new Promise((resolve) => setTimeout(resolve, 5));
  await sink.stop();
  await new Promise((resolve) => setTimeout(resolve, 200));
  t.true((await outboxes[0].backlog()).waiting > 0);
  await sink.start();
  await draining;

  assertInOrder(t, sink, users, 8);
  t.deepEqual(await outboxes[0].backlog(), { waiting: 0, dead: 0 });
  await sink.stop();
}

serverTest('two relays, a sink that fails half of the time and goes away: every event once, in order', async (t) => {
  const url = await newDatabase();
  const [first, second] = await Promise.all([Database.postgres({ url }), Database.postgres({ url })]);
  await first.migrate(STANDALONE);
  await assertDelivery(t, first, second);
  await Promise.all([first.close(), second.close()]);
});

test('on PGlite too', async (t) => {
  const database = await Database.embedded();
  await database.migrate(STANDALONE);
  await assertDelivery(t, database, database);
  await database.close();
});

serverTest('what goes on the wire is a CloudEvent with the entry of the journal', async (t) => {
  const database = await Database.postgres({ url: await newDatabase() });
  await database.migrate(STANDALONE);
  await fill(database, ['älice\u{1f600}'], 1);
  const sink = new Sink();
  const relay = eventRelay({ outbox: new SqlOutbox(database), sink: cloudEventsSink(await sink.start()) });
  t.deepEqual(await relay(), { delivered: 2, buried: [] });
  const journal = await new SqlTaskRepository(database, STANDALONE).history('älice\u{1f600}', { limit: 10 });
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

serverTest('what the sink refuses is a dead letter, and can be requeued', async (t) => {
  const database = await Database.postgres({ url: await newDatabase() });
  await database.migrate(STANDALONE);
  const outbox = new SqlOutbox(database);
  await fill(database, ['alice'], 3);
  const sink = new Sink();
  const relay = eventRelay({ outbox, sink: cloudEventsSink(await sink.start()) }, { ...FAST, maxAttempts: 3 });
  // The second is refused, the fourth fails whatever one does: neither keeps the others back.
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

serverTest('what a relay that died had claimed is free when its lease is over', async (t) => {
  const database = await Database.postgres({ url: await newDatabase() });
  await database.migrate(STANDALONE);
  const outbox = new SqlOutbox(database);
  await fill(database, ['alice'], 1);
  const claimed = async (lease: number) => (await outbox.claim(lease)).waiting[0]?.entries.length;
  t.is(await claimed(600_000), 2);
  t.is(await claimed(600_000), undefined, 'somebody has it');
  await outbox.settle('alice', { reached: 1, attempts: 0, delay: 0 });
  t.is(await claimed(1), 1, 'given free, and half done');
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.is(await claimed(600_000), 1, 'whoever had it has died');
  await database.close();
});

serverTest('pruning deletes what is old, keeps what is not delivered, and the API role cannot do it', async (t) => {
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
  await outbox.settle('alice', { reached: 3, attempts: 0, delay: 0 });
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
  // A reader of the journal, and the relay, get over the gap; counting goes on where it was.
  await fill(database, ['alice'], 1);
  t.deepEqual(
    (await new SqlTaskRepository(database, STANDALONE).history('alice', { limit: 9 })).map(({ sequence }) => sequence),
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
  'an owner without special powers, where the API role is of another database, prunes too, and nobody else can change the journal',
  async (t) => {
    const url = await newDatabase();
    const other = await Database.postgres({ url: await newDatabase() });
    await other.migrate(STANDALONE);
    await other.close();
    await execute(url, `create role plain_owner login`);
    await execute(url, `grant all on schema public to plain_owner`);
    const owned = new URL(url);
    owned.username = 'plain_owner';
    const database = await Database.postgres({ url: owned.href });
    await database.migrate(STANDALONE);
    t.deepEqual(await database.check(), { rowSecurity: true });
    await fill(database, ['alice'], 2);
    const changed = await database.transaction('alice', (db) =>
      db.updateTable('task_events').set({ type: 'forged' }).executeTakeFirst(),
    );
    t.is(changed.numUpdatedRows, 0n);
    const deleted = await database.transaction('alice', (db) => db.deleteFrom('task_events').executeTakeFirst());
    t.is(deleted.numDeletedRows, 0n);
    const outbox = new SqlOutbox(database);
    t.is((await outbox.backlog()).waiting, 4);
    t.is(await outbox.prune('2026-03-03T00:00:00.000Z', false, () => {}), 4);
    await database.close();
  },
);
