import {
  journalPosition,
  journalUseCases,
  localFeed,
  recoveryUseCases,
  taskUseCases,
  UNDO_MAX_EVENTS,
} from '@todo-backend/application';
import { fixedClock, InMemoryTaskRepository, sequentialIds } from '@todo-backend/application/testing';
import type { InvalidInputError } from '@todo-backend/domain';
import test from 'ava';

const milk = { title: 'Buy milk', priority: 'high', category: 'home' } as const;

function setUp() {
  const repository = new InMemoryTaskRepository();
  const feed = localFeed();
  const ports = { tasks: repository, clock: fixedClock(), newId: sequentialIds(), feed };
  return {
    feed,
    repository,
    tasks: taskUseCases(ports),
    recovery: recoveryUseCases({ ...ports, journal: repository, retentionDays: 30 }),
  };
}

test('a trash of any size is emptied', async (t) => {
  const { tasks, recovery, repository } = setUp();
  await tasks.import('alice', { tasks: Array.from({ length: 2_500 }, () => milk) });
  const { tasks: all } = await tasks.list('alice');
  for (let start = 0; start < all.length; start += 100) {
    const operations = all.slice(start, start + 100).map(({ id }) => ({ op: 'delete', id }) as const);
    await tasks.batch('alice', { operations });
  }
  t.is(await recovery.emptyTrash('alice'), 2_500);
  t.deepEqual((await recovery.trash('alice')).tasks, []);
  t.false(JSON.stringify(await repository.entries('alice', { limit: 10_000 })).includes('Buy milk'));
});

test('the largest import is undone, and more than that is refused', async (t) => {
  const { tasks, recovery } = setUp();
  const correlationId = 'an import';
  const import_ = (count: number) =>
    tasks.import('alice', { tasks: Array.from({ length: count }, () => milk) }, { correlationId });
  await import_(UNDO_MAX_EVENTS);
  const results = await recovery.undo('alice', { correlationId, dryRun: true });
  t.is(results.filter(({ outcome }) => outcome === 'undone').length, UNDO_MAX_EVENTS);
  await import_(1);
  await t.throwsAsync(recovery.undo('alice', { correlationId }), { code: 'INVALID_INPUT' });
});

test('an undo of an agent takes back so much, and says where to begin when it is more', async (t) => {
  const { tasks, recovery } = setUp();
  const actor = { type: 'agent', id: 'client-1' } as const;
  const undo = { actor: actor.id, since: '2026-03-01T12:00:00Z' };
  const half = Array.from({ length: UNDO_MAX_EVENTS / 2 }, () => milk);
  for (let i = 0; i < 2; i++) await tasks.import('alice', { tasks: half }, { actor });
  t.is((await recovery.undo('alice', { ...undo, dryRun: true })).length, UNDO_MAX_EVENTS);
  await tasks.create('alice', milk, { actor });
  const error = await t.throwsAsync(recovery.undo('alice', undo), { code: 'INVALID_INPUT' });
  t.deepEqual((error as InvalidInputError).problems, [
    { field: 'since', message: 'This agent did more than 10,000 changes since then. Choose a later since.' },
  ]);
});

test('a task can be restored for as long as the journal is kept', async (t) => {
  const { tasks, recovery, repository } = setUp();
  const { id } = await tasks.create('alice', milk);
  await tasks.delete('alice', id);
  const [trashed] = (await recovery.trash('alice')).tasks;
  t.is(trashed?.restorableUntil, '2026-03-31T12:00:00.000Z');
  repository.prune('2026-04-01T00:00:00.000Z');
  t.deepEqual((await recovery.trash('alice')).tasks, []);
  await t.throwsAsync(recovery.restore('alice', id), { code: 'TASK_NOT_FOUND' });
  await t.throwsAsync(recovery.undo('alice', { events: [trashed?.eventId ?? ''] }), { code: 'EVENT_NOT_FOUND' });
});

test('an undo that is repeated gets its first answer, also when the events have been pruned', async (t) => {
  const { tasks, recovery, repository } = setUp();
  const { id } = await tasks.create('alice', milk);
  await tasks.delete('alice', id, { correlationId: 'a deletion' });
  const once = { key: 'undo', fingerprint: 'undo' };
  const first = await recovery.undo('alice', { correlationId: 'a deletion' }, { once });
  repository.prune('2026-04-01T00:00:00.000Z');
  t.deepEqual(await recovery.undo('alice', { correlationId: 'a deletion' }, { once }), first);
  const journal = journalUseCases({ journal: repository });
  const resync = { code: 'RESYNC_REQUIRED' };
  await tasks.create('alice', milk);
  await t.throwsAsync(journal.list('alice', { after: journalPosition(0) }), resync, 'what was pruned is not hidden');
  await t.throwsAsync(journal.changes('alice', { since: journalPosition(0) }), resync);
  t.deepEqual((await journal.list('bob', { after: journalPosition(0) })).entries, []);
});

test('every change is told to those who wait for it, and to nobody else', async (t) => {
  const { tasks, recovery, feed } = setUp();
  const heard: unknown[] = [];
  const unsubscribe = feed.subscribe('alice', (position) => heard.push(position));
  feed.subscribe('bob', () => t.fail());
  const positions: string[] = [];
  const onSaved = (position: string) => positions.push(position);
  const { id } = await tasks.create('alice', milk, { onSaved });
  await tasks.update('alice', id, { title: milk.title }, { onSaved });
  await tasks.delete('alice', id, { onSaved, correlationId: 'a deletion' });
  await recovery.restore('alice', id, { onSaved });
  await recovery.undo('alice', { correlationId: 'a deletion' }, { onSaved });
  t.is(positions.length, 3, 'not what changes nothing');
  t.deepEqual(heard, positions);
  unsubscribe();
  await tasks.create('alice', milk);
  t.is(heard.length, 3);
});
