/**
 * Measures the project beside other servers that do the same work on the same rows, and writes docs/performance.md.
 * `npm run bench -- --help` tells how. This file needs nothing but what the project has: it installs the rest.
 */
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { execute, startPrivatePostgres } from '../test/postgres.ts';
import { Loader } from './loader.ts';
import { type Bench, measureEmbedded, measureGrowth, measureProfile, measureThroughput, type Plan } from './measure.ts';
import {
  baselineReport,
  embeddedSections,
  growthSections,
  intoDocument,
  profileSections,
  type Sections,
  throughputSections,
  type Versions,
} from './report.ts';
import { COMMAND, killServers, POSTGRES_SETTINGS, SERVERS, useBaseline } from './servers.ts';
import { createKey } from './tokens.ts';
import { WORKLOADS, type WorkloadName } from './workloads.ts';

const DOCUMENT = 'docs/performance.md';
const PROFILED = 'list20,list500,get,create';
/** All but those that take others long. */
const QUICK = 'list20,get,create,toggle,update,stats50,search,mix';
const CHART = 'images/performance.svg';

const HELP = `Usage: npm run bench -- [options]

Measures throughput, latency, start and memory of this project and of others that do the same work, in turn, on a
private PostgreSQL server (Linux; PostgreSQL installed), and writes the tables of ${DOCUMENT}. Takes an hour or two.

  --quick               20,000 tasks, most workloads, one short round, 64 connections, results not kept: two minutes
  --growth              measure instead whether it gets slower as the data grows (this project alone)
  --profile             measure instead where the processor time of this project goes
  --baseline REV        measure instead this version beside an earlier one, in turns, at 64 connections: a revision of
                        git, checked out and built for the time it takes, or the directory of a checkout that is built.
                        The results are shown, and written only with --output
  --servers LIST        of ${Object.keys(SERVERS).join(', ')}
  --workloads LIST      of ${Object.keys(WORKLOADS).join(', ')}
  --connections LIST    default 1,64,1000; with --baseline 64
  --rounds N            default 5
  --seconds N           of each measurement, default 3
  --tasks N, --users N  how much is in the database, default 1000000 and 20000
  --sizes LIST          of --growth: tasks in the database, default 10000,100000,1000000,5000000
  --counts LIST         of --growth: tasks of one user, default 50,1000,10000,100000
  --log-level LEVEL     of all servers, default info: one line for each request
  --output FILE         where the tables go; default ${DOCUMENT} for a whole measurement, else bench/results/performance.md
  -h, --help            show this`;

const runFile = promisify(execFile);

/** What has to be let go of at the end, the last first. */
const leftovers: (() => unknown)[] = [];
let isInterrupted = false;

async function letGo(): Promise<void> {
  for (const release of leftovers.splice(0).reverse()) {
    try {
      await release();
    } catch (error) {
      // The others are to be let go of all the same.
      console.error(error);
    }
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, async () => {
    if (isInterrupted) return;
    isInterrupted = true;
    // Whatever fails from here on fails because of that.
    process.on('uncaughtException', () => {});
    console.log('\nInterrupted; cleaning up.');
    await letGo();
    process.exit(130);
  });
}

try {
  await main();
  await letGo();
} catch (error) {
  if (!isInterrupted) {
    await letGo();
    console.error(error instanceof Error && /^(?:Difference)?Error$/.test(error.name) ? error.message : error);
    process.exitCode = 1;
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      growth: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      baseline: { type: 'string' },
      servers: { type: 'string' },
      workloads: { type: 'string' },
      connections: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      tasks: { type: 'string' },
      users: { type: 'string' },
      sizes: { type: 'string' },
      counts: { type: 'string' },
      'log-level': { type: 'string', default: 'info' },
      output: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return console.log(HELP);
  const { quick, growth, profile, baseline } = values;
  if (baseline !== undefined && (growth || profile || values.servers !== undefined)) {
    throw new Error('--baseline measures something else: leave out --growth, --profile and --servers.');
  }
  const numbers = (text: string) => text.split(',').map(Number);
  const chosen = <Name extends string>(text: string | undefined, all: Record<Name, unknown>): Name[] => {
    const names = text?.split(',') ?? Object.keys(all);
    const unknown = names.find((name) => !Object.hasOwn(all, name));
    if (unknown !== undefined) throw new Error(`There is no "${unknown}"; there is ${Object.keys(all).join(', ')}.`);
    return names as Name[];
  };
  const tasks = Number(values.tasks ?? (quick ? 20_000 : 1_000_000));
  const plan: Plan = {
    servers: baseline === undefined ? chosen(values.servers, SERVERS) : ['todo-backend', 'baseline'],
    workloads: chosen<WorkloadName>(values.workloads ?? (profile ? PROFILED : quick ? QUICK : undefined), WORKLOADS),
    connections: numbers(values.connections ?? (quick || baseline !== undefined ? '64' : '1,64,1000')),
    rounds: Number(values.rounds ?? (quick ? 1 : 5)),
    seconds: Number(values.seconds ?? (quick ? 0.5 : 3)),
    warmUp: quick ? 0.3 : 1,
    size: {
      tasks,
      users: Number(values.users ?? (quick ? 400 : 20_000)),
      special:
        tasks < 300_000
          ? new Map([
              [10_000, 1],
              [500, 2],
            ])
          : new Map([
              [10_000, 12],
              [500, 200],
            ]),
    },
    activeUsers: 1_000,
    growth: numbers(values.sizes ?? (quick ? '2000,20000' : '10000,100000,1000000,5000000')),
    statsGrowth: numbers(values.counts ?? (quick ? '60,10000' : '50,1000,10000,100000')),
    logLevel: values['log-level'],
  };
  await install(plan);

  const progress = (text: string) => console.log(`${new Date().toTimeString().slice(0, 8)}  ${text}`);
  const directory = await mkdtemp(join(tmpdir(), 'todo-bench-'));
  leftovers.push(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }));
  // PostgreSQL's user has to get at its own directory, which is made in here too.
  await chmod(directory, 0o755);
  process.env.TMPDIR = directory;
  const versions = baseline === undefined ? undefined : await prepareBaseline(baseline, directory);
  progress('starting PostgreSQL');
  const starting = startPrivatePostgres(POSTGRES_SETTINGS);
  leftovers.push(async () => (await starting.catch(() => undefined))?.stop());
  const postgres = await starting;
  const admin = new URL(await postgres.createDatabase());
  const [found] = await execute(admin.href, `select split_part(current_setting('server_version'), ' ', 1) as version`);

  const loader = new Loader();
  leftovers.push(() => loader.stop());
  leftovers.push(killServers);
  const key = await createKey();
  // Where Better Auth would be.
  const keys = JSON.stringify({ keys: [{ ...key.publicKey, kid: key.id, alg: 'EdDSA' }] });
  const issuer = createServer((_request, response) => response.end(keys)).listen(0, '127.0.0.1');
  leftovers.push(() => issuer.close());
  await new Promise((resolve) => issuer.once('listening', resolve));

  const bench: Bench = {
    plan,
    directory,
    admin: admin.href,
    issuer: `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`,
    key,
    loader,
    progress,
  };
  const command = ['npm run bench', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(' ');
  const circumstances = { plan, command, postgres: String(found?.version), ...(versions && { versions }) };
  if (versions !== undefined) {
    const report = baselineReport(await measureThroughput(bench), circumstances);
    console.log(`\n${report}`);
    if (values.output === undefined) return;
    await mkdir(dirname(values.output), { recursive: true });
    await writeFile(values.output, report);
    return console.log(`Written to ${values.output}.`);
  }
  const results: Sections[] = [];
  if (growth) {
    results.push(growthSections(await measureGrowth(bench), circumstances));
  } else if (profile) {
    results.push(profileSections(await measureProfile(bench), circumstances));
  } else {
    results.push(throughputSections(await measureThroughput(bench), circumstances));
    if (plan.servers.includes('todo-backend')) results.push(embeddedSections(await measureEmbedded(bench)));
  }
  const isWhole = !quick && values.servers === undefined && values.workloads === undefined;
  await write(values.output ?? (isWhole ? DOCUMENT : 'bench/results/performance.md'), results);
}

/** Builds a revision in a checkout of its own, unless it is the directory of a built checkout. */
async function prepareBaseline(baseline: string, directory: string): Promise<Versions> {
  let checkout = baseline;
  if (!existsSync(join(baseline, COMMAND))) {
    const revision = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${baseline}^{commit}`];
    const found = await runFile('git', revision).catch(() => undefined);
    if (found === undefined) {
      throw new Error(`"${baseline}" is neither a revision of this repository nor the directory of a built checkout.`);
    }
    checkout = join(directory, 'baseline');
    console.log(`building ${baseline}`);
    // Forced twice: an interrupted checkout is locked.
    leftovers.push(() => runFile('git', ['worktree', 'remove', '--force', '--force', checkout]));
    await run('git', ['worktree', 'add', '--quiet', '--detach', checkout, found.stdout.trim()], '.');
    await run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], checkout);
    await run('npx', ['tsc', '-b'], checkout);
  }
  useBaseline(checkout);
  return { current: await nameOf('.'), baseline: await nameOf(checkout) };
}

async function nameOf(checkout: string): Promise<string> {
  const { stdout } = await runFile('git', ['describe', '--always', '--dirty', '--exclude=*'], { cwd: checkout });
  return stdout.trim();
}

/** Puts the results into a document that is there, or into a copy of the one in the repository. */
async function write(output: string, results: readonly Sections[]): Promise<void> {
  let document = await readFile(existsSync(output) ? output : DOCUMENT, 'utf8');
  for (const result of results) {
    document = intoDocument(document, result);
    if (result.chart !== undefined) {
      const path = join(dirname(output), CHART);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, result.chart);
    }
    console.log(`\n${Object.values(result.sections).join('\n\n')}`);
  }
  await mkdir(dirname(output), { recursive: true });
  await writeFile(output, document);
  console.log(`\nWritten to ${output}.`);
}

/** The libraries of the other servers, which the project itself has no use for. */
async function install({ servers }: Plan): Promise<void> {
  const directory = import.meta.dirname;
  if (await isOlder(join(directory, 'node_modules', '.package-lock.json'), join(directory, 'package-lock.json'))) {
    console.log('installing what the other servers need (once; some 350 MB)');
    await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], directory);
  }
  const schema = join(directory, 'servers', 'express-prisma.prisma');
  if (servers.includes('express-prisma') && (await isOlder(join(directory, 'generated', 'client.ts'), schema))) {
    console.log('generating the Prisma client');
    const prisma = join(directory, 'node_modules', 'prisma', 'build', 'index.js');
    // Generating needs no engine, but looks for one, and would download it.
    const env = { CHECKPOINT_DISABLE: '1', PRISMA_SCHEMA_ENGINE_BINARY: process.execPath };
    await run(process.execPath, [prisma, 'generate', '--schema', schema], directory, env);
  }
}

/** Whether a file is older than what it is made from, or not there. */
async function isOlder(file: string, source: string): Promise<boolean> {
  const [made, changed] = await Promise.all([file, source].map((path) => stat(path).catch(() => undefined)));
  return made === undefined || (changed !== undefined && made.mtimeMs < changed.mtimeMs);
}

async function run(
  command: string,
  parameters: string[],
  cwd: string,
  env: Record<string, string> = {},
): Promise<void> {
  const child = spawn(command, parameters, { cwd, stdio: 'inherit', env: { ...process.env, ...env } });
  leftovers.push(() => child.kill());
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve));
  leftovers.pop();
  if (code !== 0) throw new Error(`${command} ${parameters.join(' ')} failed.`);
}
