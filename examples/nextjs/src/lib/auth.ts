import { mkdirSync, openSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { oauthProvider } from '@better-auth/oauth-provider';
import { type BetterAuthOptions, betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import { jwt } from 'better-auth/plugins';
import { PGliteDialect } from 'kysely';
import { acceptRegistration } from './registration';
import { ACCESS_TOKEN_MINUTES, SCOPES } from './scopes';
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
    plugins: [jwt(), authorizationServer()],
    onAPIError: { errorURL: `${appUrl}/not-connected` },
    hooks: { before: acceptRegistration },
    telemetry: { enabled: false },
    // A mistyped password is nothing for the log.
    logger: { level: 'error' },
  });
  await (await getMigrations(auth.options)).runMigrations();
  return auth;
}

/** Lets apps of others act for a user who has allowed it: MCP clients, at the API's tools for agents (OAuth 2.1). */
function authorizationServer() {
  return oauthProvider({
    loginPage: '/sign-in',
    consentPage: '/consent',
    scopes: Object.keys(SCOPES),
    // No client credentials: a token always belongs to a user.
    grantTypes: ['authorization_code', 'refresh_token'],
    // Tokens are for this one address, and any app may ask for them.
    resources: [settings.mcpUrl],
    enforcePerClientResources: false,
    // An MCP client knows nothing but the address of the tools, so it has to register itself, before anybody signs in. That
    // gives it a name and an id, and no access. Five in a minute from one address are enough.
    allowDynamicClientRegistration: true,
    allowUnauthenticatedClientRegistration: true,
    rateLimit: { register: { window: 60, max: 5 } },
    // There is no other way to make clients.
    clientPrivileges: () => false,
    // The page that asks for consent looks the client up, with the signature of the request.
    allowPublicClientPrelogin: true,
    // Nobody can take these tokens back, so they are as short as the others.
    accessTokenExpiresIn: ACCESS_TOKEN_MINUTES * 60,
    // An app that has not got the answer may ask again; after that, a token that is used twice ends all of them.
    refreshTokenReuseInterval: 30,
  });
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
