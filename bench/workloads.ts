/** What is asked of the servers. */
import type { Owner } from './data.ts';
import { SEARCHED } from './data.ts';

/** One request of one user. */
export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH';
  readonly path: string;
  readonly user: string;
  /** Makes a body, another one each time. */
  readonly body?: () => string;
}

/** Whose requests they are. */
export interface Population {
  /** Users by the number of their tasks. */
  readonly twenty: readonly Owner[];
  readonly fifty: readonly Owner[];
  readonly fiveHundred: readonly Owner[];
  readonly tenThousand: readonly Owner[];
  /** Users with 20 and with 50, as the database has them. */
  readonly all: readonly Owner[];
  /** A token of each of them. */
  readonly tokens: Readonly<Record<string, string>>;
}

export interface Workload {
  readonly title: string;
  readonly writes: boolean;
  readonly owners: Exclude<keyof Population, 'tokens'>;
  /** The request number `n` of a user. */
  call(owner: Owner, n: number): Call;
}

const list = ({ id }: Owner): Call => ({ method: 'GET', path: `/api/${id}/tasks`, user: id });
const get = (owner: Owner, n: number): Call => ({ method: 'GET', path: pathOf(owner, n), user: owner.id });
const stats = ({ id }: Owner): Call => ({ method: 'GET', path: `/api/${id}/stats`, user: id });
const toggle = (owner: Owner, n: number): Call => ({
  method: 'PATCH',
  path: `${pathOf(owner, n)}/complete`,
  user: owner.id,
});
const create = ({ id }: Owner): Call => ({
  method: 'POST',
  path: `/api/${id}/tasks`,
  user: id,
  body: () => {
    const description = 'See the notes from the last meeting. "Remember" to copy the whole team on the reply.';
    return JSON.stringify({
      title: freshTitle(),
      description,
      priority: 'high',
      category: 'work',
      dueDate: '2026-12-24',
    });
  },
});
const update = (owner: Owner, n: number): Call => ({
  method: 'PUT',
  path: pathOf(owner, n),
  user: owner.id,
  body: () => JSON.stringify({ title: freshTitle(), priority: 'low', dueDate: '2026-12-24T09:30:00+05:00' }),
});

/** Hundredths. */
const MIX: readonly [number, (owner: Owner, n: number) => Call][] = [
  [60, list],
  [15, get],
  [10, toggle],
  [8, create],
  [4, update],
  [3, stats],
];

export const WORKLOADS = {
  list20: { title: 'list of 20', writes: false, owners: 'twenty', call: list },
  list500: { title: 'list of 500', writes: false, owners: 'fiveHundred', call: list },
  get: { title: 'get', writes: false, owners: 'all', call: get },
  create: { title: 'create', writes: true, owners: 'all', call: create },
  toggle: { title: 'toggle', writes: true, owners: 'all', call: toggle },
  update: { title: 'update', writes: true, owners: 'all', call: update },
  stats50: { title: 'stats of 50', writes: false, owners: 'fifty', call: stats },
  stats10000: { title: 'stats of 10,000', writes: false, owners: 'tenThousand', call: stats },
  search: {
    title: 'search in 50',
    writes: false,
    owners: 'fifty',
    call: ({ id }) => ({ method: 'GET', path: `/api/${id}/tasks?search=${SEARCHED}`, user: id }),
  },
  mix: { title: 'mix', writes: true, owners: 'all', call: mixed },
} as const satisfies Record<string, Workload>;
export type WorkloadName = keyof typeof WORKLOADS;

/** 60 % lists, 15 % gets, 10 % toggles, 8 % creates, 4 % updates, 3 % stats, in an order that is the same every time. */
function mixed(owner: Owner, n: number): Call {
  let left = hash(`${owner.id} ${n}`) % 100;
  for (const [share, call] of MIX) {
    left -= share;
    if (left < 0) return call(owner, n);
  }
  return list(owner);
}

/** What one of so many connections asks for, over and over. Each has users of its own where there are enough. */
export function callsOf(workload: Workload, population: Population, connection: number, connections: number): Call[] {
  const owners = population[workload.owners];
  const own = owners.filter((_, index) => index % connections === connection % owners.length);
  const each = Math.max(16, Math.ceil(4_000 / connections));
  return Array.from({ length: each }, (_, index) => {
    const owner = own[index % own.length];
    if (owner === undefined) throw new Error(`There is no user for "${workload.title}".`);
    return workload.call(owner, Math.floor(index / own.length));
  });
}

function pathOf({ id, tasks }: Owner, n: number): string {
  return `/api/${id}/tasks/${tasks[n % tasks.length]}`;
}

let titles = 0;

/** An update has to change something, every time. */
function freshTitle(): string {
  return `Prepare the quarterly report ${process.pid}-${titles++}`;
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193) >>> 0;
  }
  return value >>> 8;
}
