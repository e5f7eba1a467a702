import { JournalQuerySchema, TaskQuerySchema } from '@todo-backend/application';
import type { GenericSchema } from 'valibot';
import type { ProblemCode } from '../problem-details.js';
import { BATCH_LIMIT, ExportQuerySchema, IMPORT_LIMIT, toCsv } from '../task-routes.js';
import type { headers, parameters, tags } from './components.js';
import { type bodies, ref, type Schema } from './schemas.js';

/** One thing that the API does. What follows from it (most errors, common headers) is added by the document. */
export interface Operation {
  readonly id: string;
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** With parameters in braces. What lies below `/api/{user_id}` needs that user's token. */
  readonly path: string;
  readonly tag: keyof typeof tags;
  readonly summary: string;
  readonly description: string;
  /** The query string, and one that is refused, for the example of the error. */
  readonly query?: { readonly schema: GenericSchema; readonly mistake: object };
  /** Headers that it reads. */
  readonly parameters?: readonly (keyof typeof parameters)[];
  /** The body, examples of it by name, and one that is refused. */
  readonly body?: {
    readonly schema: keyof typeof bodies;
    readonly required: boolean;
    readonly examples: Examples;
    readonly mistake: unknown;
    /** Bytes that it may have, where they are more than usual. */
    readonly limit?: number;
  };
  /** What a success answers, by status. */
  readonly answers: Readonly<Record<number, Answer>>;
  /** The errors that do not follow from the rest. */
  readonly errors?: readonly ProblemCode[];
}

/** A success. */
export interface Answer {
  readonly description: string;
  /** Headers that only some answers have. */
  readonly headers?: readonly (keyof typeof headers)[];
  /** The body by media type; left out where there is none. */
  readonly content?: Content;
}

type Content = Readonly<Record<string, { readonly schema: Schema; readonly examples?: Examples }>>;
type Examples = Readonly<Record<string, unknown>>;

const milk = {
  id: '01a207c3-6b95-73c6-8716-019a7e6b4001',
  title: 'Buy milk',
  description: null,
  priority: 'high',
  category: 'home',
  status: 'pending',
  completed: false,
  dueDate: '2026-12-24T00:00:00',
  createdAt: '2026-11-23T09:36:17.301Z',
  updatedAt: '2026-11-23T09:36:17.301Z',
  userId: 'alice',
};
const later = '2026-11-23T10:02:44.018Z';

const json = (schema: Schema, examples?: Examples): Content => ({
  'application/json': { schema, ...(examples && { examples }) },
});

const task = (description: string, example: object): Answer => ({
  description,
  headers: ['ETag'],
  content: json(ref('Task'), { task: example }),
});

const notModified: Answer = { description: 'Nothing has changed.', headers: ['ETag'] };

/** All that the API does. A test keeps this list equal to the routes. */
export const operations: readonly Operation[] = [
  {
    id: 'listTasks',
    method: 'get',
    path: '/api/{user_id}/tasks',
    tag: 'Tasks',
    summary: 'List tasks',
    description:
      'All tasks of the user, newest first, or those that are asked for, in the order that is asked for. With `limit` they come in parts, each of which links to the next.',
    query: { schema: TaskQuerySchema, mistake: { status: 'done', sort_by: 'id' } },
    parameters: ['If-None-Match'],
    answers: {
      200: {
        description: 'The tasks; none is no error.',
        headers: ['ETag', 'Link'],
        content: json({ type: 'array', items: ref('Task') }, { some: [milk], none: [] }),
      },
      304: notModified,
    },
  },
  {
    id: 'createTask',
    method: 'post',
    path: '/api/{user_id}/tasks',
    tag: 'Tasks',
    summary: 'Create a task',
    description: 'Creates a pending task. Fields that are not named here are ignored.',
    parameters: ['Idempotency-Key'],
    body: {
      schema: 'NewTask',
      required: true,
      examples: {
        short: { title: 'Buy milk', priority: 'high', category: 'home' },
        full: {
          title: 'Buy milk',
          description: 'Two litres.',
          priority: 'high',
          category: 'home',
          dueDate: '2026-12-24',
        },
      },
      mistake: { title: ' ', priority: 'urgent', category: 'home' },
    },
    answers: { 201: { ...task('The new task.', milk), headers: ['ETag', 'Location'] } },
  },
  {
    id: 'batchTasks',
    method: 'post',
    path: '/api/{user_id}/tasks/batch',
    tag: 'Tasks',
    summary: 'Create, change, complete and delete many tasks at once',
    description:
      'Does up to 100 things in one transaction: all of them or, with the problems of every operation, nothing. With `atomic` false it does what it can, and says of each what became of it. The body may have 2 MB.',
    parameters: ['Idempotency-Key'],
    body: {
      schema: 'Batch',
      required: true,
      examples: {
        create: {
          operations: [
            { op: 'create', task: { title: 'Buy milk', priority: 'high', category: 'home' } },
            { op: 'create', task: { title: 'Buy bread', priority: 'low', category: 'home' } },
          ],
        },
        others: {
          operations: [
            { op: 'update', id: milk.id, changes: { priority: 'low' } },
            { op: 'complete', id: milk.id, completed: true },
            { op: 'delete', id: milk.id },
          ],
          atomic: false,
        },
      },
      mistake: { operations: [], atomic: 'no' },
      limit: BATCH_LIMIT,
    },
    answers: {
      200: {
        description: 'What became of the operations, in their order.',
        content: json(
          {
            type: 'object',
            properties: { results: { type: 'array', items: ref('OperationResult') } },
            required: ['results'],
          },
          {
            done: { results: [{ status: 201, task: milk }, { status: 204 }] },
            partly: {
              results: [
                { status: 200, task: { ...milk, priority: 'low', updatedAt: later } },
                { status: 404, errors: [{ field: 'operations.1.id', message: 'There is no such task.' }] },
              ],
            },
          },
        ),
      },
    },
  },
  {
    id: 'exportTasks',
    method: 'get',
    path: '/api/{user_id}/tasks/export',
    tag: 'Tasks',
    summary: 'Export all tasks',
    description: 'All tasks of the user, oldest first, as a file.',
    query: { schema: ExportQuerySchema, mistake: { format: 'xml' } },
    answers: {
      200: {
        description: 'The file.',
        headers: ['Content-Disposition'],
        content: {
          ...json(
            {
              type: 'object',
              properties: { tasks: { type: 'array', items: ref('Task') } },
              required: ['tasks'],
            },
            { tasks: { tasks: [milk] } },
          ),
          'text/csv': {
            schema: {
              type: 'string',
              description: 'With a line of names, and what a spreadsheet takes for a formula escaped.',
            },
            examples: { tasks: toCsv([milk]) },
          },
        },
      },
    },
  },
  {
    id: 'importTasks',
    method: 'post',
    path: '/api/{user_id}/tasks/import',
    tag: 'Tasks',
    summary: 'Import tasks',
    description:
      'Creates up to 10,000 tasks as an export has them, with their status and times, and new ids: all of them or, with every problem, none. The body may have 10 MB.',
    parameters: ['Idempotency-Key'],
    body: {
      schema: 'Import',
      required: true,
      examples: {
        tasks: {
          tasks: [
            {
              title: 'Buy milk',
              priority: 'high',
              category: 'home',
              status: 'completed',
              createdAt: milk.createdAt,
              updatedAt: later,
            },
          ],
        },
      },
      mistake: { tasks: [] },
      limit: IMPORT_LIMIT,
    },
    answers: {
      201: {
        description: 'They are created.',
        content: json(
          {
            type: 'object',
            properties: { imported: { type: 'integer', minimum: 1, description: 'How many.' } },
            required: ['imported'],
          },
          { one: { imported: 1 } },
        ),
      },
    },
  },
  {
    id: 'getTask',
    method: 'get',
    path: '/api/{user_id}/tasks/{task_id}',
    tag: 'Tasks',
    summary: 'Get a task',
    description: 'One task, by its id.',
    parameters: ['If-None-Match'],
    answers: { 200: task('The task.', milk), 304: notModified },
  },
  {
    id: 'updateTask',
    method: 'put',
    path: '/api/{user_id}/tasks/{task_id}',
    tag: 'Tasks',
    summary: 'Change a task',
    description:
      'Changes what is named and leaves the rest; null clears `description` and `dueDate`. The whole task can be sent as it was read: what only the server decides is ignored. Where nothing changes, `updatedAt` stays.',
    parameters: ['If-Match', 'Idempotency-Key'],
    body: {
      schema: 'TaskChanges',
      required: true,
      examples: { one: { description: 'Two litres.' }, clear: { description: null, dueDate: null } },
      mistake: { title: '', dueDate: '2026-02-30' },
    },
    answers: { 200: task('The task as it is now.', { ...milk, description: 'Two litres.', updatedAt: later }) },
  },
  {
    id: 'completeTask',
    method: 'patch',
    path: '/api/{user_id}/tasks/{task_id}/complete',
    tag: 'Tasks',
    summary: 'Complete or reopen a task',
    description:
      'Completes a pending task and reopens a completed one. With `completed` in the body it becomes what that says, so that trying again is harmless.',
    parameters: ['If-Match', 'Idempotency-Key'],
    body: {
      schema: 'Completion',
      required: false,
      examples: { complete: { completed: true }, reopen: { completed: false }, toggle: {} },
      mistake: { completed: 'yes' },
    },
    answers: {
      200: task('The task as it is now.', { ...milk, status: 'completed', completed: true, updatedAt: later }),
    },
  },
  {
    id: 'deleteTask',
    method: 'delete',
    path: '/api/{user_id}/tasks/{task_id}',
    tag: 'Tasks',
    summary: 'Delete a task',
    description: 'Deletes a task for good. The second time there is no such task.',
    parameters: ['If-Match'],
    answers: { 204: { description: 'The task is gone.' } },
  },
  {
    id: 'getStats',
    method: 'get',
    path: '/api/{user_id}/stats',
    tag: 'Tasks',
    summary: 'Count tasks',
    description: 'How many tasks the user has, and how many of them are done.',
    parameters: ['If-None-Match'],
    answers: {
      200: {
        description: 'The counts.',
        headers: ['ETag'],
        content: json(ref('Stats'), { counts: { total: 3, pending: 2, completed: 1 } }),
      },
      304: notModified,
    },
  },
  {
    id: 'listJournal',
    method: 'get',
    path: '/api/{user_id}/audit',
    tag: 'Journal',
    summary: 'Read the journal',
    description: 'What happened to the tasks of the user, newest first, in parts, each of which links to the next.',
    query: { schema: JournalQuerySchema, mistake: { since: 'yesterday', limit: '1000' } },
    answers: {
      200: {
        description: 'The entries.',
        headers: ['Link'],
        content: json(
          { type: 'array', items: ref('JournalEntry') },
          {
            completed: [
              {
                sequence: 2,
                id: '01a20870-2a56-7b0e-9f0b-4c1f5c5de001',
                type: 'todo.task.completed.v1',
                time: later,
                userId: 'alice',
                taskId: milk.id,
                actor: { type: 'user', id: 'alice' },
                correlationId: '4b692b42-5e59-46b9-ad0e-693a92ef6968',
                changes: {
                  status: { before: 'pending', after: 'completed' },
                  updatedAt: { before: milk.updatedAt, after: later },
                },
              },
            ],
          },
        ),
      },
    },
  },
  {
    id: 'getInfo',
    method: 'get',
    path: '/',
    tag: 'System',
    summary: 'What this is',
    description: 'Name, version, and where to find the rest.',
    answers: {
      200: {
        description: 'What this is.',
        content: json(ref('Info'), {
          info: { name: 'todo-backend', version: '0.1.0', links: { docs: '/docs' } },
        }),
      },
    },
  },
  {
    id: 'getHealth',
    method: 'get',
    path: '/health',
    tag: 'System',
    summary: 'Whether the server is alive',
    description: 'Answers as long as the server runs, and does not look at the database.',
    answers: {
      200: {
        description: 'It is alive.',
        content: json(ref('Health'), { alive: { status: 'healthy', timestamp: milk.createdAt } }),
      },
    },
  },
  {
    id: 'getReadiness',
    method: 'get',
    path: '/ready',
    tag: 'System',
    summary: 'Whether the server can do its work',
    description: 'Answers 200 when the database can be reached, its schema is current, and the server is not closing.',
    answers: {
      200: {
        description: 'It can.',
        content: json(ref('Readiness'), { ready: { status: 'ready', timestamp: milk.createdAt, rowSecurity: true } }),
      },
    },
    errors: ['UNAVAILABLE'],
  },
  {
    id: 'getOpenApi',
    method: 'get',
    path: '/openapi.json',
    tag: 'Documentation',
    summary: 'This document',
    description: 'The description of the API, in OpenAPI 3.1.',
    parameters: ['If-None-Match'],
    answers: {
      200: {
        description: 'The document.',
        headers: ['ETag'],
        content: json(
          { type: 'object' },
          { start: { openapi: '3.1.0', info: { title: 'Todo backend', version: '0.1.0' }, paths: {} } },
        ),
      },
      304: notModified,
    },
  },
  {
    id: 'getDocs',
    method: 'get',
    path: '/docs',
    tag: 'Documentation',
    summary: 'A page to read and to try the API',
    description: 'This document in Swagger UI. It talks to this server alone.',
    answers: {
      200: {
        description: 'The page.',
        content: {
          'text/html': {
            schema: { type: 'string' },
            examples: { start: '<!doctype html>\n<html lang="en">\n  <head>\n    <title>Todo backend API</title>' },
          },
        },
      },
    },
  },
  {
    id: 'getDocsFile',
    method: 'get',
    path: '/docs/{file}',
    tag: 'Documentation',
    summary: 'A file of the page',
    description: 'Scripts, styles and pictures of the page. With its version in the address it can be kept for good.',
    answers: {
      200: {
        description: 'The file.',
        content: {
          'text/css': { schema: { type: 'string' } },
          'text/javascript': { schema: { type: 'string' } },
          'image/png': { schema: {} },
        },
      },
    },
    errors: ['ROUTE_NOT_FOUND'],
  },
];
