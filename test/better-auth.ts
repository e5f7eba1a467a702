import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type BetterAuthOptions, betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import { toNodeHandler } from 'better-auth/node';
import { jwt } from 'better-auth/plugins';

const PASSWORD = 'correct horse battery staple';

/** As much of a version of Better Auth as is used here. */
export interface BetterAuth {
  readonly betterAuth: typeof betterAuth;
  readonly getMigrations: typeof getMigrations;
  readonly toNodeHandler: typeof toNodeHandler;
  readonly jwt: typeof jwt;
}

/**
 * A real Better Auth server, with its own migrations, and what its pages would do with it.
 *
 * @param version by default the one that the workspace has
 */
export async function startBetterAuth(
  database: BetterAuthOptions['database'],
  version: BetterAuth = { betterAuth, getMigrations, toNodeHandler, jwt },
) {
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const auth = version.betterAuth({
    database,
    baseURL: url,
    secret: 'a secret of Better Auth that the API never sees',
    emailAndPassword: { enabled: true },
    user: { deleteUser: { enabled: true } },
    plugins: [version.jwt()],
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    logger: { disabled: true },
  });
  await (await version.getMigrations(auth.options)).runMigrations();
  const handle = version.toNodeHandler(auth);

  const post = async (path: string, body: object, cookie = '') => {
    const headers = { 'Content-Type': 'application/json', Origin: url, Cookie: cookie };
    const response = await fetch(`${url}/api/auth${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response;
  };
  return {
    url,
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
          const { token } = (await (await fetch(`${url}/api/auth/token`, { headers: { Cookie: cookie } })).json()) as {
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
