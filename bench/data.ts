/** The database that all servers share: made, filled, and set back after those who write. */
import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import type { SigningKey } from './tokens.ts';

const run = promisify(execFile);

/** How much there is in the database. */
export interface Size {
  readonly tasks: number;
  readonly users: number;
  /** Users with a given number of tasks; the other users have 20 or 50, as many of each as it takes. */
  readonly special: ReadonlyMap<number, number>;
}

/** A user whose requests are made, and tasks of theirs. */
export interface Owner {
  readonly id: string;
  readonly tasks: readonly string[];
}

/** What can be filled: a client of `pg`, or PGlite. */
export interface Queryable {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
}

/** The tables of Better Auth that matter here, as its own migrations make them. */
const BETTER_AUTH = `
  create table "user" ("id" text primary key, "name" text not null, "email" text not null unique,
    "emailVerified" boolean not null, "image" text, "createdAt" timestamptz not null default current_timestamp,
    "updatedAt" timestamptz not null default current_timestamp);
  create table "jwks" ("id" text primary key, "publicKey" text not null, "privateKey" text not null,
    "createdAt" timestamptz not null, "expiresAt" timestamptz, "alg" text, "crv" text)`;

/** Thirty-two letters and digits, as Better Auth's ids are. */
const userId = (n: string) => `translate(left(encode(sha256(int4send(${n})), 'base64'), 32), '+/', 'xY')`;

const oneOf = (...texts: string[]) =>
  `(array[${texts.map((text) => `'${text}'`).join(',')}])[1 + floor(random() * ${texts.length})]`;

const VERB = oneOf(
  'Buy',
  'Call',
  'Fix',
  'Write',
  'Review',
  'Book',
  'Clean',
  'Renew',
  'Prepare',
  'Répondre à',
  'Return',
);
const THING = oneOf(
  'the quarterly report',
  'milk and bread',
  'the dentist',
  'a birthday present',
  'the kitchen sink',
  'the car insurance',
  'the slides',
  'train tickets',
  'the pull request',
  'a café table',
  'Zürich hotel',
  'the invoices',
);
const WHEN = oneOf('for Anna', 'before Friday', 'with Tom', 'next week', 'again', 'after work', '(urgent)', '"online"');
const SENTENCE = oneOf(
  'Ask for the receipt and keep it.',
  'The number is in the contacts list.',
  'Check whether the old version still works before changing it.',
  'See the notes from the last meeting.',
  'They open at nine and close at five.',
  'Do not forget the naïve approach we tried in March.',
  'Costs about 40 euros.',
  'Needs two hours without interruption.',
);

/** The tasks of the filling were made in the year before. */
const FILLED_UNTIL = new Date('2026-10-01T00:00:00Z');

/** The text that is searched for: some of every user's tasks have it. */
export const SEARCHED = 'REPORT';

/** Creates a database with the tables of Better Auth and of the project, and one signing key. */
export async function createDatabase(admin: string, name: string, key: SigningKey): Promise<string> {
  await withClient(admin, (client) =>
    // A locale in which letter case is not that of ASCII alone, for those servers that leave it to the database.
    client.query(`create database ${name} template template0 locale 'C.UTF-8'`),
  );
  const url = new URL(admin);
  url.pathname = `/${name}`;
  await withClient(url.href, async (client) => {
    await client.query(BETTER_AUTH);
    await client.query(`insert into jwks values ($1, $2, 'encrypted', now(), null, null, null)`, [
      key.id,
      JSON.stringify(key.publicKey),
    ]);
  });
  const env = { ...process.env, DATABASE_URL: url.href, BETTER_AUTH_URL: 'http://unused.example' };
  const command = resolve('packages/http/bin/todo-backend.js');
  await run(process.execPath, [command, 'migrate'], { env, cwd: tmpdir() });
  return url.href;
}

/**
 * Fills the tables with the same rows every time. Every user's tasks are scattered over a year, and so over the whole
 * table.
 */
export async function fill(database: Queryable, size: Size): Promise<void> {
  const { tasks, users } = size;
  const counts = userCounts(size);
  // No triggers, so no checks of foreign keys: the rows are right.
  await database.query('set session_replication_role = replica');
  await database.query('select setseed(0.5)');
  await database.query(
    `insert into "user" select ${userId('n')}, 'User ' || n, 'user' || n || '@example.com', true
     from generate_series(1, $1::int) n`,
    [users],
  );
  await database.query(
    `insert into tasks (id, "userId", title, description, priority, category, status, "dueDate", "dueDateIsFloating", "createdAt", "updatedAt")
     select (lpad(to_hex((extract(epoch from t) * 1000)::bigint), 12, '0') || '7' || left(md5(n::text), 3)
             || '8' || right(md5(n::text), 15))::uuid,
       ${userId('u')}, concat_ws(' ', ${VERB}, ${THING}, case when random() < 0.6 then ${WHEN} end),
       case when random() < 0.7 then concat_ws(' ', ${SENTENCE}, case when random() < 0.7 then ${SENTENCE} end) end,
       ${oneOf('low', 'medium', 'medium', 'high')}::task_priority,
       ${oneOf('work', 'work', 'personal', 'home', 'other')}::task_category,
       case when random() < 0.6 then 'pending' else 'completed' end::task_status,
       case when r < 0.5 then date_trunc('minute', t at time zone 'UTC' + random() * interval '30 days') end, r < 0.25,
       t, t + case when random() < 0.5 then random() * interval '20 days' else interval '0' end
     from (select u, n, random() as r, date_trunc('milliseconds', timestamptz '${FILLED_UNTIL.toISOString()}' - ($1 - n) * (interval '1 year' / $1)) as t
           from (select u, row_number() over (order by random()) as n
                 from unnest($2::int[], $3::int[]) as c (u, count), generate_series(1, count)) as shuffled
           order by n) as moments`,
    [tasks, counts.map((_, index) => index + 1), counts],
  );
  // The journal: the creation of each task, all of it handed on.
  await database.query(
    `insert into task_ledgers ("userId", sequence, "lastEventId", tasks, completed, "deliveredSequence")
     select "userId", count(*), (array_agg(id order by "createdAt" desc))[1], count(*), count(*) filter (where completed),
       count(*) from tasks group by 1`,
  );
  await database.query(
    `insert into task_events ("userId", sequence, "eventId", type, time, "taskId", "actorType", "actorId", "correlationId", data)
     select "userId", row_number() over (partition by "userId" order by "createdAt"), id, 'todo.task.created.v1',
       "createdAt", id, 'user', "userId", md5(id::text)::uuid::text, json_build_object('task', json_build_object(
         'id', id, 'userId', "userId", 'title', title, 'description', description, 'priority', priority,
         'category', category, 'status', 'pending', 'dueDate', "dueDate", 'createdAt', "createdAt", 'updatedAt', "createdAt"))
     from tasks order by "createdAt"`,
  );
  await database.query('vacuum (analyze)');
  await database.query('checkpoint');
}

/** How many tasks each of the users has; the special ones come first. */
function userCounts({ tasks, users, special }: Size): number[] {
  const counts = [...special].flatMap(([count, many]) => new Array<number>(many).fill(count));
  const left = tasks - counts.reduce((sum, count) => sum + count, 0);
  const others = users - counts.length;
  const withTwenty = Math.min(others, Math.max(0, Math.ceil((50 * others - left) / 30)));
  for (let n = 0; n < others; n++) counts.push(n < withTwenty ? 20 : 50);
  return counts;
}

/** Up to `many` users with that number of tasks, and some tasks of each. */
export async function ownersWith(database: Queryable, count: number, many: number): Promise<Owner[]> {
  const { rows } = await database.query(
    `select "userId" as id, to_json((array_agg(id order by id))[1:8]) as tasks from tasks group by 1
     having count(*) = $1 order by 1 limit $2`,
    [count, many],
  );
  return rows as Owner[];
}

/** What the journal has of a task. */
export async function journalOf(url: string, task: string): Promise<object[]> {
  const columns = 'type, "actorType", "actorId", "correlationId" is not null as correlated, data';
  const text = `select ${columns} from task_events where "taskId" = $1 order by sequence`;
  return withClient(url, async (client) => (await client.query(text, [task])).rows);
}

/**
 * Takes out what was created since the database was filled, journal included, and lets the tables rest, so that the next
 * one meets the same. What was changed stays changed: no row is larger for it.
 */
export async function setBack(url: string): Promise<void> {
  await withClient(url, async (client) => {
    await untilQuiet(client);
    await client.query('begin');
    await client.query('lock table tasks, task_events, task_ledgers in share row exclusive mode');
    // Ids tell the time of their making: those of the filling lie before this.
    const first = FILLED_UNTIL.getTime().toString(16).padStart(12, '0');
    await client.query('delete from tasks where id >= $1', [first.padEnd(32, '0')]);
    await client.query('delete from task_events where time >= $1', [FILLED_UNTIL]);
    // Those who keep no journal have changed what ledgers count.
    await client.query(
      `update task_ledgers l set sequence = c.tasks, tasks = c.tasks, completed = c.completed
       from (select "userId", count(*) as tasks, count(*) filter (where completed) as completed from tasks group by 1) c
       where l."userId" = c."userId" and (l.sequence, l.tasks, l.completed) is distinct from (c.tasks, c.tasks, c.completed)`,
    );
    await client.query('commit');
    await client.query('vacuum tasks, task_events, task_ledgers');
    await client.query('checkpoint');
  });
}

/** Waits until nothing is asked of the database any more. */
async function untilQuiet(client: pg.Client): Promise<void> {
  const text = `select from pg_stat_activity where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid()`;
  for (let quiet = 0; quiet < 5; ) {
    quiet = (await client.query(text)).rowCount === 0 ? quiet + 1 : 0;
    await sleep(20);
  }
}

export async function withClient<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  // What waits for an answer is told of it too.
  client.on('error', () => {});
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}
