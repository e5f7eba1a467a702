export * from './errors.js';
export * from './event-relay.js';
export * from './ports.js';
export * from './task-input.js';
export * from './tasks.js';
