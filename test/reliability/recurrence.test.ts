import test from 'ava';
import { databases, postgresTest } from '../postgres.ts';
import { Client } from './clients.ts';
import { SECRET, startProgram } from './program.ts';

const serverTest = await postgresTest(test);
const newDatabase = databases(test);

const TASK = {
  title: 'to be done every week',
  priority: 'low',
  category: 'work',
  dueDate: '2126-03-11T09:00:00',
  recurrence: { rule: 'FREQ=WEEKLY', anchor: 'schedule', timeZone: 'Europe/Berlin' },
};

serverTest.serial('50 completions of one occurrence at once, on two servers: one next', async (t) => {
  const env = {
    DATABASE_URL: await newDatabase(),
    AUTH_SECRET: SECRET,
    DATABASE_CONNECT_TIMEOUT_MS: '60000',
    DATABASE_STATEMENT_TIMEOUT_MS: '60000',
  };
  const servers = [await startProgram(t, env), await startProgram(t, env)];
  const serverOf = (n: number) => servers[n % servers.length]?.url ?? '';
  const alice = await Client.of('alice');
  const call = (n: number, method: string, path: string, json?: object) => alice.call(serverOf(n), method, path, json);
  const all = async () => (await call(0, 'GET', '~/tasks')).body as { id: string; series: object; status: string }[];

  const { body: first } = await call(0, 'POST', '~/tasks', TASK);
  const complete = (n: number) => call(n, 'PATCH', `~/tasks/${first.id}/complete`, { completed: true });
  const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => complete(n)));
  t.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  t.is((await all()).length, 2);

  // Together with everything that takes the next one away or brings it back.
  const [next] = (await all()).filter(({ status }) => status === 'pending');
  const { body: entries } = await call(0, 'GET', `~/audit?task_id=${first.id}&type=todo.task.completed.v1`);
  const ways = [
    complete,
    (n: number) => call(n, 'PATCH', `~/tasks/${first.id}/complete`, { completed: false }),
    (n: number) => call(n, 'PATCH', `~/tasks/${first.id}/complete`),
    (n: number) => call(n, 'POST', '~/undo', { events: [entries[0].id], atomic: false }),
    (n: number) => call(n, 'POST', `~/tasks/${next?.id}/restore`),
    (n: number) => call(n, 'DELETE', `~/tasks/${next?.id}`),
  ];
  const mixed = await Promise.all(Array.from({ length: 150 }, (_, n) => ways[n % ways.length]?.(n >> 1)));
  for (const [n, answer] of mixed.entries()) {
    // A restoration may meet another one that was deleted again: it is to be tried again.
    const allowed = n % ways.length === 4 ? [200, 404, 409, 503] : [200, 204, 404];
    t.true(allowed.includes(answer?.status ?? 0), JSON.stringify(answer?.body));
  }
  await complete(0);
  const tasks = await all();
  t.is(tasks.length, 2);
  t.deepEqual(tasks.map(({ id }) => id).sort(), [first.id, next?.id].sort());
  alice.close();
  for (const server of servers) t.is(await server.end('SIGTERM'), 0);
});
