/** The servers have to do the same work before it makes sense to time them. */
import { isDeepStrictEqual } from 'node:util';
import { JOURNALLING, type RunningServer } from './servers.ts';
import { type Call, callsOf, type Population, WORKLOADS, type WorkloadName } from './workloads.ts';

/** Two servers answer the same request in different ways. */
export class DifferenceError extends Error {
  override readonly name = 'DifferenceError';
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

type Send = (server: RunningServer, call: Partial<Call> & { path: string }) => Promise<Answer>;

/** What a journal has of a task. */
type Journal = (task: string) => Promise<readonly object[]>;

/** How many users' requests are compared for each workload. */
const SAMPLE = 20;

/**
 * Makes the same requests of all servers and compares their answers, the order of keys aside.
 *
 * @throws DifferenceError which says what differs
 */
export async function compareAnswers(
  servers: readonly RunningServer[],
  workloads: readonly WorkloadName[],
  population: Population,
  journal: Journal,
): Promise<void> {
  const send: Send = async ({ url }, { method = 'GET', path, user, body }) => {
    const headers = {
      ...(user !== undefined && { Authorization: `Bearer ${population.tokens[user]}` }),
      ...(body && { 'Content-Type': 'application/json' }),
    };
    const response = await fetch(url + path, { method, headers, ...(body && { body: body() }) });
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text, withoutOwn) };
  };
  for (const name of workloads) {
    const workload = WORKLOADS[name];
    if (workload.writes) continue;
    for (const call of callsOf(workload, population, 0, 1).slice(0, SAMPLE)) await same(servers, call, send);
  }
  await compareWrites(servers, population, send, journal);
  await compareRefusals(servers, population, send);
}

/** Each server makes and changes a task, and all show it as the one that did it has shown it. */
async function compareWrites(
  servers: readonly RunningServer[],
  { all }: Population,
  send: Send,
  journal: Journal,
): Promise<void> {
  const [owner] = all;
  if (owner === undefined) throw new Error('There is nobody to write for.');
  const user = owner.id;
  const steps: { method: Call['method']; path: string; body?: object }[] = [
    { method: 'PATCH', path: '/complete' },
    { method: 'PATCH', path: '/complete', body: { completed: true } },
    {
      method: 'PUT',
      path: '',
      body: { title: ' Grüße "an" \\ alle ', description: null, dueDate: '2026-12-24T09:30' },
    },
    { method: 'PUT', path: '', body: { priority: 'HIGH', dueDate: '2026-12-24T09:30:00+05:00' } },
    { method: 'PUT', path: '', body: { priority: 'high' } },
    { method: 'PUT', path: '', body: { dueDate: null } },
  ];
  let expected: unknown[] | undefined;
  let expectedEvents: unknown;
  for (const server of servers) {
    const seen: unknown[] = [];
    const input = {
      title: 'Water the plants',
      description: 'all\nof them',
      priority: 'low',
      category: 'Home',
      dueDate: '2026-12-24',
    };
    const created = await send(server, {
      method: 'POST',
      path: `/api/${user}/tasks`,
      user,
      body: () => JSON.stringify(input),
    });
    const { id, createdAt, updatedAt } = created.body as Record<string, string>;
    if (createdAt !== updatedAt) throw new DifferenceError(`${server.name}: a new task has two times.`);
    const path = `/api/${user}/tasks/${id}`;
    let last = created;
    for (const step of [undefined, ...steps]) {
      if (step !== undefined) {
        const before = (last.body as { updatedAt: string }).updatedAt;
        const text = step.body && JSON.stringify(step.body);
        last = await send(server, {
          method: step.method,
          path: path + step.path,
          user,
          ...(text && { body: () => text }),
        });
        seen.push((last.body as { updatedAt: string }).updatedAt !== before);
      }
      const { id: _, createdAt: __, updatedAt: ___, ...rest } = last.body as Record<string, unknown>;
      seen.push(last.status, rest);
      for (const other of servers) {
        const { body } = await send(other, { path, user });
        expectSame(body, last.body, `${other.name} shows otherwise what ${server.name} wrote`);
      }
      await same(servers, { path: `/api/${user}/tasks`, user }, send);
    }
    if (JOURNALLING.includes(server.name)) {
      // Ids and times are each one's own.
      const events = JSON.parse(JSON.stringify(await journal(id ?? '')), (key, value) =>
        ['id', 'createdAt', 'updatedAt'].includes(key) ? key : withoutOwn(key, value),
      );
      expectedEvents ??= events;
      expectSame(events, expectedEvents, `The journal of ${server.name} is another one`);
    }
    expected ??= seen;
    expectSame(seen, expected, `${server.name} writes otherwise than ${servers[0]?.name}`);
  }
}

/** What is not allowed is not allowed anywhere. */
async function compareRefusals(servers: readonly RunningServer[], { all }: Population, send: Send): Promise<void> {
  const [owner, other] = all;
  if (owner === undefined || other === undefined) throw new Error('There is nobody to refuse.');
  const tasks = `/api/${owner.id}/tasks`;
  const user = owner.id;
  const refusals: [number, Partial<Call> & { path: string }][] = [
    [401, { path: tasks }],
    [403, { path: tasks, user: other.id }],
    [404, { path: `${tasks}/${other.tasks[0]}`, user }],
    [404, { path: `${tasks}/${other.tasks[0]}/complete`, user, method: 'PATCH' }],
    [422, { path: `${tasks}/1`, user }],
    [422, { path: tasks, user, method: 'POST', body: () => '{"title":" ","priority":"low","category":"work"}' }],
    [422, { path: tasks, user, method: 'POST', body: () => '{"title":"a"}' }],
    [422, { path: `${tasks}/${owner.tasks[0]}`, user, method: 'PUT', body: () => '{"dueDate":"2026-02-30"}' }],
  ];
  for (const server of servers) {
    for (const [status, call] of refusals) {
      const answer = await send(server, call);
      expectSame(answer.status, status, `${server.name}: ${call.method ?? 'GET'} ${call.path} ${call.body?.() ?? ''}`);
    }
  }
}

async function same(
  servers: readonly RunningServer[],
  call: Partial<Call> & { path: string },
  send: Send,
): Promise<void> {
  const [first, ...others] = servers;
  if (first === undefined) return;
  const expected = await send(first, call);
  if (expected.status !== 200) throw new DifferenceError(`${first.name}: ${call.path} answers ${expected.status}.`);
  for (const server of others) {
    expectSame(await send(server, call), expected, `${server.name} answers ${call.path} otherwise than ${first.name}`);
  }
}

/** What only one of the servers knows, and no task here has. */
const OWN = new Set(['tags', 'recurrence', 'remindAt', 'series']);

function withoutOwn(key: string, value: unknown): unknown {
  return OWN.has(key) ? undefined : value;
}

function expectSame(actual: unknown, expected: unknown, what: string): void {
  if (isDeepStrictEqual(actual, expected)) return;
  const [place, a, b] = firstDifference(actual, expected, '');
  throw new DifferenceError(`${what}: ${place || 'all'} is ${JSON.stringify(a)}, not ${JSON.stringify(b)}.`);
}

function firstDifference(a: unknown, b: unknown, place: string): [string, unknown, unknown] {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return [place, a, b];
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    if (!isDeepStrictEqual(left[key], right[key])) return firstDifference(left[key], right[key], `${place}/${key}`);
  }
  return [place, a, b];
}
