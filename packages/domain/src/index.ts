export * from './due-date.js';
export * from './errors.js';
export * from './task.js';
export * from './task-event.js';
export * from './text.js';
export * from './time.js';
export * from './undo.js';
