/**
 * Measures what streams of changes cost, and how soon they tell of a change. `node bench/streams.ts --help` tells more. Build the
 * project first.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, createServer, request } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { cpus, loadavg, tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { freePort, startPrivatePostgres } from '../test/postgres.ts';
import { createDatabase, fill, type Owner, ownersWith, withClient } from './data.ts';
import { Loader } from './loader.ts';
import { isUp } from './measure.ts';
import { median } from './report.ts';
import { killServers, POSTGRES_SETTINGS, type RunningServer, startServer } from './servers.ts';
import { createKey, issueToken } from './tokens.ts';
import type { Population } from './workloads.ts';

const HELP = `Usage: node bench/streams.ts [options]

Measures streams of changes on two servers of this project and a private PostgreSQL server (Linux; PostgreSQL installed,
\`npm run bench\` has installed what loads): the memory of idle streams, what their heartbeats take, the time from a
write to the event on the streams of its user, and writes with and without streams that watch. About four minutes.

  --streams N     idle streams on one server, two of each user; default 10000. Needs as many open files, in three
                  processes: \`ulimit -n\` has to be 300 higher
  --rate N        changes a second while they are watched, default 200
  --seconds N     of each measurement, default 10
  --watching N    streams that watch while throughput is measured, default 1000
  --rounds N      of throughput, default 5
  -h, --help      show this`;

/** Milliseconds between two heartbeats of a silent stream, and some more. */
const HEARTBEATS = 22_000;

/** Milliseconds between two looks at how long others wait. */
const PROBE_INTERVAL = 20;

/** Connections that write, and streams that are opened at once. */
const CONNECTIONS = 64;

const WRITES = ['create', 'toggle', 'update'] as const;

/** A stream to open. */
interface Stream {
  readonly user: string;
  readonly token: string;
}

/** What the process with the streams is asked for. */
type Order = { readonly url: string; readonly open: readonly Stream[] } | 'close' | 'report';

/** What it has seen: how many events, and milliseconds from the write to each. */
interface Seen {
  readonly open: number;
  readonly events: number;
  readonly latencies: readonly number[];
}

if (process.send) follow();
else await measure();

/** Holds the streams, in a process of its own. */
function follow(): void {
  const sockets = new Set<Socket>();
  let events = 0;
  let latencies: number[] = [];
  const read = (chunk: string) => {
    const now = process.hrtime.bigint();
    events += chunk.split('event: change').length - 1;
    for (const [, at] of chunk.matchAll(/"title":"at (\d+)"/g)) latencies.push(Number(now - BigInt(at ?? 0)) / 1e6);
  };
  const open = async (url: string, { user, token }: Stream) => {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname).setEncoding('latin1');
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
    const headers = [`Host: ${hostname}`, `Authorization: Bearer ${token}`, 'Accept: text/event-stream'];
    socket.write(`GET /api/${user}/changes HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`);
    const [answer = ''] = await Promise.race([once(socket, 'data'), once(socket, 'close').then(() => [])]);
    if (!String(answer).startsWith('HTTP/1.1 200')) return void socket.destroy();
    sockets.add(socket);
    socket.on('data', read);
  };
  process.on('message', async (order: Order) => {
    if (order === 'close') {
      const closed = [...sockets].map((socket) => once(socket.destroy(), 'close'));
      await Promise.all(closed);
    } else if (order !== 'report') {
      const left = [...order.open];
      const one = async () => {
        for (let next = left.pop(); next !== undefined; next = left.pop()) await open(order.url, next);
      };
      await Promise.all(Array.from({ length: CONNECTIONS }, one));
    }
    process.send?.({ open: sockets.size, events, latencies } satisfies Seen);
    events = 0;
    latencies = [];
  });
  process.on('disconnect', () => process.exit());
}

async function measure(): Promise<void> {
  const { values } = parseArgs({
    options: {
      streams: { type: 'string', default: '10000' },
      rate: { type: 'string', default: '200' },
      seconds: { type: 'string', default: '10' },
      watching: { type: 'string', default: '1000' },
      rounds: { type: 'string', default: '5' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return console.log(HELP);
  const [streams = 0, rate = 0, seconds = 0, watching = 0, rounds = 0] = [
    values.streams,
    values.rate,
    values.seconds,
    values.watching,
    values.rounds,
  ].map(Number);
  const users = Math.max(Math.ceil(streams / 2), watching, 100);
  console.log(`${cpus().length} processors, load ${loadOf()}`);

  const postgres = await startPrivatePostgres(POSTGRES_SETTINGS);
  const loader = new Loader();
  const holder = fork(import.meta.filename, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  try {
    const key = await createKey();
    const keys = JSON.stringify({ keys: [{ ...key.publicKey, kid: key.id, alg: 'EdDSA' }] });
    const issuer = createServer((_request, response) => response.end(keys)).listen(0, '127.0.0.1');
    await once(issuer, 'listening');
    issuer.unref();
    const issuerUrl = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`;
    const database = await createDatabase(await postgres.createDatabase(), 'streams', key);
    const owners = await withClient(database, async (client) => {
      await fill(client, { tasks: users * 20, users, special: new Map() });
      return ownersWith(client, 20, users);
    });
    const tokens: Record<string, string> = {};
    for (const { id } of owners) tokens[id] = await issueToken(key, issuerUrl, id);

    const start = async () => {
      const metricsPort = await freePort();
      const settings = {
        DATABASE_URL: database,
        BETTER_AUTH_URL: issuerUrl,
        LOG_LEVEL: 'warn',
        METRICS_PORT: `${metricsPort}`,
        MAX_CONNECTIONS: '100000',
        MAX_CONNECTIONS_PER_ADDRESS: '100000',
        RATE_LIMIT_PER_USER: '1000000',
      };
      const server = await startServer('todo-backend', tmpdir(), settings, isUp({ twenty: owners, tokens }));
      return { ...server, metricsPort };
    };
    const [here, there] = [await start(), await start()];
    const streamOf = ({ id }: Owner): Stream => ({ user: id, token: tokens[id] ?? '' });

    await idleStreams(
      here,
      holder,
      Array.from({ length: streams }, (_, i) => streamOf(owners[i % users] as Owner)),
    );
    for (const [where, server] of [
      ['the same server', here],
      ['another server', there],
    ] as const) {
      await tell(holder, 'report');
      const writes = await writeAtRate(server.url, owners, tokens, rate, seconds);
      await sleep(5_000);
      const { open, events, latencies } = await tell(holder, 'report');
      if (open < streams) throw new Error(`${streams - open} streams have ended.`);
      console.log(
        `changes on ${where}, ${rate}/s: write to event ${percentiles(latencies)} (${events} events); ` +
          `write to answer ${percentiles(writes)}; load ${loadOf()}`,
      );
    }
    await tell(holder, 'close');

    const active = owners.slice(0, watching);
    const none: readonly Owner[] = [];
    const population = { all: active, twenty: none, fifty: none, fiveHundred: none, tenThousand: none, tokens };
    await throughput(here, there, loader, holder, population, active.map(streamOf), { rounds, seconds: seconds / 5 });
    await Promise.all([here.stop(), there.stop()]);
  } finally {
    holder.kill();
    loader.stop();
    killServers();
    await postgres.stop();
  }
}

/** Opens streams on which nothing happens, and says what they take. */
async function idleStreams(
  server: RunningServer & { metricsPort: number },
  holder: ChildProcess,
  streams: readonly Stream[],
): Promise<void> {
  await server.settle();
  const before = server.memory();
  const quiet = await watchFor(server, 5_000);
  const start = performance.now();
  const { open } = await tell(holder, { url: server.url, open: streams });
  if (open < streams.length) {
    throw new Error(`Only ${open} of ${streams.length} streams could be opened. Is \`ulimit -n\` high enough?`);
  }
  const took = (performance.now() - start) / 1000;
  const beating = await watchFor(server, HEARTBEATS);
  const after = server.memory();
  const megabytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MB`;
  console.log(`${open} streams opened in ${took.toFixed(1)} s`);
  console.log(
    `memory ${megabytes(before)} before, ${megabytes(after)} with them: ${((after - before) / open / 1024).toFixed(1)} kB each`,
  );
  console.log(`without streams: ${describe(quiet)}`);
  console.log(`while each has a heartbeat: ${describe(beating)}; load ${loadOf()}`);
}

/** How a server does for a while. */
interface Watched {
  /** Share of a processor. */
  readonly busy: number;
  /** Milliseconds for which the event loop came too late: the 99th percentile, and the most. */
  readonly lag: readonly [number, number];
  /** Milliseconds that requests took which ask for next to nothing. */
  readonly answers: readonly number[];
}

async function watchFor(server: RunningServer & { metricsPort: number }, milliseconds: number): Promise<Watched> {
  const lagOf = async () => {
    const text = await (await fetch(`http://127.0.0.1:${server.metricsPort}/metrics`)).text();
    const figure = (name: string) =>
      Number(new RegExp(`^nodejs_eventloop_lag_${name}_seconds ([^ \n]+)`, 'm').exec(text)?.[1]) * 1000;
    return [figure('p99'), figure('max')] as const;
  };
  // What is asked for is of the time since it was last asked for.
  await lagOf();
  const [cpu, start] = [server.cpu(), performance.now()];
  const answers: number[] = [];
  while (performance.now() < start + milliseconds) {
    const asked = performance.now();
    await (await fetch(`${server.url}/health`)).text();
    answers.push(performance.now() - asked);
    await sleep(PROBE_INTERVAL);
  }
  const busy = (server.cpu() - cpu) / ((performance.now() - start) / 1000);
  return { busy, lag: await lagOf(), answers };
}

function describe({ busy, lag: [p99, most], answers }: Watched): string {
  return (
    `${(busy * 100).toFixed(1)} % of a processor, event loop late by p99 ${p99.toFixed(0)} ms, ` +
    `at the most ${most.toFixed(0)} ms, /health ${percentiles(answers)}`
  );
}

/** Changes a task so many times a second, of one user after the other; returns the milliseconds until the answers. */
async function writeAtRate(
  url: string,
  owners: readonly Owner[],
  tokens: Readonly<Record<string, string>>,
  rate: number,
  seconds: number,
): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const answers: number[] = [];
  const begin = performance.now();
  const underWay: Promise<void>[] = [];
  for (let n = 0; n < rate * seconds; n++) {
    const due = begin + (n * 1000) / rate;
    while (performance.now() < due) await sleep(1);
    // Neighbours in the list may be neighbours on disk.
    const { id, tasks } = owners[(n * 7919) % owners.length] as Owner;
    const start = performance.now();
    const done = async () => {
      const body = JSON.stringify({ title: `at ${process.hrtime.bigint()}` });
      const headers = {
        Authorization: `Bearer ${tokens[id]}`,
        'Content-Type': 'application/json',
        'Content-Length': body.length,
      };
      const sent = request(`${url}/api/${id}/tasks/${tasks[n % tasks.length]}`, { method: 'PUT', agent, headers });
      sent.end(body);
      const [response] = await once(sent, 'response');
      response.resume();
      await once(response, 'end');
      if (response.statusCode !== 200) throw new Error(`A write was answered with ${response.statusCode}.`);
      answers.push(performance.now() - start);
    };
    underWay.push(done());
  }
  await Promise.all(underWay);
  agent.destroy();
  return answers;
}

/** Writes on one server, with nobody watching and with streams on another one, in turns. */
async function throughput(
  here: RunningServer,
  there: RunningServer,
  loader: Loader,
  holder: ChildProcess,
  population: Population,
  streams: readonly Stream[],
  { rounds, seconds }: { rounds: number; seconds: number },
): Promise<void> {
  const rates = Object.fromEntries(WRITES.map((name) => [name, { alone: [] as number[], watched: [] as number[] }]));
  for (let round = 0; round <= rounds; round++) {
    for (const isWatched of round % 2 ? [true, false] : [false, true]) {
      if (isWatched) await tell(holder, { url: there.url, open: streams });
      for (const workload of WRITES) {
        const job = { loop: 'closed', many: CONNECTIONS, url: here.url, workload, population } as const;
        const { perSecond, errors } = await loader.run({ ...job, warmUp: 0.5, seconds }, () => () => {});
        if (errors > 0) throw new Error(`${workload}: ${errors} requests failed. ${here.complaints()}`);
        await here.settle();
        // The first round warms up.
        if (round > 0) rates[workload]?.[isWatched ? 'watched' : 'alone'].push(perSecond);
      }
      if (isWatched) await tell(holder, 'close');
    }
  }
  for (const [name, { alone, watched }] of Object.entries(rates)) {
    const ratios = alone.map((perSecond, round) => (watched[round] ?? 0) / perSecond);
    console.log(
      `${name} at ${CONNECTIONS} connections: ${median(alone).toFixed(0)}/s alone, ${median(watched).toFixed(0)}/s with ` +
        `${streams.length} streams on another server: ${median(ratios).toFixed(2)} ` +
        `(${ratios.map((ratio) => ratio.toFixed(2)).join(', ')}); load ${loadOf()}`,
    );
  }
}

async function tell(holder: ChildProcess, order: Order): Promise<Seen> {
  const answer = once(holder, 'message');
  holder.send(order);
  return (await answer)[0] as Seen;
}

function percentiles(milliseconds: readonly number[]): string {
  const sorted = milliseconds.toSorted((a, b) => a - b);
  const at = (share: number) =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(0);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`;
}

function loadOf(): string {
  return loadavg()[0]?.toFixed(1) ?? '';
}
