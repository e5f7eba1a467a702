export * from './due-date.js';
export * from './errors.js';
export * from './task.js';
export * from './task-event.js';
export * from './time.js';
