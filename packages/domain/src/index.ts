export * from './due-date.js';
export * from './errors.js';
export * from './task.js';
export * from './time.js';
