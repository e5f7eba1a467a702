/** Turns measurements into the tables of docs/performance.md. */
import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { bars } from './chart.ts';
import type { Embedded, Growth, Plan, Profile, Run, Runs, Throughput } from './measure.ts';
import { keyOf } from './measure.ts';
import { PEERS, type ServerName } from './servers.ts';
import { WORKLOADS, type WorkloadName } from './workloads.ts';

/** What git calls the commits that are measured, `-dirty` where files are changed. */
export interface Versions {
  readonly current: string;
  readonly baseline: string;
}

/** How it was measured. */
export interface Circumstances {
  readonly plan: Plan;
  readonly command: string;
  readonly postgres: string;
  /** Where one version is measured beside another. */
  readonly versions?: Versions;
}

/** What is aimed at: shares of the limit, and multiples of the best peer. */
const GOALS: Partial<Record<WorkloadName, readonly [ofLimit: number, ofPeers: number]>> = {
  list20: [0.75, 2],
  list500: [0.75, 2],
  get: [0.75, 1.5],
  create: [0.7, 1],
  toggle: [0.7, 1],
  update: [0.7, 1],
  stats50: [0.75, 1.5],
  stats10000: [0.75, 1.5],
  mix: [0.75, 1.7],
};
const OPEN_LOOP_GOAL = 200;
const START_GOAL = 1.5;
const EMBEDDED_START_GOAL = 2.5;
const MEMORY_GOAL = 200;
const GROWTH_GOAL = 1.25;
const STATS_GROWTH_GOAL = 2;
const BASELINE_GOAL = 0.97;

const PROJECT = 'todo-backend';

/** The markdown between the marks, by the name of the marks; `chart` is an SVG. */
export interface Sections {
  readonly sections: Readonly<Record<string, string>>;
  readonly chart?: string;
}

export function throughputSections(measured: Throughput, circumstances: Circumstances): Sections {
  const { plan } = circumstances;
  const { runs } = measured;
  const parts = [preamble(circumstances)];
  if (plan.servers.includes('limit')) parts.push('![Requests a second beside the limit](images/performance.svg)');
  for (const connections of plan.connections) {
    parts.push(`### ${connectionsTitle(connections)}`);
    parts.push(rates(runs, plan, connections));
  }
  const middle = plan.connections.includes(64) ? 64 : (plan.connections[0] ?? 0);
  parts.push(
    `### Processor time\n\nMicroseconds for each request at ${number(middle)} connections: of the server + of PostgreSQL.`,
  );
  parts.push(processorTimes(runs, plan, middle));
  const chart = bars(
    `Requests a second at ${middle} connections, the limit being 1`,
    plan.servers.filter((name) => name !== 'limit'),
    plan.workloads.map((workload) => ({
      title: WORKLOADS[workload].title,
      values: plan.servers
        .filter((name) => name !== 'limit')
        .map((name) => ratio(runs.get(keyOf(workload, middle)), name, 'limit').middle),
    })),
  );
  return {
    sections: {
      throughput: parts.join('\n\n'),
      ...(runs.has('open') && { 'open-loop': openLoop(runs, plan) }),
      start: startAndMemory(measured, plan),
    },
    ...(plan.servers.includes('limit') && { chart }),
  };
}

/** This version beside the baseline, as a document of its own. */
export function baselineReport(measured: Throughput, circumstances: Circumstances): string {
  const { plan, versions } = circumstances;
  const { runs, difference } = measured;
  const parts = [
    '# This version beside the baseline',
    `${conditions(circumstances)}.`,
    `\`${PROJECT}\` is ${versions?.current}, \`baseline\` is ${versions?.baseline}. The ratio is the median of those of the rounds, with the
least and the most; the processor time is that of the server + of PostgreSQL, in microseconds for each request.`,
  ];
  if (difference !== undefined) parts.push(`**The versions answer differently.** ${difference}`);
  for (const connections of plan.connections) {
    parts.push(`## ${connectionsTitle(connections)}`, besideBaseline(runs, plan, connections));
  }
  if (runs.has('open')) parts.push('## Latency in the mix', openLoop(runs, plan));
  parts.push('## Start and memory', startAndMemory(measured, plan));
  return `${parts.join('\n\n')}\n`;
}

function preamble(circumstances: Circumstances): string {
  const { dependencies } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));
  const versions = ['pg', 'jose', 'koa', 'fastify', 'drizzle-orm', '@fastify/jwt', 'express', '@prisma/client']
    .map((name) => `${name} ${dependencies[name]}`)
    .join(', ');
  return `${conditions(circumstances)}, ${versions}.`;
}

function conditions({ plan, command, postgres }: Circumstances): string {
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  return `Measured on ${new Date().toISOString().slice(0, 10)} by \`${command}\` on ${cpus().length} cores and ${gigabytes} GB, shared by
load, server and PostgreSQL: ${number(plan.size.tasks)} tasks of ${number(plan.size.users)} users, ${plan.rounds} ${plan.rounds === 1 ? 'round' : 'rounds'} of ${plan.seconds} s each
after ${plan.warmUp} s of warming up, log level \`${plan.logLevel}\`. Node.js ${process.versions.node}, PostgreSQL ${postgres}`;
}

function rates(runs: Runs, { servers, workloads }: Plan, connections: number): string {
  const others = servers.filter((name) => name !== PROJECT);
  const rows = workloads.map((workload) => {
    const by = runs.get(keyOf(workload, connections));
    const [ofLimit, ofPeers] = GOALS[workload] ?? [];
    return [
      WORKLOADS[workload].title,
      number(rate(by, PROJECT)),
      against(ratio(by, PROJECT, 'limit'), ofLimit),
      against(ratio(by, PROJECT, PEERS), ofPeers),
      ...others.map((name) => number(rate(by, name))),
    ];
  });
  return table(['requests/s', PROJECT, 'of the limit', 'of the best peer', ...others], rows);
}

function besideBaseline(runs: Runs, { workloads }: Plan, connections: number): string {
  const rows = workloads.map((workload) => {
    const by = runs.get(keyOf(workload, connections));
    return [
      WORKLOADS[workload].title,
      number(rate(by, PROJECT)),
      number(rate(by, 'baseline')),
      against(ratio(by, PROJECT, 'baseline'), BASELINE_GOAL),
      processorTime(by, PROJECT),
      processorTime(by, 'baseline'),
    ];
  });
  return table(['requests/s', PROJECT, 'baseline', 'ratio', `µs, ${PROJECT}`, 'µs, baseline'], rows);
}

function connectionsTitle(connections: number): string {
  return `${number(connections)} ${connections === 1 ? 'connection' : 'connections'}`;
}

function processorTimes(runs: Runs, { servers, workloads }: Plan, connections: number): string {
  const rows = workloads.map((workload) => {
    const by = runs.get(keyOf(workload, connections));
    return [WORKLOADS[workload].title, ...servers.map((name) => processorTime(by, name))];
  });
  return table(['µs', ...servers], rows);
}

/** Of the server + of PostgreSQL. */
function processorTime(by: Map<ServerName, Run[]> | undefined, name: ServerName): string {
  const own = median(by?.get(name)?.map(({ serverTime }) => serverTime));
  const database = median(by?.get(name)?.map(({ databaseTime }) => databaseTime));
  return `${number(own)} + ${number(database)}`;
}

function openLoop(runs: Runs, { servers }: Plan): string {
  const by = runs.get('open');
  const rows = servers.map((name) => {
    const of = (pick: (run: Run) => number) => median(by?.get(name)?.map(pick));
    const limit = name === PROJECT ? OPEN_LOOP_GOAL : undefined;
    return [
      name,
      milliseconds(of(({ p50 }) => p50)),
      milliseconds(
        of(({ p95 }) => p95),
        limit,
      ),
      milliseconds(
        of(({ p99 }) => p99),
        limit,
      ),
      number(by?.get(name)?.reduce((sum, { errors }) => sum + errors, 0) ?? 0),
    ];
  });
  return table(['milliseconds', 'p50', 'p95', 'p99', 'errors'], rows);
}

function startAndMemory({ runs, starts }: Throughput, { servers }: Plan): string {
  const rows = servers.map((name) => {
    const memory =
      median(
        runs
          .get('memory')
          ?.get(name)
          ?.map(({ memory }) => memory),
      ) /
      2 ** 20;
    const start = median(starts.get(name));
    return [
      name,
      goal(`${start.toFixed(2)} s`, name === PROJECT && start <= START_GOAL),
      goal(`${number(memory)} MB`, name === PROJECT && memory <= MEMORY_GOAL),
    ];
  });
  return table(['', 'start to first answer', 'memory in the mix'], rows);
}

export function embeddedSections({ runs, starts, size, connections }: Embedded): Sections {
  const rows = [...runs].map(([workload, by]) => {
    const list = by.get(PROJECT) ?? [];
    const memory = Math.max(0, ...list.map(({ memory }) => memory)) / 2 ** 20;
    return [
      WORKLOADS[workload as WorkloadName].title,
      number(median(list.map(({ perSecond }) => perSecond))),
      milliseconds(median(list.map(({ p95 }) => p95))),
      `${number(memory)} MB`,
    ];
  });
  const start = median([...starts]);
  const text = `${number(size.tasks)} tasks of ${number(size.users)} users, ${connections} connections. From start to first answer
${goal(`${start.toFixed(2)} s`, start <= EMBEDDED_START_GOAL)} (goal: ${EMBEDDED_START_GOAL} s).`;
  return { sections: { embedded: `${text}\n\n${table(['', 'requests/s', 'p95', 'memory'], rows)}` } };
}

/** Libraries below this share are put together. */
const SMALL = 0.015;

export function profileSections({ times, connections }: Profile, { command }: Circumstances): Sections {
  const workloads = [...times.keys()];
  const all = new Set([...times.values()].flatMap((of) => [...of.keys()]));
  const total = (workload: WorkloadName) => [...(times.get(workload)?.values() ?? [])].reduce((sum, n) => sum + n, 0);
  const share = (workload: WorkloadName, name: string) => (times.get(workload)?.get(name) ?? 0) / total(workload);
  const most = (name: string) => Math.max(...workloads.map((workload) => share(workload, name)));
  const large = [...all].filter((name) => most(name) >= SMALL).toSorted((a, b) => most(b) - most(a));
  const rest = (workload: WorkloadName) => 1 - large.reduce((sum, name) => sum + share(workload, name), 0);
  const percent = (share: number) => `${(share * 100).toFixed(0)} %`;
  const rows = [
    ...large.map((name) => [name, ...workloads.map((workload) => percent(share(workload, name)))]),
    ['all others', ...workloads.map((workload) => percent(rest(workload)))],
    ['together, µs for each request', ...workloads.map((workload) => number(total(workload)))],
  ];
  const header = ['own time', ...workloads.map((workload) => WORKLOADS[workload].title)];
  const date = new Date().toISOString().slice(0, 10);
  const text = `Measured on ${date} by \`${command}\` at ${connections} connections.`;
  return { sections: { profile: `${text}\n\n${table(header, rows)}` } };
}

export function growthSections({ runs, stats, connections }: Growth, { command }: Circumstances): Sections {
  const text = `p95 in milliseconds at ${connections} connections, \`${command}\`, ${new Date().toISOString().slice(0, 10)}.`;
  const of = (by: Map<number, Run[]>) => [...by].toSorted(([a], [b]) => a - b);
  const sizes = [...new Set([...runs.values()].flatMap((by) => [...by.keys()]))].toSorted((a, b) => a - b);
  const growth = (by: Map<number, Run[]>, limit: number) => {
    const sorted = of(by);
    const [first, last] = [sorted[0]?.[1] ?? [], sorted.at(-1)?.[1] ?? []];
    const middle = median(last.map(({ p95 }, round) => p95 / (first[round]?.p95 ?? Number.NaN)));
    return goal(middle.toFixed(2), middle < limit);
  };
  const cells = (by: Map<number, Run[]>) => of(by).map(([, list]) => milliseconds(median(list.map(({ p95 }) => p95))));
  const rows = [...runs].map(([workload, by]) => [
    WORKLOADS[workload as WorkloadName].title,
    ...cells(by),
    growth(by, GROWTH_GOAL),
  ]);
  const counts = stats.get('stats') ?? new Map<number, Run[]>();
  return {
    sections: {
      growth: [
        text,
        table(['tasks in the database', ...sizes.map(number), `growth (goal: < ${GROWTH_GOAL})`], rows),
        table(
          ['tasks of the user', ...of(counts).map(([count]) => number(count)), `growth (goal: < ${STATS_GROWTH_GOAL})`],
          [['stats', ...cells(counts), growth(counts, STATS_GROWTH_GOAL)]],
        ),
      ].join('\n\n'),
    },
  };
}

/** Puts what was measured between the marks of a document; the rest of it stays. */
export function intoDocument(document: string, { sections }: Sections): string {
  let text = document;
  for (const [name, content] of Object.entries(sections)) {
    const [begin, end] = [`<!-- generated: ${name} -->`, `<!-- end: ${name} -->`];
    const [before, rest] = text.split(begin);
    const [, after] = rest?.split(end) ?? [];
    if (before === undefined || after === undefined) throw new Error(`The document has no place for "${name}".`);
    text = `${before}${begin}\n${content}\n${end}${after}`;
  }
  return text;
}

interface Ratio {
  readonly middle: number;
  readonly least: number;
  readonly most: number;
}

/** The ratio of throughputs of each round, and of these the median: what hits a whole round falls out. */
function ratio(
  by: Map<ServerName, Run[]> | undefined,
  name: ServerName,
  others: ServerName | readonly ServerName[],
): Ratio {
  const ratios = (by?.get(name) ?? []).map(({ perSecond }, round) => {
    const rates = [others].flat().map((other) => by?.get(other)?.[round]?.perSecond ?? 0);
    return perSecond / Math.max(...rates);
  });
  const known = ratios.filter(Number.isFinite);
  return { middle: median(known), least: Math.min(...known), most: Math.max(...known) };
}

function against({ middle, least, most }: Ratio, wanted: number | undefined): string {
  if (Number.isNaN(middle)) return '';
  const range = least === most ? '' : ` (${least.toFixed(2)} to ${most.toFixed(2)})`;
  if (wanted === undefined) return `${middle.toFixed(2)}${range}`;
  return `${goal(middle.toFixed(2), middle >= wanted)}${range}, goal ${wanted}`;
}

function milliseconds(value: number, below?: number): string {
  const text = value < 10 ? value.toFixed(1) : number(value);
  return goal(text, below !== undefined && value < below);
}

function goal(text: string, isMet: boolean): string {
  return isMet ? `**${text}**` : text;
}

function rate(by: Map<ServerName, Run[]> | undefined, name: ServerName): number {
  return median(by?.get(name)?.map(({ perSecond }) => perSecond));
}

export function median(values: readonly number[] = []): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  const [low, high] = [sorted[Math.max(0, sorted.length % 2 === 0 ? half - 1 : half)], sorted[half]];
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2;
}

function number(value: number): string {
  return Number.isNaN(value) ? '' : Math.round(value).toLocaleString('en');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, index) => (index === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}
