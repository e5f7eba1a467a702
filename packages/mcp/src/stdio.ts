import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio';
import type { Identity, McpParts } from './caller.js';
import { todoMcpServer } from './server.js';
import { refusedSubscription } from './subscriptions.js';

/** The tools, as they are served over the standard input and output. */
export interface StdioServer {
  /** Fulfilled at the end: the input has ended, has a line that is too long, or nobody reads the output. */
  readonly closed: Promise<void>;
  /** Takes nothing more, and is fulfilled when all that has begun is done. */
  close(): Promise<void>;
}

/**
 * Serves one caller over the standard input and output of the process, which nothing else may use.
 *
 * @param onBadMessage called with what is wrong with a message, or with the input or output
 */
export function serveOverStdio(
  parts: McpParts,
  identify: () => Promise<Identity>,
  onBadMessage?: (error: Error) => void,
): StdioServer {
  const transport = new StdioServerTransport();
  const underWay = new Set<Promise<unknown>>();
  const onCall = (call: Promise<unknown>) => {
    underWay.add(call);
    void call.then(() => underWay.delete(call));
  };
  const server = serveStdio(() => todoMcpServer(parts, identify, onCall), {
    transport,
    maxSubscriptions: 0,
    ...(onBadMessage && { onerror: onBadMessage }),
  });
  const { onmessage, onclose } = transport;
  transport.onmessage = (message) => {
    const refusal = refusedSubscription(message);
    if (refusal === undefined) onmessage?.(message);
    else void transport.send(refusal).catch((error) => onBadMessage?.(error));
  };
  const closed = new Promise<void>((resolve) => {
    transport.onclose = () => {
      onclose?.();
      resolve();
    };
  });
  return {
    closed,
    async close() {
      await server.close();
      await Promise.all(underWay);
    },
  };
}
