import { IMPORT_MAX_TASKS, PRESENTED_FIELDS, parse, unchecked } from '@todo-backend/application';
import { stringify } from 'csv-stringify/sync';
import * as v from 'valibot';
import { changeOptions } from '../middleware/conditions.js';
import { sizeOf } from '../middleware/json-body.js';
import { later, milk } from './examples.js';
import { decoder } from './query.js';
import { JSON_ARRAY, sendTasks, type TasksFormat } from './responses.js';
import { json, type Query, type Route, ref } from './route.js';

/** Maximum bytes of an import: ten thousand tasks of 1 KB. */
export const IMPORT_LIMIT = 10 * 1024 * 1024;

const ExportQuerySchema = v.object({
  format: v.optional(
    v.pipe(
      v.picklist(['json', 'csv'], 'Parameter format must be json or csv.'),
      v.metadata({ description: 'JSON can be imported again; CSV is for spreadsheets.' }),
    ),
    'json',
  ),
});

/** CSV for spreadsheets, escaped so that a title is not read as a formula. */
function toCsv(tasks: readonly object[], isFirst = true): string {
  const cast = { boolean: String };
  return stringify([...tasks], {
    header: isFirst,
    columns: [...PRESENTED_FIELDS],
    cast,
    escape_formulas: true,
    bom: isFirst,
  });
}

const FORMATS: Record<'json' | 'csv', TasksFormat> = {
  json: { ...JSON_ARRAY, whole: (tasks) => JSON.stringify({ tasks }), start: '{"tasks":[', end: ']}' },
  csv: { type: 'csv', whole: toCsv, start: '', part: toCsv, end: '' },
};

const exportQuery: Query = { schema: ExportQuerySchema, mistake: { format: 'xml' } };

export const exportTasks: Route = {
  id: 'exportTasks',
  method: 'get',
  path: '/api/{user_id}/tasks/export',
  tag: 'Tasks',
  summary: 'Export all tasks',
  description: 'All tasks of the user, oldest first, as a file.',
  query: exportQuery,
  isLong: true,
  answers: {
    200: {
      description: 'The file.',
      headers: ['Content-Disposition', 'Journal-Position'],
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
  handle({ tasks }) {
    const decode = decoder(exportQuery);
    return async (ctx) => {
      const { format } = parse(ExportQuerySchema, decode(ctx.querystring));
      const found = await tasks.stream(ctx.state.userId, { sortOrder: 'asc' });
      ctx.attachment(`tasks.${format}`);
      ctx.set('Journal-Position', found.position);
      sendTasks(ctx, found, FORMATS[format]);
    };
  },
};

export const importTasks: Route = {
  id: 'importTasks',
  method: 'post',
  path: '/api/{user_id}/tasks/import',
  tag: 'Tasks',
  summary: 'Import tasks',
  description: `Creates up to ${IMPORT_MAX_TASKS.toLocaleString('en')} tasks as an export has them, with their status and times, and new ids: all of them or, with every problem, none. The body may have ${sizeOf(IMPORT_LIMIT)}.`,
  headers: ['Idempotency-Key'],
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
      headers: ['Journal-Position'],
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
  errors: ['TASK_LIMIT_REACHED'],
  handle:
    ({ tasks }) =>
    async (ctx) => {
      const imported = await tasks.import(ctx.state.userId, unchecked(ctx.request.body), changeOptions(ctx));
      ctx.status = 201;
      ctx.body = { imported };
    },
};
