import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What an authorization server says of itself (RFC 8414), as far as it is used here. */
interface Metadata {
  readonly issuer: string;
  readonly authorization_endpoint: string;
  readonly token_endpoint: string;
  readonly registration_endpoint: string;
}

interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server answered; the tests say what it should be
  readonly body: any;
}

/** Finds the authorization server of the tools for agents by their address alone, as MCP clients do. */
export async function discover(resource: string): Promise<Metadata> {
  const refused = await fetch(resource, { method: 'POST' });
  const place = /resource_metadata="([^"]+)"/.exec(refused.headers.get('WWW-Authenticate') ?? '')?.[1] ?? '';
  const { authorization_servers } = (await (await fetch(place)).json()) as { authorization_servers: [string] };
  const issuer = new URL(authorization_servers[0]);
  const { origin, pathname } = issuer;
  return (await (await fetch(`${origin}/.well-known/oauth-authorization-server${pathname}`)).json()) as Metadata;
}

/** An app of somebody else, as MCP clients are: it registers itself, and waits for the answer on this computer. */
export async function startClient(resource: string, name: string) {
  const server = await discover(resource);
  const answers: URLSearchParams[] = [];
  const listener = createServer(({ url = '' }, response) => {
    const { pathname, searchParams } = new URL(url, 'http://127.0.0.1');
    if (pathname === '/callback') answers.push(searchParams);
    response.end('You may close this page.');
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const redirectUri = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/callback`;

  const post = async (
    url: string,
    body: string | URLSearchParams,
    headers: Record<string, string> = {},
  ): Promise<Answer> => {
    const response = await fetch(url, { method: 'POST', headers, body });
    return { status: response.status, body: await response.json() };
  };
  const register = (metadata: object) =>
    post(server.registration_endpoint, JSON.stringify(metadata), { 'Content-Type': 'application/json' });
  const registered = await register({ client_name: name, redirect_uris: [redirectUri] });
  const id: string = registered.body.client_id;
  const verifier = randomBytes(32).toString('base64url');
  const ask = (body: Record<string, string>) =>
    post(server.token_endpoint, new URLSearchParams({ client_id: id, resource, ...body }));

  return {
    id,
    redirectUri,
    registered,
    register,
    issuer: server.issuer,
    /** Where a browser asks the user. */
    authorizationUrl(more: Record<string, string> = {}): string {
      const query = {
        response_type: 'code',
        client_id: id,
        redirect_uri: redirectUri,
        scope: 'todo:read todo:write offline_access',
        state: 'the state',
        resource,
        code_challenge: createHash('sha256').update(verifier).digest('base64url'),
        code_challenge_method: 'S256',
        ...more,
      };
      return `${server.authorization_endpoint}?${new URLSearchParams(query)}`;
    },
    /** What the last answer says that a browser has brought. */
    answer: () => Object.fromEntries(answers.at(-1) ?? []),
    exchange: (code = '') =>
      ask({ grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: verifier }),
    refresh: (token: string) => ask({ grant_type: 'refresh_token', refresh_token: token }),
    stop: () => listener.close(),
  };
}
