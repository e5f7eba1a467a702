import { randomUUID } from 'node:crypto';
import { MAX_IDEMPOTENCY_KEYS } from '@todo-backend/application';
import { Database, expireIdempotencyKeys, SqlTaskRepository } from '@todo-backend/infrastructure';
import test, { type ExecutionContext } from 'ava';
import { databases, execute, postgresTest } from '../../../test/postgres.ts';

const serverTest = await postgresTest(test);
const newDatabase = databases(test);
const STANDALONE = { standaloneUsers: true };

async function open(t: ExecutionContext) {
  const url = await newDatabase();
  const database = await Database.postgres({ url });
  t.teardown(() => database.close());
  await database.migrate(STANDALONE);
  const tasks = new SqlTaskRepository(database, STANDALONE);
  return {
    database,
    /** Does nothing, with a key. Returns whether it was done now, and not before. */
    async once(user: string, key: string) {
      let isNew = false;
      const decide = () => {
        isNew = true;
        return { transitions: [], result: 'done' };
      };
      t.is(await tasks.change(user, [], decide, { key, fingerprint: 'f' }), 'done');
      return isNew;
    },
    /** Stores so many keys of a user, `key 1` the newest, a second between each. */
    async store(user: string, count: number, newestAge: string) {
      await execute(url, `insert into "user" ("id", "name", "email", "emailVerified") values ($1, $1, $1, false)`, [
        user,
      ]);
      await execute(
        url,
        `insert into idempotency_keys ("userId", "key", "fingerprint", "result", "createdAt")
         select $1, 'key ' || n, 'f', '"done"', now() - $3::interval - n * interval '1 second'
         from generate_series(1, $2::int) n`,
        [user, count, newestAge],
      );
    },
    async count(user: string) {
      const [row] = await execute(url, 'select count(*)::int from idempotency_keys where "userId" = $1', [user]);
      return (row as { count: number }).count;
    },
  };
}

serverTest('of a user with more keys than may be kept, the oldest go, some with each request', async (t) => {
  const { once, store, count } = await open(t);
  const user = randomUUID();
  await store(user, MAX_IDEMPOTENCY_KEYS + 150, '0 s');
  t.false(await once(user, 'key 1'));
  t.is(await count(user), MAX_IDEMPOTENCY_KEYS + 50);
  t.true(await once(user, 'another'));
  t.is(await count(user), MAX_IDEMPOTENCY_KEYS + 1, 'the new one is the newest');
  t.false(await once(user, `key ${MAX_IDEMPOTENCY_KEYS - 1}`));
  t.true(await once(user, `key ${MAX_IDEMPOTENCY_KEYS + 1}`), 'beyond the last that are kept');
});

serverTest('a key that has expired is new, however many others have', async (t) => {
  const { once, store, count } = await open(t);
  const user = randomUUID();
  await store(user, 500, '24 hours');
  t.true(await once(user, 'key 1'));
  t.is(await count(user), 400);
  t.false(await once(user, 'key 1'));
});

serverTest('expired keys are deleted, also of users who never come back, and live ones are not', async (t) => {
  const { database, store, count } = await open(t);
  const [gone, here] = [randomUUID(), randomUUID()];
  await store(gone, 2_500, '24 hours');
  await store(here, 10, '23 hours');
  const [one, other] = await Promise.all([expireIdempotencyKeys(database), expireIdempotencyKeys(database)]);
  t.is(one + other, 2_500, 'by two servers at once');
  t.is(await count(gone), 0);
  t.is(await count(here), 10);
});
