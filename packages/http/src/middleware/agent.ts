import type { RouterContext } from '@koa/router';
import { type AccessTokenVerifier, AGENT_SCOPES } from '@todo-backend/application';
import type { RateLimiterAbstract } from 'rate-limiter-flexible';
import type { Proxies } from './address.js';
import { bearerToken } from './authenticate.js';
import { originMatcher } from './cors.js';
import { limitFailures, limitUser } from './rate-limit.js';
import { RequestError } from './request-error.js';
import { assertListening } from './user.js';

/** The path of the tools for agents. */
export const MCP_PATH = '/mcp';

/** Where the metadata of that resource is (RFC 9728), also for clients that leave out its path. */
export const METADATA_PATHS = [
  `/.well-known/oauth-protected-resource${MCP_PATH}`,
  '/.well-known/oauth-protected-resource',
] as const;

/** Who may call the tools for agents, and from where. */
export interface AgentGate extends Proxies {
  /** The public address of the tools, which is the audience of their tokens (RFC 8707). */
  readonly resource: string;
  /** Where the metadata of that resource is (RFC 9728). */
  readonly metadataUrl: string;
  readonly tokens: AccessTokenVerifier;
  readonly perUser: RateLimiterAbstract;
  readonly failuresPerAddress: RateLimiterAbstract;
  /** The origins whose pages may call the tools. */
  readonly origins: readonly string[];
}

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/** Lets agents in that act for a user. What a token is for is decided by its claims alone, never by the request. */
export function onlyAgents(gate: AgentGate) {
  const { resource, metadataUrl, tokens, perUser, failuresPerAddress } = gate;
  const isFromHere = addressCheck(gate);
  // RFC 9728, section 5.1: a client finds out by this where it gets a token.
  const challenge = [`resource_metadata="${metadataUrl}"`, `scope="${AGENT_SCOPES.join(' ')}"`];
  return async (ctx: RouterContext, next: () => Promise<unknown>) => {
    if (!isFromHere(ctx)) {
      throw new RequestError(
        'FORBIDDEN',
        `The Host and the Origin of the request must be those of ${resource}, or an allowed origin.`,
      );
    }
    ctx.state.challenge = challenge;
    const access = await limitFailures(ctx, failuresPerAddress, gate, () =>
      tokens.verify(bearerToken(ctx.req.headersDistinct.authorization)),
    );
    ctx.state.userId = access.userId;
    ctx.state.agent = access;
    await limitUser(ctx, perUser, access.userId);
    assertListening(ctx);
    return next();
  };
}

/**
 * Against DNS rebinding: a page of somebody else may make a browser send requests to an address of its own that leads
 * here, but not with a `Host` or an `Origin` of ours.
 */
function addressCheck({ resource, origins }: AgentGate): (ctx: RouterContext) => boolean {
  const { hostname, origin } = new URL(resource);
  const hosts = LOOPBACK.includes(hostname) ? LOOPBACK : [hostname];
  const isAllowedPage = originMatcher([origin, ...origins]);
  return (ctx) => {
    const page = ctx.get('Origin');
    if (!hosts.includes(ctx.hostname.toLowerCase())) return false;
    return page === '' || isAllowedPage(page) || (hosts === LOOPBACK && isLoopback(page));
  };
}

function isLoopback(origin: string): boolean {
  return LOOPBACK.includes(URL.parse(origin)?.hostname ?? '');
}
