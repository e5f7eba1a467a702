import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { databases, postgresTest } from '../postgres.ts';
import { Client } from './clients.ts';
import { FULL, type Program, startProgram } from './program.ts';

const serverTest = await postgresTest(test);
const newDatabase = databases(test);
/** Seconds. */
const [WARM_UP, DURATION] = FULL ? [120, 600] : [2, 10];
const CLIENTS = 20;

/** Runs in the server process, and responds to every message with the memory in use after a garbage collection. */
const MEMORY_HOOK = `data:text/javascript,${encodeURIComponent(`
  process.on('message', () => { gc(); process.send(process.memoryUsage()); });
  process.channel.unref();
`)}`;

async function memory({ process: { pid }, process }: Program): Promise<NodeJS.MemoryUsage> {
  if (pid === undefined) throw new Error('There is no process.');
  const answer = once(process, 'message');
  process.send('how much?');
  return (await answer)[0];
}

serverTest('a long mixed load: no error, and no growth of memory', async (t) => {
  const program = await startProgram(
    t,
    { DATABASE_URL: await newDatabase(), DATABASE_CONNECT_TIMEOUT_MS: '60000', DATABASE_STATEMENT_TIMEOUT_MS: '60000' },
    { nodeOptions: ['--expose-gc', '--import', MEMORY_HOOK] },
  );
  const end = performance.now() + DURATION * 1_000;
  const unexpected: string[] = [];
  let answered = 0;
  const work = async (client: Client) => {
    const call = async (expected: number, method: string, path: string, json?: object) => {
      const { status, body } = await client.call(program.url, method, path, json);
      if (status === expected) answered++;
      else unexpected.push(`${method} ${status} ${JSON.stringify(body)}`);
      return body;
    };
    const ids: string[] = [];
    while (performance.now() < end) {
      // At most 20 tasks, so that only the journal in the database grows.
      if (ids.length >= 20) await call(204, 'DELETE', `~/tasks/${ids.shift()}`);
      const { id } = await call(201, 'POST', '~/tasks', { title: 'Buy milk', priority: 'high', category: 'home' });
      ids.push(id);
      await call(200, 'GET', '~/tasks?status=pending&search=milk&sort_by=priority');
      await call(200, 'PATCH', `~/tasks/${id}/complete`);
      await call(200, 'GET', `~/tasks/${id}`);
      await call(200, 'PUT', `~/tasks/${id}`, { description: `at ${answered}`, dueDate: '2026-12-24' });
      await call(200, 'GET', '~/stats');
      await call(200, 'GET', '~/tasks');
      await call(200, 'GET', '~/audit?limit=20');
      await call(422, 'POST', '~/tasks', { title: '' });
    }
    client.close();
  };
  const clients = await Promise.all(Array.from({ length: CLIENTS }, (_, i) => Client.of(`user ${i}`)));
  const load = Promise.all(clients.map(work));

  await sleep(WARM_UP * 1_000);
  const samples: NodeJS.MemoryUsage[] = [];
  while (performance.now() < end) {
    samples.push(await memory(program));
    await sleep(FULL ? 5_000 : 500);
  }
  await load;
  t.deepEqual(unexpected.slice(0, 5), []);
  t.is(await program.end('SIGTERM'), 0);

  t.log(`${answered} requests in ${DURATION} s`);
  const some = Math.min(12, Math.ceil(samples.length / 2));
  const growths = (['rss', 'heapUsed'] as const).map((kind) => {
    const [before, after] = [average(samples.slice(0, some), kind), average(samples.slice(-some), kind)];
    const growth = (after / before - 1) * 100;
    t.log(
      `${kind}, MB: ${before.toFixed(1)} after ${WARM_UP} s, ${after.toFixed(1)} at the end: ${growth.toFixed(1)} %`,
    );
    return growth;
  });
  if (FULL) t.true(Math.max(...growths) < 10);
});

/** In megabytes. */
function average(samples: readonly NodeJS.MemoryUsage[], kind: 'rss' | 'heapUsed'): number {
  return samples.reduce((sum, sample) => sum + sample[kind], 0) / samples.length / 2 ** 20;
}
