import { type JSONRPCErrorResponse, ProtocolErrorCode } from '@modelcontextprotocol/server';

/**
 * The answer to a subscription: there is no such method. It would be a stream without an end, and nothing that it could
 * tell of changes. The SDK knows only servers that have too many subscriptions, which a client would try again.
 */
export function refusedSubscription(message: unknown): JSONRPCErrorResponse | undefined {
  const { id, method } = (message ?? {}) as { readonly id?: unknown; readonly method?: unknown };
  if (method !== 'subscriptions/listen' || (typeof id !== 'string' && typeof id !== 'number')) return undefined;
  return { jsonrpc: '2.0', id, error: { code: ProtocolErrorCode.MethodNotFound, message: 'Method not found' } };
}
