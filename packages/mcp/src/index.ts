export { MAX_ANSWER_BYTES } from './answer.js';
export type { Caller, Identity, McpParts } from './caller.js';
export { type McpCall, mcpHandler } from './http.js';
export { todoMcpServer } from './server.js';
export { serveOverStdio } from './stdio.js';
