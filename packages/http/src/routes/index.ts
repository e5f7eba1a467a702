import { batchTasks } from './batch.js';
import { listChanges } from './changes.js';
import { docsRoutes } from './docs.js';
import { exportTasks, importTasks } from './import-export.js';
import { listJournal } from './journal.js';
import { occurrenceRoutes } from './occurrences.js';
import { recoveryRoutes } from './recovery.js';
import type { Route } from './route.js';
import { systemRoutes } from './system.js';
import { taskRoutes } from './tasks.js';

const { listTasks, createTask, deleteTasks, ...ofOneTask } = taskRoutes;

/** All routes, in the order in which they are matched. */
export const routes: readonly Route[] = [
  listTasks,
  createTask,
  deleteTasks,
  batchTasks,
  exportTasks,
  importTasks,
  ...Object.values(ofOneTask),
  ...Object.values(occurrenceRoutes),
  listJournal,
  listChanges,
  ...Object.values(recoveryRoutes),
  ...Object.values(systemRoutes),
  ...Object.values(docsRoutes),
];
