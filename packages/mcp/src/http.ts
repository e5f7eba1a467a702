import { createMcpHandler } from '@modelcontextprotocol/server';
import type { Identity, McpParts } from './caller.js';
import { todoMcpServer } from './server.js';
import { refusedSubscription } from './subscriptions.js';

/** Who sends a request, as the host has found out, and what belongs to it. */
export interface McpCall extends Identity {
  readonly scopes: readonly string[];
  /** The parsed JSON body. */
  readonly body: unknown;
  /** Where the metadata of the protected resource is (RFC 9728), for a token that does not allow enough. */
  readonly resourceMetadataUrl: string;
}

/**
 * Answers requests of Streamable HTTP, without sessions. The host authenticates, and limits.
 *
 * @returns answers one request; 403 with `insufficient_scope` where the token does not allow the tool
 */
export function mcpHandler(parts: McpParts): (request: Request, call: McpCall) => Promise<Response> {
  const handler = createMcpHandler(
    ({ authInfo }) => todoMcpServer(parts, async () => authInfo?.extra?.call as McpCall),
    { maxSubscriptions: 0 },
  );
  return async (request, call) => {
    const refusal = refusedSubscription(call.body);
    if (refusal !== undefined) return Response.json(refusal, { status: 404 });
    return handler.fetch(request, {
      parsedBody: call.body,
      authInfo: {
        // Nothing in here needs the token.
        token: '',
        clientId: call.agentId,
        scopes: [...call.scopes],
        resourceMetadataUrl: call.resourceMetadataUrl,
        extra: { call },
      },
    });
  };
}
