import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { databases, execute, postgresTest } from '../postgres.ts';
import { Client, isRetryLater, journal, Writers } from './clients.ts';
import { FULL, startProgram } from './program.ts';

const serverTest = await postgresTest(test);
const newDatabase = databases(test);

/** No timeouts on a busy machine. */
const PATIENT = { DATABASE_CONNECT_TIMEOUT_MS: '60000', DATABASE_STATEMENT_TIMEOUT_MS: '60000' };

serverTest.serial(
  'on PostgreSQL 50 clients write as one user: no gaps, no duplicates, nothing missed by a reader',
  async (t) => {
    await writeAndRead(t, FULL ? 20_000 : 500, { DATABASE_URL: await newDatabase() });
  },
);

test.serial('on PGlite 50 clients write as one user: no gaps, no duplicates, nothing missed by a reader', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'todo-reliability-'));
  t.teardown(() => rm(directory, { recursive: true }));
  await writeAndRead(t, FULL ? 5_000 : 200, { DATA_DIR: directory });
});

async function writeAndRead(t: ExecutionContext, writes: number, env: Record<string, string>): Promise<void> {
  const program = await startProgram(t, { ...PATIENT, ...env });
  const writers = new Writers({ url: () => program.url, clients: 50, users: 1, mayMeet: 'nothing' });
  const reader = await Client.of(writers.userIds[0] ?? '');
  let read = 0;
  let polls = 0;
  const poll = async () => {
    polls++;
    for (const { sequence } of await journal(reader, program.url, read)) {
      if (sequence !== read + 1) return t.fail(`${sequence} was seen before ${read + 1}`);
      read = sequence;
    }
  };
  writers.start(t);
  while (writers.counts.acknowledged < writes) await poll();
  await writers.stop();
  await poll();
  t.is(read, writers.counts.acknowledged);
  await writers.verify(t);
  reader.close();
  t.is(await program.end('SIGTERM'), 0);
  t.log(`${writers.counts.acknowledged} writes, read in ${polls} polls`);
}

const FAILURES = [
  // An unexpected error.
  { state: 'XX000', isExpected: ({ status }: { status: number }) => status === 500 },
  // The disk is full.
  { state: '53100', isExpected: isRetryLater },
];

serverTest.serial('when the journal cannot be written, nothing is changed and nothing acknowledged', async (t) => {
  const databaseUrl = await newDatabase();
  const program = await startProgram(t, { DATABASE_URL: databaseUrl });
  const alice = await Client.of('alice');
  const call = (method: string, path: string, json?: object, requestId?: string) =>
    alice.call(program.url, method, path, json, requestId);
  const task = { title: 't', priority: 'low', category: 'work' };
  const ids = [];
  for (let i = 0; i < 3; i++) ids.push((await call('POST', '~/tasks', task)).body.id);
  const look = async () =>
    Promise.all(['~/tasks', '~/stats', '~/audit'].map(async (path) => (await call('GET', path)).body));
  const before = await look();

  for (const { state, isExpected } of FAILURES) {
    await execute(
      databaseUrl,
      `create or replace function refuse() returns trigger language plpgsql as $$
       begin
         if new."correlationId" like 'refuse-%' then raise exception 'on purpose' using errcode = '${state}'; end if;
         return null;
       end $$;
       create or replace trigger refuse after insert on task_events for each row execute function refuse()`,
    );
    const attempts = [
      call('POST', '~/tasks', task, 'refuse-1'),
      call('PUT', `~/tasks/${ids[0]}`, { title: 'changed' }, 'refuse-2'),
      call('PATCH', `~/tasks/${ids[1]}/complete`, undefined, 'refuse-3'),
      call('DELETE', `~/tasks/${ids[2]}`, undefined, 'refuse-4'),
    ];
    for (const reply of await Promise.all(attempts)) t.true(isExpected(reply), JSON.stringify(reply));
    t.deepEqual(await look(), before);
  }

  t.is((await call('POST', '~/tasks', task)).status, 201, 'what is not refused goes on');
  const [newest] = (await call('GET', '~/audit')).body;
  t.is(newest.sequence, ids.length + 1, 'without a gap');
  alice.close();
  t.is(await program.end('SIGTERM'), 0);
});
