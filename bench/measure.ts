/** The measurements. All of them take what they compare in turn, round after round. */
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { compareAnswers, DifferenceError } from './compare.ts';
import { createDatabase, fill, journalOf, ownersWith, type Queryable, type Size, setBack, withClient } from './data.ts';
import type { Job, Measured } from './load.ts';
import type { Loader } from './loader.ts';
import { mainProfile, timesOf } from './profile.ts';
import { type RunningServer, type ServerName, type Settings, startServer, watchChildren } from './servers.ts';
import { issueToken, type SigningKey } from './tokens.ts';
import { type Population, WORKLOADS, type WorkloadName } from './workloads.ts';

/** How much to measure. */
export interface Plan {
  readonly servers: readonly ServerName[];
  readonly workloads: readonly WorkloadName[];
  readonly connections: readonly number[];
  readonly rounds: number;
  /** Of each measurement. */
  readonly seconds: number;
  /** Of each measurement, before it begins. */
  readonly warmUp: number;
  readonly size: Size;
  /** Users whose requests are made, at the most. */
  readonly activeUsers: number;
  /** Numbers of tasks in the database. */
  readonly growth: readonly number[];
  /** Numbers of tasks of one user. */
  readonly statsGrowth: readonly number[];
  readonly logLevel: string;
}

/** What everything is measured with. */
export interface Bench {
  readonly plan: Plan;
  /** For what servers need; removed at the end. */
  readonly directory: string;
  /** The URL of the PostgreSQL server's own database. */
  readonly admin: string;
  /** Where the public key can be had too. */
  readonly issuer: string;
  readonly key: SigningKey;
  readonly loader: Loader;
  progress(text: string): void;
}

/** One measurement of one server. */
export interface Run extends Measured {
  /** Microseconds of processor time for each request, of the server. */
  readonly serverTime: number;
  /** The same of PostgreSQL's backends. */
  readonly databaseTime: number;
  /** Bytes of resident memory of the server, at the most. */
  readonly memory: number;
}

/** Runs by what was measured and by whom, in the order of the rounds. */
export type Runs<Who = ServerName> = Map<string, Map<Who, Run[]>>;

export interface Throughput {
  /** By {@link keyOf}, `open` for the open loop, `memory` for the mix in servers that were just started. */
  readonly runs: Runs;
  /** Seconds until the first answer. */
  readonly starts: Map<ServerName, number[]>;
  /** How the answers of the baseline differ from those of this version. */
  readonly difference?: string;
}

export const keyOf = (workload: WorkloadName, connections: number) => `${workload} ${connections}`;

/** Milliseconds between two looks at the memory of a server. */
const MEMORY_INTERVAL = 100;

/** Connections of the warming up, of the embedded database and of growth. */
const FEW_CONNECTIONS = 8;

/** Connections of the mix in which memory is measured. */
const MIX_CONNECTIONS = 64;

/** Throughput in closed loops, latency in an open one, start and memory, of all servers on one database. */
export async function measureThroughput(bench: Bench): Promise<Throughput> {
  const { plan, progress } = bench;
  const database = await filledDatabase(bench, 'bench', plan.size);
  const population = await withClient(database, (client) => populationOf(bench, client));
  const settings = settingsOf(bench, database);

  const compared = await withServers(bench, settings, population, async (servers) => {
    progress('comparing the answers of all servers');
    try {
      await compareAnswers(servers, plan.workloads, population, (task) => journalOf(database, task));
    } catch (error) {
      // Versions of this project may differ on purpose.
      if (!(error instanceof DifferenceError && plan.servers.includes('baseline'))) throw error;
      progress(error.message);
      return { difference: error.message };
    }
    return {};
  });
  await setBack(database);
  const runs = await rounds(bench, settings, database, population);

  const starts: Throughput['starts'] = new Map();
  for (let round = 0; round < plan.rounds; round++) {
    for (const name of inTurn(plan.servers, round)) {
      const server = await startServer(name, bench.directory, settings, isUp(population));
      try {
        listIn(starts, name).push(server.startTime);
        // In a process that has done nothing else.
        const job = { loop: 'closed', many: MIX_CONNECTIONS, workload: 'mix', population } as const;
        listIn(mapIn(runs, 'memory'), name).push(await measured(bench, server, job));
      } finally {
        await server.stop();
      }
      await setBack(database);
    }
    progress(`round ${round + 1} of ${plan.rounds}, start and memory`);
  }
  return { starts, runs, ...compared };
}

/** Starts all servers, for as long as `run` takes. */
async function withServers<T>(
  { plan, directory }: Bench,
  settings: Settings,
  population: Population,
  run: (servers: readonly RunningServer[]) => Promise<T>,
): Promise<T> {
  const servers: RunningServer[] = [];
  try {
    for (const name of plan.servers) servers.push(await startServer(name, directory, settings, isUp(population)));
    return await run(servers);
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

async function warmUp({ plan, loader }: Bench, servers: readonly RunningServer[], population: Population) {
  for (const { url } of servers) {
    for (const workload of plan.workloads) {
      const job = { loop: 'closed', many: FEW_CONNECTIONS, url, workload, population, seconds: 0 } as const;
      await loader.run({ ...job, warmUp: plan.seconds / 2 }, () => () => {});
    }
  }
}

interface Step {
  readonly key: string;
  readonly title: string;
  readonly job: Pick<Job, 'loop' | 'many' | 'workload'>;
}

/** One and the same version is up to a tenth faster in one process than in the next, so each round has new ones. */
async function rounds(bench: Bench, settings: Settings, database: string, population: Population): Promise<Runs> {
  const { plan } = bench;
  const postmaster = await postmasterOf(database);
  const steps: Step[] = [];
  for (const workload of plan.workloads) {
    for (const many of plan.connections) {
      const title = `${WORKLOADS[workload].title}, ${many} connections`;
      steps.push({ key: keyOf(workload, many), title, job: { loop: 'closed', many, workload } });
    }
  }
  if (plan.workloads.includes('mix')) {
    const many = Math.min(plan.activeUsers, population.all.length);
    const title = `mix, ${many} users with a request a second each`;
    steps.push({ key: 'open', title, job: { loop: 'open', many, workload: 'mix' } });
  }
  const runs: Runs = new Map();
  const start = performance.now();
  let done = 0;
  const measureStep = async (round: number, servers: readonly RunningServer[], { key, title, job }: Step) => {
    for (const server of inTurn(servers, round)) {
      const run = await measured(bench, server, { ...job, population }, postmaster);
      listIn(mapIn(runs, key), server.name).push(run);
      if (WORKLOADS[job.workload].writes) await setBack(database);
    }
    const minutes = Math.ceil((((performance.now() - start) / ++done) * (plan.rounds * steps.length - done)) / 60_000);
    const last = [...mapIn(runs, key)].map(([name, runs]) => `${name} ${describe(runs.at(-1), job.loop)}`);
    bench.progress(`round ${round + 1} of ${plan.rounds}, ${title}: ${last.join(', ')}; ${minutes} min left`);
  };
  for (let round = 0; round < plan.rounds; round++) {
    await withServers(bench, settings, population, async (servers) => {
      await warmUp(bench, servers, population);
      for (const step of steps) await measureStep(round, servers, step);
    });
  }
  return runs;
}

function describe(run: Run | undefined, loop: Job['loop']): string {
  if (run === undefined) return '';
  return loop === 'closed' ? `${Math.round(run.perSecond)}/s` : `p99 ${Math.round(run.p99)} ms`;
}

export interface Embedded {
  readonly runs: Runs;
  readonly starts: readonly number[];
  readonly size: Size;
  readonly connections: number;
}

/** Where this project's processor time goes, as the sampling profiler of Node.js sees it. */
export interface Profile {
  /** Microseconds for each request, by library, the most first. */
  readonly times: Map<WorkloadName, Map<string, number>>;
  readonly connections: number;
}

export async function measureProfile(bench: Bench): Promise<Profile> {
  const { plan, progress } = bench;
  const database = await filledDatabase(bench, 'bench', plan.size);
  const population = await withClient(database, (client) => populationOf(bench, client));
  const times: Profile['times'] = new Map();
  for (const workload of plan.workloads) {
    const directory = await mkdtemp(join(bench.directory, 'profile-'));
    const settings = { ...settingsOf(bench, database), NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${directory}` };
    const server = await startServer('todo-backend', bench.directory, settings, isUp(population));
    let run: Run;
    try {
      const job = { loop: 'closed', many: MIX_CONNECTIONS, workload, population } as const;
      run = await measured(bench, server, job);
    } finally {
      await server.stop();
    }
    progress(`profile of ${WORKLOADS[workload].title}: ${describe(run, 'closed')}`);
    // The last seconds of the process are those that were measured.
    times.set(workload, timesOf(await mainProfile(directory), plan.seconds, run.perSecond * plan.seconds));
    if (WORKLOADS[workload].writes) await setBack(database);
  }
  return { times, connections: MIX_CONNECTIONS };
}

/** What one has without a PostgreSQL server. There is nobody to compare it with. */
export async function measureEmbedded(bench: Bench): Promise<Embedded> {
  const { plan, progress } = bench;
  progress('filling the embedded database');
  const size: Size = { tasks: 20_000, users: 500, special: new Map([[500, 4]]) };
  const directory = await mkdtemp(join(bench.directory, 'embedded-'));
  const settings = { ...settingsOf(bench), DATA_DIR: join(directory, 'data') };
  const isAlive = async (url: string) => (await fetch(`${url}/health`)).ok;
  await (await startServer('todo-backend', directory, settings, isAlive)).stop();
  const { PGlite } = await import('@electric-sql/pglite');
  const pglite = await PGlite.create(join(directory, 'data', 'postgres'));
  await fill(pglite, size);
  const population = await populationOf(bench, pglite);
  await pglite.close();

  const workloads = plan.workloads.filter((name) => population[WORKLOADS[name].owners].length > 0);
  const starts: number[] = [];
  const runs: Runs = new Map();
  for (let round = 0; round < plan.rounds; round++) {
    const server = await startServer('todo-backend', directory, settings, isUp(population));
    try {
      starts.push(server.startTime);
      for (const workload of workloads) {
        const run = await measured(bench, server, { loop: 'closed', many: FEW_CONNECTIONS, workload, population });
        listIn(mapIn(runs, workload), server.name).push(run);
      }
    } finally {
      await server.stop();
    }
    progress(`round ${round + 1} of ${plan.rounds}, embedded: started in ${starts.at(-1)?.toFixed(2)} s`);
  }
  return { runs, starts, size, connections: FEW_CONNECTIONS };
}

export interface Growth {
  /** By workload and number of tasks in the database. */
  readonly runs: Runs<number>;
  /** Counting, by number of tasks of the user. */
  readonly stats: Runs<number>;
  readonly connections: number;
}

const GROWTH_WORKLOADS = ['list20', 'get', 'stats50', 'toggle'] as const;

/** Whether it gets slower as the data grows: this project alone, on databases of several sizes in turn. */
export async function measureGrowth(bench: Bench): Promise<Growth> {
  const { plan } = bench;
  const [runs, stats]: [Runs<number>, Runs<number>] = [new Map(), new Map()];
  const places: { tasks: number; server: RunningServer; database: string; population: Population }[] = [];
  const open = async (name: string, size: Size) => {
    const database = await filledDatabase(bench, name, size);
    const population = await withClient(database, (client) => populationOf(bench, client));
    const settings = settingsOf(bench, database);
    const server = await startServer('todo-backend', bench.directory, settings, isUp(population));
    return { tasks: size.tasks, server, database, population };
  };
  try {
    for (const tasks of plan.growth) {
      places.push(await open(`growth_${tasks}`, { tasks, users: Math.ceil(tasks / 35), special: new Map() }));
    }
    const special = new Map(plan.statsGrowth.map((count) => [count, 1]));
    const tasks = plan.statsGrowth.reduce((sum, count) => sum + count, 35_000);
    const users = 1_000 + plan.statsGrowth.length;
    const counting = await open('growth_stats', { tasks, users, special });
    places.push(counting);
    const counted = await Promise.all(
      plan.statsGrowth.map(async (count) => {
        const [owner] = await withClient(counting.database, (client) => ownersWith(client, count, 1));
        return { count, population: await withTokens(bench, { ...nobody, tenThousand: owner ? [owner] : [] }) };
      }),
    );
    for (let round = 0; round < plan.rounds; round++) {
      for (const workload of GROWTH_WORKLOADS) {
        for (const { tasks, server, database, population } of inTurn(places.slice(0, -1), round)) {
          const run = await measured(bench, server, { loop: 'closed', many: FEW_CONNECTIONS, workload, population });
          listIn(mapIn(runs, workload), tasks).push(run);
          if (WORKLOADS[workload].writes) await setBack(database);
        }
      }
      for (const { count, population } of inTurn(counted, round)) {
        const job = { loop: 'closed', many: FEW_CONNECTIONS, workload: 'stats10000', population } as const;
        listIn(mapIn(stats, 'stats'), count).push(await measured(bench, counting.server, job));
      }
      bench.progress(`round ${round + 1} of ${plan.rounds}, growth`);
    }
    return { runs, stats, connections: FEW_CONNECTIONS };
  } finally {
    await Promise.all(places.map(({ server }) => server.stop()));
  }
}

/** @throws when requests of a closed loop fail: failing is fast */
async function measured(
  { plan, loader }: Bench,
  server: RunningServer,
  job: Pick<Job, 'loop' | 'many' | 'workload' | 'population'>,
  postmaster = 0,
): Promise<Run> {
  let [serverTime, databaseTime, memory] = [0, 0, 0];
  const watch = () => {
    const before = server.cpu();
    const databaseTimeNow = watchChildren(postmaster);
    const look = () => {
      memory = Math.max(memory, server.memory());
    };
    const timer = setInterval(look, MEMORY_INTERVAL);
    return () => {
      look();
      clearInterval(timer);
      serverTime = server.cpu() - before;
      databaseTime = databaseTimeNow();
    };
  };
  const seconds = job.loop === 'open' ? plan.seconds * 4 : plan.seconds;
  const result = await loader.run({ ...job, url: server.url, warmUp: plan.warmUp, seconds }, watch);
  await server.settle();
  if (job.loop === 'closed' && result.errors > 0) {
    throw new Error(`${server.name}, ${job.workload}: ${result.errors} requests failed. ${server.complaints()}`);
  }
  const each = 1e6 / Math.max(1, result.perSecond * seconds);
  return { ...result, serverTime: serverTime * each, databaseTime: databaseTime * each, memory };
}

async function filledDatabase({ admin, key, progress }: Bench, name: string, size: Size): Promise<string> {
  progress(`filling a database with ${size.tasks.toLocaleString('en')} tasks`);
  const database = await createDatabase(admin, name, key);
  await withClient(database, (client) => fill(client, size));
  return database;
}

const nobody: Omit<Population, 'tokens'> = { twenty: [], fifty: [], fiveHundred: [], tenThousand: [], all: [] };

/** Whose requests are made: of every kind of user as many as are wanted, or as there are. */
async function populationOf(bench: Bench, database: Queryable): Promise<Population> {
  const many = bench.plan.activeUsers;
  const twenty = await ownersWith(database, 20, many);
  const fifty = await ownersWith(database, 50, many);
  const fiveHundred = await ownersWith(database, 500, 200);
  const tenThousand = await ownersWith(database, 10_000, 12);
  const all = [...twenty.slice(0, Math.ceil(many * 0.35)), ...fifty].slice(0, many);
  return withTokens(bench, { twenty, fifty, fiveHundred, tenThousand, all });
}

async function withTokens({ key, issuer }: Bench, population: Omit<Population, 'tokens'>): Promise<Population> {
  const tokens: Record<string, string> = {};
  for (const { id } of Object.values(population).flat()) tokens[id] ??= await issueToken(key, issuer, id);
  return { ...population, tokens };
}

function settingsOf({ issuer, plan }: Bench, database?: string): Settings {
  return {
    ...(database !== undefined && { DATABASE_URL: database }),
    DATABASE_POOL_SIZE: '10',
    BETTER_AUTH_URL: issuer,
    LOG_LEVEL: plan.logLevel,
    RATE_LIMIT_PER_USER: '1000000',
    RATE_LIMIT_FAILURES_PER_ADDRESS: '1000000',
  };
}

/** A server is up when it lists somebody's tasks. */
export function isUp({
  twenty: [owner],
  tokens,
}: Pick<Population, 'twenty' | 'tokens'>): (url: string) => Promise<boolean> {
  if (owner === undefined) throw new Error('Nobody has 20 tasks.');
  const headers = { Authorization: `Bearer ${tokens[owner.id]}` };
  return async (url) => {
    const response = await fetch(`${url}/api/${owner.id}/tasks`, { headers });
    await response.text();
    return response.ok;
  };
}

async function postmasterOf(database: string): Promise<number> {
  const text = `select split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int as pid`;
  return withClient(database, async (client) => (await client.query(text)).rows[0].pid);
}

/** Another one first in every round. */
function inTurn<T>(items: readonly T[], round: number): T[] {
  const first = round % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}

function mapIn<Key, Inner>(map: Map<Key, Map<Inner, Run[]>>, key: Key): Map<Inner, Run[]> {
  const inner = map.get(key) ?? new Map<Inner, Run[]>();
  map.set(key, inner);
  return inner;
}

function listIn<Key, Item>(map: Map<Key, Item[]>, key: Key): Item[] {
  const list = map.get(key) ?? [];
  map.set(key, list);
  return list;
}
