export type { ContractCase, TaskRepositoryHarness } from './contract.js';
export * from './deterministic.js';
export * from './in-memory-outbox.js';
export * from './in-memory-task-repository.js';
export * from './journal-contract.js';
export * from './outbox-contract.js';
export * from './task-repository-contract.js';
export * from './task-writer.js';
