import {
  OCCURRENCES_MAX_LIMIT,
  type OccurrencesQueryInput,
  OccurrencesQuerySchema,
  type PreviewInput,
  PreviewSchema,
  unchecked,
} from '@todo-backend/application';
import { decoder } from './query.js';
import { type Answer, json, type Query, type Route, ref } from './route.js';

const dates: Answer = {
  description: 'The dates; none is no error.',
  content: json(ref('Occurrences'), {
    weekly: { occurrences: ['2026-12-31T00:00:00', '2027-01-07T00:00:00', '2027-01-14T00:00:00'] },
    none: { occurrences: [] },
  }),
};

const ofTaskQuery: Query = { schema: OccurrencesQuerySchema, mistake: { limit: String(OCCURRENCES_MAX_LIMIT + 1) } };

const listOccurrences: Route = {
  id: 'listOccurrences',
  method: 'get',
  path: '/api/{user_id}/tasks/{task_id}/occurrences',
  tag: 'Tasks',
  summary: 'Show the next dates of a task',
  description:
    'The due dates that follow, as they come when each occurrence is completed in time: the first is what completing the task now would give. None, where it does not repeat or its series ends.',
  query: ofTaskQuery,
  answers: { 200: dates },
  handle({ tasks }) {
    const decode = decoder(ofTaskQuery);
    return async (ctx) => {
      const query = unchecked<OccurrencesQueryInput>(decode(ctx.querystring));
      const occurrences = await tasks.occurrences(ctx.state.userId, unchecked(ctx.params.task_id), query);
      ctx.body = { occurrences };
    };
  },
};

const previewQuery: Query = {
  schema: PreviewSchema,
  names: { due_date: 'dueDate', time_zone: 'timeZone' },
  mistake: { due_date: '2026-12-24', rule: 'FREQ=HOURLY', time_zone: 'Berlin' },
};

const previewOccurrences: Route = {
  id: 'previewOccurrences',
  method: 'get',
  path: '/api/{user_id}/occurrences',
  tag: 'Tasks',
  summary: 'Show the dates of a rule',
  description: 'The due dates that a rule gives after one, before a task is saved with it: nothing is stored.',
  query: previewQuery,
  answers: { 200: dates },
  handle({ tasks }) {
    const decode = decoder(previewQuery);
    return (ctx) => {
      ctx.body = { occurrences: tasks.preview(unchecked<PreviewInput>(decode(ctx.querystring))) };
    };
  },
};

/** The routes of the dates of tasks that repeat. */
export const occurrenceRoutes = { listOccurrences, previewOccurrences };
