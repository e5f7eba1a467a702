import {
  type CompletionInput,
  DELETE_MAX_TASKS,
  MAX_TAG_COUNTS,
  parse,
  presentTask,
  type TaskFilterInput,
  TaskFilterSchema,
  type TaskPatchInput,
  type TaskQueryInput,
  TaskQuerySchema,
  unchecked,
} from '@todo-backend/application';
import { changeOptions, isNotModified, revisionOptions, taskTag } from '../middleware/conditions.js';
import { later, milk, taskAnswer } from './examples.js';
import { decoder } from './query.js';
import { JSON_ARRAY, linkToNext, sendTask, sendTasks } from './responses.js';
import { json, notModified, type Query, type Route, ref, unchanged } from './route.js';

const listQuery: Query = {
  schema: TaskQuerySchema,
  names: {
    tag: 'tags',
    due_after: 'dueAfter',
    due_before: 'dueBefore',
    has_due_date: 'hasDueDate',
    time_zone: 'timeZone',
    sort_by: 'sortBy',
    sort_order: 'sortOrder',
  },
  emptyIsAbsent: [
    'status',
    'priority',
    'category',
    'tags',
    'search',
    'dueAfter',
    'dueBefore',
    'hasDueDate',
    'timeZone',
    'cursor',
  ],
  mistake: { status: 'done', sort_by: 'id' },
};

const listTasks: Route = {
  id: 'listTasks',
  method: 'get',
  path: '/api/{user_id}/tasks',
  tag: 'Tasks',
  summary: 'List tasks',
  description:
    'All tasks of the user, newest first, or those that are asked for, in the order that is asked for. With `limit` they come in parts, each of which links to the next.',
  query: listQuery,
  isLong: true,
  headers: ['If-None-Match'],
  answers: {
    200: {
      description: 'The tasks; none is no error.',
      headers: ['ETag', 'Link', 'Journal-Position'],
      content: json({ type: 'array', items: ref('Task') }, { some: [milk], none: [] }),
    },
    304: unchanged,
  },
  handle({ tasks }) {
    const decode = decoder(listQuery);
    return async (ctx) => {
      const { userId } = ctx.state;
      const query = unchecked<TaskQueryInput>(decode(ctx.querystring));
      if (ctx.get('If-None-Match') !== '') {
        // An invalid query is an error even if the client's version is current.
        parse(TaskQuerySchema, query);
        const { position } = await tasks.count(userId);
        ctx.set('Journal-Position', position);
        if (isNotModified(ctx, position)) return;
      }
      const page = await tasks.stream(userId, query);
      ctx.set('Journal-Position', page.position);
      ctx.set('ETag', `"${page.position}"`);
      linkToNext(ctx, page.next);
      sendTasks(ctx, page, JSON_ARRAY);
    };
  },
};

const createTask: Route = {
  id: 'createTask',
  method: 'post',
  path: '/api/{user_id}/tasks',
  tag: 'Tasks',
  summary: 'Create a task',
  description: 'Creates a pending task. Fields that are not named here are ignored.',
  headers: ['Idempotency-Key'],
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
        tags: ['shopping', 'this week'],
      },
    },
    mistake: { title: ' ', priority: 'urgent', category: 'home' },
  },
  answers: { 201: { ...taskAnswer('The new task.', milk), headers: ['ETag', 'Location', 'Journal-Position'] } },
  errors: ['TASK_LIMIT_REACHED'],
  handle:
    ({ tasks, publicPath = '' }) =>
    async (ctx) => {
      const task = await tasks.create(ctx.state.userId, unchecked(ctx.request.body), changeOptions(ctx));
      ctx.status = 201;
      ctx.set('Location', `${publicPath}/api/${encodeURIComponent(task.userId)}/tasks/${task.id}`);
      sendTask(ctx, task);
    },
};

const getTask: Route = {
  id: 'getTask',
  method: 'get',
  path: '/api/{user_id}/tasks/{task_id}',
  tag: 'Tasks',
  summary: 'Get a task',
  description: 'One task, by its id.',
  headers: ['If-None-Match'],
  answers: { 200: { ...taskAnswer('The task.', milk), headers: ['ETag'] }, 304: notModified },
  handle:
    ({ tasks }) =>
    async (ctx) => {
      const task = await tasks.get(ctx.state.userId, unchecked(ctx.params.task_id));
      if (!isNotModified(ctx, taskTag(task))) ctx.body = presentTask(task);
    },
};

const updateTask: Route = {
  id: 'updateTask',
  method: 'put',
  path: '/api/{user_id}/tasks/{task_id}',
  tag: 'Tasks',
  summary: 'Change a task',
  description:
    'Changes what is named and leaves the rest; null clears `description` and `dueDate`, an empty array `tags`. The whole task can be sent as it was read: what only the server decides is ignored. Where nothing changes, `updatedAt` stays.',
  headers: ['If-Match', 'Idempotency-Key'],
  body: {
    schema: 'TaskChanges',
    required: true,
    examples: {
      one: { description: 'Two litres.' },
      clear: { description: null, dueDate: null, tags: [], recurrence: null, remindAt: null },
    },
    mistake: { title: '', dueDate: '2026-02-30' },
  },
  answers: { 200: taskAnswer('The task as it is now.', { ...milk, description: 'Two litres.', updatedAt: later }) },
  handle:
    ({ tasks }) =>
    async (ctx) => {
      const { task_id } = ctx.params;
      const patch = unchecked<TaskPatchInput>(ctx.request.body);
      sendTask(ctx, await tasks.update(ctx.state.userId, unchecked(task_id), patch, revisionOptions(ctx)));
    },
};

const completeTask: Route = {
  id: 'completeTask',
  method: 'patch',
  path: '/api/{user_id}/tasks/{task_id}/complete',
  tag: 'Tasks',
  summary: 'Complete or reopen a task',
  description:
    'Completes a pending task and reopens a completed one. With `completed` in the body it becomes what that says, so that trying again is harmless.',
  headers: ['If-Match', 'Idempotency-Key'],
  body: {
    schema: 'Completion',
    required: false,
    examples: { complete: { completed: true }, reopen: { completed: false }, toggle: {} },
    mistake: { completed: 'yes' },
  },
  answers: {
    200: taskAnswer('The task as it is now.', { ...milk, status: 'completed', completed: true, updatedAt: later }),
  },
  handle:
    ({ tasks }) =>
    async (ctx) => {
      const { task_id } = ctx.params;
      const completion = unchecked<CompletionInput | undefined>(ctx.request.body);
      sendTask(ctx, await tasks.complete(ctx.state.userId, unchecked(task_id), completion, revisionOptions(ctx)));
    },
};

const deleteTask: Route = {
  id: 'deleteTask',
  method: 'delete',
  path: '/api/{user_id}/tasks/{task_id}',
  tag: 'Tasks',
  summary: 'Delete a task',
  description: 'Moves a task to the trash, from where it can be restored. The second time there is no such task.',
  headers: ['If-Match'],
  answers: { 204: { description: 'The task is gone.', headers: ['Journal-Position'] } },
  handle:
    ({ tasks }) =>
    async (ctx) => {
      // Deleting twice is harmless without a key.
      const { once: _, ...options } = revisionOptions(ctx);
      await tasks.delete(ctx.state.userId, unchecked(ctx.params.task_id), options);
      ctx.status = 204;
    },
};

const deleteQuery: Query = {
  schema: TaskFilterSchema,
  names: listQuery.names ?? {},
  emptyIsAbsent: listQuery.emptyIsAbsent ?? [],
  mistake: { status: 'done' },
};

const deleteTasks: Route = {
  id: 'deleteTasks',
  method: 'delete',
  path: '/api/{user_id}/tasks',
  tag: 'Tasks',
  summary: 'Delete all tasks that match',
  description: `Moves all tasks that match the filters to the trash, up to ${DELETE_MAX_TASKS.toLocaleString('en')}, in one transaction. At least one filter is needed. All of it can be undone, by the \`X-Request-Id\`.`,
  query: deleteQuery,
  headers: ['Idempotency-Key'],
  answers: {
    200: {
      description: 'They are in the trash.',
      headers: ['Journal-Position'],
      content: json(
        {
          type: 'object',
          properties: { deleted: { type: 'integer', minimum: 0, description: 'How many.' } },
          required: ['deleted'],
        },
        { some: { deleted: 12 } },
      ),
    },
  },
  handle({ tasks }) {
    const decode = decoder(deleteQuery);
    return async (ctx) => {
      const filter = unchecked<TaskFilterInput>(decode(ctx.querystring));
      ctx.body = { deleted: await tasks.deleteSelected(ctx.state.userId, filter, changeOptions(ctx)) };
    };
  },
};

const getStats: Route = {
  id: 'getStats',
  method: 'get',
  path: '/api/{user_id}/stats',
  tag: 'Tasks',
  summary: 'Count tasks',
  description: 'How many tasks the user has, and how many of them are done.',
  headers: ['If-None-Match'],
  answers: {
    200: {
      description: 'The counts.',
      headers: ['ETag', 'Journal-Position'],
      content: json(ref('Stats'), { counts: { total: 3, pending: 2, completed: 1 } }),
    },
    304: unchanged,
  },
  handle:
    ({ tasks }) =>
    async (ctx) => {
      const { position, ...counts } = await tasks.count(ctx.state.userId);
      ctx.set('Journal-Position', position);
      if (!isNotModified(ctx, position)) ctx.body = counts;
    },
};

const listTags: Route = {
  id: 'listTags',
  method: 'get',
  path: '/api/{user_id}/tags',
  tag: 'Tasks',
  summary: 'List tags',
  description: `The tags of the user's tasks, the most used first, then by name. Those that differ only by letter case are one. Of more than ${MAX_TAG_COUNTS.toLocaleString('en')} it is the first so many.`,
  headers: ['If-None-Match'],
  isLong: true,
  answers: {
    200: {
      description: 'The tags; none is no error.',
      headers: ['ETag', 'Journal-Position'],
      content: json(
        { type: 'array', items: ref('TagCount'), maxItems: MAX_TAG_COUNTS },
        {
          some: [
            { tag: 'shopping', count: 7 },
            { tag: 'this week', count: 3 },
          ],
          none: [],
        },
      ),
    },
    304: unchanged,
  },
  handle:
    ({ tasks }) =>
    async (ctx) => {
      const { userId } = ctx.state;
      if (ctx.get('If-None-Match') !== '') {
        // Known without counting.
        const { position } = await tasks.count(userId);
        ctx.set('Journal-Position', position);
        if (isNotModified(ctx, position)) return;
      }
      const { tags, position } = await tasks.tags(userId);
      ctx.set('Journal-Position', position);
      ctx.set('ETag', `"${position}"`);
      ctx.type = 'json';
      ctx.body = JSON.stringify(tags);
    },
};

/** The routes of a user's tasks. Routes with a fixed segment must come first, because `{task_id}` matches it too. */
export const taskRoutes = {
  listTasks,
  createTask,
  deleteTasks,
  getTask,
  updateTask,
  completeTask,
  deleteTask,
  getStats,
  listTags,
};
