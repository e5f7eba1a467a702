import test from 'ava';
import fc from 'fast-check';
import { databases, postgresTest } from '../postgres.ts';
import { FULL, startProgram } from '../reliability/program.ts';
import { OrdinaryUse, PATIENT, type Person, personOf, task } from './people.ts';

const serverTest = await postgresTest(test);
const newDatabase = databases(test);

/** What a hostile user may do, over and over. */
const DEEDS: Record<string, (person: Person) => Promise<unknown>> = {
  import: (person) => person.fill(2_000),
  batch: (person) =>
    person.call('POST', '/tasks/batch', {
      operations: Array.from({ length: 100 }, (_, i) => ({ op: 'create', task: task(`batch ${i}`) })),
    }),
  search: (person) => person.call('GET', '/tasks?search=nothing+of+the+kind'),
  sort: (person) => person.call('GET', '/tasks?sort_by=dueDate&status=completed'),
  export: (person) => person.call('GET', '/tasks/export?format=csv'),
  audit: (person) => person.call('GET', '/audit?limit=200&task_id=00000000-0000-7000-8000-000000000000'),
  keys: (person) => person.call('POST', '/tasks', task('keyed'), { 'Idempotency-Key': crypto.randomUUID() }),
  invalid: (person) => person.call('POST', '/tasks/import', { tasks: Array(10_000).fill({}) }),
  foreign: (person) => person.call('GET', '/../somebody/tasks'),
  stall: async (person) => {
    const socket = await person.stall('/tasks');
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
  },
};

/** Requests of each hostile user at once. */
const AT_ONCE = 8;

serverTest('whatever three hostile users do at the same time, an ordinary one is served', async (t) => {
  const program = await startProgram(t, { DATABASE_URL: await newDatabase(), ...PATIENT });
  let users = 0;
  const deed = fc.constantFrom(...Object.keys(DEEDS));
  await fc.assert(
    fc.asyncProperty(fc.tuple(deed, deed, deed), async (names) => {
      users++;
      const ordinary = new OrdinaryUse(await personOf(program, `ordinary ${users}`));
      const people = await Promise.all(names.map((name, i) => personOf(program, `${name} ${i} ${users}`)));
      let isOver = false;
      const attack = people.flatMap((person, i) =>
        Array.from({ length: AT_ONCE }, async () => {
          while (!isOver) await DEEDS[names[i] ?? '']?.(person).catch(() => {});
        }),
      );
      const rounds = FULL ? 30 : 3;
      for (let i = 0; i < rounds; i++) await ordinary.once();
      isOver = true;
      await Promise.all(attack);
      t.deepEqual([...ordinary.statuses.keys()].sort(), [200, 201], names.join());
      t.is(ordinary.created, rounds);
      if (FULL) t.true(ordinary.p99 < 1_000, `${names.join()}: ${ordinary.p99}`);
    }),
    { numRuns: FULL ? 40 : 4 },
  );
  t.is(await program.end('SIGTERM'), 0);
});
