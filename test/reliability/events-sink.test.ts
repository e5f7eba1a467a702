import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { databases, execute, freePort, postgresTest } from '../postgres.ts';
import { Client } from './clients.ts';
import { FULL, type Program, startProgram, until } from './program.ts';

const serverTest = await postgresTest(test);
const newDatabase = databases(test);
const CLIENTS = 20;
/** The number of turns of each server, and the tasks that each client creates, changes and deletes per turn. */
const [TURNS, TASKS] = FULL ? [9, 15] : [2, 3];

/** No timeouts on a busy machine. */
const PATIENT = { DATABASE_CONNECT_TIMEOUT_MS: '60000', DATABASE_STATEMENT_TIMEOUT_MS: '60000' };

serverTest('a refusing or hanging sink does not slow down requests', async (t) => {
  // Accepts every request, and never responds.
  let hanging = 0;
  const sink = createServer(() => {
    hanging++;
  }).listen(0, '127.0.0.1');
  t.teardown(() => {
    sink.close();
    sink.closeAllConnections();
  });
  await until(() => sink.listening);

  const start = async (name: string, sinkPort?: number) => {
    const url = await newDatabase();
    const env = { ...PATIENT, DATABASE_URL: url };
    const sinkUrl = sinkPort !== undefined && { EVENTS_SINK_URL: `http://127.0.0.1:${sinkPort}/` };
    const program = await startProgram(t, { ...env, ...sinkUrl });
    return { name, url, program, latencies: [] as number[] };
  };
  const servers = await Promise.all([
    start('no sink'),
    start('a sink that refuses', await freePort()),
    start('a sink that hangs', (sink.address() as AddressInfo).port),
  ]);

  const clients = await Promise.all(Array.from({ length: CLIENTS }, (_, i) => Client.of(`user ${i}`)));
  for (let turn = 0; turn < TURNS; turn++) {
    // In turns with a rotating start, so that other load on the machine affects all servers equally.
    for (let i = 0; i < servers.length; i++) {
      const server = servers[(turn + i) % servers.length];
      const done = await Promise.all(clients.map((client) => work(client, server?.program)));
      // The first turn is a warm-up.
      if (turn > 0) server?.latencies.push(...done.flat());
    }
    for (const client of clients) client.close();
  }

  const all = TURNS * TASKS * CLIENTS * EVENTS_PER_TASK;
  for (const { name, url, program } of servers) {
    // The relay has tried, and nothing is lost.
    const [found] = await execute(
      url,
      `select sum("sequence")::int as events, sum("deliveredSequence")::int as delivered,
              count(*) filter (where "deliverAfter" > '-infinity')::int as tried, (select count(*)::int from dead_letters) as dead
       from task_ledgers`,
    );
    t.like(found, { events: all, delivered: 0, dead: 0 }, name);
    t.is(Number(found?.tried) > 0, name !== 'no sink', name);
    t.is(await program.end('SIGTERM'), 0, name);
  }
  t.true(hanging > 0);

  const without = servers[0]?.latencies ?? [];
  for (const { name, latencies } of servers) {
    // The mean too, because a locked row delays few requests for long.
    const ratios = [median(latencies) / median(without), mean(latencies) / mean(without)] as const;
    const [ofMedians, ofMeans] = ratios.map((ratio) => ratio.toFixed(2));
    t.log(
      `${name}: ${latencies.length} requests, median ${median(latencies).toFixed(1)} ms (ratio ${ofMedians}), mean ${mean(latencies).toFixed(1)} ms (ratio ${ofMeans})`,
    );
    if (FULL) t.true(Math.max(...ratios) < 1.5, name);
  }
});

const EVENTS_PER_TASK = 4;

/** Creates, changes and deletes tasks. Returns the milliseconds of each request; fails if one does not succeed. */
async function work(client: Client, program: Program | undefined): Promise<number[]> {
  const latencies: number[] = [];
  const call = async (expected: number, method: string, path: string, json?: object) => {
    const { status, body, milliseconds } = await client.call(program?.url ?? '', method, path, json);
    if (status !== expected) throw new Error(`${method} ${status} ${JSON.stringify(body)}`);
    latencies.push(milliseconds);
    return body;
  };
  for (let i = 0; i < TASKS; i++) {
    const { id } = await call(201, 'POST', '~/tasks', { title: `${i}`, priority: 'low', category: 'work' });
    await call(200, 'PATCH', `~/tasks/${id}/complete`);
    await call(200, 'PUT', `~/tasks/${id}`, { title: `${i} again` });
    await call(200, 'GET', '~/tasks?limit=20');
    await call(204, 'DELETE', `~/tasks/${id}`);
  }
  return latencies;
}

function median(figures: readonly number[]): number {
  return [...figures].sort((a, b) => a - b)[Math.floor(figures.length / 2)] ?? Number.NaN;
}

function mean(figures: readonly number[]): number {
  return figures.reduce((sum, figure) => sum + figure, 0) / figures.length;
}
