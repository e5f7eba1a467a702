import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { placeOf } from '@todo-backend/application';
import { createTodoClient, type TodoClient } from '@todo-backend/client';
import { issueToken } from '@todo-backend/infrastructure';
import type { ExecutionContext } from 'ava';
import { type Client, journal, type Reply } from './clients.ts';
import { SECRET, until } from './program.ts';

/** The position before the first change of every user. */
export const START = '000000000';

/** A change, as pages and streams tell of it. */
interface Change {
  readonly taskId: string;
  readonly task: object | null;
  readonly position: string;
}

/** The tasks of a user, as somebody knows them who applies the changes as they come. */
export class Copy {
  readonly tasks = new Map<string, object>();
  /** The number of the last change of every task, of those that are deleted too. */
  readonly last = new Map<string, number>();
  /** What must not be: positions that go back, or stay. */
  readonly problems: string[] = [];
  position = START;

  readonly apply = ({ taskId, task, position }: Change): void => {
    if (!isAfter(position, this.position)) this.problems.push(`${position} comes after ${this.position}`);
    this.position = position;
    this.last.set(taskId, placeOf(position).sequence);
    if (task === null) this.tasks.delete(taskId);
    else this.tasks.set(taskId, task);
  };

  /** Applies what has changed, in pages of `limit`, and remembers how far it came. */
  async poll(client: Client, url: string, limit: number): Promise<void> {
    const path = `~/changes?since=${this.position}&limit=${limit}`;
    const { status, headers, body }: Reply = await client.call(url, 'GET', path);
    if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
    for (const change of body.changes) this.apply(change);
    const isBehind = body.position !== this.position && !isAfter(body.position, this.position);
    if (isBehind) this.problems.push(`a page that ends at ${body.position} has ${this.position}`);
    if (headers['journal-position'] !== body.position) this.problems.push('the header says something else');
    this.position = body.position;
  }

  /** Compares it with what is there: no change is missing, and none was made up. */
  async verify(t: ExecutionContext, client: Client, url: string, who: string): Promise<void> {
    t.deepEqual(this.problems.slice(0, 5), [], who);
    const entries = await journal(client, url);
    const last = new Map(entries.map(({ taskId, sequence }) => [taskId, sequence]));
    t.deepEqual(differences(this.last, last), [], `${who}: the last change of every task that ever was`);
    const { body: tasks } = await client.call(url, 'GET', '~/tasks');
    const there = new Map<string, object>(tasks.map((task: { id: string }) => [task.id, task]));
    t.deepEqual(differences(this.tasks, there), [], `${who}: the tasks that are there`);
  }
}

/** Some of those that are not in both, or not the same. */
function differences<T>(known: Map<string, T>, there: Map<string, T>) {
  const ids = [...new Set([...known.keys(), ...there.keys()])];
  const different = ids.filter((id) => !isDeepStrictEqual(known.get(id), there.get(id)));
  return different.slice(0, 3).map((id) => ({ id, known: known.get(id), there: there.get(id) }));
}

function isAfter(position: string, other: string): boolean {
  return placeOf(position).sequence > placeOf(other).sequence;
}

/** The position of a user's journal. */
export async function positionOf(client: Client, url: string): Promise<string> {
  return (await client.call(url, 'GET', '~/changes')).body.position;
}

/** The client of an app, whose tokens are good. */
export function todoClient(url: string, { userId }: Pick<Client, 'userId'>, send?: typeof fetch): TodoClient {
  const getToken = () => issueToken({ secret: SECRET, userId, lifetime: 7200 });
  return createTodoClient({ baseUrl: url, getToken, retries: 10, longestWait: 60, ...(send && { fetch: send }) });
}

/** Follows the changes of a user until the end of the test, and comes again after whatever happens. */
export function follow(
  t: ExecutionContext,
  todo: TodoClient,
  { userId }: Pick<Client, 'userId'>,
  copy = new Copy(),
): Copy {
  const controller = new AbortController();
  t.teardown(() => controller.abort());
  todo
    .watch(userId, { since: copy.position, signal: controller.signal, onChange: copy.apply })
    .catch((error) => copy.problems.push(String(error)));
  return copy;
}

/** Follows the changes of a user, gives up at random, and begins again where it was. */
export async function followInPieces(
  todo: TodoClient,
  { userId }: Pick<Client, 'userId'>,
  copy: Copy,
  isOver: () => boolean,
): Promise<number> {
  for (let pieces = 1; ; pieces++) {
    const controller = new AbortController();
    const following = todo.watch(userId, { since: copy.position, signal: controller.signal, onChange: copy.apply });
    const end = performance.now() + Math.random() * 1_500;
    const failed = following.then(
      () => false,
      () => true,
    );
    await Promise.race([failed, until(() => performance.now() > end || isOver())]);
    const isLast = isOver();
    controller.abort();
    await following;
    if (isLast) return pieces;
  }
}

/** A TCP proxy that resets its connections when told to. */
export interface Proxy {
  readonly url: string;
  /** @returns how many connections it has reset */
  reset(): number;
}

/** Starts a proxy; `port` says for each connection where it goes. */
export async function startProxy(t: ExecutionContext, port: () => number): Promise<Proxy> {
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port(), '127.0.0.1');
    open.add(near);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.once('close', () => other.destroy());
    }
    near.once('close', () => open.delete(near));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const reset = () => {
    const count = open.size;
    for (const socket of open) socket.resetAndDestroy();
    return count;
  };
  t.teardown(() => {
    reset();
    server.close();
  });
  const address = server.address() as { port: number };
  return { url: `http://127.0.0.1:${address.port}`, reset };
}

/** Does something at random moments, until it is over. */
export async function nowAndThen(isOver: () => boolean, least: number, most: number, act: () => void): Promise<void> {
  while (!isOver()) {
    await sleep(least + Math.random() * (most - least));
    act();
  }
}
