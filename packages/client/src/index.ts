export { createTodoClient } from './client.js';
export * from './errors.js';
export * from './idempotency-key.js';
export type * from './todo-client.js';
export type * from './types.js';
