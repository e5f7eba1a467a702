import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import {
  ABSENT,
  type Answer,
  assertProblem,
  explore,
  hosts,
  INSTANT,
  operations,
  type Person,
  person,
  shared,
  throwing,
  UUID_V7,
} from './hosts.ts';

/** The same for all requests, so that responses can be compared byte by byte. */
const headers = { 'X-Request-Id': 'the-same' };

for (const { name, declare, open } of hosts) {
  const opened = shared(open);

  declare(`${name}: every route, for each token and each path, with existing and missing tasks`, async (t) => {
    const host = await opened();
    const [alice, bob] = [await person(host), await person(host)];
    const secret = (owner: Person) => `the secret of ${owner.id}`;
    for (const token of [alice, bob]) {
      for (const path of [alice, bob]) {
        for (const route of operations(ABSENT).keys()) {
          const tasks = new Map<Person, Answer['body']>();
          for (const owner of [alice, bob])
            tasks.set(owner, await owner.create({ title: secret(owner), description: secret(owner) }));
          const deleted = await path.create({ title: secret(path) });
          await path.call('DELETE', `/tasks/${deleted.id}`);

          const answers = new Map<string, Answer>();
          for (const id of [ABSENT, deleted.id, tasks.get(alice).id, tasks.get(bob).id]) {
            const { method, path: below, json } = operations(id)[route] ?? assert.fail();
            answers.set(id, await path.call(method, below, { token: token.token, json, headers }));
          }
          const { method, path: below, namesTask, ofTrash } = operations('{id}')[route] ?? assert.fail();
          // A batch has its task ids in the body, and is refused as a whole.
          const [missing, fields] = below.endsWith('/batch') ? [422, ['operations.0.id']] : [404];
          const title = `${method} ${below}, ${token === path ? 'own' : 'foreign'} path`;

          const absent = answers.get(ABSENT) ?? assert.fail();
          for (const [id, answer] of answers) {
            const isThere = id === tasks.get(token).id;
            const own = !namesTask || (ofTrash ? id === deleted.id : isThere && below !== '/undo');
            if (token === path && isThere && below.endsWith('/restore')) {
              assertProblem(t, answer, 409);
            } else if (token === path && own) {
              t.true(answer.status < 300, title);
              const other = token === alice ? bob : alice;
              t.false(answer.text.includes(other.id), title);
            } else {
              if (token === path) assertProblem(t, answer, missing, fields);
              else assertProblem(t, answer, 403);
              t.deepEqual(comparable(answer, id), comparable(absent, ABSENT), title);
              for (const owner of [alice, bob]) t.false(answer.text.includes(secret(owner)), title);
            }
          }
          for (const [owner, task] of tasks) {
            if (owner === token && token === path) continue;
            t.deepEqual((await owner.call('GET', `/tasks/${task.id}`)).body, task, `${title}: nothing was changed`);
          }
        }
      }
    }
  });
}

/** A response without the time and the requested id. */
function comparable({ status, headers, text }: Answer, id: string) {
  return {
    status,
    headers: [...headers].filter(([name]) => !['date', 'ratelimit'].includes(name)),
    text: text.replaceAll(id, ABSENT),
  };
}

type Task = Answer['body'];

/** The expected state of every user; users are numbers. */
interface Model {
  readonly tasks: readonly Map<string, Task>[];
  /** What was deleted, and neither restored nor erased. */
  readonly trash: readonly Map<string, Task>[];
  /** The ids of all users' tasks, including deleted ones. */
  readonly ids: string[];
}

type Command = fc.AsyncCommand<Model, readonly Person[]>;

/** An action of a user, and its expected result. */
function command(
  what: string,
  who: number,
  run: (mine: Map<string, Task>, me: Person, model: Model, people: readonly Person[]) => Promise<void>,
): Command {
  return {
    check: () => true,
    run: (model, people) => run(model.tasks[who] ?? assert.fail(), people[who] ?? assert.fail(), model, people),
    toString: () => `user ${who}: ${what}`,
  };
}

const USERS = 3;
const user = fc.nat({ max: USERS - 1 });
/** An index into all ids, often that of another user's task. */
const index = fc.nat({ max: 1000 });
const pick = ({ ids }: Model, index: number) => ids[index % (ids.length + 1)] ?? ABSENT;

const text = fc.string({
  unit: fc.constantFrom('a', 'B', 'b', 'é', 'É', 'ß', '%', '_', '\\', '😀', '\ufb01', ' '),
  maxLength: 5,
});
const title = text.map((text) => `x${text}x`);
const priority = fc.constantFrom('low', 'medium', 'high');
const category = fc.constantFrom('work', 'personal', 'home', 'other');
const dueDate = fc.constantFrom(
  null,
  '2026-03-10T00:00:00',
  '2026-03-10T00:00:00.000Z',
  '0001-01-01T00:00:00',
  '9999-12-31T23:59:59.999Z',
);
const tag = fc.constantFrom('a', 'A', 'é', 'É', 'straße', 'STRASSE', '%', ',', '😀');
const tags = fc.uniqueArray(tag, { maxLength: 3, selector: (tag) => tag.toUpperCase() });
const remindAt = fc.constantFrom(null, '0001-01-01T00:00:00.000Z', '9999-12-31T23:59:59.999Z');
const content = { title, description: fc.option(text), priority, category, dueDate, tags, remindAt };
const filters = fc.record(
  {
    status: fc.constantFrom('pending', 'completed'),
    priority,
    category,
    search: text,
    tag: fc.array(tag, { maxLength: 2 }),
    sort_by: fc.constantFrom('createdAt', 'updatedAt', 'dueDate', 'priority', 'title'),
    sort_order: fc.constantFrom('asc', 'desc'),
  },
  { requiredKeys: [] },
);

const commands: fc.Arbitrary<Command>[] = [
  fc
    .tuple(user, fc.record(content, { requiredKeys: ['title', 'description', 'priority', 'category', 'dueDate'] }))
    .map(([who, json]) =>
      command(`creates ${fc.stringify(json)}`, who, async (mine, me, { ids }) => {
        const { status, body } = await me.call('POST', '/tasks', { json });
        assert.equal(status, 201);
        const { id, createdAt } = body;
        assert.match(id, UUID_V7);
        assert.match(createdAt, INSTANT);
        assert.ok(!ids.includes(id));
        const expected = {
          tags: [],
          recurrence: null,
          remindAt: null,
          series: null,
          ...json,
          id,
          createdAt,
          updatedAt: createdAt,
          status: 'pending',
          completed: false,
          userId: me.id,
        };
        assert.deepEqual(body, expected);
        mine.set(id, expected);
        ids.push(id);
      }),
    ),
  fc.tuple(user, index).map(([who, index]) =>
    command(`gets ${index}`, who, async (mine, me, model) => {
      const id = pick(model, index);
      expectTask(await me.call('GET', `/tasks/${id}`), mine.get(id));
    }),
  ),
  fc.tuple(user, index, fc.record(content, { requiredKeys: [] })).map(([who, index, json]) =>
    command(`puts ${index} ${fc.stringify(json)}`, who, async (mine, me, model) => {
      const id = pick(model, index);
      changeTask(mine, id, json, await me.call('PUT', `/tasks/${id}`, { json }));
    }),
  ),
  fc.tuple(user, index, fc.constantFrom('', ' ', 'a\0', 7, null)).map(([who, index, title]) =>
    command(`puts the title ${fc.stringify(title)} to ${index}`, who, async (_, me, model) => {
      assertProblem(throwing, await me.call('PUT', `/tasks/${pick(model, index)}`, { json: { title } }), 422, [
        'title',
      ]);
    }),
  ),
  fc.tuple(user, index, fc.constantFrom(undefined, true, false)).map(([who, index, completed]) =>
    command(`completes ${index}: ${completed}`, who, async (mine, me, model) => {
      const id = pick(model, index);
      const becomes = completed ?? !mine.get(id)?.completed;
      const answer = await me.call(
        'PATCH',
        `/tasks/${id}/complete`,
        completed === undefined ? {} : { json: { completed } },
      );
      changeTask(mine, id, { completed: becomes, status: becomes ? 'completed' : 'pending' }, answer);
    }),
  ),
  fc.tuple(user, index).map(([who, index]) =>
    command(`deletes ${index}`, who, async (mine, me, model) => {
      const id = pick(model, index);
      const answer = await me.call('DELETE', `/tasks/${id}`);
      const task = mine.get(id);
      if (task === undefined) {
        assertProblem(throwing, answer, 404);
        return;
      }
      assert.equal(answer.status, 204);
      mine.delete(id);
      model.trash[who]?.set(id, task);
    }),
  ),
  fc.tuple(user, index).map(([who, index]) =>
    command(`restores ${index}`, who, async (mine, me, model) => {
      const id = pick(model, index);
      const task = model.trash[who]?.get(id);
      const answer = await me.call('POST', `/tasks/${id}/restore`);
      if (mine.has(id)) assertProblem(throwing, answer, 409);
      else if (task === undefined) assertProblem(throwing, answer, 404);
      else {
        assert.ok(answer.body.updatedAt > task.updatedAt);
        mine.set(id, { ...task, updatedAt: answer.body.updatedAt });
        model.trash[who]?.delete(id);
        expectTask(answer, mine.get(id));
      }
    }),
  ),
  fc.tuple(user, index).map(([who, index]) =>
    command(`erases ${index}`, who, async (_, me, model) => {
      const id = pick(model, index);
      const answer = await me.call('DELETE', `/trash/${id}`);
      if (model.trash[who]?.delete(id)) assert.equal(answer.status, 204);
      else assertProblem(throwing, answer, 404);
    }),
  ),
  user.map((who) =>
    command('looks into the trash', who, async (_, me, model) => {
      const { body } = await me.call('GET', '/trash?limit=200');
      const tasks = body.map(({ task }: { task: Task }) => task);
      assert.deepEqual(tasks.reverse(), [...(model.trash[who]?.values() ?? [])]);
    }),
  ),
  user.map((who) =>
    command('reads all changes', who, async (mine, me) => {
      const { body } = await me.call('GET', '/changes?since=000000000&limit=1000');
      const present = body.changes.filter(({ task }: { task: Task | null }) => task !== null);
      assert.deepEqual(
        new Map(present.map(({ taskId, task }: { taskId: string; task: Task }) => [taskId, task])),
        new Map(mine),
      );
    }),
  ),
  fc.tuple(user, fc.integer({ min: 1, max: USERS - 1 })).map(([who, further]) =>
    command(`undoes the last event of ${(who + further) % USERS}`, who, async (_, me, __, people) => {
      const other = people[(who + further) % USERS] ?? assert.fail();
      const [event] = (await other.call('GET', '/audit?limit=1')).body;
      if (event === undefined) return;
      assertProblem(throwing, await me.call('POST', '/undo', { json: { events: [event.id] } }), 404);
      const json = { correlationId: event.correlationId };
      assertProblem(throwing, await me.call('POST', '/undo', { json }), 404);
    }),
  ),
  fc.tuple(user, filters).map(([who, query]) =>
    command(`lists ${fc.stringify(query)}`, who, async (mine, me) => {
      const parameters = Object.entries(query).flatMap(([name, value]) =>
        [value].flat().map((one): [string, string] => [name, one]),
      );
      const { status, body } = await me.call('GET', `/tasks?${new URLSearchParams(parameters)}`);
      assert.equal(status, 200);
      assert.deepEqual(body, listOf([...mine.values()], query));
    }),
  ),
  fc.tuple(user, fc.constantFrom('schedule', 'completion')).map(([who, anchor]) =>
    command(`repeats from ${anchor}`, who, async (mine, me, { ids }) => {
      const recurrence = { rule: 'FREQ=WEEKLY', anchor, timeZone: 'Europe/Berlin' };
      const json = { title: 'weekly', priority: 'low', category: 'work', dueDate: '2026-03-10', recurrence };
      const { body: first } = await me.call('POST', '/tasks', { json });
      await me.call('PATCH', `/tasks/${first.id}/complete`);
      const { body: all } = await me.call('GET', '/tasks');
      const more = all.filter(({ id }: Task) => !mine.has(id) && id !== first.id);
      assert.equal(more.length, 1);
      assert.deepEqual(more[0].series, { ...first.series, occurrence: 2, before: more[0].series.before });
      // So that what follows is about single tasks again.
      for (const { id } of [first, more[0]]) {
        const { body } = await me.call('PUT', `/tasks/${id}`, { json: { recurrence: null } });
        mine.set(id, body);
        ids.push(id);
      }
    }),
  ),
  user.map((who) =>
    command('counts tags', who, async (mine, me) => {
      const all = [...mine.values()].flatMap(({ tags }) => tags as string[]);
      const { status, body } = await me.call('GET', '/tags');
      assert.equal(status, 200);
      for (const { tag, count } of body) {
        assert.ok(all.includes(tag));
        assert.equal(count, all.filter((other) => other.toUpperCase() === tag.toUpperCase()).length);
      }
      assert.equal(body.length, new Set(all.map((tag) => tag.toUpperCase())).size);
    }),
  ),
  user.map((who) =>
    command('counts', who, async (mine, me) => {
      const completed = [...mine.values()].filter((task) => task.completed).length;
      const expected = { total: mine.size, pending: mine.size - completed, completed };
      assert.deepEqual((await me.call('GET', '/stats')).body, expected);
    }),
  ),
  fc
    .tuple(user, fc.integer({ min: 1, max: USERS - 1 }), index, fc.nat({ max: operations(ABSENT).length - 1 }))
    .map(([who, further, index, operation]) =>
      command(
        `trespasses on ${(who + further) % USERS}, operation ${operation}, ${index}`,
        who,
        async (_, me, model, people) => {
          const { method, path, json } = operations(pick(model, index))[operation] ?? assert.fail();
          const other = people[(who + further) % USERS] ?? assert.fail();
          assertProblem(throwing, await other.call(method, path, { json, token: me.token }), 403);
        },
      ),
    ),
];

function expectTask(answer: Answer, expected: Task | undefined): void {
  if (expected === undefined) assertProblem(throwing, answer, 404);
  else assert.deepEqual([answer.status, answer.body], [200, expected]);
}

/** Changes a task of the model like the server; only a real change increases `updatedAt`. */
function changeTask(mine: Map<string, Task>, id: string, changes: object, answer: Answer): void {
  const before = mine.get(id);
  if (
    before !== undefined &&
    Object.entries(changes).some(([field, value]) => !isDeepStrictEqual(before[field], value))
  ) {
    assert.ok(answer.body.updatedAt > before.updatedAt);
    mine.set(id, { ...before, ...changes, updatedAt: answer.body.updatedAt });
  }
  expectTask(answer, mine.get(id));
}

/** What a list is filtered and sorted by. */
type FilterValues = typeof filters extends fc.Arbitrary<infer Values> ? Values : never;

/** A second, simple implementation of the list. */
function listOf(
  tasks: Task[],
  { tag = [], search = '', sort_by = 'createdAt', sort_order = 'desc', ...equal }: FilterValues,
): Task[] {
  const holds = (text: string | null) => text?.toUpperCase().includes(search.toUpperCase());
  const direction = sort_order === 'asc' ? 1 : -1;
  const keyOf = (task: Task): unknown => {
    if (sort_by === 'title') return Buffer.from(task.title.toUpperCase()).toString('hex');
    if (sort_by === 'priority') return ['low', 'medium', 'high'].indexOf(task.priority);
    if (sort_by === 'dueDate') return task.dueDate && Date.parse(task.dueDate.replace(/Z?$/, 'Z'));
    return task[sort_by];
  };
  return tasks
    .filter((task) => Object.entries(equal).every(([name, value]) => task[name] === value))
    .filter(({ title, description }) => holds(title) || holds(description))
    .filter((task) => tag.every((one) => task.tags.some((own: string) => own.toUpperCase() === one.toUpperCase())))
    .sort((a, b) => {
      const missingLast = Number(keyOf(a) === null) - Number(keyOf(b) === null);
      const keys = [keyOf, ({ createdAt }: Task) => createdAt, ({ id }: Task) => id];
      return missingLast || direction * (keys.map((key) => compare(key(a), key(b))).find((order) => order !== 0) ?? 0);
    });
}

// biome-ignore lint/suspicious/noExplicitAny: two texts, two numbers or two nulls
function compare(a: any, b: any): number {
  return a < b ? -1 : Number(a > b);
}

for (const { name, declare, open } of hosts.filter(({ name }) => name !== 'PGlite')) {
  const opened = shared(open);

  declare(`${name}: ${USERS} concurrent users get the results of a simple model`, async (t) => {
    const host = await opened();
    await explore(2_000, fc.commands(commands, { maxCommands: 60, size: 'max' }), async (steps) => {
      const people = await Promise.all(Array.from({ length: USERS }, () => person(host)));
      const model: Model = { tasks: people.map(() => new Map()), trash: people.map(() => new Map()), ids: [] };
      await fc.asyncModelRun(() => ({ model, real: people }), steps);
      return [...steps].length;
    });
    t.pass();
  });
}
