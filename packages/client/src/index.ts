export * from './client.js';
export * from './errors.js';
export * from './idempotency-key.js';
export * from './types.js';
