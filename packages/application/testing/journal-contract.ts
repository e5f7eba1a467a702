import assert from 'node:assert/strict';
import { CHANGES_MAX_ENTRIES, type Journal, type JournalQuery, journalPosition } from '@todo-backend/application';
import {
  type Actor,
  completion,
  creation,
  deletion,
  type EventOrigin,
  editTask,
  erasure,
  restoration,
  revision,
  type Task,
} from '@todo-backend/domain';
import { type Context, type ContractCase, contract, later, originOf } from './contract.js';

/**
 * What the use cases for changes, undo and the trash rely on: for every adapter of `Journal` together with its
 * `TaskRepository`. Run it as `taskRepositoryContract`, and beside that.
 */
export const journalContract: readonly ContractCase[] = [
  contract('names places in the journal', async ({ tasks, journal, newTask, owner, newUser }) => {
    assert.equal(await journal.position(owner), journalPosition(0));
    await tasks.add(newTask({}));
    await tasks.add(newTask({}));
    const [second, first] = await journal.entries(owner, { limit: 10 });
    assert.equal(await journal.position(owner), journalPosition(2, second?.id));
    assert.equal(await journal.idAt(owner, 1), first?.id);
    assert.equal(await journal.idAt(owner, 3), undefined);
    assert.equal(await journal.idAt(await newUser(), 1), undefined);
    const after = async (sequence: number) =>
      (await journal.entries(owner, { after: sequence, limit: 10 })).map(({ sequence }) => sequence);
    assert.deepEqual([await after(0), await after(1), await after(2)], [[1, 2], [2], []]);
  }),

  contract('says the position of a change once it is saved', async ({ tasks, journal, newTask, owner, newId }) => {
    const seen: string[] = [];
    const onSaved = (position: string) => seen.push(position);
    const task = newTask({});
    await tasks.add(task);
    const edited = editTask(task, { title: 'edited' }, later);
    const edit = { transitions: [revision(task, edited, originOf(owner, newId()))], result: null };
    await tasks.change(owner, [task.id], () => edit, undefined, { onSaved });
    assert.deepEqual(seen, [await journal.position(owner)]);
    const once = { key: newId(), fingerprint: 'delete' };
    const remove = { transitions: [deletion(edited, originOf(owner, newId()))], result: null };
    await tasks.change(owner, [task.id], () => remove, once, { onSaved });
    assert.deepEqual(seen.at(-1), await journal.position(owner));
    await tasks.change(owner, [task.id], () => assert.fail('done already'), once, { onSaved });
    await tasks.change(owner, [task.id], () => ({ transitions: [], result: null }), undefined, { onSaved });
    assert.equal(seen.length, 2, 'not when nothing was changed');
  }),

  contract('tells each changed task once, as it is now, in the order of the last change', async (context) => {
    const { tasks, journal, newTask, owner, newUser } = context;
    const [a, b, c] = [newTask({ title: 'a' }), newTask({ title: 'b' }), newTask({ title: 'c' })];
    for (const task of [a, b, c]) await tasks.add(task);
    const edited = await tasks.update(owner, a.id, (task) => editTask(task, { title: 'a2' }, later));
    await tasks.delete(owner, b.id);
    const span = await journal.changes(owner, { after: 0, limit: 10 });
    assert.deepEqual(
      span.changes.map(({ taskId, task, type }) => ({ taskId, task, type })),
      [
        { taskId: c.id, task: c, type: 'todo.task.created.v1' },
        { taskId: a.id, task: edited, type: 'todo.task.updated.v1' },
        { taskId: b.id, task: undefined, type: 'todo.task.deleted.v1' },
      ],
    );
    const entries = await journal.entries(owner, { after: 0, limit: 10 });
    assert.deepEqual(
      span.changes.map(({ position }) => position),
      [3, 4, 5].map((sequence) => journalPosition(sequence, entries[sequence - 1]?.id)),
    );
    assert.deepEqual(span.changes[0]?.actor, { type: 'user', id: owner });
    const facts = { position: await journal.position(owner), entries: 5, end: 5, startId: undefined };
    assert.deepEqual({ ...span, changes: [] }, { ...facts, changes: [] });
    const two = await journal.changes(owner, { after: 3, limit: 1 });
    assert.deepEqual(
      [two.startId, two.entries, two.end, two.changes.map(({ taskId }) => taskId)],
      [entries[2]?.id, 2, 5, [a.id]],
    );
    const none = await journal.changes(owner, { after: 5, limit: 1 });
    assert.deepEqual([none.startId, none.entries, none.end, none.changes], [entries[4]?.id, 0, 5, []]);
    const nobody = await journal.changes(await newUser(), { after: 0, limit: 1 });
    assert.deepEqual(nobody, { position: journalPosition(0), startId: undefined, entries: 0, end: 0, changes: [] });
    assert.ok(CHANGES_MAX_ENTRIES >= 1_000);
  }),

  contract('finds events by their ids, and by their request', async (context) => {
    const { tasks, journal, newTask, owner, newId, newUser } = context;
    const task = newTask({});
    await tasks.add(task);
    const ids = [newId(), newId()];
    const correlationId = newId();
    const edited = editTask(task, { title: 'edited' }, later);
    const transitions = [
      revision(task, edited, { ...originOf(owner, ids[0] ?? ''), correlationId }),
      completion(edited, true, { ...originOf(owner, ids[1] ?? ''), correlationId }),
    ];
    await tasks.change(owner, [task.id], () => ({ transitions, result: null }));
    const found = async (...query: Parameters<Journal['select']>) =>
      (await journal.select(...query)).map(({ id, sequence }) => [id, sequence]);
    const both = [
      [ids[1], 3],
      [ids[0], 2],
    ];
    assert.deepEqual(await found(owner, { correlationId }, 10), both);
    assert.deepEqual(await found(owner, { correlationId }, 1), both.slice(0, 1));
    assert.deepEqual(await found(owner, { ids: [...ids, newId()] }, 10), both);
    assert.deepEqual(await found(owner, { correlationId: 'another' }, 10), []);
    const stranger = await newUser();
    assert.deepEqual(await found(stranger, { correlationId }, 10), []);
    assert.deepEqual(await found(stranger, { ids }, 10), []);
  }),

  contract('finds what an agent did from a moment on', async (context) => {
    const { tasks, journal, newTask, owner, newId, newUser } = context;
    const stranger = await newUser();
    const by = (type: Actor['type'], id: string, second: number): EventOrigin => ({
      ...originOf(owner, newId()),
      actor: { type, id },
      time: `2026-06-01T00:00:0${second}.500Z`,
    });
    const origins = [
      by('agent', 'client-1', 1),
      by('agent', 'client-1', 2),
      by('user', 'client-1', 3),
      by('agent', 'client-10', 4),
      by('agent', 'Client-1', 5),
      by('agent', 'client-1', 6),
      // The clock of another server is behind: the number of an event is no later time.
      by('agent', 'client-1', 1),
      by('agent', owner, 7),
    ];
    const task = newTask({});
    await tasks.add(task);
    const states = origins.map((_, i) => editTask(task, { title: `${i}` }, later));
    const transitions = origins.map((origin, i) => revision(states[i - 1] ?? task, states[i] ?? task, origin));
    await tasks.change(owner, [task.id], () => ({ transitions, result: null }));
    const theirs = { ...newTask({}), userId: stranger };
    const origin = { ...originOf(stranger, newId()), actor: { type: 'agent', id: 'client-2' } as const };
    await tasks.change(stranger, [], () => ({ transitions: [creation(theirs, origin)], result: null }));

    const found = async (who: string, actor: string, since: string, limit = 10) =>
      (await journal.select(who, { actor, since }, limit)).map(({ sequence }) => sequence);
    assert.deepEqual(await found(owner, 'client-1', '2026-06-01T00:00:01.500Z'), [8, 7, 3, 2], 'since is included');
    assert.deepEqual(await found(owner, 'client-1', '2026-06-01T00:00:01.501Z'), [7, 3]);
    assert.deepEqual(await found(owner, 'client-1', '2026-06-01T00:00:06.501Z'), []);
    assert.deepEqual(await found(owner, 'client-1', '0001-01-01T00:00:00.000Z', 3), [8, 7, 3], 'the newest');
    assert.deepEqual(await found(owner, owner, '0001-01-01T00:00:00.000Z'), [9], 'not what the user did');
    assert.deepEqual(await found(owner, 'client-2', '0001-01-01T00:00:00.000Z'), [], 'the agent of another user');
    assert.deepEqual(await found(stranger, 'client-1', '0001-01-01T00:00:00.000Z'), []);
    assert.deepEqual(await found(stranger, 'client-2', '0001-01-01T00:00:00.000Z'), [1]);
    const listed = async (query: Omit<JournalQuery, 'limit'>) =>
      (await journal.entries(owner, { ...query, limit: 10 })).map(({ sequence }) => sequence);
    assert.deepEqual(await listed({ actor: 'client-1' }), [8, 7, 3, 2]);
    assert.deepEqual(await listed({ actor: 'client-1', after: 2 }), [3, 7, 8]);
    const between = { since: '2026-06-01T00:00:02.500Z', until: '2026-06-01T00:00:06.500Z' };
    assert.deepEqual(await listed({ actor: 'client-1', ...between }), [3]);
  }),

  contract('keeps deleted tasks in the trash until they are restored or erased', async (context) => {
    const { tasks, journal, newTask, owner, newUser } = context;
    const [a, b, c, kept] = [newTask({ title: 'a' }), newTask({ title: 'b' }), newTask({ title: 'c' }), newTask({})];
    for (const task of [a, b, c, kept]) await tasks.add(task);
    for (const task of [a, b, c]) await tasks.delete(owner, task.id);
    assert.deepEqual(await trashed(context), [c.id, b.id, a.id]);
    assert.deepEqual(await trashed(context, { before: 6 }), [a.id]);
    assert.deepEqual(await trashed(context, { taskId: b.id }), [b.id]);
    assert.deepEqual(await trashed(context, { taskId: kept.id }), []);
    const [deletionOfC] = await journal.trash(owner, { limit: 1 });
    assert.deepEqual(deletionOfC?.task, c);
    assert.deepEqual(await journal.trash(await newUser(), { limit: 10 }), []);

    await restore(context, a);
    assert.deepEqual(await trashed(context), [c.id, b.id]);
    await tasks.delete(owner, a.id);
    assert.deepEqual(await trashed(context), [a.id, c.id, b.id], 'by the last deletion');
    await erase(context, [c, a]);
    assert.deepEqual(await trashed(context), [b.id]);
  }),

  contract('removes the texts of erased tasks from the journal, and nothing else', async (context) => {
    const { tasks, journal, newTask, owner, newUser } = context;
    const task = newTask({ title: 'a secret', description: 'another secret', priority: 'high', tags: ['secret tag'] });
    const other = newTask({ title: 'somebody', description: 'kept' });
    for (const one of [task, other]) await tasks.add(one);
    await tasks.update(owner, task.id, (one) => editTask(one, { title: 'third secret' }, later));
    await tasks.update(owner, task.id, (one) => editTask(one, { priority: 'low', description: null }, later));
    await tasks.update(owner, task.id, (one) => editTask(one, { tags: ['a secret', 'b'] }, later));
    await tasks.update(owner, task.id, (one) => editTask(one, { tags: [] }, later));
    await tasks.delete(owner, task.id);
    await tasks.delete(owner, other.id);
    const before = await journal.entries(owner, { limit: 20 });
    await erase(context, [task]);
    const [erased, ...after] = await journal.entries(owner, { limit: 20 });
    assert.deepEqual(erased && { ...erased, id: 0, time: 0 }, {
      ...originOf(owner, ''),
      id: 0,
      time: 0,
      type: 'todo.task.erased.v1',
      userId: owner,
      taskId: task.id,
      sequence: 9,
    });
    assert.doesNotMatch(JSON.stringify(after), /secret/);
    const blank = { title: '', description: null, tags: [] };
    const expected = before.map((entry) => {
      if (entry.taskId !== task.id) return entry;
      if ('task' in entry) return { ...entry, erased: true, task: { ...entry.task, ...blank } };
      const { title, description, tags } = 'changes' in entry ? entry.changes : {};
      const changes = {
        ...('changes' in entry && entry.changes),
        ...(title && { title: { before: '', after: '' } }),
        ...(description && { description: { before: null, after: null } }),
        ...(tags && { tags: { before: [], after: [] } }),
      };
      return { ...entry, erased: true, changes };
    });
    assert.deepEqual(after, expected);
    assert.deepEqual(await journal.entries(await newUser(), { limit: 10 }), []);
  }),

  contract('gives a change the events that it depends on, as they are', async (context) => {
    const { tasks, newTask, owner } = context;
    const task = newTask({ title: 'a secret' });
    await tasks.add(task);
    await tasks.delete(owner, task.id);
    const titles = () =>
      tasks.change(
        owner,
        [task.id],
        (_, events = []) => ({
          transitions: [],
          result: events.map((event) => ['task' in event && event.task.title, event.erased ?? false]),
        }),
        undefined,
        { sequences: [1, 2, 9] },
      );
    assert.deepEqual(await titles(), [
      ['a secret', false],
      ['a secret', false],
    ]);
    await erase(context, [task]);
    assert.deepEqual(await titles(), [
      ['', true],
      ['', true],
    ]);
  }),

  contract('says of a deletion by which one the task went again', async (context) => {
    const { tasks, journal, newTask, owner } = context;
    const [task, other] = [newTask({}), newTask({})];
    await tasks.add(task);
    await tasks.add(other);
    await tasks.update(owner, task.id, (task) => editTask(task, { title: 'edited' }, later));
    for (let i = 0; i < 2; i++) {
      await tasks.delete(owner, task.id);
      await restore(context, task);
    }
    const last = await journal.idAt(owner, 6);
    const deletedAgain = await tasks.change(
      owner,
      [],
      (_, events = []) => ({ transitions: [], result: events.map(({ deletedAgainBy }) => deletedAgainBy) }),
      undefined,
      { sequences: [1, 2, 3, 4, 5, 6, 7] },
    );
    assert.deepEqual(
      deletedAgain,
      [7, 6, 5, 4, 3, 2, 1].map((sequence) => (sequence === 4 ? last : undefined)),
    );
  }),

  contract('never restores what was erased meanwhile', async (context) => {
    const { tasks, journal, newTask, owner } = context;
    const task = newTask({ title: 'a secret' });
    await tasks.add(task);
    await tasks.delete(owner, task.id);
    const both = await Promise.allSettled([
      erase(context, [task]),
      ...Array.from({ length: 4 }, () => restore(context, task)),
    ]);
    assert.ok(both.some(({ status }) => status === 'fulfilled'));
    const [newest] = await journal.entries(owner, { limit: 1 });
    const stored = await tasks.find(owner, task.id);
    assert.equal(stored === undefined, newest?.type === 'todo.task.erased.v1');
    if (stored === undefined) return;
    assert.equal(stored.title, 'a secret');
    await tasks.delete(owner, task.id);
  }),
];

async function trashed({ journal, owner }: Context, query: object = {}): Promise<string[]> {
  return (await journal.trash(owner, { limit: 10, ...query })).map(({ taskId }) => taskId);
}

/** As the use case does: only what is in the trash when nobody else can change that. */
async function erase({ tasks, journal, owner, newId }: Context, some: readonly Task[]): Promise<void> {
  const entries = (await journal.trash(owner, { limit: 10 })).filter(({ taskId }) =>
    some.some(({ id }) => id === taskId),
  );
  const ids = entries.map(({ taskId }) => taskId);
  await tasks.change(
    owner,
    ids,
    (found, events = []) => {
      const gone = events.filter(({ taskId, erased }) => !erased && !found.has(taskId));
      if (gone.length === 0) throw new Error('not in the trash');
      const origin = () => originOf(owner, newId());
      return {
        transitions: gone.map(({ taskId }) => erasure({ id: taskId, userId: owner }, origin())),
        result: null,
      };
    },
    undefined,
    { sequences: entries.map(({ sequence }) => sequence) },
  );
}

async function restore({ tasks, journal, owner, newId }: Context, { id }: Task): Promise<void> {
  const entries = await journal.trash(owner, { taskId: id, limit: 1 });
  await tasks.change(
    owner,
    [id],
    (found, [event] = []) => {
      if (found.has(id) || event?.type !== 'todo.task.deleted.v1' || event.erased) throw new Error('not in the trash');
      return { transitions: [restoration(event.task, originOf(owner, newId()))], result: null };
    },
    undefined,
    { sequences: entries.map(({ sequence }) => sequence) },
  );
}
