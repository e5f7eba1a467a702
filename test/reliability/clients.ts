import { randomUUID } from 'node:crypto';
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { issueToken } from '@todo-backend/infrastructure';
import type { ExecutionContext } from 'ava';
import { assertDocumented } from '../../packages/http/test/conformance.ts';
import { SECRET } from './program.ts';

/** A response. */
export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server answered; the tests say what it should be
  readonly body: any;
  readonly milliseconds: number;
}

/** The error when there is no response. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
  /** Whether there was a connection, so that the request may have been received. */
  readonly wasConnected: boolean;
  /** Whether the connection had already been used for a request. */
  readonly wasKept: boolean;

  constructor(message: string, connection: { wasConnected: boolean; wasKept: boolean }) {
    super(message);
    this.wasConnected = connection.wasConnected;
    this.wasKept = connection.wasKept;
  }
}

/** Milliseconds to wait for a response: all limits of the server together are 15 s. */
const PATIENCE = 40_000;

/** A user with a keep-alive connection. */
export class Client {
  readonly userId: string;
  readonly #token: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  private constructor(userId: string, token: string) {
    this.userId = userId;
    this.#token = token;
  }

  static async of(userId: string): Promise<Client> {
    return new Client(userId, await issueToken({ secret: SECRET, userId, lifetime: 7200 }));
  }

  /** Calls a path of the server at `url`, below `/api/{user_id}` if it begins with `~`. Rejects with {@link NoAnswer}. */
  call(url: string, method: string, path: string, json?: object, requestId: string = randomUUID()): Promise<Reply> {
    const start = performance.now();
    const body = json === undefined ? '' : JSON.stringify(json);
    let wasConnected = false;
    return new Promise((resolve, reject) => {
      const sent = request(new URL(path.replace('~', `/api/${this.userId}`), url), {
        method,
        agent: this.#agent,
        timeout: PATIENCE,
        headers: {
          Authorization: `Bearer ${this.#token}`,
          'X-Request-Id': requestId,
          ...(json !== undefined && { 'Content-Type': 'application/json' }),
          ...(method !== 'GET' && { 'Content-Length': Buffer.byteLength(body) }),
        },
      });
      const fail = (error: NodeJS.ErrnoException) =>
        reject(new NoAnswer(error.code ?? error.message, { wasConnected, wasKept: sent.reusedSocket }));
      sent.on('socket', (socket) => {
        wasConnected = !socket.connecting;
        if (socket.connecting) {
          socket.once('connect', () => {
            wasConnected = true;
          });
        }
      });
      sent.on('timeout', () => sent.destroy(Object.assign(new Error(), { code: 'HANGS' })));
      sent.on('error', fail);
      sent.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('error', fail);
        response.on('end', () => {
          const { statusCode: status = 0, headers } = response;
          const milliseconds = performance.now() - start;
          const given = Object.entries(response.headersDistinct).map(([name, values]): [string, string] => [
            name,
            values?.join() ?? '',
          ]);
          try {
            assertDocumented(method, sent.path, { status, headers: new Headers(given), text });
          } catch (error) {
            return reject(error);
          }
          resolve({ status, headers, body: text === '' ? undefined : JSON.parse(text), milliseconds });
        });
      });
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Whether a response is a well-formed 503 with `Retry-After`. */
export function isRetryLater({ status, headers, body }: Reply): boolean {
  return status === 503 && headers['retry-after'] === '1' && body?.type === '/problems/unavailable';
}

const TASK = { description: 'of a test', priority: 'low', category: 'work' };

/** The responses that a user got, to compare with the final state of the server. */
class Book {
  /** Type of event and task of each write that was acknowledged, by the id of its request. */
  readonly acknowledged = new Map<string, { type: RegExp; taskId: string }>();
  /** Writes that got no response or a 503, and so may have taken effect. */
  readonly open = new Set<string>();
}

/** Options of {@link Writers}. */
export interface WritersOptions {
  /** Returns the URL of the server; called before each request. */
  readonly url: () => string;
  readonly clients: number;
  readonly users: number;
  /** The allowed failures: 503 with `Retry-After`, or a lost connection. */
  readonly mayMeet: 'unavailable' | 'loss' | 'nothing';
}

/** Clients that create, change, toggle and delete tasks, one request after the other, and record the responses. */
export class Writers {
  /** Unexpected responses. */
  readonly unexpected: string[] = [];
  /** Acknowledged writes, and those with an unknown outcome. */
  readonly counts = { acknowledged: 0, open: 0 };
  /** Milliseconds of the slowest response. */
  slowest = 0;
  readonly #options: WritersOptions;
  readonly #books = new Map<string, Book>();
  readonly #onSuccess = new Set<(startedAt: number) => void>();
  #work: Promise<unknown> = Promise.resolve();
  #isStopping = false;

  constructor(options: WritersOptions) {
    this.#options = options;
    for (let i = 0; i < options.users; i++) this.#books.set(randomUUID(), new Book());
  }

  get userIds(): string[] {
    return [...this.#books.keys()];
  }

  /** Until `stop`, or the end of the test. */
  start(t: ExecutionContext): void {
    t.teardown(() => this.stop());
    const users = this.userIds;
    const { clients } = this.#options;
    this.#isStopping = false;
    this.#work = Promise.all(Array.from({ length: clients }, (_, i) => this.#write(users[i % users.length] ?? '')));
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#work;
  }

  /** Resolves with the time of the first acknowledgement of a request sent after `since`. */
  success(since = performance.now()): Promise<number> {
    return new Promise((resolve) => {
      const listener = (startedAt: number) => {
        if (startedAt < since) return;
        this.#onSuccess.delete(listener);
        resolve(performance.now());
      };
      this.#onSuccess.add(listener);
    });
  }

  /** Compares every user's responses with the tasks, the counts and the journal of the server. */
  async verify(t: ExecutionContext): Promise<void> {
    t.deepEqual(this.unexpected.slice(0, 5), []);
    for (const [userId, book] of this.#books) {
      const client = await Client.of(userId);
      await verifyUser(t, client, this.#options.url(), book);
      client.close();
    }
  }

  async #write(userId: string): Promise<void> {
    const client = await Client.of(userId);
    const book = this.#books.get(userId) ?? new Book();
    /** This client's own tasks, which no other client changes. */
    const tasks: string[] = [];
    while (!this.#isStopping) {
      const requestId = randomUUID();
      const startedAt = performance.now();
      const chance = Math.random();
      const index = Math.floor(Math.random() * tasks.length);
      const id = tasks[index];
      const url = this.#options.url();
      const call = (method: string, path: string, json?: object) => client.call(url, method, path, json, requestId);
      let type: RegExp;
      let answer: Promise<Reply>;
      if (id === undefined || chance < 0.4) {
        type = /created/;
        answer = call('POST', '~/tasks', { ...TASK, title: requestId });
      } else if (chance < 0.6) {
        type = /updated/;
        answer = call('PUT', `~/tasks/${id}`, { title: requestId });
      } else if (chance < 0.8) {
        type = /completed|reopened/;
        answer = call('PATCH', `~/tasks/${id}/complete`);
      } else {
        type = /deleted/;
        tasks.splice(index, 1);
        answer = call('DELETE', `~/tasks/${id}`);
      }
      try {
        const reply = await answer;
        this.slowest = Math.max(this.slowest, reply.milliseconds);
        if (reply.status < 300) {
          if (reply.status === 201) tasks.push(reply.body.id);
          book.acknowledged.set(requestId, { type, taskId: reply.body?.id ?? id });
          this.counts.acknowledged++;
          for (const listener of this.#onSuccess) listener(startedAt);
        } else {
          book.open.add(requestId);
          this.counts.open++;
          if (this.#options.mayMeet !== 'unavailable' || !isRetryLater(reply)) {
            this.unexpected.push(`${type} ${reply.status} ${JSON.stringify(reply.body)}`);
          }
          await sleep(20);
        }
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error;
        if (error.wasConnected) {
          book.open.add(requestId);
          this.counts.open++;
        }
        if (this.#options.mayMeet !== 'loss' || error.message === 'HANGS') this.unexpected.push(`${type} ${error}`);
        await sleep(20);
      }
    }
    client.close();
  }
}

/** An entry of the journal. */
export interface Entry {
  readonly sequence: number;
  readonly type: string;
  readonly taskId: string;
  readonly correlationId: string;
  readonly task?: { id: string };
  readonly changes?: Record<string, { after: unknown }>;
}

/** The journal of a user after a sequence, oldest first. */
export async function journal(client: Client, url: string, after = 0): Promise<Entry[]> {
  const entries: Entry[] = [];
  let path: string | undefined = '~/audit?limit=200';
  while (path !== undefined) {
    const { status, headers, body }: Reply = await client.call(url, 'GET', path);
    if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
    entries.push(...body.filter(({ sequence }: Entry) => sequence > after));
    const next = /<(.+)>; rel="next"/.exec(String(headers.link))?.[1];
    path = next !== undefined && (body.at(-1)?.sequence ?? 0) > after + 1 ? `~/audit${next}` : undefined;
  }
  return entries.reverse();
}

async function verifyUser(t: ExecutionContext, client: Client, url: string, book: Book): Promise<void> {
  const tasks = new Map<string, object>();
  const seen = new Set<string>();
  const entries = await journal(client, url);
  for (const [index, { sequence, type, taskId, correlationId, task, changes }] of entries.entries()) {
    if (sequence !== index + 1) return t.fail(`entry ${sequence} of the journal stands where ${index + 1} should`);
    if (seen.has(correlationId)) return t.fail(`two entries for the request ${correlationId}`);
    seen.add(correlationId);
    const told = book.acknowledged.get(correlationId);
    if (told === undefined && !book.open.has(correlationId)) return t.fail(`entry for no request: ${correlationId}`);
    if (told && !(told.type.test(type) && told.taskId === taskId)) return t.fail(`${type} for ${told.type}`);
    if (type.includes('deleted')) tasks.delete(taskId);
    else if (task) tasks.set(taskId, task);
    else {
      const after = Object.entries(changes ?? {}).map(([name, change]) => [name, change.after]);
      tasks.set(taskId, { ...tasks.get(taskId), ...Object.fromEntries(after) });
    }
  }
  const lost = [...book.acknowledged.keys()].filter((requestId) => !seen.has(requestId));
  t.deepEqual(lost, [], 'acknowledged, and not in the journal');

  const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
  const { body: rows } = await client.call(url, 'GET', '~/tasks');
  const expected = [...tasks.values()].map((task) => ({
    ...task,
    completed: (task as { status: string }).status === 'completed',
  }));
  t.deepEqual(
    rows.sort(byId),
    (expected as unknown as { id: string }[]).sort(byId),
    'the tasks that the journal tells of',
  );
  const completed = rows.filter((task: { completed: boolean }) => task.completed).length;
  const { body: stats } = await client.call(url, 'GET', '~/stats');
  t.deepEqual(stats, { total: rows.length, pending: rows.length - completed, completed });
}

/** Polls `/health` until `stop` or the end of the test; it must always respond. */
export class HealthProbe {
  readonly milliseconds: number[] = [];
  readonly failures: string[] = [];
  readonly #work: Promise<void>;
  #isStopping = false;

  constructor(t: ExecutionContext, url: string) {
    t.teardown(() => this.stop());
    this.#work = this.#probe(url);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#work;
  }

  async #probe(url: string): Promise<void> {
    const client = await Client.of('nobody');
    while (!this.#isStopping) {
      const { status, milliseconds } = await client.call(url, 'GET', '/health').catch((error) => {
        this.failures.push(String(error));
        return { status: 200, milliseconds: 0 };
      });
      if (status !== 200) this.failures.push(String(status));
      this.milliseconds.push(milliseconds);
      await sleep(20);
    }
    client.close();
  }
}
