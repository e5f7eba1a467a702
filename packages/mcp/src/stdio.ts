import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio';
import type { Identity, McpParts } from './caller.js';
import { todoMcpServer } from './server.js';
import { refusedSubscription } from './subscriptions.js';

/** Serves one caller over the standard input and output of the process, which nothing else may use. */
export function serveOverStdio(parts: McpParts, identify: () => Promise<Identity>): { close(): Promise<void> } {
  const transport = new StdioServerTransport();
  const onerror = (error: Error) => parts.onError?.(error);
  const server = serveStdio(() => todoMcpServer(parts, identify), { transport, maxSubscriptions: 0, onerror });
  const { onmessage } = transport;
  transport.onmessage = (message) => {
    const refusal = refusedSubscription(message);
    if (refusal === undefined) onmessage?.(message);
    else void transport.send(refusal).catch(onerror);
  };
  return server;
}
