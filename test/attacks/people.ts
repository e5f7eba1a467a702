import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { issueToken } from '@todo-backend/infrastructure';
import { FULL, type Program, SECRET } from '../reliability/program.ts';

/** A response that was read to its end. */
export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly milliseconds: number;
}

/** A user of a program. */
export interface Person {
  readonly id: string;
  /** Calls a path below `/api/{user_id}`. */
  call(method: string, path: string, body?: object, headers?: Record<string, string>): Promise<Answer>;
  /** Creates so many tasks, by imports. */
  fill(tasks: number): Promise<void>;
  /** Asks for a path on a connection of its own, and never reads the answer. */
  stall(path: string): Promise<Socket>;
}

/** On a machine that is busy with other things, waiting for a connection may take long, and says nothing. */
export const PATIENT: Record<string, string> = FULL ? {} : { DATABASE_CONNECT_TIMEOUT_MS: '30000' };

/** The most tasks of one import. */
const IMPORT_MAX_TASKS = 10_000;

/** The body of a request that creates a task. */
export function task(title: string): { title: string; priority: string; category: string } {
  return { title, priority: 'low', category: 'home' };
}

/** A user with a good token. */
export async function personOf({ url, port }: Program, id: string): Promise<Person> {
  const token = await issueToken({ secret: SECRET, userId: id, lifetime: 7200 });
  const person: Person = {
    id,
    async call(method, path, body, headers = {}) {
      const start = performance.now();
      const response = await fetch(`${url}/api/${id}${path}`, {
        method,
        headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json', ...headers },
        ...(body && { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, text, milliseconds: performance.now() - start };
    },
    async fill(tasks) {
      for (let first = 0; first < tasks; first += IMPORT_MAX_TASKS) {
        const length = Math.min(IMPORT_MAX_TASKS, tasks - first);
        const body = { tasks: Array.from({ length }, (_, i) => task(`task ${first + i} of ${id}`)) };
        const { status, text } = await person.call('POST', '/tasks/import', body);
        if (status !== 201) throw new Error(text);
      }
    },
    stall(path) {
      return new Promise((resolve, reject) => {
        const socket = connect(port, '127.0.0.1', () => {
          socket.pause();
          socket.write(`GET /api/${id}${path} HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer ${token}\r\n\r\n`);
          resolve(socket);
        });
        socket.on('error', reject);
      });
    },
  };
  return person;
}

/** What an ordinary user does over and over: how long it took, and which statuses came. */
export class OrdinaryUse {
  readonly milliseconds: number[] = [];
  readonly statuses = new Map<number, number>();
  #created = 0;
  readonly #person: Person;

  constructor(person: Person) {
    this.#person = person;
  }

  /** Creates, lists, searches and changes once. */
  async once(): Promise<void> {
    const made = await this.#note('POST', '/tasks', task(`mine ${++this.#created}`), {
      'Idempotency-Key': `key-${this.#created}`,
    });
    await this.#note('GET', '/tasks');
    await this.#note('GET', '/tasks?search=mine&sort_by=title&limit=20');
    if (made.status === 201) await this.#note('PATCH', `/tasks/${JSON.parse(made.text).id}/complete`);
    await this.#note('GET', '/stats');
  }

  /** Tasks that were acknowledged. */
  get created(): number {
    return this.#created;
  }

  /** The 99th percentile. */
  get p99(): number {
    const sorted = this.milliseconds.toSorted((a, b) => a - b);
    return sorted[Math.floor(sorted.length * 0.99)] ?? 0;
  }

  async #note(...request: Parameters<Person['call']>): Promise<Answer> {
    const answer = await this.#person.call(...request);
    this.milliseconds.push(answer.milliseconds);
    this.statuses.set(answer.status, (this.statuses.get(answer.status) ?? 0) + 1);
    return answer;
  }
}

/** Megabytes of memory that a program has. Linux only; elsewhere 0. */
export async function memoryOf({ process: { pid } }: Program): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024;
}
