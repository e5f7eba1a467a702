/**
 * What a request costs before any database is asked: the answer to a get of one task, by `node:http` alone, with Koa, with
 * its router, and by the whole app of the project where the task is there already. Processor time of the server alone, in turns,
 * medians. About half a minute; Linux.
 *
 *   node bench/layers.ts
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import Router from '@koa/router';
import {
  journalUseCases,
  localFeed,
  recoveryUseCases,
  type TaskRepository,
  taskUseCases,
} from '@todo-backend/application';
import { InMemoryTaskRepository } from '@todo-backend/application/testing';
import { createApp, createLogger } from '@todo-backend/http';
import { issueToken, tokenVerifier } from '@todo-backend/infrastructure';
import autocannon from 'autocannon';
import Koa from 'koa';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { median } from './report.ts';
import { processorTime } from './servers.ts';

const ROUNDS = 7;
const SECONDS = 1;
const CONNECTIONS = 64;
const SECRET = 'a secret for measuring, long enough to be one';
const ID = '01a207c3-6b95-73c6-8716-019a7e6b4001';

const task = {
  id: ID,
  title: 'Prepare the quarterly report',
  description: 'See the notes from the last meeting.',
  priority: 'high',
  category: 'work',
  status: 'pending',
  completed: false,
  dueDate: '2026-12-24T00:00:00',
  createdAt: '2026-11-23T09:36:17.301Z',
  updatedAt: '2026-11-23T09:36:17.301Z',
  userId: 'alice',
};

/** As many routes as the app has, so that there is as much to look through. */
const PATHS = ['', '/batch', '/export', '/import', '/:task_id', '/:task_id/complete'];

const STAGES = {
  'node:http': () =>
    createServer((_request, response) => {
      const body = JSON.stringify(task);
      response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) });
      response.end(body);
    }),
  '+ Koa': () => {
    const app = new Koa();
    app.use((ctx) => {
      ctx.body = task;
    });
    return createServer(app.callback());
  },
  '+ @koa/router': () => {
    const app = new Koa();
    const router = new Router({ prefix: '/api/:user_id', sensitive: true, strict: true });
    for (const path of PATHS) {
      router.all(`/tasks${path}`, (ctx) => {
        ctx.body = task;
      });
    }
    app.use(router.routes());
    return createServer(app.callback());
  },
  '+ all of the project but the database': async () => {
    const clock = () => task.createdAt;
    const { completed: _, ...stored } = task;
    const found = { find: async () => stored } as unknown as TaskRepository;
    const ports = { tasks: found, clock, newId: () => ID };
    const tasks = taskUseCases(ports);
    const limit = () => new RateLimiterMemory({ points: 1_000_000_000, duration: 60 });
    const nothing = new InMemoryTaskRepository();
    const journal = journalUseCases({ journal: nothing });
    const recovery = recoveryUseCases({ ...ports, journal: nothing, retentionDays: 90 });
    const app = createApp({
      tasks,
      journal,
      recovery,
      feed: localFeed(),
      tokens: tokenVerifier({ secret: SECRET }),
      readiness: { check: async () => ({ rowSecurity: false }) },
      clock,
      logger: await createLogger({ logLevel: 'info' }),
      corsOrigins: [],
      version: 'layers',
      limits: { perUser: limit(), failuresPerAddress: limit() },
      trustedProxies: 0,
    });
    return createServer(app.callback());
  },
};
type Stage = keyof typeof STAGES;

if (process.send) {
  const server = await STAGES[process.argv[2] as Stage]();
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as { port: number }).port));
  process.on('disconnect', () => process.exit());
} else {
  await measure();
}

async function measure(): Promise<void> {
  const headers = { Authorization: `Bearer ${await issueToken({ secret: SECRET, userId: 'alice', lifetime: 3600 })}` };
  const servers = await Promise.all(
    (Object.keys(STAGES) as Stage[]).map(async (stage) => {
      // What it logs goes nowhere.
      const child = fork(import.meta.filename, [stage], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
      const [port] = await once(child, 'message');
      return { stage, child, url: `http://127.0.0.1:${port}/api/alice/tasks/${ID}`, times: [] as number[] };
    }),
  );
  for (let round = -1; round < ROUNDS; round++) {
    for (const { child, url, times } of servers) {
      const before = processorTime(child.pid ?? 0);
      const result = await autocannon({ url, headers, connections: CONNECTIONS, duration: SECONDS });
      await sleep(100);
      if (result.non2xx > 0) throw new Error(`${url} answered something else.`);
      // The first round warms up.
      if (round >= 0) times.push(((processorTime(child.pid ?? 0) - before) * 1e6) / result.requests.total);
    }
  }
  let last = 0;
  for (const { stage, child, times } of servers) {
    const time = median(times);
    console.log(`${stage.padEnd(40)} ${time.toFixed(0).padStart(4)} µs  (+${(time - last).toFixed(0)})`);
    last = time;
    child.disconnect();
  }
}
