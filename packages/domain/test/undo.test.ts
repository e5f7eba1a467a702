import {
  blanked,
  completion,
  createTask,
  creation,
  deletion,
  type EventOrigin,
  editTask,
  erasure,
  inverse,
  restoration,
  revision,
  type Task,
  type TaskEvent,
  type TaskPatch,
  type TaskTransition,
  type UndoField,
} from '@todo-backend/domain';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';

const FIELDS = ['title', 'description', 'priority', 'category', 'dueDate', 'status'] as const satisfies UndoField[];

let events = 0;
const originAt = (time: string): EventOrigin => ({
  id: `event ${++events}`,
  time,
  actor: { type: 'user', id: 'alice' },
  correlationId: null,
});
const NOW = '2026-03-01T12:00:00.000Z';
const origin = () => originAt(NOW);

const task = createTask(
  {
    title: 'a task',
    description: 'text',
    priority: 'low',
    category: 'work',
    dueDate: null,
    tags: [],
    recurrence: null,
    remindAt: null,
  },
  { id: 'task', userId: 'alice', now: NOW },
);

/** What a user decides about: a task without its version. */
function stateOf(task: Task | undefined) {
  return task && Object.fromEntries(FIELDS.map((field) => [field, task[field]]));
}

/** The event of a transition that has one. */
function eventOf({ event }: TaskTransition): TaskEvent {
  if (event === undefined) throw new Error('nothing has happened');
  return event;
}

test('a field goes back where it still is what the event made it, and nothing else is touched', (t) => {
  const edited = editTask(task, { title: 'edited', priority: 'high' }, NOW);
  const event = eventOf(revision(task, edited, origin()));
  const since = editTask(edited, { description: 'since' }, NOW);
  const { outcome, fields, transition } = inverse(event, since, origin());
  t.deepEqual([outcome, fields], ['undone', ['title', 'priority']]);
  t.deepEqual(stateOf(transition?.after), { ...stateOf(task), description: 'since' });
  t.is(transition?.event?.undoes, event.id);
  t.true((transition?.after?.updatedAt ?? '') > since.updatedAt, 'a new version');
});

test('a field that was changed since is a conflict, and the others can go back', (t) => {
  const edited = editTask(task, { title: 'edited', priority: 'high' }, NOW);
  const event = eventOf(revision(task, edited, origin()));
  const since = editTask(edited, { title: 'since' }, NOW);
  const { outcome, fields, transition } = inverse(event, since, origin());
  t.deepEqual([outcome, fields], ['conflict', ['title']]);
  t.deepEqual(stateOf(transition?.after), { ...stateOf(task), title: 'since' });
  t.like(inverse(event, undefined, origin()), { outcome: 'conflict', fields: ['title', 'priority'] });
});

test('what is back already is nothing to undo', (t) => {
  const event = eventOf(completion(task, true, origin()));
  t.is(inverse(event, task, origin()).outcome, 'nothing');
  t.is(inverse(eventOf(creation(task, origin())), undefined, origin()).outcome, 'nothing');
  t.is(inverse(eventOf(deletion(task, origin())), task, origin()).outcome, 'nothing');
  t.is(inverse(eventOf(erasure(task, origin())), undefined, origin()).outcome, 'nothing');
});

test('a task that was made is deleted again only while it is as it was made', (t) => {
  for (const event of [eventOf(creation(task, origin())), eventOf(restoration(task, origin()))]) {
    t.like(inverse(event, task, origin()), { outcome: 'undone', transition: { after: undefined } });
    const since = editTask(task, { title: 'since', dueDate: null, category: 'home' }, NOW);
    const { outcome, fields, transition } = inverse(event, since, origin());
    t.deepEqual([outcome, fields, transition], ['conflict', ['title', 'category'], undefined]);
  }
});

test('a deleted task comes back as it was, as a new version', (t) => {
  const event = eventOf(deletion(task, origin()));
  const { transition } = inverse(event, undefined, origin());
  t.deepEqual(transition?.after, { ...task, updatedAt: '2026-03-01T12:00:00.001Z' });
  t.like(transition?.event, { type: 'todo.task.restored.v1', undoes: event.id, task: transition?.after });
});

test('events of erased tasks have no texts, and cannot be undone', (t) => {
  const edited = editTask(task, { title: 'edited', description: null, priority: 'high' }, NOW);
  const all = [
    creation(task, origin()),
    revision(task, edited, origin()),
    completion(edited, true, origin()),
    deletion(edited, origin()),
    restoration(edited, origin()),
  ].map(eventOf);
  for (const event of all) {
    const blank = blanked(event);
    t.notRegex(JSON.stringify(blank), /a task|edited|text/);
    t.is(inverse(blank, task, origin()).outcome, 'nothing');
    t.is(inverse(blank, undefined, origin()).outcome, 'nothing');
    const { id, type, time, actor } = event;
    t.like(blank, { id, type, time, actor, erased: true });
  }
  const erased = eventOf(erasure(task, origin()));
  t.is(blanked(erased), erased);
});

/** A step of a history. */
type Step = { readonly patch: TaskPatch } | { readonly completed: boolean } | 'delete' | 'restore';

const patch: fc.Arbitrary<TaskPatch> = fc.record(
  {
    title: fc.constantFrom('one', 'two'),
    description: fc.constantFrom(null, '', 'text'),
    priority: fc.constantFrom('low', 'high'),
    category: fc.constantFrom('work', 'home'),
  },
  { requiredKeys: [] },
);
const steps = fc.array(
  fc.oneof<fc.Arbitrary<Step>[]>(
    patch.map((patch) => ({ patch })),
    fc.boolean().map((completed) => ({ completed })),
    fc.constant('delete'),
    fc.constant('restore'),
  ),
  { maxLength: 12 },
);

interface History {
  readonly present: Task | undefined;
  readonly transitions: readonly TaskTransition[];
}

/** The task, made, and then what the steps make of it. */
function historyOf(steps: readonly Step[]): History {
  const made = creation(task, origin());
  let present: Task | undefined = task;
  let last: Task = task;
  const transitions = [made];
  for (const step of steps) {
    const next = transitionOf(step, present, last);
    if (next?.event === undefined) continue;
    transitions.push(next);
    present = next.after;
    last = next.after ?? last;
  }
  return { present, transitions };
}

function transitionOf(step: Step, present: Task | undefined, last: Task): TaskTransition | undefined {
  if (step === 'restore') return present === undefined ? restoration(last, origin()) : undefined;
  if (present === undefined) return undefined;
  if (step === 'delete') return deletion(present, origin());
  if ('completed' in step) return completion(present, step.completed, origin());
  return revision(present, editTask(present, step.patch, NOW), origin());
}

function check(t: ExecutionContext, holds: (steps: readonly Step[]) => void): void {
  t.notThrows(() => fc.assert(fc.property(steps, holds), { numRuns: 1_000 }));
}

test('undoing any history, the newest first, gives every state before, and undoing that gives it back', (t) => {
  check(t, (steps) => {
    const { present, transitions } = historyOf(steps);
    let now = present;
    const undone: TaskTransition[] = [];
    for (const transition of transitions.toReversed()) {
      const { outcome, transition: back } = inverse(eventOf(transition), now, origin());
      if (outcome !== 'undone' || back === undefined) throw new Error(`${outcome}, and nothing was changed since`);
      now = back.after;
      undone.push(back);
      t.deepEqual(stateOf(now), stateOf(transition.before));
    }
    for (const back of undone.toReversed()) {
      const { outcome, transition: again } = inverse(eventOf(back), now, origin());
      if (outcome !== 'undone' || again === undefined) throw new Error(outcome);
      now = again.after;
    }
    t.deepEqual(stateOf(now), stateOf(present));
  });
});

test('undoing one event of any history gives its fields back or names each conflict, and touches no other', (t) => {
  check(t, (steps) => {
    const { present, transitions } = historyOf(steps);
    for (const { before, after, event } of transitions) {
      if (event === undefined) continue;
      const { outcome, fields, transition } = inverse(event, present, origin());
      const result = transition === undefined ? present : transition.after;
      if (!('changes' in event)) {
        if (outcome === 'undone') t.is(result === undefined, before === undefined, 'the whole task');
        continue;
      }
      for (const field of FIELDS) {
        const is = result?.[field];
        if (event.changes[field] === undefined) t.is(is, present?.[field], `${field} was not touched`);
        else if (present === undefined) t.true(fields.includes(field), 'the task is not there');
        else if (outcome === 'conflict' && fields.includes(field)) {
          t.is(is, present[field]);
          t.not(is, after?.[field]);
        } else t.is(is, before?.[field], `${field} is back`);
      }
    }
  });
});
