import { UnavailableError } from '@todo-backend/application';
import { DatabaseSetupError, onceReachable } from '@todo-backend/infrastructure';
import test from 'ava';

/** An error of the driver, as `Database` throws it. */
function unavailable(message: string, code?: string): UnavailableError {
  return new UnavailableError('The database cannot be reached right now.', {
    cause: Object.assign(new Error(message), code !== undefined && { code }),
  });
}

test('a database that cannot be reached yet is tried again, and each reason is told once', async (t) => {
  const errors = [
    unavailable('connect ECONNREFUSED', 'ECONNREFUSED'),
    unavailable('connect ECONNREFUSED', 'ECONNREFUSED'),
    unavailable('the database system is starting up', '57P03'),
  ];
  const reasons: string[] = [];
  const result = await onceReachable(
    async () => {
      const error = errors.shift();
      if (error) throw error;
      return 'reached';
    },
    { startTimeout: 60_000, onWait: (reason) => reasons.push(reason) },
  );
  t.is(result, 'reached');
  t.deepEqual(reasons, ['connect ECONNREFUSED', 'the database system is starting up']);
});

test('an error of several addresses is told by the first, and one without a message by its code', async (t) => {
  const several = new AggregateError([new Error('connect ECONNREFUSED ::1:5432')]);
  const cases: [Error, RegExp][] = [
    [
      new UnavailableError('away', { cause: several }),
      /^The database cannot be reached: connect ECONNREFUSED ::1:5432\./,
    ],
    [unavailable('', 'ETIMEDOUT'), /^The database cannot be reached: ETIMEDOUT\. It was tried for 0 s/],
  ];
  for (const [error, message] of cases) {
    const run = onceReachable(() => Promise.reject(error), { startTimeout: 0 });
    await t.throwsAsync(run, { instanceOf: DatabaseSetupError, message });
  }
});

test('what waiting does not help is thrown at once', async (t) => {
  const cases: [Error, RegExp][] = [
    [
      new Error('unsupported startup parameter: statement_timeout'),
      /^Between this server and PostgreSQL there is a pooler/,
    ],
    [unavailable('The server does not support SSL connections'), /^The database server offers no TLS/],
    [
      unavailable('self-signed certificate; more', 'DEPTH_ZERO_SELF_SIGNED_CERT'),
      /cannot be verified: self-signed certificate\. /,
    ],
    [unavailable('certificate has expired', 'CERT_HAS_EXPIRED'), /cannot be verified: certificate has expired\. /],
    [unavailable('no such role', '28000'), /^The database server refuses the login of DATABASE_URL: no such role\.$/],
    [unavailable('wrong password', '28P01'), /refuses the login/],
    [unavailable('no such database', '3D000'), /refuses the login/],
    [new RangeError('a bug'), /^a bug$/],
    [new UnavailableError('It lacks a right.', { cause: new DatabaseSetupError('Grant it.') }), /^It lacks a right\.$/],
    [new UnavailableError('The database schema is not up to date.'), /^The database schema is not up to date\.$/],
  ];
  for (const [error, message] of cases) {
    let attempts = 0;
    const run = () => {
      attempts++;
      return Promise.reject(error);
    };
    await t.throwsAsync(onceReachable(run, { startTimeout: 60_000 }), { message });
    t.is(attempts, 1, String(message));
  }
  await t.throwsAsync(onceReachable(() => Promise.reject('no error'), { startTimeout: 60_000 }) as never, {
    any: true,
  });
});

test('waiting ends when it is aborted', async (t) => {
  const stopping = new AbortController();
  const away = () => Promise.reject(unavailable('away', 'ECONNREFUSED'));
  const run = onceReachable(away, { startTimeout: 60_000, onWait: () => stopping.abort(), signal: stopping.signal });
  await t.throwsAsync(run, { name: 'AbortError' });
});
