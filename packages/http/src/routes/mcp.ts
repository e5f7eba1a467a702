import Router, { type RouterContext, type RouterMiddleware } from '@koa/router';
import { AGENT_SCOPES } from '@todo-backend/application';
import type { McpParts } from '@todo-backend/mcp';
import type { Logger } from 'pino';
import { type AgentGate, MCP_PATH, METADATA_PATHS, onlyAgents } from '../middleware/agent.js';
import { FairShare } from '../middleware/fair-share.js';
import { BODY_LIMIT, jsonBody } from '../middleware/json-body.js';
import { RequestError } from '../middleware/request-error.js';
import { assertListening } from '../middleware/user.js';

/** Maximum bytes of a call: fits 25 of the longest tasks with every character escaped. */
const MCP_BODY_LIMIT = 768 * 1024;

/** Seconds for which clients may keep the metadata. */
const METADATA_MAX_AGE = 3_600;

/** What the tools for agents need. */
export interface McpOptions extends Omit<McpParts, 'onError'>, AgentGate {
  /** The authorization server that issues the tokens. */
  readonly issuer: string;
  readonly logger: Logger;
}

/** The tools for agents (Model Context Protocol, Streamable HTTP without sessions). */
export function mcpRouter(options: McpOptions): Router {
  const { resource, issuer, logger, metadataUrl } = options;
  const router = new Router({ sensitive: true, strict: true });
  router.get([...METADATA_PATHS], (ctx) => {
    ctx.set('Cache-Control', `public, max-age=${METADATA_MAX_AGE}`);
    ctx.body = {
      resource,
      authorization_servers: [issuer],
      scopes_supported: AGENT_SCOPES,
      bearer_methods_supported: ['header'],
      resource_name: 'Todo',
    };
  });

  let loading: ReturnType<typeof load> | undefined;
  const load = async () => {
    const { mcpHandler } = await import('@todo-backend/mcp');
    const onError = (err: unknown, requestId?: string) => logger.error({ err, requestId }, 'a tool failed');
    return mcpHandler({ ...options, onError });
  };
  const shares = new FairShare();
  const turns = shares.turnsOf('POST');
  router.post(MCP_PATH, onlyAgents(options), bodyTurn(shares), jsonBody(MCP_BODY_LIMIT), async (ctx) => {
    const { body } = ctx.request;
    // The protocol has no batches any more, and each call in one would count as none.
    if (Array.isArray(body)) throw new RequestError('MALFORMED_REQUEST', 'Send each message in a request of its own.');
    const { agent, userId, requestId } = ctx.state;
    // Each user has one call at a time, apart from the requests of their own.
    await turns.begin(userId);
    try {
      assertListening(ctx);
      loading ??= load();
      const answer = await loading;
      const call = { ...agent, body, changeId: requestId, resourceMetadataUrl: metadataUrl };
      await send(ctx, await answer(requestOf(ctx, resource), call));
    } catch (error) {
      // Whatever fails when the client has left is nobody's fault.
      assertListening(ctx);
      throw error;
    } finally {
      turns.end(userId);
    }
  });
  return router;
}

/**
 * A body that may be large is not read before its turn, as in the API. A small one is, so that nobody waits for a client
 * that sends it slowly.
 */
function bodyTurn({ largeBody }: FairShare): RouterMiddleware {
  return (ctx, next) => {
    const { 'content-encoding': coding, 'content-length': length } = ctx.headers;
    return coding === undefined && Number(length) <= BODY_LIMIT ? next() : largeBody(ctx, next);
  };
}

/** The request as web standards have it, without what nobody after this needs to know. */
function requestOf(ctx: RouterContext, url: string): Request {
  const { authorization: _, cookie: __, ...others } = ctx.req.headersDistinct;
  const headers = new Headers();
  for (const [name, values = []] of Object.entries(others)) for (const value of values) headers.append(name, value);
  const leaving = new AbortController();
  ctx.res.once('close', () => leaving.abort());
  return new Request(url, { method: 'POST', headers, signal: leaving.signal });
}

/** The headers of an answer that are about what it says. Of caching and of the connection, this server decides. */
const HEADERS_OF_ANSWER = ['Content-Type', 'WWW-Authenticate'];

async function send(ctx: RouterContext, response: Response): Promise<void> {
  ctx.status = response.status;
  for (const name of HEADERS_OF_ANSWER) {
    const value = response.headers.get(name);
    if (value !== null) ctx.set(name, value);
  }
  ctx.body = await response.text();
}
