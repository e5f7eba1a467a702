import { serveStdio } from '@modelcontextprotocol/server/stdio';
import type { Identity, McpParts } from './caller.js';
import { todoMcpServer } from './server.js';

/** Serves one caller over the standard input and output of the process, which nothing else may use. */
export function serveOverStdio(parts: McpParts, identify: () => Promise<Identity>): { close(): Promise<void> } {
  return serveStdio(() => todoMcpServer(parts, identify), {
    maxSubscriptions: 0,
    onerror: (error) => parts.onError?.(error),
  });
}
