import assert from 'node:assert/strict';
import {
  type ChangeOptions,
  type JournalEntry,
  recoveryUseCases,
  taskUseCases,
  type UndoResult,
} from '@todo-backend/application';
import { fixedClock, InMemoryTaskRepository, sequentialIds } from '@todo-backend/application/testing';
import { type Actor, timestamp, UNDO_FIELDS } from '@todo-backend/domain';
import test from 'ava';
import fc from 'fast-check';

const AGENT: Actor = { type: 'agent', id: 'client-1' };
const OTHER: Actor = { type: 'agent', id: 'client-2' };
const USER: Actor = { type: 'user', id: 'alice' };
const milk = { title: 'Buy milk', priority: 'low', category: 'home' } as const;

function world() {
  const repository = new InMemoryTaskRepository();
  const clock = fixedClock();
  const ports = { tasks: repository, clock, newId: sequentialIds() };
  const recovery = recoveryUseCases({ ...ports, journal: repository, retentionDays: 30 });
  return { tasks: taskUseCases(ports), recovery, repository, clock };
}

type World = ReturnType<typeof world>;

/** What can be put back, of all tasks by their ids. */
async function contents({ repository }: World) {
  const { tasks } = await repository.list('alice', { sortBy: 'createdAt', sortOrder: 'asc' });
  return new Map(
    tasks.map((task) => [task.id, Object.fromEntries(UNDO_FIELDS.map((field) => [field, task[field]]))] as const),
  );
}

/** What is a conflict, each once. */
function conflictsOf(results: readonly UndoResult[]): string[] {
  const conflicts = results.filter(({ outcome }) => outcome === 'conflict');
  return [...new Set(conflicts.flatMap(({ taskId, fields }) => fields.map((field) => `${taskId} ${field}`)))].sort();
}

test('an agent gone wrong: all that it did goes back, but what others changed since', async (t) => {
  const real = world();
  const { tasks, recovery, clock, repository } = real;
  const by = (actor: Actor): ChangeOptions => {
    clock.tick();
    return { actor };
  };
  const ids: string[] = [];
  for (let i = 0; i < 200; i++) ids.push((await tasks.create('alice', { ...milk, title: `task ${i}` }, by(USER))).id);
  for (const id of ids) await tasks.update('alice', id, { description: 'the agent was good then' }, by(AGENT));
  const expected = await contents(real);
  const conflicts: string[] = [];
  /** Changes a field for good. */
  const change = async (actor: Actor, id: string, field: 'title' | 'priority', value: string) => {
    await tasks.update('alice', id, { [field]: value }, by(actor));
    const content = expected.get(id) ?? (await contents(real)).get(id);
    expected.set(id, { ...content, [field]: value });
  };
  clock.tick();
  const since = clock();

  for (const [i, id] of ids.entries()) {
    // The user is at work before the agent comes to a task, and after it.
    if (i % 3 === 0) await change(USER, id, 'title', `mine ${i}`);
    const isChangedSince = i % 8 < 4;
    switch (i % 4) {
      case 0:
        await tasks.delete('alice', id, by(AGENT));
        if (isChangedSince) await recovery.restore('alice', id, by(USER));
        break;
      case 1:
        await tasks.update('alice', id, { title: 'overwritten', description: null }, by(AGENT));
        if (isChangedSince) await change(USER, id, 'title', 'mine again');
        if (isChangedSince) conflicts.push(`${id} title`);
        break;
      case 2:
        await tasks.complete('alice', id, { completed: true }, by(AGENT));
        if (isChangedSince) await change(USER, id, 'title', 'finished?');
        break;
      default:
        await tasks.update('alice', id, { priority: 'high', category: 'other', dueDate: '2026-01-01' }, by(AGENT));
        if (isChangedSince) await change(OTHER, id, 'priority', 'medium');
        if (isChangedSince) conflicts.push(`${id} priority`);
    }
    await tasks.create('alice', { ...milk, title: 'spam' }, by(AGENT));
  }
  const { id: idea } = await tasks.create('alice', { ...milk, title: 'spam' }, by(AGENT));
  await change(USER, idea, 'title', 'a good idea');
  conflicts.push(`${idea} title`);

  const all = { actor: AGENT.id, since };
  const position = await repository.position('alice');
  await t.throwsAsync(recovery.undo('alice', all), { code: 'CHANGED_SINCE' });
  const dry = await recovery.undo('alice', { ...all, atomic: false, dryRun: true });
  t.is(await repository.position('alice'), position, 'nothing was done');
  const results = await recovery.undo('alice', { ...all, atomic: false });
  t.deepEqual(await contents(real), expected);
  t.deepEqual(conflictsOf(results), conflicts.sort());
  const outcomes = Object.groupBy(results, ({ outcome }) => outcome);
  t.is(outcomes.undone?.length, 325);
  t.is(outcomes.nothing?.length, 25, 'the user had restored these');
  t.is(outcomes.conflict?.length, 51);
  const summary = ({ eventId, outcome, fields }: UndoResult) => ({ eventId, outcome, fields });
  t.deepEqual(dry.map(summary), results.map(summary));
});

test('an agent that undid what it did: undoing both ends where it was before both', async (t) => {
  const real = world();
  const { tasks, recovery, clock, repository } = real;
  const options = (actor: Actor) => {
    clock.tick();
    return { actor };
  };
  const { id } = await tasks.create('alice', milk, options(USER));
  const undoLast = async (actor: Actor) => {
    const [entry] = await repository.entries('alice', { limit: 1 });
    await recovery.undo('alice', { events: [entry?.id ?? ''] }, options(actor));
  };
  const before = await contents(real);
  clock.tick();
  const since = clock();
  await tasks.update('alice', id, { title: 'overwritten' }, options(AGENT));
  await undoLast(AGENT);
  await tasks.delete('alice', id, options(AGENT));
  await undoLast(AGENT);
  const undo = async () => {
    const results = await recovery.undo('alice', { actor: AGENT.id, since }, options(USER));
    t.deepEqual(await contents(real), before);
    return results.map(({ outcome }) => outcome);
  };
  const all = ['undone', 'undone', 'undone', 'undone'];
  t.deepEqual(await undo(), all);
  t.deepEqual(await undo(), all, 'and again');
  // Now another deletion than the agent's is the last one, and is over.
  await tasks.delete('alice', id, options(USER));
  await recovery.restore('alice', id, options(USER));
  t.deepEqual(await undo(), all);
});

test('an undo of what an agent restored brings back the deletion before it, and no older one', async (t) => {
  const { tasks, recovery, clock, repository } = world();
  const options = (actor: Actor) => {
    clock.tick();
    return { actor };
  };
  const { id } = await tasks.create('alice', milk, options(USER));
  clock.tick();
  const since = clock();
  await tasks.delete('alice', id, options(AGENT));
  await recovery.restore('alice', id, options(USER));
  await tasks.delete('alice', id, options(USER));
  await recovery.restore('alice', id, options(AGENT));
  await tasks.delete('alice', id, options(AGENT));
  await recovery.restore('alice', id, options(USER));
  const results = await recovery.undo('alice', { actor: AGENT.id, since });
  t.deepEqual(
    results.map(({ outcome }) => outcome),
    ['nothing', 'undone', 'nothing'],
  );
  t.is(await repository.find('alice', id), undefined, 'the deletion by the user is in force again');
});

/** Who does what to which of the tasks. */
interface Step {
  readonly actor: Actor;
  readonly what:
    | 'create'
    | 'edit title'
    | 'edit description'
    | 'edit both'
    | 'complete'
    | 'delete'
    | 'restore'
    | 'undo';
  readonly index: number;
}

const step = fc.oneof(
  ...[AGENT, OTHER, USER].map((actor) =>
    fc.record<Step>({
      actor: fc.constant(actor),
      what: fc.constantFrom<Step['what'][]>(
        'create',
        'edit title',
        'edit description',
        'edit both',
        'delete',
        'restore',
        'undo',
        // Only the agent: of two states, what somebody wrote cannot be told from what the agent wrote.
        ...(actor === AGENT ? (['complete'] as const) : []),
      ),
      index: fc.nat(3),
    }),
  ),
);

/** @returns the task, or `undefined` where the step cannot be done */
async function perform(real: World, { actor, what }: Step, id: string, text: string): Promise<string | undefined> {
  const { tasks, recovery, repository } = real;
  try {
    if (what === 'create') return (await tasks.create('alice', { ...milk, title: text }, { actor })).id;
    if (what === 'delete') await tasks.delete('alice', id, { actor });
    else if (what === 'restore') await recovery.restore('alice', id, { actor });
    else if (what === 'complete') await tasks.complete('alice', id, undefined, { actor });
    else if (what === 'undo') {
      const [last] = await repository.entries('alice', { taskId: id, limit: 1 });
      const [result] = await recovery.undo('alice', { events: [last?.id ?? ''] }, { actor });
      if (result?.outcome !== 'undone') return undefined;
    } else {
      const changes = {
        ...(what !== 'edit description' && { title: text }),
        ...(what !== 'edit title' && { description: text }),
      };
      await tasks.update('alice', id, changes, { actor });
    }
    return id;
  } catch (error) {
    assert.match(String((error as { code?: string }).code), /^(TASK_NOT_FOUND|TASK_EXISTS)$/);
    return undefined;
  }
}

/** Steps after which the model would have to know what somebody meant. */
function isUnclear({ actor, what }: Step, last: JournalEntry, since: string): boolean {
  const isOfAgent = last.actor.id === AGENT.id && last.time >= since;
  const isDeletion = last.type === 'todo.task.deleted.v1';
  if (actor === AGENT && what === 'restore') return !(isOfAgent && isDeletion);
  if (what !== 'undo') return false;
  if (actor === AGENT) return last.actor.id !== AGENT.id || (isDeletion && !isOfAgent);
  return !isOfAgent || last.type === 'todo.task.created.v1';
}

/** What must be named: the fields of the agent's entries that somebody wrote after them, or of a task that somebody deleted. */
function expectedConflicts(entries: readonly JournalEntry[], isUndone: (entry: JournalEntry) => boolean): string[] {
  const fieldsOf = (entry: JournalEntry) => UNDO_FIELDS.filter((field) => 'changes' in entry && field in entry.changes);
  const conflicts = entries.filter(isUndone).flatMap((entry) => {
    const later = entries.filter(({ taskId, sequence }) => taskId === entry.taskId && sequence > entry.sequence);
    const last = later.findLast((one) => 'task' in one);
    const isGone = last?.type === 'todo.task.deleted.v1' && !isUndone(last);
    const written = new Set(later.filter((one) => !isUndone(one) && one.undoes === undefined).flatMap(fieldsOf));
    const isMaking = entry.type === 'todo.task.created.v1' || entry.type === 'todo.task.restored.v1';
    const touched = isMaking && !isGone ? UNDO_FIELDS : fieldsOf(entry);
    return touched.filter((field) => isGone || written.has(field)).map((field) => `${entry.taskId} ${field}`);
  });
  return [...new Set(conflicts)].sort();
}

/** What becomes of a task that the agent made: it stays only where somebody else wrote in it, as that one left it. */
function madeByAgent(entries: readonly JournalEntry[], id: string, isUndone: (entry: JournalEntry) => boolean) {
  const own = entries.filter(({ taskId }) => taskId === id);
  const [creation] = own;
  const last = own.findLast((entry) => 'task' in entry);
  const written = own.filter((entry) => 'changes' in entry && !isUndone(entry) && entry.undoes === undefined);
  const isGone = last?.type === 'todo.task.deleted.v1' && !isUndone(last);
  if (isGone || written.length === 0 || creation?.type !== 'todo.task.created.v1') return undefined;
  const changes = Object.assign({}, ...written.map((entry) => 'changes' in entry && entry.changes));
  return Object.fromEntries(UNDO_FIELDS.map((field) => [field, changes[field]?.after ?? creation.task[field]]));
}

test('undoing all that an agent did leads to the world in which it did nothing', async (t) => {
  const some = fc.array(step, { maxLength: 20, size: 'max' });
  const property = fc.asyncProperty(some, some, async (earlier, later) => {
    const [real, other] = [world(), world()];
    /** The tasks, by their ids in the real world, and in the other one unless the agent made them since. */
    const tasks: { readonly id: string; readonly elsewhere: string | undefined }[] = [];
    const since = timestamp(new Date(Date.parse(real.clock()) + earlier.length + 1));
    for (const [i, step] of [...earlier, ...later].entries()) {
      for (const { clock } of [real, other]) clock.tick();
      const isSince = i >= earlier.length;
      const { id = '', elsewhere } = tasks[step.index % tasks.length] ?? {};
      if (id === '' && step.what !== 'create') continue;
      const [last] = step.what === 'create' ? [] : await real.repository.entries('alice', { taskId: id, limit: 1 });
      if (isSince && last !== undefined && isUnclear(step, last, since)) continue;
      const done = await perform(real, step, id, `text ${i}`);
      if (done === undefined) continue;
      const isUndone = isSince && step.actor === AGENT;
      // Undoing what the agent did leaves nothing to do where it did nothing; but who undoes a restoration deletes.
      const isDeletion = last?.type === 'todo.task.restored.v1';
      const same = isSince && step.what === 'undo' ? (isDeletion ? 'delete' : undefined) : step.what;
      const isElsewhere = !isUndone && same !== undefined && (step.what === 'create' || elsewhere !== undefined);
      const twin = isElsewhere
        ? await perform(other, { ...step, what: same }, elsewhere ?? '', `text ${i}`)
        : undefined;
      if (step.what === 'create') tasks.push({ id: done, elsewhere: twin });
    }
    const isUndone = ({ actor, time }: JournalEntry) => actor.id === AGENT.id && time >= since;
    const entries = await real.repository.entries('alice', { after: 0, limit: 1_000 });
    const undo = () => real.recovery.undo('alice', { actor: AGENT.id, since, atomic: false });
    if (!entries.some(isUndone)) {
      await assert.rejects(undo, { code: 'EVENT_NOT_FOUND' });
      return;
    }
    const results = await undo();
    assert.deepEqual(conflictsOf(results), expectedConflicts(entries, isUndone));
    const [now, there] = [await contents(real), await contents(other)];
    for (const { id, elsewhere } of tasks) {
      const expected = elsewhere === undefined ? madeByAgent(entries, id, isUndone) : there.get(elsewhere);
      assert.deepEqual(now.get(id), expected);
    }
    assert.equal(results.length, entries.filter(isUndone).length);
    await undo();
    assert.deepEqual(await contents(real), now, 'a second time, nothing is left to do');
  });
  await fc.assert(property, { numRuns: 500 });
  t.pass();
});
