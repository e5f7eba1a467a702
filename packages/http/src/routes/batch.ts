import { BATCH_MAX_OPERATIONS, type OperationResult, presentTask, unchecked } from '@todo-backend/application';
import { changeOptions } from '../middleware/conditions.js';
import { sizeOf } from '../middleware/json-body.js';
import { statusOf } from '../middleware/problem-details.js';
import { later, milk } from './examples.js';
import { json, type Route, ref } from './route.js';

/** Maximum bytes of a batch: fits a hundred of the longest tasks with every character escaped (`\ud83d\ude00`). */
export const BATCH_LIMIT = 3 * 1024 * 1024;

export const batchTasks: Route = {
  id: 'batchTasks',
  method: 'post',
  path: '/api/{user_id}/tasks/batch',
  tag: 'Tasks',
  summary: 'Create, change, complete and delete many tasks at once',
  description: `Does up to ${BATCH_MAX_OPERATIONS} things in one transaction: all of them or, with the problems of every operation, nothing. With \`atomic\` false it does what it can, and says of each what became of it. The body may have ${sizeOf(BATCH_LIMIT)}.`,
  headers: ['Idempotency-Key'],
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
      headers: ['Journal-Position'],
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
  handle:
    ({ tasks }) =>
    async (ctx) => {
      const results = await tasks.batch(ctx.state.userId, unchecked(ctx.request.body), changeOptions(ctx));
      ctx.body = { results: results.map(presentResult) };
    },
};

/** One result of a batch, with the status that the operation would have as a single request. */
function presentResult(result: OperationResult) {
  if ('code' in result) return { status: statusOf(result.code), errors: result.problems };
  const { op, task } = result;
  if (task === null) return { status: 204 };
  return { status: op === 'create' ? 201 : 200, task: presentTask(task) };
}
