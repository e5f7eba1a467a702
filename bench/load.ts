/** Makes the requests. A process of its own, which the measuring one starts and talks to. */
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import autocannon from 'autocannon';
import { type Call, callsOf, type Population, WORKLOADS, type WorkloadName } from './workloads.ts';

/** What to do. */
export interface Job {
  /**
   * `closed`: so many connections, each of which asks again as soon as it has its answer. `open`: so many users, each of
   * whom asks once a second, whether or not there was an answer.
   */
  readonly loop: 'closed' | 'open';
  readonly many: number;
  readonly url: string;
  readonly workload: WorkloadName;
  readonly population: Population;
  /** Seconds before the measuring begins. */
  readonly warmUp: number;
  readonly seconds: number;
}

/** What came of it; latencies in milliseconds. */
export interface Measured {
  readonly perSecond: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  /** Answers other than 2xx, and requests without an answer. */
  readonly errors: number;
}

/** What this process says: when measuring begins and ends, and what was measured. */
export type Report = 'begin' | 'end' | Measured | { readonly failure: string };

/** Milliseconds that an open loop waits for the last answers. */
const PATIENCE = 10_000;

const tell = (report: Report) => process.send?.(report);

process.on('message', async (job: Job) => {
  try {
    tell(await (job.loop === 'closed' ? closedLoop(job) : openLoop(job)));
  } catch (error) {
    tell({ failure: String(error) });
  }
});
process.on('disconnect', () => process.exit());
// The measuring process decides when to end.
process.on('SIGINT', () => {});

async function closedLoop({ url, many: connections, workload, population, warmUp, seconds }: Job): Promise<Measured> {
  const latencies: number[] = [];
  let errors = 0;
  let isMeasuring = false;
  let connection = 0;
  const setupClient = (client: autocannon.Client) => {
    const calls = callsOf(WORKLOADS[workload], population, connection++, connections);
    client.setRequests(
      calls.map((call) => ({
        method: call.method,
        path: call.path,
        headers: headersOf(call, population),
        ...(call.body && { setupRequest: (request: autocannon.Request) => ({ ...request, body: call.body?.() }) }),
      })) as autocannon.Request[],
    );
  };
  const done = Promise.withResolvers<void>();
  const options = { url, connections, duration: 1_000_000, sampleInt: 50, setupClient, timeout: 30 };
  const instance = autocannon(options as autocannon.Options, (error) => (error ? done.reject(error) : done.resolve()));
  instance.on('response', (_client, status, _bytes, milliseconds) => {
    if (status < 200 || status > 299) errors++;
    else if (isMeasuring) latencies.push(milliseconds);
  });
  instance.on('reqError', () => errors++);
  await sleep(warmUp * 1000);
  const start = begin();
  isMeasuring = true;
  await sleep(seconds * 1000);
  isMeasuring = false;
  const elapsed = end(start);
  (instance as unknown as { stop(): void }).stop();
  await done.promise;
  return summary(latencies, errors, elapsed);
}

async function openLoop({ url, many: users, workload, population, warmUp, seconds }: Job): Promise<Measured> {
  const { hostname, port } = new URL(url);
  const { call, owners } = WORKLOADS[workload];
  // Each user has a connection of their own, and a moment of the second, in no order.
  const people = population[owners].slice(0, users).map((owner, index, { length }) => ({
    owner,
    agent: new Agent({ keepAlive: true }),
    phase: ((index * 7919) % length) / length,
  }));
  const inOrder = people.toSorted((a, b) => a.phase - b.phase);
  const latencies: number[] = [];
  let errors = 0;
  let waiting = 0;
  const base = performance.now() + 50;
  const send = (agent: Agent, call: Call, due: number) => {
    const { method, path, body } = call;
    waiting++;
    const isMeasured = due >= base + warmUp * 1000;
    const finish = (isGood: boolean) => {
      waiting--;
      if (!isMeasured) return;
      // From the moment at which the user asked, not from that at which this process came to it.
      latencies.push(performance.now() - due);
      if (!isGood) errors++;
    };
    const text = body?.();
    const outgoing = request({ hostname, port, method, path, agent, headers: headersOf(call, population, text) });
    outgoing.once('error', () => finish(false));
    outgoing.once('response', (response) => {
      response.resume();
      response.once('end', () => finish((response.statusCode ?? 500) < 300));
    });
    outgoing.end(text);
  };
  let start: number | undefined;
  for (let second = 0; second < warmUp + seconds; second++) {
    for (const { owner, agent, phase } of inOrder) {
      const due = base + (second + phase) * 1000;
      while (performance.now() < due) await sleep(1);
      if (start === undefined && second >= warmUp) start = begin();
      send(agent, call(owner, second), due);
    }
  }
  const patience = performance.now() + PATIENCE;
  while (waiting > 0 && performance.now() < patience) await sleep(10);
  const elapsed = end(start ?? base);
  for (const { agent } of people) agent.destroy();
  // Whoever still waits has waited for this long at least.
  for (let index = 0; index < waiting; index++) latencies.push(PATIENCE);
  return summary(latencies, errors + waiting, Math.min(elapsed, seconds));
}

function headersOf({ user, body }: Call, { tokens }: Population, text?: string): Record<string, string> {
  return {
    Authorization: `Bearer ${tokens[user]}`,
    ...(body && { 'Content-Type': 'application/json' }),
    ...(text !== undefined && { 'Content-Length': `${Buffer.byteLength(text)}` }),
  };
}

function begin(): number {
  tell('begin');
  return performance.now();
}

/** @returns seconds */
function end(start: number): number {
  tell('end');
  return (performance.now() - start) / 1000;
}

function summary(latencies: number[], errors: number, seconds: number): Measured {
  const sorted = Float64Array.from(latencies).sort();
  const percentile = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return {
    perSecond: sorted.length / seconds,
    p50: percentile(0.5),
    p95: percentile(0.95),
    p99: percentile(0.99),
    errors,
  };
}
