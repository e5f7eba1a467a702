import test from 'ava';
import { type Answer, personOf, task } from '../attacks/people.ts';
import { databases, postgresTest } from '../postgres.ts';
import { FULL, spread, startProgram } from './program.ts';

const serverTest = await postgresTest(test);
const newDatabase = databases(test);

/** Tasks of each import: the most that one may have. */
const TASKS = 10_000;
const IMPORTS = FULL ? 16 : 6;

serverTest('one user imports and searches as much as the server takes, and another one is served', async (t) => {
  const program = await startProgram(t, {
    DATABASE_URL: await newDatabase(),
    RATE_LIMIT_PER_USER: '100000',
    MAX_TASKS_PER_USER: String(IMPORTS * TASKS),
    // The imports wait unread.
    REQUEST_TIMEOUT_MS: '120000',
  });
  const [hostile, ordinary] = [await personOf(program, 'hostile'), await personOf(program, 'ordinary')];
  const many = { tasks: Array.from({ length: TASKS }, (_, i) => task(`task ${i}`)) };

  let isOver = false;
  const imports = Promise.all(Array.from({ length: IMPORTS }, () => hostile.call('POST', '/tasks/import', many)));
  const searches = Promise.all(
    Array.from({ length: 12 }, async () => {
      while (!isOver) await hostile.call('GET', '/tasks?search=nothing+of+the+kind');
    }),
  );
  void imports.finally(() => {
    isOver = true;
  });
  const answers: Answer[] = [];
  let created = 0;
  while (!isOver) {
    const key = { 'Idempotency-Key': `key-${created++}` };
    answers.push(await ordinary.call('POST', '/tasks', task(`mine ${created}`), key));
    answers.push(await ordinary.call('GET', '/tasks?limit=20'));
    const ready = await fetch(`${program.url}/ready`);
    t.is(ready.status, 200, await ready.text());
  }
  t.deepEqual(
    (await imports).map(({ status }) => status),
    Array(IMPORTS).fill(201),
    'the imports wait for one another',
  );
  await searches;
  t.deepEqual([...new Set(answers.map(({ status }) => status))].sort(), [200, 201], 'nobody else notices');
  t.is(JSON.parse((await ordinary.call('GET', '/stats')).text).total, created);
  t.is(JSON.parse((await hostile.call('GET', '/stats')).text).total, IMPORTS * TASKS);
  // Without a share for each user it is two or three for each import, whatever the machine.
  t.true(answers.length > 10 * IMPORTS, `${answers.length} requests beside ${IMPORTS} imports`);
  const times = answers.map(({ milliseconds }) => milliseconds);
  t.log(`${answers.length} requests of the ordinary user, ms: ${spread(times)}`);
  if (FULL) t.true(Math.max(...times) < 1_000);
});
