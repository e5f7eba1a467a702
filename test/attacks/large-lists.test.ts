import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { databases, postgresTest } from '../postgres.ts';
import { FULL, spread, startProgram } from '../reliability/program.ts';
import { memoryOf, OrdinaryUse, PATIENT, personOf } from './people.ts';

const serverTest = await postgresTest(test);
const newDatabase = databases(test);

const TASKS = FULL ? 50_000 : 12_000;
const SECONDS = FULL ? 30 : 4;

/** Megabytes that a program may take more under this attack: 32 long lists of 4 MB, and what waits to be collected. */
const MORE_MEMORY = 400;

serverTest('long lists are complete, in order and of one moment, as JSON and as CSV', async (t) => {
  const program = await startProgram(t, { DATABASE_URL: await newDatabase(), ...PATIENT });
  const person = await personOf(program, 'with many tasks');
  await person.fill(2_500);
  const list = await person.call('GET', '/tasks?sort_by=title&sort_order=asc');
  t.is(list.status, 200);
  const titles = JSON.parse(list.text).map(({ title }: { title: string }) => title);
  t.is(titles.length, 2_500);
  const { compare } = new Intl.Collator('en', { numeric: true });
  t.deepEqual(titles, titles.toSorted(compare));
  const exported = JSON.parse((await person.call('GET', '/tasks/export')).text).tasks;
  const titlesOf = (tasks: readonly { title: string }[]) => tasks.map(({ title }) => title);
  t.deepEqual(titlesOf(exported).toSorted(compare), titles);
  const times = exported.map(({ createdAt, id }: { createdAt: string; id: string }) => createdAt + id);
  t.deepEqual(times, times.toSorted(), 'oldest first');
  const csv = (await person.call('GET', '/tasks/export?format=csv')).text.trimEnd().split('\n');
  t.is(csv.length, 2_501, 'one line of names');
  t.is((await person.call('HEAD', '/tasks')).status, 200);
  t.is((await person.call('GET', '/tasks?search=task+2499')).text, JSON.stringify([exported.at(-1)]));
});

serverTest('users with very many tasks search, list, and do not read: others notice nothing', async (t) => {
  const program = await startProgram(t, { DATABASE_URL: await newDatabase(), ...PATIENT });
  const ordinary = new OrdinaryUse(await personOf(program, 'ordinary'));
  const hostile = await Promise.all(['a', 'b', 'c'].map((id) => personOf(program, `hostile ${id}`)));
  for (const person of hostile) await person.fill(TASKS);
  for (let i = 0; i < 10; i++) await ordinary.once();
  const calm = ordinary.p99;
  const before = await memoryOf(program);

  let isOver = false;
  const unexpected: string[] = [];
  const attack = Promise.all(
    hostile.flatMap((person) =>
      Array.from({ length: 12 }, async (_, i) => {
        const path = ['/tasks?search=nothing+of+the+kind', '/tasks?sort_by=title', '/tasks/export'][i % 3] ?? '';
        while (!isOver) {
          const { status, text } = await person.call('GET', path);
          if (![200, 503].includes(status)) unexpected.push(text);
        }
      }),
    ),
  );
  const stalled = await Promise.all(
    hostile.flatMap((person) => Array.from({ length: 10 }, () => person.stall('/tasks/export'))),
  );
  const end = performance.now() + SECONDS * 1000;
  let highest = 0;
  while (performance.now() < end) {
    await ordinary.once();
    const ready = await fetch(`${program.url}/ready`);
    t.is(ready.status, 200, await ready.text());
    highest = Math.max(highest, await memoryOf(program));
  }
  isOver = true;
  for (const socket of stalled) socket.destroy();
  await attack;
  t.deepEqual(unexpected.slice(0, 3), []);
  t.deepEqual([...ordinary.statuses.keys()].sort(), [200, 201]);
  t.true(ordinary.created > 10 + SECONDS, `${ordinary.created} rounds`);
  t.true(highest - before < MORE_MEMORY, `${Math.round(highest - before)} MB more than ${Math.round(before)}`);
  t.log(
    `p99 ${Math.round(ordinary.p99)} ms (calm ${Math.round(calm)}), ${spread(ordinary.milliseconds)}; memory ${Math.round(before)} MB, at most ${Math.round(highest)} MB`,
  );
  if (FULL) {
    t.true(ordinary.p99 < 1_000);
    t.true(ordinary.p99 < 5 * Math.max(calm, 10));
  }
  // What was held for those who are gone is free again.
  await sleep(100);
  t.is((await hostile[0]?.call('GET', '/tasks?search=task+1'))?.status, 200);
  t.is(await program.end('SIGTERM'), 0);
});
