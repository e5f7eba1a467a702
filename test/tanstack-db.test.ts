import { setTimeout as after } from 'node:timers/promises';
import { createTodoClient, type NewTask, type Task } from '@todo-backend/client';
import test, { type ExecutionContext } from 'ava';
import { taskCollection } from '../examples/tanstack-db/src/tasks.ts';
import { refusal, startStub } from '../packages/client/test/stub.ts';
import { onMemory, person } from '../packages/http/test/hosts.ts';

const milk: NewTask = { title: 'milk', priority: 'high', category: 'home' };

/** A row that is shown until the server has made the task. */
const draft = (title: string) => ({ ...milk, title, id: `draft of ${title}`, completed: false }) as Task;

async function onStub(t: ExecutionContext) {
  const stub = await startStub();
  t.teardown(stub.close);
  return { url: stub.url, id: 'alice', token: 'token', stub };
}

async function onServer(t: ExecutionContext) {
  const host = await onMemory();
  t.teardown(() => host.close());
  return { url: host.url, ...(await person(host)) };
}

interface Place {
  readonly url: string;
  readonly id: string;
  readonly token: string;
}

/** A collection that is loaded, and what another device does. */
function opened(t: ExecutionContext, { url, id, token }: Place) {
  const todo = createTodoClient({ baseUrl: url, getToken: () => token });
  const { tasks, change } = taskCollection(todo, id);
  t.teardown(() => tasks.cleanup());
  const titles = () => tasks.toArray.map(({ title }) => title).sort();
  /** Every state that is ever shown from now on. */
  const shown: string[] = [];
  const look = () => {
    const state = tasks.toArray.map(({ title, completed }) => `${title}${completed ? ' ✓' : ''}`).sort();
    if (shown.at(-1) !== state.join()) shown.push(state.join());
  };
  const subscription = tasks.subscribeChanges(look);
  t.teardown(() => subscription.unsubscribe());
  return { todo, id, tasks, change, titles, shown, look };
}

async function until(t: ExecutionContext, holds: () => boolean) {
  for (const end = Date.now() + 20_000; !holds(); await after(5)) {
    if (Date.now() > end) return t.fail(`not within 20 s: ${holds}`);
  }
}

for (const [name, start] of Object.entries({ 'the stub': onStub, 'the server': onServer })) {
  test(`on ${name}: the collection has the tasks, and what other devices do to them`, async (t) => {
    const { todo, id, tasks, titles } = opened(t, await start(t));
    const first = await todo.createTask(id, milk);
    await tasks.preload();
    t.deepEqual(titles(), ['milk']);
    const bread = await todo.createTask(id, { ...milk, title: 'bread' });
    await until(t, () => titles().length === 2);
    await todo.updateTask(id, bread.id, { title: 'rolls' });
    await until(t, () => titles().includes('rolls'));
    await todo.deleteTask(id, first.id);
    await until(t, () => titles().length === 1);
    t.deepEqual(titles(), ['rolls']);
  });

  test(`on ${name}: what is written is shown at once, and without a gap from then on`, async (t) => {
    const place = await start(t);
    if ('stub' in place) place.stub.settings.delay = 100;
    const { todo, id, tasks, change, shown, look } = opened(t, place);
    await tasks.preload();
    const write = async (work: () => void) => {
      const before = shown.length;
      const written = change(work);
      look();
      t.is(shown.length, before + 1, 'at once');
      await written.when('settled');
      for (let i = 0; i < 20; i++) {
        await after(10);
        look();
      }
      return shown.splice(0);
    };
    const idOf = (title: string) => tasks.toArray.find((task) => task.title === title)?.id ?? '';
    const rename = (task: Task) => {
      task.title = 'b';
    };
    look();
    t.deepEqual(await write(() => tasks.insert(draft('a'))), ['', 'a']);
    t.not(idOf('a'), 'draft of a');
    t.deepEqual(await write(() => tasks.update(idOf('a'), rename)), ['b']);
    const complete = (task: Task) => {
      task.title = 'c';
      task.completed = true;
    };
    t.deepEqual(await write(() => tasks.update(idOf('b'), complete)), ['c ✓']);
    t.deepEqual(await write(() => tasks.insert([draft('x'), draft('y')])), ['c ✓,x,y']);
    t.deepEqual(await write(() => tasks.delete([idOf('x'), idOf('y')])), ['c ✓']);
    t.deepEqual(
      (await todo.listTasks(id)).map(({ title, completed }) => [title, completed]),
      [['c', true]],
    );
  });

  test(`on ${name}: many writes side by side, and others in between`, async (t) => {
    const place = await start(t);
    const { todo, id, tasks, change, titles, look, shown } = opened(t, place);
    await tasks.preload();
    const names = Array.from({ length: 10 }, (_, i) => `mine ${i}`);
    const written = [];
    for (const name of names) {
      written.push(change(() => tasks.insert(draft(name))).when('settled'));
      await todo.createTask(id, { ...milk, title: `theirs ${name}` });
    }
    await Promise.all(written);
    await until(t, () => titles().length === 20);
    look();
    // Mine came one by one, and none was gone at any time.
    const mine = shown.map((state) => names.filter((name) => state.split(',').includes(name)).length);
    t.deepEqual(
      mine,
      mine.toSorted((a, b) => a - b),
    );
    t.deepEqual(titles(), (await todo.listTasks(id)).map(({ title }) => title).sort());
  });

  test(`on ${name}: what the server refuses is taken back`, async (t) => {
    const { tasks, change, titles } = opened(t, await start(t));
    await tasks.preload();
    const written = change(() => tasks.insert(draft('')));
    t.deepEqual(titles(), ['']);
    await t.throwsAsync(written.when('settled'));
    t.deepEqual(titles(), []);
  });
}

test('a collection that nobody has looked at for a while is loaded anew', async (t) => {
  const place = await onStub(t);
  const { tasks, titles } = opened(t, place);
  place.stub.put('a');
  await tasks.preload();
  await tasks.cleanup();
  await until(t, () => place.stub.streams.size === 0);
  await tasks.preload();
  t.deepEqual(titles(), ['a']);
});

test('breaks, and a position that the server does not know any more', async (t) => {
  const place = await onStub(t);
  const { stub } = place;
  const { tasks, titles } = opened(t, place);
  stub.put('a');
  stub.answers['GET /tasks'] = [refusal(500)];
  await tasks.preload();
  t.deepEqual(titles(), ['a'], 'the first attempt failed');
  await until(t, () => stub.streams.size === 1);
  stub.answers['GET /changes'] = [(response) => response.destroy()];
  stub.put('b');
  await until(t, () => titles().length === 2);
  stub.cut();
  stub.put('c');
  await until(t, () => titles().length === 3 && stub.streams.size === 1);
  // As if a backup had been restored.
  stub.cut();
  stub.drop('a');
  stub.put('d');
  stub.settings.pruned = 5;
  await until(t, () => titles().join() === 'b,c,d');
  await until(t, () => stub.streams.size === 1);
  stub.put('e');
  await until(t, () => titles().length === 4);
  t.deepEqual(titles(), ['b', 'c', 'd', 'e']);
});
