import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { freePort, postgresTest, startPrivatePostgres } from '../postgres.ts';
import { Writers } from './clients.ts';
import { FULL, type Program, spread, startProgram, until } from './program.ts';

const serverTest = await postgresTest(test);
const ROUNDS = FULL ? 20 : 2;

serverTest.serial('on PostgreSQL the server is killed under 20 writers: nothing acknowledged is lost', async (t) => {
  const postgres = await startPrivatePostgres({ fsync: 'on' });
  t.teardown(() => postgres.stop());
  await killAgainAndAgain(t, { DATABASE_URL: await postgres.createDatabase() });
});

test.serial('on PGlite the server is killed under 20 writers: nothing acknowledged is lost', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'todo-reliability-'));
  t.teardown(() => rm(directory, { recursive: true }));
  await killAgainAndAgain(t, { DATA_DIR: directory, DATABASE_CONNECT_TIMEOUT_MS: '30000' });
});

async function killAgainAndAgain(t: ExecutionContext, env: Record<string, string>): Promise<void> {
  const port = await freePort();
  let program: Program = await startProgram(t, env, { port });
  const first = program.startedIn;
  const writers = new Writers({ url: () => program.url, clients: 20, users: 5, mayMeet: 'loss' });
  writers.start(t);
  const starts: number[] = [];
  const enough = async () => {
    const { acknowledged } = writers.counts;
    await until(() => writers.counts.acknowledged >= acknowledged + 100);
  };
  for (let round = 0; round < ROUNDS; round++) {
    await enough();
    await sleep(Math.random() * 300);
    t.is(await program.end('SIGKILL'), null);
    program = await startProgram(t, env, { port });
    starts.push(program.startedIn);
  }
  await enough();
  await writers.stop();
  await writers.verify(t);
  t.is(await program.end('SIGTERM'), 0);

  const { acknowledged, open } = writers.counts;
  t.log(`${ROUNDS} kills: ${acknowledged} writes acknowledged, ${open} without an answer`);
  t.log(`ready again, ms: ${spread(starts)}; the first start, on an empty database: ${Math.round(first)}`);
  if (FULL) t.true(Math.max(...starts) < 3_000);
}
