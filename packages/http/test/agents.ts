import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import type { AppOptions } from '@todo-backend/http';
import { accessTokenVerifier, cachedKeySet, type KeyLoader } from '@todo-backend/infrastructure';
import { RateLimiterMemory } from 'rate-limiter-flexible';

/** The authorization server of these tests, and the resource that its tokens are for. */
export const ISSUER = 'https://app.example.com/api/auth';
export const RESOURCE = 'http://localhost:8000/mcp';
export const METADATA_URL = 'http://localhost:8000/.well-known/oauth-protected-resource/mcp';

const pair = generateKeyPairSync('ed25519');
const published = [{ ...pair.publicKey.export({ format: 'jwk' }), kid: 'key', alg: 'EdDSA' }] as Awaited<
  ReturnType<KeyLoader>
>;
/** Loads the public key of the authorization server. */
export const keyLoader: KeyLoader = async () => published;

const keys = cachedKeySet(keyLoader, {
  onLoadError: (error) => {
    throw error;
  },
});

/** Claims of an access token as Better Auth's OAuth provider issues them, for an hour. */
export function claimsOf(userId: string, more: object = {}): object {
  const now = Math.floor(Date.now() / 1000);
  return {
    sub: userId,
    iss: ISSUER,
    aud: [RESOURCE, `${ISSUER}/oauth2/userinfo`],
    client_id: 'agent-1',
    azp: 'agent-1',
    scope: 'openid offline_access todo:read todo:write',
    iat: now,
    exp: now + 3600,
    ...more,
  };
}

/** Signs any header and claims, which libraries do not. */
export function signed(claims: object, header: object = {}, key: KeyObject = pair.privateKey): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const input = `${encode({ alg: 'EdDSA', kid: 'key', typ: 'at+jwt', ...header })}.${encode(claims)}`;
  return `${input}.${sign(null, Buffer.from(input), key).toString('base64url')}`;
}

/** An access token of an agent for a user. */
export function accessToken(userId: string, more: object = {}): string {
  return signed(claimsOf(userId, more));
}

/** The tools for agents, as the app takes them. */
export function mcpOptions(perUser = 1_000_000): NonNullable<AppOptions['mcp']> {
  return {
    resource: RESOURCE,
    metadataUrl: METADATA_URL,
    issuer: ISSUER,
    tokens: accessTokenVerifier({ keys, issuer: ISSUER, resource: RESOURCE }),
    perUser: new RateLimiterMemory({ points: perUser, duration: 60 }),
  };
}

/** The two protocols that clients speak: with a handshake, and with what a request needs in itself. */
export const ERAS = ['2025-11-25', '2026-07-28'] as const;

/** The official client, connected with this token. */
export async function connect(url: string, token: string, era: (typeof ERAS)[number] = '2026-07-28'): Promise<Client> {
  const client = new Client(
    { name: 'test', version: '1.0.0' },
    { versionNegotiation: { mode: era === '2026-07-28' ? { pin: era } : 'legacy' } },
  );
  const transport = new StreamableHTTPClientTransport(new URL('/mcp', url), {
    requestInit: { headers: { Authorization: `Bearer ${token}` } },
  });
  await client.connect(transport);
  return client;
}
