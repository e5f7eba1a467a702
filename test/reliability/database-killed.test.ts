import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { postgresTest, startPrivatePostgres } from '../postgres.ts';
import { HealthProbe, Writers } from './clients.ts';
import { FULL, spread, startProgram, until } from './program.ts';

const serverTest = await postgresTest(test);
const ROUNDS = FULL ? 20 : 2;

serverTest(
  'PostgreSQL is killed under 40 writers: nothing acknowledged is lost, and clients get at most a 503',
  async (t) => {
    t.timeout(600_000);
    const postgres = await startPrivatePostgres({ fsync: 'on' });
    t.teardown(() => postgres.stop());
    const program = await startProgram(t, { DATABASE_URL: await postgres.createDatabase() });
    const writers = new Writers({ url: () => program.url, clients: 40, users: 10, mayMeet: 'unavailable' });
    const health = new HealthProbe(t, program.url);
    writers.start(t);
    const recoveries: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const { acknowledged, open } = writers.counts;
      await until(() => writers.counts.acknowledged >= acknowledged + 200);
      await sleep(Math.random() * 300);
      await postgres.kill();
      const killedAt = performance.now();
      const success = writers.success(killedAt);
      await until(() => writers.counts.open > open);
      await sleep(Math.random() * 500);
      await postgres.restart();
      const acceptsAt = performance.now();
      recoveries.push(Math.max(0, (await success) - acceptsAt));
    }
    const { acknowledged } = writers.counts;
    await until(() => writers.counts.acknowledged >= acknowledged + 200);
    await writers.stop();
    await health.stop();
    await writers.verify(t);
    t.deepEqual(health.failures, []);
    t.is(await program.end('SIGTERM'), 0);

    const { counts, slowest } = writers;
    t.log(`${ROUNDS} kills: ${counts.acknowledged} writes acknowledged, ${counts.open} answered 503`);
    t.log(`first success after the database accepts, ms: ${spread(recoveries)}; slowest answer ${Math.round(slowest)}`);
    if (FULL) t.true(Math.max(...recoveries) < 1_000);
  },
);
