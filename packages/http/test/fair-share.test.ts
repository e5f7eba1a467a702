import { setTimeout as sleep } from 'node:timers/promises';
import { taskUseCases } from '@todo-backend/application';
import { fixedClock, InMemoryTaskRepository } from '@todo-backend/application/testing';
import test from 'ava';
import { uuidv7 } from 'uuidv7';
import { until } from '../../../test/reliability/program.ts';
import { onMemory, person } from './hosts.ts';

/** A repository whose work goes on only when it is told to, and that counts what is under way. */
function gated() {
  const repository = new InMemoryTaskRepository();
  const underWay = new Map<string, number>();
  const gates: (() => void)[] = [];
  let isOpen = false;
  const behind =
    <Rest extends unknown[], Result>(run: (owner: string, ...rest: Rest) => Promise<Result>) =>
    async (owner: string, ...rest: Rest): Promise<Result> => {
      underWay.set(owner, (underWay.get(owner) ?? 0) + 1);
      if (!isOpen) await new Promise<void>((resolve) => gates.push(resolve));
      underWay.set(owner, (underWay.get(owner) ?? 0) - 1);
      return run(owner, ...rest);
    };
  const tasks = taskUseCases({
    tasks: Object.assign(Object.create(repository), {
      list: behind(repository.list.bind(repository)),
      change: behind(repository.change.bind(repository) as never),
      find: repository.find.bind(repository),
      count: repository.count.bind(repository),
    }),
    clock: fixedClock(),
    newId: uuidv7,
  });
  return {
    tasks,
    repository,
    underWay: (owner: string) => underWay.get(owner) ?? 0,
    letOneGoOn: () => gates.shift()?.(),
    open() {
      isOpen = true;
      for (const goOn of gates.splice(0)) goOn();
    },
  };
}

const TASK = { title: 'milk', priority: 'low', category: 'home' };

test('a user writes one thing after the other and reads two at once, and nobody else waits for that', async (t) => {
  const { tasks, underWay, letOneGoOn, open } = gated();
  const host = await onMemory({ tasks });
  t.teardown(() => host.close());
  const [alice, bob] = [await person(host), await person(host)];
  const order: number[] = [];
  const writes = Array.from({ length: 10 }, async (_, i) => {
    const { status } = await alice.call('POST', '/tasks', { json: TASK });
    order.push(i);
    return status;
  });
  await until(() => underWay(alice.id) === 1);
  await sleep(50);
  t.is(underWay(alice.id), 1, 'one write');
  const reads = Array.from({ length: 10 }, () => alice.call('GET', '/tasks'));
  await until(() => underWay(alice.id) === 3);
  await sleep(50);
  t.is(underWay(alice.id), 3, 'and two reads, which do not wait for it');

  const other = bob.call('POST', '/tasks', { json: TASK });
  await until(() => underWay(bob.id) === 1);
  letOneGoOn();
  await until(() => order.length === 1);
  open();
  t.is((await other).status, 201);
  t.deepEqual(await Promise.all(writes), Array(10).fill(201));
  t.deepEqual(
    (await Promise.all(reads)).map(({ status }) => status),
    Array(10).fill(200),
  );
});

test('what fails gives the turn on, and what a client that has left had asked for is not begun', async (t) => {
  const { tasks, underWay, open, repository } = gated();
  const host = await onMemory({ tasks });
  t.teardown(() => host.close());
  const alice = await person(host);
  const first = alice.call('POST', '/tasks', { json: TASK });
  await until(() => underWay(alice.id) === 1);
  const wrong = alice.call('POST', '/tasks', { json: {} });
  const leaving = new AbortController();
  const left = fetch(`${host.url}/api/${alice.id}/tasks`, {
    method: 'POST',
    signal: leaving.signal,
    headers: { Authorization: `Bearer ${alice.token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(TASK),
  });
  const last = alice.call('POST', '/tasks', { json: TASK });
  await sleep(100);
  leaving.abort();
  await t.throwsAsync(left, { name: 'AbortError' });
  await sleep(100);
  open();
  t.is((await first).status, 201);
  t.is((await wrong).status, 422);
  t.is((await last).status, 201);
  t.is((await repository.count(alice.id)).total, 2);
});
