import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { issueToken } from '@todo-backend/infrastructure';
import test, { type ExecutionContext } from 'ava';
import { type EventStream, openStream } from '../../packages/http/test/event-streams.ts';
import { databases, execute, findBinaries, postgresTest } from '../postgres.ts';
import { Client } from './clients.ts';
import { Copy, follow, positionOf, START, todoClient } from './followers.ts';
import { environment, type Program, runProgram, SECRET, startProgram, until } from './program.ts';

const serverTest = await postgresTest(test);
const newDatabase = databases(test);
const run = promisify(execFile);
const TASK = { title: 't', priority: 'low', category: 'work' };

/** What a client keeps of an answer. */
interface Kept {
  readonly position: string;
  /** The tag of the list. */
  readonly tag: string;
}

/** A user on a server. */
class Person {
  readonly client: Client;
  readonly #program: Program;
  readonly #token: string;

  private constructor(program: Program, client: Client, token: string) {
    this.#program = program;
    this.client = client;
    this.#token = token;
  }

  static async of(t: ExecutionContext, program: Program, userId: string): Promise<Person> {
    const token = await issueToken({ secret: SECRET, userId, lifetime: 7200 });
    const client = await Client.of(userId);
    t.teardown(() => client.close());
    return new Person(program, client, token);
  }

  async create(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.client.call(this.#program.url, 'POST', '~/tasks', TASK);
  }

  async keep(): Promise<Kept> {
    const { headers } = await this.client.call(this.#program.url, 'GET', '~/tasks');
    return { position: String(headers['journal-position']), tag: String(headers.etag) };
  }

  async stream(since: string): Promise<EventStream> {
    const person = { id: this.client.userId, token: this.#token };
    return openStream(this.#program.url, person, { headers: { 'Last-Event-ID': since } });
  }

  /** What those are told who come with something that they kept. */
  async answersTo({ position, tag }: Kept) {
    const changes = await this.client.call(this.#program.url, 'GET', `~/changes?since=${position}`);
    const stream = await this.stream(position);
    stream.close();
    const list = await fetch(`${this.#program.url}/api/${this.client.userId}/tasks`, {
      headers: { Authorization: `Bearer ${this.#token}`, 'If-None-Match': tag },
    });
    await list.text();
    return { changes: changes.status, stream: stream.status, list: list.status };
  }
}

/** All that is known is of another history. */
const STALE = { changes: 410, stream: 410, list: 200 };
const CURRENT = { changes: 200, stream: 200, list: 304 };

/** Dumps a database, and puts the dump in its place, while servers go on. */
async function dumpOf(t: ExecutionContext, databaseUrl: string): Promise<() => Promise<void>> {
  const binaries = (await findBinaries()) ?? '';
  const directory = await mkdtemp(join(tmpdir(), 'todo-dump-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const file = join(directory, 'dump');
  await run(join(binaries, 'pg_dump'), ['--format=custom', `--file=${file}`, databaseUrl]);
  return async () => {
    const admin = new URL(databaseUrl);
    const name = admin.pathname.slice(1);
    admin.pathname = '/postgres';
    await execute(admin.href, `drop database ${name} with (force)`);
    await execute(admin.href, `create database ${name}`);
    await run(join(binaries, 'pg_restore'), ['--single-transaction', `--dbname=${databaseUrl}`, file]);
  };
}

serverTest('after a restore nobody goes on from a position, a tag or a stream of what is lost', async (t) => {
  const databaseUrl = await newDatabase();
  const program = await startProgram(t, { DATABASE_URL: databaseUrl });
  const [alice, bob] = [await Person.of(t, program, 'alice'), await Person.of(t, program, 'bob')];
  await alice.create(3);
  await bob.create(2);
  const before = { alice: await alice.keep(), bob: await bob.keep() };
  const restore = await dumpOf(t, databaseUrl);
  await alice.create(1);
  const between = await alice.keep();
  await alice.create(2);
  await bob.create(1);
  const lost = { alice: await alice.keep(), bob: await bob.keep() };
  t.deepEqual(await alice.answersTo(lost.alice), CURRENT);

  const streams = [await alice.stream(lost.alice.position), await bob.stream(lost.bob.position)];
  let resyncs = 0;
  const copy = new Copy();
  const controller = new AbortController();
  t.teardown(() => controller.abort());
  const watching = todoClient(program.url, alice.client).watch('alice', {
    since: copy.position,
    signal: controller.signal,
    onChange: copy.apply,
    async onResync() {
      resyncs++;
      // As an app does: load the list, and go on from where that is.
      copy.tasks.clear();
      const { headers, body } = await alice.client.call(program.url, 'GET', '~/tasks');
      for (const task of body) copy.tasks.set(task.id, task);
      copy.position = String(headers['journal-position']);
    },
  });
  await until(() => copy.position === lost.alice.position);

  await restore();
  // Nothing is written now, and they are told all the same.
  await Promise.all(streams.map(({ ended }) => ended.catch(() => {})));
  await until(() => resyncs > 0);
  const answered = async (person: Person, kept: Kept) => {
    const answers = await person.answersTo(kept);
    return answers.changes !== 503 && answers.stream !== 503 && answers.list !== 503 ? answers : undefined;
  };
  const whenAnswered = async (person: Person, kept: Kept) => {
    for (;;) {
      const answers = await answered(person, kept);
      if (answers !== undefined) return answers;
      await sleep(50);
    }
  };
  t.deepEqual(await whenAnswered(alice, lost.alice), STALE);
  t.deepEqual(await whenAnswered(bob, lost.bob), STALE);
  t.deepEqual(await alice.answersTo(before.alice), CURRENT, 'what was dumped is still so');

  // The same numbers come again, with other changes.
  for (let i = 0; i < 5; i++) {
    await alice.create(1);
    t.deepEqual(await alice.answersTo(lost.alice), STALE, `${i + 1} changes later`);
    t.deepEqual(await alice.answersTo(between), STALE, `${i + 1} changes later`);
  }
  t.is((await alice.answersTo(before.alice)).changes, 200, 'from the dump on there is a way');
  const end = await positionOf(alice.client, program.url);
  await until(() => copy.position === end);
  controller.abort();
  await watching;
  const { body: tasks } = await alice.client.call(program.url, 'GET', '~/tasks');
  t.deepEqual(
    [...copy.tasks.keys()].sort(),
    tasks.map(({ id }: { id: string }) => id).sort(),
    'who loads the list again knows everything',
  );
  t.is(await program.end('SIGTERM'), 0);
});

serverTest('positions whose entries were pruned are gone, and the present one is not', async (t) => {
  const databaseUrl = await newDatabase();
  const env = { DATABASE_URL: databaseUrl };
  const program = await startProgram(t, env);
  const alice = await Person.of(t, program, 'alice');
  await alice.create(2);
  const old = await alice.keep();
  await alice.create(2);
  const newer = await alice.keep();
  await execute(databaseUrl, `update task_events set time = time - interval '91 days' where sequence <= 3`);
  t.like(await runProgram(['prune'], environment(env)), { code: 0, stderr: '' });
  t.deepEqual(await alice.answersTo({ ...newer, position: START }), { changes: 410, stream: 410, list: 304 });
  t.deepEqual(await alice.answersTo({ ...newer, position: old.position }), { changes: 410, stream: 410, list: 304 });
  t.deepEqual(await alice.answersTo(newer), CURRENT);
  const copy = follow(t, todoClient(program.url, alice.client), alice.client, Object.assign(new Copy(), newer));
  await alice.create(1);
  const end = await positionOf(alice.client, program.url);
  await until(() => copy.position === end);
  t.is(copy.tasks.size, 1);
  t.deepEqual(copy.problems, []);
  t.is(await program.end('SIGTERM'), 0);
});

serverTest('the streams of a user who is deleted end', async (t) => {
  const databaseUrl = await newDatabase();
  const program = await startProgram(t, { DATABASE_URL: databaseUrl });
  const [alice, bob] = [await Person.of(t, program, 'alice'), await Person.of(t, program, 'bob')];
  await alice.create(2);
  await bob.create(1);
  const kept = await alice.keep();
  const [stream, other] = [await alice.stream(kept.position), await bob.stream((await bob.keep()).position)];
  await execute(databaseUrl, `delete from "user" where id = 'alice'`);
  await stream.ended;
  t.deepEqual(stream.events, []);
  t.like(await alice.answersTo(kept), { changes: 410, stream: 410 });
  await bob.create(1);
  await other.until(1);
  other.close();
  t.is(await program.end('SIGTERM'), 0);
});
