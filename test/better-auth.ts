import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type BetterAuthOptions, betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import { toNodeHandler } from 'better-auth/node';
import { jwt } from 'better-auth/plugins';

const PASSWORD = 'correct horse battery staple';

/** The parts of Better Auth used here. */
export interface BetterAuth {
  readonly betterAuth: typeof betterAuth;
  readonly getMigrations: typeof getMigrations;
  readonly toNodeHandler: typeof toNodeHandler;
  readonly jwt: typeof jwt;
}

/** How a Better Auth server is to differ from the default one. */
export interface BetterAuthSetup {
  /** By default the one that the workspace has. */
  readonly version?: BetterAuth;
  /** The path of its base URL, for an app that is not at the root. */
  readonly path?: string;
  readonly options?: Partial<BetterAuthOptions>;
  readonly jwt?: Parameters<typeof jwt>[0];
  /** Whether it makes its tables. */
  readonly migrates?: boolean;
}

/** A real Better Auth server, with its own migrations, and what its pages would do with it. */
export async function startBetterAuth(
  database: BetterAuthOptions['database'],
  {
    version = { betterAuth, getMigrations, toNodeHandler, jwt },
    path = '',
    migrates = true,
    ...setup
  }: BetterAuthSetup = {},
) {
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const auth = version.betterAuth({
    database,
    baseURL: origin + path,
    secret: 'a secret of Better Auth that the API never sees',
    emailAndPassword: { enabled: true },
    user: { deleteUser: { enabled: true }, ...setup.options?.user },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    logger: { disabled: true },
    ...setup.options,
    plugins: [version.jwt(setup.jwt)],
  } as BetterAuthOptions);
  if (migrates) await (await version.getMigrations(auth.options)).runMigrations();
  const handle = version.toNodeHandler(auth);
  const base = origin + (path || (setup.options?.basePath ?? '/api/auth'));

  const post = async (path: string, body: object, cookie = '') => {
    const headers = { 'Content-Type': 'application/json', Origin: origin, Cookie: cookie };
    const response = await fetch(base + path, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response;
  };
  return {
    url: origin + path,
    async signUp(name: string) {
      const response = await post('/sign-up/email', { name, email: `${name}@example.com`, password: PASSWORD });
      const cookie = response.headers
        .getSetCookie()
        .map((line) => line.split(';')[0])
        .join('; ');
      const { user } = (await response.json()) as { user: { id: string } };
      return {
        id: user.id,
        async token(): Promise<string> {
          const { token } = (await (await fetch(`${base}/token`, { headers: { Cookie: cookie } })).json()) as {
            token: string;
          };
          return token;
        },
        deleteAccount: () => post('/delete-user', { password: PASSWORD }, cookie),
      };
    },
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}
