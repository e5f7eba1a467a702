/**
 * What the second wall costs. Runs the list of one user, 20 tasks of 200,000, on one private PostgreSQL in three ways, in
 * turns, so that the machine's moods hit all alike, and prints medians and ratios. About 40 seconds.
 *
 *   node bench/row-security.ts
 */
import { Database } from '@todo-backend/infrastructure';
import pg from 'pg';
import { startPrivatePostgres } from '../test/postgres.ts';

const ROUNDS = 9;
const MILLISECONDS = 1_000;
const CLIENTS = 10;
const USERS = 10_000;

const COLUMNS = `id, "userId", title, description, priority, category, status,
  to_char("dueDate", 'YYYY-MM-DD"T"HH24:MI:SS.MS') as "dueDate", "dueDateIsFloating",
  to_char("createdAt" at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "createdAt",
  to_char("updatedAt" at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "updatedAt"`;
const BARE = `select ${COLUMNS} from tasks where "userId" = $1 order by tasks."createdAt" desc, id desc`;
const ONE_STATEMENT = `
  with me as materialized (select set_config('app.user_id', $1, true) as id)
  select found.* from me inner join lateral (
    select ${COLUMNS} from tasks where me.id is not null and "userId" = $1
    order by tasks."createdAt" desc, id desc offset 0) as found on true`;

const server = await startPrivatePostgres();
const url = await server.createDatabase();
const database = await Database.postgres({ url });
await database.migrate({ standaloneUsers: true });
await database.close();

const asOwner = new pg.Pool({ connectionString: url, max: CLIENTS });
const asApi = new pg.Pool({ connectionString: url, max: CLIENTS, options: '-c role=todo_api' });
console.log('filling …');
await asOwner.query(
  `insert into "user" select 'user-' || n, 'n', n || '@x', false from generate_series(1, ${USERS}) n`,
);
await asOwner.query(
  `insert into tasks (id, title, description, priority, category, status, "dueDateIsFloating", "createdAt", "updatedAt", "userId")
   select gen_random_uuid(), 'task ' || n, 'description', 'low', 'work', 'pending', false,
     now() - n * interval '1 s', now(), 'user-' || (1 + n % ${USERS}) from generate_series(1, 200000) n`,
);
await asOwner.query('vacuum analyze');

const ways: Record<string, (user: string) => Promise<number | null>> = {
  'no wall': async (user) => (await asOwner.query({ name: 'bare', text: BARE, values: [user] })).rowCount,
  'one statement': async (user) => (await asApi.query({ name: 'one', text: ONE_STATEMENT, values: [user] })).rowCount,
  'four round trips': async (user) => {
    const client = await asApi.connect();
    try {
      await client.query('begin');
      await client.query({ name: 'set', text: `select set_config('app.user_id', $1, true)`, values: [user] });
      const { rowCount } = await client.query({ name: 'bare', text: BARE, values: [user] });
      await client.query('commit');
      return rowCount;
    } finally {
      client.release();
    }
  },
};

const rates: Record<string, number[]> = {};
for (let round = 0; round <= ROUNDS; round++) {
  for (const [name, list] of Object.entries(ways)) {
    const end = performance.now() + MILLISECONDS;
    let done = 0;
    const client = async () => {
      while (performance.now() < end) {
        const rows = await list(`user-${1 + Math.floor(Math.random() * USERS)}`);
        if (rows !== 20) throw new Error(`${name} found ${rows} rows`);
        done++;
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
    // The first round warms up.
    if (round > 0) rates[name] = [...(rates[name] ?? []), done / (MILLISECONDS / 1000)];
  }
  console.log(`round ${round} of ${ROUNDS}`);
}

const median = (values: number[] = []) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const base = median(rates['no wall']);
for (const [name, values] of Object.entries(rates)) {
  console.log(`${name.padEnd(18)} ${Math.round(median(values))}/s   ${(median(values) / base).toFixed(2)} of no wall`);
}
await asOwner.end();
await asApi.end();
await server.stop();
