import {
  presentTask,
  type TrashedTask,
  TrashQuerySchema,
  UNDO_MAX_EVENTS,
  type UndoResult,
  unchecked,
} from '@todo-backend/application';
import { changeOptions } from '../middleware/conditions.js';
import { later, milk, taskAnswer } from './examples.js';
import { decoder } from './query.js';
import { linkToNext, sendTask } from './responses.js';
import { json, type Query, type Route, ref } from './route.js';

const eventId = '01a20870-2a56-7b0e-9f0b-4c1f5c5de001';

const undo: Route = {
  id: 'undo',
  method: 'post',
  path: '/api/{user_id}/undo',
  tag: 'Journal',
  summary: 'Undo',
  description: `Takes back events, all that one request did, or all that an agent did since a moment: up to ${UNDO_MAX_EVENTS.toLocaleString('en')} events: the newest first, and field by field. A field goes back only where it still is what the event made it. All of it is taken back or, with 409 and the fields that were changed since, nothing; with \`atomic\` false what can go back does. An undo is a change like any other, so it can be undone.`,
  headers: ['Idempotency-Key'],
  body: {
    schema: 'Undo',
    required: true,
    examples: {
      request: { correlationId: '4b692b42-5e59-46b9-ad0e-693a92ef6968' },
      event: { events: [eventId], dryRun: true },
      agent: { actor: 'planner', since: '2026-11-26T09:30:00Z', atomic: false },
    },
    mistake: { events: [], atomic: 'no' },
  },
  answers: {
    200: {
      description: 'What became of the events, newest first.',
      headers: ['Journal-Position'],
      content: json(
        {
          type: 'object',
          properties: { results: { type: 'array', items: ref('UndoResult') } },
          required: ['results'],
        },
        { restored: { results: [{ eventId, taskId: milk.id, outcome: 'undone', fields: [], task: milk }] } },
      ),
    },
  },
  errors: ['EVENT_NOT_FOUND', 'CHANGED_SINCE', 'TASK_LIMIT_REACHED'],
  handle:
    ({ recovery }) =>
    async (ctx) => {
      const results = await recovery.undo(ctx.state.userId, unchecked(ctx.request.body), changeOptions(ctx));
      ctx.type = 'json';
      ctx.body = JSON.stringify({ results: results.map(presenter(results.length)) });
    },
};

/** The results of an undo up to which each has its task: those of very many events would be very long. */
const MOST_WITH_TASKS = 100;

function presenter(count: number) {
  return ({ task, ...result }: UndoResult) => {
    if (count > MOST_WITH_TASKS) return result;
    return { ...result, task: task == null ? null : presentTask(task) };
  };
}

const trashQuery: Query = { schema: TrashQuerySchema, emptyIsAbsent: ['cursor'], mistake: { limit: '201' } };

const listTrash: Route = {
  id: 'listTrash',
  method: 'get',
  path: '/api/{user_id}/trash',
  tag: 'Journal',
  summary: 'List the trash',
  description:
    'The deleted tasks that can be restored, the last deleted first, in parts, each of which links to the next. They can be restored for as long as the journal is kept.',
  query: trashQuery,
  isLong: true,
  answers: {
    200: {
      description: 'The deleted tasks; none is no error.',
      headers: ['Link'],
      content: json(
        { type: 'array', items: ref('TrashedTask') },
        {
          one: [
            {
              eventId,
              task: milk,
              deletedAt: later,
              deletedBy: { type: 'user', id: 'alice' },
              restorableUntil: '2027-02-21T10:02:44.018Z',
            },
          ],
        },
      ),
    },
  },
  handle({ recovery }) {
    const decode = decoder(trashQuery);
    return async (ctx) => {
      const { tasks, next } = await recovery.trash(ctx.state.userId, unchecked(decode(ctx.querystring)));
      linkToNext(ctx, next);
      ctx.type = 'json';
      ctx.body = JSON.stringify(tasks.map(presentTrashed));
    };
  },
};

function presentTrashed({ task, ...trashed }: TrashedTask) {
  return { ...trashed, task: presentTask(task) };
}

const restoreTask: Route = {
  id: 'restoreTask',
  method: 'post',
  path: '/api/{user_id}/tasks/{task_id}/restore',
  tag: 'Journal',
  summary: 'Restore a task',
  description: 'Brings a deleted task back, with its id and as it last was.',
  headers: ['Idempotency-Key'],
  answers: { 200: taskAnswer('The task, which is back.', { ...milk, updatedAt: later }) },
  errors: ['TASK_EXISTS', 'TASK_LIMIT_REACHED'],
  handle:
    ({ recovery }) =>
    async (ctx) => {
      sendTask(ctx, await recovery.restore(ctx.state.userId, unchecked(ctx.params.task_id), changeOptions(ctx)));
    },
};

const eraseTask: Route = {
  id: 'eraseTask',
  method: 'delete',
  path: '/api/{user_id}/trash/{task_id}',
  tag: 'Journal',
  summary: 'Erase a task',
  description:
    'Erases a deleted task for good: the title, the description and the tags are removed from all its entries in the journal, which stay. That cannot be undone.',
  answers: { 204: { description: 'The task is erased.', headers: ['Journal-Position'] } },
  handle:
    ({ recovery }) =>
    async (ctx) => {
      const { once: _, ...options } = changeOptions(ctx);
      await recovery.erase(ctx.state.userId, unchecked(ctx.params.task_id), options);
      ctx.status = 204;
    },
};

const emptyTrash: Route = {
  id: 'emptyTrash',
  method: 'delete',
  path: '/api/{user_id}/trash',
  tag: 'Journal',
  summary: 'Empty the trash',
  description: 'Erases all deleted tasks for good. That cannot be undone.',
  answers: {
    200: {
      description: 'They are erased.',
      headers: ['Journal-Position'],
      content: json(
        {
          type: 'object',
          properties: { erased: { type: 'integer', minimum: 0, description: 'How many.' } },
          required: ['erased'],
        },
        { some: { erased: 12 } },
      ),
    },
  },
  handle:
    ({ recovery }) =>
    async (ctx) => {
      const { once: _, ...options } = changeOptions(ctx);
      ctx.body = { erased: await recovery.emptyTrash(ctx.state.userId, options) };
    },
};

/** The routes that take back what was done. */
export const recoveryRoutes = { undo, listTrash, restoreTask, eraseTask, emptyTrash };
