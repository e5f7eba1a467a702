import assert from 'node:assert/strict';
import {
  journalPosition,
  MAX_TAG_COUNTS,
  type Once,
  SORT_KEYS,
  type SortKey,
  type SortOrder,
  type TaskPosition,
  type TaskQuery,
  type TaskRepository,
} from '@todo-backend/application';
import {
  creation,
  deletion,
  editTask,
  isRepeating,
  nextOccurrence,
  revision,
  setCompleted,
  type Task,
  type TaskId,
} from '@todo-backend/domain';
import {
  type ContractCase,
  contract,
  due,
  later,
  listIds,
  newestFirst,
  originOf,
  tasksOfEveryKind,
  whole,
} from './contract.js';
import { selectTasks } from './task-query.js';
import { taskWriter } from './task-writer.js';
/**
 * The behaviour that the use cases rely on, for every adapter of {@link TaskRepository}. With any test runner:
 *
 * ```ts
 * for (const { name, verify } of taskRepositoryContract) test(name, () => verify(harness));
 * ```
 */
export const taskRepositoryContract: readonly ContractCase[] = [
  contract('returns every field of a task as it was stored', async ({ tasks, newTask, owner }) => {
    const stored = tasksOfEveryKind(newTask);
    for (const task of stored) await tasks.add(task);
    for (const task of stored) assert.deepEqual(await tasks.find(owner, task.id), task);
    assert.deepEqual(
      await listIds({ tasks, owner }, { sortBy: 'createdAt', sortOrder: 'asc' }),
      stored.map(({ id }) => id),
    );
  }),

  contract('returns changed fields, alone and in combination', async ({ tasks, newTask, newId, owner }) => {
    const contents = tasksOfEveryKind(newTask);
    /** The tasks, with their content rotated by this many positions. */
    const moved = (current: readonly Task[], by: number) =>
      current.map((task, i) => {
        const content = contents[(i + by) % contents.length] ?? task;
        const { title, description, priority, category, dueDate, tags, recurrence, remindAt } = content;
        const patch = { title, description, priority, category, dueDate, tags, recurrence, remindAt };
        return editTask(task, patch, later);
      });
    const origin = () => originOf(owner, newId());
    const stored = async () => Promise.all(contents.map(({ id }) => tasks.find(owner, id)));

    const created = contents.map((task) => creation(task, origin()));
    await tasks.change(owner, [], () => ({ transitions: created, result: null }));
    assert.deepEqual(await stored(), contents);

    const together = moved(contents, 1);
    const revised = contents.map((before, i) => revision(before, together[i] ?? before, origin()));
    const ids = contents.map(({ id }) => id);
    await tasks.change(owner, ids, () => ({ transitions: revised, result: null }));
    assert.deepEqual(await stored(), together);

    const alone = moved(together, 2);
    for (const after of alone) await tasks.update(owner, after.id, () => after);
    assert.deepEqual(await stored(), alone);
  }),

  contract('finds nothing when there are no tasks', async ({ tasks, newTask, owner }) => {
    const { id } = newTask({});
    assert.equal(await tasks.find(owner, id), undefined);
    assert.equal(await tasks.update(owner, id, () => assert.fail('must not be called')), undefined);
    assert.equal(await tasks.delete(owner, id), false);
    assert.deepEqual(await tasks.list(owner, newestFirst), { tasks: [], position: journalPosition(0) });
    assert.deepEqual(await tasks.count(owner), { total: 0, pending: 0, completed: 0, position: journalPosition(0) });
  }),

  contract('keeps owners apart', async ({ tasks, newTask, owner, newUser }) => {
    const task = newTask({});
    await tasks.add(task);
    const stranger = await newUser();
    assert.equal(await tasks.find(stranger, task.id), undefined);
    assert.equal(await tasks.update(stranger, task.id, () => assert.fail('must not be called')), undefined);
    assert.equal(await tasks.delete(stranger, task.id), false);
    assert.deepEqual(await tasks.list(stranger, newestFirst), { tasks: [], position: journalPosition(0) });
    assert.deepEqual(await tasks.count(stranger), { total: 0, pending: 0, completed: 0, position: journalPosition(0) });
    assert.deepEqual(await tasks.find(owner, task.id), task);
  }),

  contract('saves an update and returns the new state', async ({ tasks, newTask, owner }) => {
    const task = newTask({ dueDate: due('2026-03-10') });
    await tasks.add(task);
    const expected = editTask(task, { title: 'new', description: 'd', dueDate: null }, '2026-03-02T00:00:00.000Z');
    const updated = await tasks.update(owner, task.id, (current) => {
      assert.deepEqual(current, task);
      return expected;
    });
    assert.deepEqual(updated, expected);
    assert.deepEqual(await tasks.find(owner, task.id), expected);
  }),

  contract('changes nothing when the update throws', async ({ tasks, newTask, owner }) => {
    const task = newTask({});
    await tasks.add(task);
    const failure = new Error('on purpose');
    await assert.rejects(
      tasks.update(owner, task.id, () => {
        throw failure;
      }),
      failure,
    );
    assert.deepEqual(await tasks.find(owner, task.id), task);
    assert.ok(await tasks.update(owner, task.id, (current) => editTask(current, { title: 'goes on' }, later)));
  }),

  contract('refuses a second task with the same id, and keeps the first', async ({ tasks, newTask, owner }) => {
    const task = newTask({ title: 'first' });
    await tasks.add(task);
    await assert.rejects(tasks.add({ ...task, title: 'second' }));
    assert.deepEqual(await tasks.find(owner, task.id), task);
  }),

  contract('loses no concurrent update of a task', async ({ tasks, newTask, owner }) => {
    const task = newTask({ title: 'x', description: '' });
    await tasks.add(task);
    const letters = Array.from({ length: 40 }, (_, i) => String.fromCodePoint(0x4e00 + i));
    await Promise.all(
      letters.map((letter) =>
        tasks.update(owner, task.id, (current) =>
          editTask(current, { description: `${current.description}${letter}` }, later),
        ),
      ),
    );
    const { description } = (await tasks.find(owner, task.id)) ?? assert.fail();
    assert.deepEqual([...(description ?? '')].sort(), letters);
  }),

  contract('removes once', async ({ tasks, newTask, owner }) => {
    const [task, other] = [newTask({}), newTask({})];
    await tasks.add(task);
    await tasks.add(other);
    const removed = await Promise.all([1, 2, 3].map(() => tasks.delete(owner, task.id)));
    assert.equal(removed.filter(Boolean).length, 1);
    assert.equal(await tasks.find(owner, task.id), undefined);
    assert.deepEqual(await tasks.find(owner, other.id), other);
  }),

  contract('counts by status', async ({ tasks, newTask, owner }) => {
    for (let i = 0; i < 5; i++) {
      const task = newTask({});
      await tasks.add(i < 2 ? setCompleted(task, true, later) : task);
    }
    const { position, ...counts } = await tasks.count(owner);
    assert.deepEqual(counts, { total: 5, pending: 3, completed: 2 });
    assert.equal((await tasks.list(owner, newestFirst)).position, position);
  }),

  contract('filters by each field, and by all of them together', async (context) => {
    const { tasks, newTask } = context;
    const all: Task[] = [];
    for (const priority of ['low', 'medium', 'high'] as const) {
      for (const category of ['work', 'personal', 'home', 'other'] as const) {
        for (const completed of [true, false]) {
          const task = setCompleted(newTask({ priority, category }), completed, later);
          await tasks.add(task);
          all.push(task);
        }
      }
    }
    const filters: Pick<TaskQuery, 'status' | 'priority' | 'category'>[] = [
      { status: 'pending' },
      { status: 'completed' },
      { priority: 'medium' },
      { category: 'home' },
      { status: 'pending', priority: 'high' },
      { status: 'completed', priority: 'low', category: 'other' },
    ];
    for (const filter of filters) {
      const expected = all.filter((task) =>
        Object.entries(filter).every(([field, value]) => task[field as keyof typeof filter] === value),
      );
      assert.notEqual(expected.length, 0);
      assert.deepEqual(
        await listIds(context, { ...filter, sortBy: 'createdAt', sortOrder: 'asc' }),
        expected.map(({ id }) => id),
      );
    }
  }),

  contract('keeps how a task repeats, its place in the series and its reminder', async (context) => {
    const { tasks, owner, newTask } = context;
    const recurrence = { rule: 'FREQ=MONTHLY;COUNT=3', anchor: 'completion', timeZone: 'Pacific/Apia' } as const;
    const remindAt = '2026-03-10T04:30:00.250Z';
    for (const dueDate of [due('2026-01-31'), due('2026-01-31T09:30:00.125Z')]) {
      const first = newTask({ dueDate, recurrence, remindAt, tags: ['[', '"'] });
      const plain = newTask({});
      await tasks.add(first);
      await tasks.add(plain);
      assert.ok(isRepeating(first));
      const next = nextOccurrence(first, {
        id: context.newId(),
        dueDate: due('2026-02-28'),
        before: 2,
        remindAt: null,
        now: first.createdAt,
      });
      await tasks.add(next);
      for (const task of [first, plain, next]) assert.deepEqual(await tasks.find(owner, task.id), task);
      const edited = editTask(first, { remindAt: null, dueDate: due('2026-02-01') }, later);
      assert.deepEqual(edited.series, { id: first.id, occurrence: 1, start: due('2026-02-01'), before: 0 });
      await tasks.update(owner, first.id, () => edited);
      assert.deepEqual(await tasks.find(owner, first.id), edited);
      const ended = editTask(edited, { recurrence: null }, later);
      await tasks.update(owner, first.id, () => ended);
      assert.deepEqual(await tasks.find(owner, first.id), ended);
      const listed = (await tasks.list(owner, newestFirst)).tasks;
      assert.deepEqual(
        listed.filter(({ id }) => id === next.id),
        [next],
      );
    }
  }),

  contract('filters by tags: all of them, literally, in any letter case', async (context) => {
    const { tasks, newTask } = context;
    const all = [
      newTask({ tags: ['Home', 'ÉCOLE'] }),
      newTask({ tags: ['e\u0301cole'] }),
      newTask({ tags: ['straße', 'home'] }),
      newTask({ tags: ['%', 'back\\slash', '{a,"b"}'] }),
      newTask({ tags: ['home office'] }),
      newTask({ title: 'home' }),
    ];
    for (const task of all) await tasks.add(task);
    const found = async (...tags: string[]) => {
      const ids = await listIds(context, { tags, sortBy: 'createdAt', sortOrder: 'asc' });
      return ids.map((id) => all.findIndex((task) => task.id === id));
    };
    assert.deepEqual(await found('home'), [0, 2]);
    assert.deepEqual(await found('HOME', 'école'), [0]);
    assert.deepEqual(await found('École'), [0, 1]);
    assert.deepEqual(await found('STRASSE', 'Home', 'home'), [2]);
    assert.deepEqual(await found('%'), [3]);
    assert.deepEqual(await found('{a,"b"}', 'BACK\\SLASH'), [3]);
    assert.deepEqual(await found('_'), []);
    assert.deepEqual(await found('home', 'none'), []);
    assert.deepEqual(await found('hom'), []);
    assert.deepEqual(await found(), [0, 1, 2, 3, 4, 5]);
    const page = await tasks.list(context.owner, { ...newestFirst, tags: ['home'], limit: 1 });
    assert.deepEqual(page.tasks, [all[2]]);
  }),

  contract('counts tags: the most used first, and in the spelling that is used most', async (context) => {
    const { tasks, newTask, newId, newUser, owner } = context;
    assert.deepEqual(await tasks.tags(owner), { tags: [], position: journalPosition(0) });
    const given = [['b', 'Task 10'], ['B', 'a'], ['ä', 'B'], ['Task 2', 'straße'], ['STRASSE', 'Ä'], ['STRASSE'], []];
    const made = given.map((tags) => newTask({ tags }));
    for (const task of made) await tasks.add(task);
    const { position, ...counted } = await tasks.tags(owner);
    assert.deepEqual(counted.tags, [
      { tag: 'B', count: 3 },
      { tag: 'STRASSE', count: 3 },
      { tag: 'ä', count: 2 },
      { tag: 'a', count: 1 },
      { tag: 'Task 2', count: 1 },
      { tag: 'Task 10', count: 1 },
    ]);
    assert.equal(position, (await tasks.count(owner)).position);
    await tasks.delete(owner, made[1]?.id ?? '');
    assert.deepEqual((await tasks.tags(owner)).tags.slice(0, 2), [
      { tag: 'STRASSE', count: 3 },
      { tag: 'ä', count: 2 },
    ]);

    const user = await newUser();
    assert.deepEqual((await tasks.tags(user)).tags, [], "nobody else's");
    const many = Array.from({ length: 1_100 }, (_, i) => ({
      ...newTask({ tags: [`tag ${i}`, ...(i % 2 === 0 ? ['even'] : [])] }),
      userId: user,
    }));
    const transitions = many.map((task) => creation(task, originOf(user, newId())));
    await tasks.change(user, [], () => ({ transitions, result: null }));
    const { tags } = await tasks.tags(user);
    assert.equal(tags.length, MAX_TAG_COUNTS, 'of very many, the first');
    assert.deepEqual(tags[0], { tag: 'even', count: 550 });
    assert.deepEqual(tags.at(-1), { tag: 'tag 998', count: 1 });
  }),

  contract('searches title and description literally, ignoring case', async (context) => {
    const { tasks, newTask } = context;
    const texts = [
      '100% sure',
      '100 sure',
      'snake_case',
      'snakeXcase',
      'back\\slash',
      'backslash',
      'ÉCOLE',
      'straße',
      'GROẞE WÄSCHE',
      'große wa\u0308sche',
      'ΟΔΟΣ',
      "it's",
    ];
    for (const title of texts) await tasks.add(newTask({ title }));
    for (const description of texts) await tasks.add(newTask({ title: '-', description }));
    const found = async (search: string) => {
      const { tasks: results } = await tasks.list(context.owner, { search, sortBy: 'createdAt', sortOrder: 'asc' });
      const titles = results.filter(({ title }) => title !== '-').map(({ title }) => title);
      const descriptions = results.filter(({ title }) => title === '-').map(({ description }) => description);
      assert.deepEqual(descriptions, titles);
      return titles;
    };
    assert.deepEqual(await found('%'), ['100% sure']);
    assert.deepEqual(await found('_'), ['snake_case']);
    assert.deepEqual(await found('\\'), ['back\\slash']);
    assert.deepEqual(await found('SURE'), ['100% sure', '100 sure']);
    assert.deepEqual(await found('école'), ['ÉCOLE']);
    assert.deepEqual(await found('Straße'), ['straße']);
    assert.deepEqual(await found('STRASSE'), ['straße']);
    for (const search of ['große wäsche', 'GROẞE WÄSCHE', 'GROSSE WA\u0308SCHE', 'wäsche']) {
      assert.deepEqual(await found(search), ['GROẞE WÄSCHE', 'große wa\u0308sche'], search);
    }
    assert.deepEqual(await found('e\u0301cole'), ['ÉCOLE']);
    assert.deepEqual(await found('οδοσ'), ['ΟΔΟΣ']);
    assert.deepEqual(await found("'"), ["it's"]);
    assert.deepEqual(await found('nowhere'), []);
    assert.equal((await found('')).length, texts.length);
  }),

  contract('sorts by every key in both directions, in a total order', async (context) => {
    const { tasks, newTask } = context;
    const created = ['2026-03-01T00:00:00.000Z', '2026-03-02T00:00:00.000Z'];
    const dueDates = [due('2026-03-10'), due('2026-03-10T00:00:00Z'), due('2026-03-09T23:00:00-05:00'), null];
    // As people expect them: numbers by their value, letters with marks beside those without.
    const titlesInOrder = [
      '_',
      '\uffee',
      '\u{1f600}',
      '9',
      '10',
      'a',
      'A',
      'Ä',
      'b',
      'e\u0301a',
      'Task 2',
      'Task 10',
      'x y',
      'xy',
    ];
    const titles = titlesInOrder.toSorted();
    for (let i = 0; i < 28; i++) {
      const task = newTask({
        title: titles[i % 14] ?? '',
        priority: (['high', 'low', 'medium'] as const)[i % 3] ?? 'low',
        dueDate: dueDates[i % 4] ?? null,
      });
      const createdAt = created[i % 2] ?? '';
      await tasks.add({ ...task, createdAt, updatedAt: i % 5 === 0 ? later : createdAt });
    }
    const inOrder: Record<SortKey, (task: Task) => string> = {
      createdAt: ({ createdAt }) => createdAt,
      updatedAt: ({ updatedAt }) => updatedAt,
      dueDate: ({ dueDate }) => (dueDate === null || dueDate.endsWith('Z') ? String(dueDate) : `${dueDate}.000Z`),
      priority: ({ priority }) => ({ low: '0', medium: '1', high: '2' })[priority],
      title: ({ title }) => String(titlesInOrder.indexOf(title)).padStart(2, '0'),
    };
    for (const sortBy of SORT_KEYS) {
      for (const sortOrder of ['asc', 'desc'] as SortOrder[]) {
        const { tasks: sorted } = await tasks.list(context.owner, { sortBy, sortOrder });
        assert.equal(sorted.length, 28);
        if (sortBy === 'dueDate') {
          assert.ok(
            sorted.slice(-7).every(({ dueDate }) => dueDate === null),
            'a missing due date comes last',
          );
        }
        const groups = sortBy === 'dueDate' ? [sorted.slice(0, -7), sorted.slice(-7)] : [sorted];
        for (const group of groups) {
          const keys = group.map((task) => `${inOrder[sortBy](task)} ${task.createdAt} ${task.id}`);
          const expected = [...keys].sort();
          assert.deepEqual(keys, sortOrder === 'asc' ? expected : expected.reverse(), `${sortBy} ${sortOrder}`);
        }
      }
    }
  }),

  contract('returns a list in consecutive pages', async (context) => {
    const { tasks, newTask, owner } = context;
    const dueDates = [due('2026-03-10'), due('2026-03-09T23:00:00Z'), null];
    for (let i = 0; i < 23; i++) {
      const task = newTask({
        title: ['b', 'A', 'a', 'Ä', 'Task 10', 'Task 9', 'a\u0308'][i % 7] ?? '',
        priority: (['high', 'low', 'medium'] as const)[i % 3] ?? 'low',
        dueDate: dueDates[i % 3] ?? null,
      });
      await tasks.add({ ...task, createdAt: `2026-03-0${1 + (i % 2)}T00:00:00.000Z`, updatedAt: later });
    }
    for (const sortBy of SORT_KEYS) {
      for (const sortOrder of ['asc', 'desc'] as SortOrder[]) {
        const all = await listIds(context, { sortBy, sortOrder });
        const seen: TaskId[] = [];
        let after: TaskPosition | undefined;
        do {
          const { tasks: part } = await tasks.list(owner, { sortBy, sortOrder, after, limit: 4 });
          seen.push(...part.map(({ id }) => id));
          const last = part.at(-1);
          after = last && { key: last[sortBy], createdAt: last.createdAt, id: last.id };
        } while (after !== undefined);
        assert.deepEqual(seen, all, `${sortBy} ${sortOrder}`);
      }
    }
    const [first, second] = await listIds(context, { sortBy: 'title', sortOrder: 'asc' });
    const last = (await tasks.find(owner, first ?? '')) ?? assert.fail();
    await tasks.delete(owner, last.id);
    const after = { key: last.title, createdAt: last.createdAt, id: last.id };
    const page = await listIds(context, { sortBy: 'title', sortOrder: 'asc', after, limit: 1 });
    assert.deepEqual(page, [second], 'a part follows on a task that is gone');
  }),

  contract('continues after a title that ends like a timestamp', async (context) => {
    const { tasks, newTask } = context;
    const [first, second] = [newTask({ title: 'T1Z' }), newTask({ title: 'T2' })];
    await tasks.add(first);
    await tasks.add(second);
    const after = { key: first.title, createdAt: first.createdAt, id: first.id };
    assert.deepEqual(await listIds(context, { sortBy: 'title', sortOrder: 'asc', after }), [second.id]);
  }),

  contract('refuses tasks beyond the limit, exactly', async ({ withMaxTasks, newTask, newId, newUser, owner }) => {
    if (withMaxTasks === undefined) return;
    const tasks = withMaxTasks(5);
    const made = (user: string, count: number) =>
      Array.from({ length: count }, () => {
        const task = { ...newTask({}), userId: user };
        return creation(task, originOf(user, newId()));
      });
    const add = (user: string, count: number, how?: Once) =>
      tasks.change(user, [], () => ({ transitions: made(user, count), result: null }), how);
    const refused = { code: 'TASK_LIMIT_REACHED', message: /at most 5 tasks/ };

    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => add(owner, 1)));
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 5, 'at the same time');
    const { tasks: found, position } = await tasks.list(owner, newestFirst);
    assert.equal(found.length, 5);
    assert.match(position, /^5/);
    await assert.rejects(add(owner, 1), refused);
    await assert.rejects(add(owner, 2), refused);
    const once = { key: 'more', fingerprint: 'f' };
    await assert.rejects(add(owner, 1, once), refused);
    assert.deepEqual((await tasks.count(owner)).total, 5, 'nothing of it is left');

    const [oldest, ...others] = found.toReversed();
    if (oldest === undefined) assert.fail();
    const writer = taskWriter(tasks);
    const edited = await writer.update(owner, oldest.id, (task) => editTask(task, { title: 'edited' }, later));
    assert.equal(edited?.title, 'edited', 'what is there can be changed');
    const replacement = made(owner, 1);
    await tasks.change(owner, [oldest.id], (found) => ({
      transitions: [...[...found.values()].map((task) => deletion(task, originOf(owner, newId()))), ...replacement],
      result: null,
    }));
    assert.equal((await tasks.count(owner)).total, 5, 'one for another');
    for (const { id } of others) await writer.delete(owner, id);
    await add(owner, 4, once);

    const stranger = await newUser();
    await assert.rejects(add(stranger, 6), refused);
    assert.equal((await tasks.count(stranger)).total, 0, 'of a user who had none');
    await add(stranger, 5);
    const fewer = withMaxTasks(2);
    assert.equal(
      await taskWriter(fewer).delete(stranger, (await listIds({ tasks, owner: stranger }, newestFirst))[0] ?? ''),
      true,
    );
    assert.equal((await fewer.count(stranger)).total, 4, 'above a limit that was lowered');
  }),

  contract('selects by due date, each kind by a bound of its own', async ({ tasks, newTask, owner }) => {
    const texts = [
      '0001-01-01',
      '0001-01-01T00:00:00Z',
      '2026-03-10',
      '2026-03-10T00:00:00Z',
      '2026-03-10T09:30:00.250',
      '2026-03-10T09:30:00.250Z',
      '9999-12-31T23:59:59.999',
      '9999-12-31T23:59:59.999Z',
    ];
    const stored = [newTask({ title: 'without' }), ...texts.map((title) => newTask({ title, dueDate: due(title) }))];
    for (const task of stored) await tasks.add(task);
    const bounds = [
      '-infinity',
      '0001-01-01T00:00:00.000',
      '2026-03-10T00:00:00.000',
      '2026-03-10T09:30:00.250',
      '2026-03-10T09:30:00.251',
      '9999-12-31T23:59:59.999',
      'infinity',
    ];
    const both = bounds.flatMap((floating) => bounds.map((instant) => ({ floating, instant })));
    for (const bound of both) {
      for (const selection of [
        { dueAfter: bound },
        { dueBefore: bound },
        { dueAfter: bound, dueBefore: both[24], status: 'pending' },
        { dueBefore: bound, hasDueDate: false },
      ] as const) {
        const query = { ...newestFirst, ...selection };
        assert.deepEqual((await tasks.list(owner, query)).tasks, selectTasks(stored, query), JSON.stringify(selection));
      }
    }
    for (const hasDueDate of [true, false]) {
      const query = { ...newestFirst, hasDueDate, limit: 4 };
      assert.deepEqual((await tasks.list(owner, query)).tasks, selectTasks(stored, query));
    }
  }),

  contract('gives a list of many tasks in parts, of one moment', async ({ tasks, newTask, newId, newUser }) => {
    const user = await newUser();
    const made = Array.from({ length: 2_600 }, (_, i) => ({
      ...newTask({ title: `task ${i % 7}`, priority: i % 2 === 0 ? 'low' : 'high' }),
      userId: user,
    }));
    const add = (some: readonly Task[]) =>
      tasks.change(user, [], () => ({
        transitions: some.map((task) => creation(task, originOf(user, newId()))),
        result: null,
      }));
    await add(made);
    const query = { sortBy: 'title', sortOrder: 'desc', priority: 'high' } as const;
    const sorted = selectTasks(made, query);
    const { rest, ...first } = await tasks.list(user, query);
    const seen = [...first.tasks];
    // What happens meanwhile is not in the list.
    const change = add([{ ...newTask({ title: 'task 9', priority: 'high' }), userId: user }]);
    if (rest !== undefined) {
      for await (const part of rest) {
        seen.push(...part.tasks);
        assert.equal(part.position, first.position);
      }
    }
    await change;
    assert.deepEqual(seen, sorted);
    assert.ok(first.position.startsWith(made.length.toString(16)));
    assert.equal((await tasks.list(user, { ...query, limit: 1 })).tasks[0]?.title, 'task 9', 'a page, in any order');
    assert.deepEqual(await tasks.list(user, { ...newestFirst, search: 'none' }).then(whole), [], 'no match');
    // A list that nobody reads to its end leaves nothing behind.
    for (let i = 0; i < 20; i++) {
      const { rest } = await tasks.list(user, query);
      if (i % 2 === 0) await rest?.next();
      await rest?.return();
    }
    assert.equal((await tasks.count(user)).total, made.length + 1);
  }),

  contract('saves nothing in a dry run, and fails where saving would', async ({ tasks, newTask, ...context }) => {
    const { owner, newId, journal, withMaxTasks, deleteUser, newUser } = context;
    const task = newTask({});
    await tasks.add(task);
    const origin = () => originOf(owner, newId());
    const another = newTask({});
    const transitions = [
      [deletion(task, origin())],
      [revision(task, editTask(task, { title: 'changed' }, later), origin())],
      [creation(another, origin())],
      [creation(another, origin()), deletion(task, origin())],
    ];
    const once = { key: 'dry', fingerprint: 'f' };
    for (const some of transitions) {
      const onSaved = () => assert.fail('nothing is saved');
      const decide = () => ({ transitions: some, result: some.length, dryRun: true });
      assert.equal(await tasks.change(owner, [task.id], decide, once, { onSaved }), some.length);
      assert.equal(await tasks.change(owner, [task.id], decide, undefined, { onSaved }), some.length);
    }
    assert.deepEqual((await tasks.list(owner, newestFirst)).tasks, [task]);
    assert.equal((await journal.entries(owner, { limit: 10 })).length, 1);
    const done = () => ({ transitions: [], result: 'done' });
    assert.equal(await tasks.change(owner, [], done, { ...once, fingerprint: 'other' }), 'done', 'the key is unused');

    const oneMore = (userId: string) => () => {
      const created = creation({ ...another, userId }, { ...origin(), actor: { type: 'user', id: userId } });
      return { transitions: [created], result: null, dryRun: true };
    };
    const refused = { code: 'TASK_LIMIT_REACHED' };
    if (withMaxTasks) await assert.rejects(withMaxTasks(1).change(owner, [], oneMore(owner)), refused);
    if (deleteUser === undefined) return;
    const gone = await newUser();
    await deleteUser(gone);
    await assert.rejects(tasks.change(gone, [], oneMore(gone)), { code: 'USER_UNKNOWN' });
  }),

  contract('carries out a keyed request once, and repeats its result', async ({ tasks, newTask, owner, newUser }) => {
    const once = { key: 'k', fingerprint: 'f' };
    const add = async (user: string, title: string, how = once) => {
      const task = { ...newTask({ title }), userId: user };
      const transitions = [creation(task, originOf(user, task.id))];
      return tasks.change(user, [], () => ({ transitions, result: { title } }), how);
    };
    const results = await Promise.all(Array.from({ length: 8 }, (_, i) => add(owner, `try ${i}`)));
    assert.deepEqual(new Set(results.map(({ title }) => title)).size, 1);
    assert.deepEqual(
      (await tasks.list(owner, newestFirst)).tasks.map(({ title }) => title),
      [results[0]?.title],
    );
    await assert.rejects(add(owner, 'else', { ...once, fingerprint: 'other' }), { code: 'IDEMPOTENCY_KEY_REUSED' });
    assert.deepEqual(await add(owner, 'next', { ...once, key: 'another' }), { title: 'next' });
    assert.deepEqual(await add(await newUser(), "somebody else's"), { title: "somebody else's" });

    const failure = new Error('on purpose');
    const fails = () => {
      throw failure;
    };
    await assert.rejects(tasks.change(owner, [], fails, { key: 'fails', fingerprint: 'f' }), failure);
    assert.deepEqual(await add(owner, 'then works', { key: 'fails', fingerprint: 'f' }), { title: 'then works' });
  }),

  contract(
    'records each change in the journal, with its actor and correlation id',
    async ({ tasks, journal, newTask, newId, owner }) => {
      const task = newTask({ title: 'first', dueDate: due('2026-03-10') });
      const edited = editTask(task, { title: 'second', dueDate: null }, later);
      const done = setCompleted(edited, true, later);
      const origin = {
        id: newId(),
        time: later,
        actor: { type: 'agent', id: 'helper' },
        correlationId: 'request-1',
      } as const;
      await tasks.add(task);
      await tasks.change(owner, [task.id], () => ({
        transitions: [revision(task, edited, origin)],
        result: undefined,
      }));
      await tasks.update(owner, task.id, () => done);
      await tasks.update(owner, task.id, (current) => setCompleted(current, false, later));
      await tasks.delete(owner, task.id);

      const entries = await journal.entries(owner, { limit: 10 });
      assert.deepEqual(
        entries.map(({ type }) => type),
        [
          'todo.task.deleted.v1',
          'todo.task.reopened.v1',
          'todo.task.completed.v1',
          'todo.task.updated.v1',
          'todo.task.created.v1',
        ],
      );
      assert.deepEqual(entries[3], {
        sequence: 2,
        ...origin,
        type: 'todo.task.updated.v1',
        userId: owner,
        taskId: task.id,
        changes: {
          title: { before: 'first', after: 'second' },
          dueDate: { before: '2026-03-10T00:00:00', after: null },
          updatedAt: { before: task.updatedAt, after: later },
        },
      });
      const created = entries[4] ?? assert.fail();
      assert.deepEqual('task' in created && created.task, task);
      assert.deepEqual(created.actor, { type: 'user', id: owner });
    },
  ),

  contract('returns the requested page of a journal', async ({ tasks, journal, newTask, owner, newUser }) => {
    const [one, two] = [newTask({}), newTask({})];
    await tasks.add(one);
    await tasks.add(two);
    await tasks.update(owner, one.id, (task) => setCompleted(task, true, later));
    const sequences = async (query: object) =>
      (await journal.entries(owner, { limit: 10, ...query })).map(({ sequence }) => sequence);
    assert.deepEqual(await sequences({}), [3, 2, 1]);
    assert.deepEqual(await sequences({ limit: 2 }), [3, 2]);
    assert.deepEqual(await sequences({ before: 3 }), [2, 1]);
    assert.deepEqual(await sequences({ taskId: one.id }), [3, 1]);
    assert.deepEqual(await sequences({ type: 'todo.task.created.v1' }), [2, 1]);
    assert.deepEqual(await sequences({ since: two.createdAt }), [3, 2]);
    assert.deepEqual(await sequences({ until: two.createdAt }), [1]);
    assert.deepEqual(await sequences({ taskId: one.id, type: 'todo.task.completed.v1', since: later }), [3]);
    assert.deepEqual(await journal.entries(await newUser(), { limit: 10 }), []);
  }),

  contract('changes many tasks in one step, or none', async ({ tasks, journal, newTask, newId, owner }) => {
    const [edited, removed, created, untouched] = [newTask({}), newTask({}), newTask({}), newTask({})];
    for (const task of [edited, removed, untouched]) await tasks.add(task);
    const origin = () => originOf(owner, newId());
    const change = (thrown?: Error) =>
      tasks.change(owner, [removed.id, edited.id, untouched.id, created.id], (found) => {
        assert.deepEqual(new Set(found.keys()), new Set([edited.id, removed.id, untouched.id]));
        const once = editTask(edited, { title: 'once' }, later);
        const twice = setCompleted(once, true, later);
        const transitions = [
          revision(edited, once, origin()),
          creation(created, origin()),
          revision(once, twice, origin()),
          deletion(removed, origin()),
          revision(untouched, untouched, origin()),
        ];
        if (thrown) throw thrown;
        return { transitions, result: twice };
      });
    const failure = new Error('on purpose');
    await assert.rejects(change(failure), failure);
    assert.equal((await journal.entries(owner, { limit: 10 })).length, 3);
    const twice = await change();
    assert.deepEqual(await tasks.find(owner, edited.id), twice);
    assert.deepEqual(await tasks.find(owner, created.id), created);
    assert.equal(await tasks.find(owner, removed.id), undefined);
    assert.equal((await journal.entries(owner, { limit: 10 })).length, 7);
  }),

  contract(
    'leaves no gaps between the events of concurrent writers, and shows them in order',
    async ({ tasks, journal, newTask, owner }) => {
      const seen: number[] = [];
      let isWriting = true;
      const reader = async () => {
        while (isWriting || (await tasks.count(owner)).total > seen.length) {
          const [newest] = await journal.entries(owner, { limit: 1 });
          const last = seen.at(-1) ?? 0;
          if (newest !== undefined && newest.sequence > last) {
            const news = await journal.entries(owner, { before: newest.sequence + 1, limit: newest.sequence - last });
            seen.push(...news.map(({ sequence }) => sequence).reverse());
          }
          await new Promise<void>((resolve) => setTimeout(resolve, 1));
        }
      };
      const reading = reader();
      await Promise.all(Array.from({ length: 50 }, () => tasks.add(newTask({}))));
      isWriting = false;
      await reading;
      assert.deepEqual(
        seen,
        Array.from({ length: 50 }, (_, i) => i + 1),
      );
    },
  ),

  contract('refuses writes of an unknown user, and removes the tasks of a deleted one', async (context) => {
    const { tasks, newTask, owner, deleteUser } = context;
    if (deleteUser === undefined) return;
    const task = newTask({});
    await tasks.add(task);
    await deleteUser(owner);
    assert.equal(await tasks.find(owner, task.id), undefined);
    const unknown = { code: 'USER_UNKNOWN' };
    await assert.rejects(tasks.add(newTask({})), unknown);
    await assert.rejects(
      tasks.update(owner, task.id, (current) => current),
      unknown,
    );
    await assert.rejects(tasks.delete(owner, task.id), unknown);
    assert.deepEqual(await tasks.list(owner, newestFirst), { tasks: [], position: journalPosition(0) });
  }),
];
