import { setTimeout as sleep } from 'node:timers/promises';
import { journalUseCases, localFeed, taskUseCases } from '@todo-backend/application';
import { InMemoryTaskRepository } from '@todo-backend/application/testing';
import { issueToken } from '@todo-backend/infrastructure';
import test from 'ava';
import { uuidv7 } from 'uuidv7';
import { openStream } from './event-streams.ts';
import { assertProblem, hosts, ORIGIN, onMemory, type Person, person, SECRET, shared } from './hosts.ts';

const START = '000000000';
const POSITION = /^[\da-f]{9,16}$/;

/** The position that the answer to a call says. */
async function positionAfter(who: Person, ...call: Parameters<Person['call']>): Promise<string> {
  return (await who.call(...call)).headers.get('Journal-Position') ?? '';
}

for (const { name, declare: test, open } of hosts) {
  const host = shared(open);

  test(`${name}: lists, counts and every change say their position`, async (t) => {
    const alice = await person(await host());
    const positions: string[] = [];
    const newest = async () => (await alice.call('GET', '/changes')).body.position;
    const same = async (what: string, ...call: Parameters<Person['call']>) => {
      const position = await positionAfter(alice, ...call);
      t.regex(position, POSITION, what);
      t.is(position, await newest(), what);
      positions.push(position);
    };
    const json = { title: 'a task', priority: 'low', category: 'work' };
    await same('an empty list', 'GET', '/tasks');
    await same('create', 'POST', '/tasks', { json });
    const [{ id }] = (await alice.call('GET', '/tasks')).body;
    await same('list', 'GET', '/tasks');
    await same('page', 'GET', '/tasks?limit=1');
    await same('counts', 'GET', '/stats');
    await same('export', 'GET', '/tasks/export');
    await same('update', 'PUT', `/tasks/${id}`, { json: { title: 'changed' } });
    await same('an update that changes nothing', 'PUT', `/tasks/${id}`, { json: { title: 'changed' } });
    await same('complete', 'PATCH', `/tasks/${id}/complete`);
    await same('batch', 'POST', '/tasks/batch', { json: { operations: [{ op: 'create', task: json }] } });
    await same('import', 'POST', '/tasks/import', { json: { tasks: [json] } });
    await same('delete', 'DELETE', `/tasks/${id}`);
    await same('restore', 'POST', `/tasks/${id}/restore`);
    const [{ id: event }] = (await alice.call('GET', '/audit?limit=1')).body;
    await same('undo', 'POST', '/undo', { json: { events: [event] } });
    await same('erase', 'DELETE', `/trash/${id}`);
    await same('empty the trash', 'DELETE', '/trash');
    const keyed = { json, headers: { 'Idempotency-Key': 'once' } };
    await same('with a key', 'POST', '/tasks', keyed);
    await same('again', 'POST', '/tasks', keyed);
    t.is(new Set(positions).size, 11, 'one for each change, and the first');
    const tag = (await alice.call('GET', '/tasks')).headers.get('ETag') ?? '';
    await same('not modified', 'GET', '/tasks', { headers: { 'If-None-Match': tag } });
    const { headers } = await alice.call('GET', '/stats', { headers: { Origin: ORIGIN } });
    t.true(headers.get('Access-Control-Expose-Headers')?.includes('Journal-Position'), 'pages can read it');
  });

  test(`${name}: changes since a position, each task once, in the order of the last change`, async (t) => {
    const alice = await person(await host());
    t.deepEqual((await alice.call('GET', '/changes')).body, { changes: [], position: START, more: false });
    const [a, b, c] = [await alice.create({ title: 'a' }), await alice.create(), await alice.create()];
    const { body: edited } = await alice.call('PUT', `/tasks/${a.id}`, { json: { title: 'a2' } });
    await alice.call('DELETE', `/tasks/${b.id}`);
    const all = (await alice.call('GET', `/changes?since=${START}`)).body;
    t.deepEqual(
      all.changes.map(({ taskId, task }: { taskId: string; task: object | null }) => ({ taskId, task })),
      [
        { taskId: c.id, task: c },
        { taskId: a.id, task: edited },
        { taskId: b.id, task: null },
      ],
    );
    t.deepEqual([all.position, all.more], [all.changes[2].position, false]);
    t.deepEqual((await alice.call('GET', `/changes?since=${all.position}`)).body.changes, []);

    const seen: string[] = [];
    let [since, more] = [START, true];
    while (more) {
      const { body } = await alice.call('GET', `/changes?since=${since}&limit=1`);
      seen.push(...body.changes.map(({ taskId }: { taskId: string }) => taskId));
      ({ position: since, more } = body);
    }
    t.deepEqual(seen, [c.id, a.id, b.id], 'page by page');
    t.is(since, all.position);
  });

  test(`${name}: positions of another history, and what is none`, async (t) => {
    const [alice, bob] = [await person(await host()), await person(await host())];
    for (let i = 0; i < 3; i++) await alice.create();
    const { position } = (await alice.call('GET', '/changes')).body;
    const other = position.replace(/.$/, (last: string) => (last === '0' ? '1' : '0'));
    for (const gone of [other, `2${other.slice(1)}`, '7fffffff00000000', '012345678', 'fffffff00000000']) {
      for (const path of [`/changes?since=${gone}`, `/audit?after=${gone}`]) {
        assertProblem(t, await alice.call('GET', path), 410);
      }
    }
    assertProblem(t, await alice.call('GET', `/audit?cursor=${other}`), 410);
    assertProblem(t, await bob.call('GET', `/changes?since=${position}`), 410);
    t.is((await bob.call('GET', `/changes?since=${START}`)).status, 200, 'the beginning is in every history');
    for (const none of [
      '8000000000000000',
      'ffffffff00000000',
      'x',
      '1',
      '-00000000',
      `${position}x`,
      '00000000000',
      "'",
      '%00',
    ]) {
      assertProblem(t, await alice.call('GET', `/changes?since=${none}`), 422, ['since']);
      assertProblem(t, await alice.call('GET', `/audit?after=${none}`), 422, ['after']);
      if (none === '1') continue;
      assertProblem(t, await alice.call('GET', `/audit?cursor=${none}`), 422, ['cursor']);
      assertProblem(t, await alice.call('GET', `/trash?cursor=${none}`), 422, ['cursor']);
    }
    for (const limit of ['0', '1001', 'x']) {
      assertProblem(t, await alice.call('GET', `/changes?limit=${limit}`), 422, ['limit']);
    }
    assertProblem(t, await alice.call('GET', `/audit?after=${position}&cursor=${position}`), 422, ['cursor']);
    const stream = await openStream((await host()).url, alice, { headers: { 'Last-Event-ID': other } });
    t.is(stream.status, 410, 'before a stream begins');
    t.is((await openStream((await host()).url, alice, { headers: { 'Last-Event-ID': 'x' } })).status, 422);
  });

  test(`${name}: the journal after a position, oldest first, page by page`, async (t) => {
    const alice = await person(await host());
    for (let i = 0; i < 5; i++) await alice.create();
    const entries = (await alice.call('GET', '/audit')).body.toReversed();
    const seen: number[] = [];
    let query: string | undefined = `?after=${START}&limit=2`;
    while (query !== undefined) {
      const { body, headers } = await alice.call('GET', `/audit${query}`);
      seen.push(...body.map(({ sequence }: { sequence: number }) => sequence));
      query = /^<([^>]+)>; rel="next"$/.exec(headers.get('Link') ?? '')?.[1];
    }
    t.deepEqual(seen, [1, 2, 3, 4, 5]);
    const { position } = (await alice.call('GET', '/changes')).body;
    t.deepEqual((await alice.call('GET', `/audit?after=${position}`)).body, []);
    t.deepEqual((await alice.call('GET', `/audit?after=${START}&task_id=${entries[3].taskId}`)).body, [entries[3]]);
    t.deepEqual((await alice.call('GET', '/audit?cursor=3')).body.length, 2, 'links of earlier versions go on');
  });

  test(`${name}: a stream tells of changes as they come, and goes on from where it was`, async (t) => {
    const { url } = await host();
    const alice = await person(await host());
    const before = await alice.create();
    const stream = await openStream(url, alice);
    t.is(stream.headers.get('Content-Type'), 'text/event-stream; charset=utf-8');
    t.is(stream.headers.get('Cache-Control'), 'no-cache, no-transform');
    t.is(stream.headers.get('X-Accel-Buffering'), 'no');
    t.is(stream.headers.get('Content-Encoding'), null);
    const position = stream.headers.get('Journal-Position') ?? '';
    const created = await alice.create({ title: 'new\nline' });
    await stream.until(1);
    t.regex(stream.start(), new RegExp(`^retry: [1-3]\\d{3}\nid: ${position}\n\n$`));
    const [event] = stream.events;
    t.deepEqual(event?.event, 'change');
    const { correlationId, ...data } = event?.data ?? {};
    t.deepEqual(data, {
      taskId: created.id,
      task: created,
      position: event?.id,
      type: 'todo.task.created.v1',
      actor: { type: 'user', id: alice.id },
    });
    t.is(typeof correlationId, 'string');
    await alice.call('DELETE', `/tasks/${before.id}`);
    await stream.until(2);
    t.like(stream.events[1]?.data, { taskId: before.id, task: null, type: 'todo.task.deleted.v1' });
    stream.close();

    const again = await openStream(url, alice, { headers: { 'Last-Event-ID': event?.id ?? '' } });
    await again.until(1);
    t.deepEqual(again.events, stream.events.slice(1));
    again.close();
    const since = await openStream(url, alice, { query: `?since=${position}` });
    await since.until(2);
    t.deepEqual(since.events, stream.events);
    since.close();
  });

  test(`${name}: a user hears nothing of another's changes`, async (t) => {
    const { url } = await host();
    const [alice, bob] = [await person(await host()), await person(await host())];
    const stream = await openStream(url, alice);
    for (let i = 0; i < 5; i++) await bob.create();
    const own = await alice.create();
    await stream.until(1);
    t.deepEqual(
      stream.events.map(({ data }) => data.taskId),
      [own.id],
    );
    t.is((await openStream(url, { id: alice.id, token: bob.token })).status, 403);
    t.is((await openStream(url, { id: alice.id, token: 'x' })).status, 401);
    stream.close();
  });
}

test('a user has so many streams at once, and one that is closed makes room', async (t) => {
  const host = await onMemory();
  const alice = await person(host);
  const streams = [];
  for (let i = 0; i < 20; i++) streams.push(await openStream(host.url, alice));
  const refused = await openStream(host.url, alice);
  t.is(refused.status, 429);
  t.regex(refused.headers.get('Retry-After') ?? '', /^\d+$/);
  t.is((await openStream(host.url, await person(host))).status, 200, "others' are others'");
  t.is((await alice.call('GET', '/tasks')).status, 200, 'streams hold up nothing else');
  streams[0]?.close();
  for (;;) {
    const { status, close } = await openStream(host.url, alice);
    close();
    if (status === 200) break;
    await sleep(20);
  }
  await host.close();
  t.pass();
});

test('a stream ends when its token expires', async (t) => {
  const host = await onMemory();
  const alice = await person(host);
  const token = await issueToken({ secret: SECRET, userId: alice.id, lifetime: 2 });
  const stream = await openStream(host.url, { id: alice.id, token });
  t.is(stream.status, 200);
  await stream.ended;
  t.is((await openStream(host.url, { id: alice.id, token: alice.token })).status, 200);
  await host.close();
});

test('HEAD and other media types get no stream', async (t) => {
  const host = await onMemory();
  const alice = await person(host);
  const head = await alice.call('HEAD', '/changes', { headers: { Accept: 'text/event-stream' } });
  t.is(head.status, 200);
  for (const accept of ['*/*', 'application/json', 'text/html', 'application/json, text/event-stream;q=0.5']) {
    const answer = await alice.call('GET', '/changes', { headers: { Accept: accept } });
    t.is(answer.headers.get('Content-Type'), 'application/json; charset=utf-8', accept);
    t.true(answer.headers.get('Vary')?.includes('Accept'));
  }
  await host.close();
});

test('a stream that opens while another one reads misses nothing', async (t) => {
  const repository = new SlowRepository();
  const feed = localFeed();
  const ports = { tasks: repository, clock: () => new Date().toISOString(), newId: uuidv7, feed };
  const host = await onMemory({
    feed,
    tasks: taskUseCases(ports),
    journal: journalUseCases({ journal: repository }),
  });
  const alice = await person(host);
  const first = await alice.create();
  const streams = [await openStream(host.url, alice), await openStream(host.url, alice)];
  repository.delay = 1_000;
  feed.announce(alice.id);
  await sleep(300);
  streams.push(await openStream(host.url, alice));
  const { id } = await alice.create();
  await Promise.all(streams.map((stream) => stream.until(1)));
  for (const { events } of streams)
    t.deepEqual(
      events.map(({ data }) => data.taskId),
      [id],
    );
  t.not(first.id, id);
  for (const stream of streams) stream.close();
  await host.close();
});

/** Whose reads of changes are of the moment at which they begin, and take a while. */
class SlowRepository extends InMemoryTaskRepository {
  delay = 0;

  override async changes(...query: Parameters<InMemoryTaskRepository['changes']>) {
    const span = await super.changes(...query);
    await sleep(this.delay);
    return span;
  }
}
