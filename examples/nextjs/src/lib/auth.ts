import { mkdirSync, openSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type BetterAuthOptions, betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import { jwt } from 'better-auth/plugins';
import { PGliteDialect } from 'kysely';
import { settings } from './settings';

/** Next.js loads this module several times, and there may be one embedded database only: it is kept where all see it. */
const shared = globalThis as typeof globalThis & { betterAuth?: ReturnType<typeof start> };

/** Better Auth, with its tables in place. What failed at the first time is tried again at the next. */
export function auth(): ReturnType<typeof start> {
  shared.betterAuth ??= start().catch((error) => {
    delete shared.betterAuth;
    throw error;
  });
  return shared.betterAuth;
}

async function start() {
  const { secret, appUrl } = settings;
  const auth = betterAuth({
    secret,
    baseURL: appUrl,
    database: await openDatabase(),
    emailAndPassword: { enabled: true },
    // The API takes these tokens: signed with a key of the table `jwks`, good for 15 minutes.
    plugins: [jwt()],
    telemetry: { enabled: false },
    // A mistyped password is nothing for the log.
    logger: { level: 'error' },
  });
  await (await getMigrations(auth.options)).runMigrations();
  return auth;
}

async function openDatabase(): Promise<BetterAuthOptions['database']> {
  if (settings.databaseUrl !== undefined) {
    const { default: pg } = await import('pg');
    const pool = new pg.Pool({ connectionString: settings.databaseUrl, connectionTimeoutMillis: 3_000 });
    // A connection that breaks while nobody uses it is replaced; without a listener it would end the process.
    pool.on('error', () => {});
    return pool;
  }
  const directory = resolve(settings.dataDirectory);
  await lock(directory);
  const { PGlite } = await import('@electric-sql/pglite');
  return { dialect: new PGliteDialect({ pglite: await PGlite.create(join(directory, 'postgres')) }), type: 'postgres' };
}

/** Two processes on one embedded database would lose writes. The lock ends with the process, however that ends. */
async function lock(directory: string): Promise<void> {
  const { tryLock } = await import('fs-native-extensions');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  // A bare descriptor: nothing closes it behind our back.
  if (!tryLock(openSync(join(directory, 'lock'), 'a'))) {
    throw new Error(`The data directory ${directory} is in use. Stop the other app first, or choose another DATA_DIR.`);
  }
}
