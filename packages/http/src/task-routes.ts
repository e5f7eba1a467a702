import Router from '@koa/router';
import {
  ForbiddenError,
  type OperationResult,
  parseInput,
  type TaskPage,
  type TaskUseCases,
  type TokenVerifier,
} from '@todo-backend/application';
import { isCompleted, type Task } from '@todo-backend/domain';
import { stringify } from 'csv-stringify/sync';
import type { ParameterizedContext } from 'koa';
import * as v from 'valibot';
import { authenticate } from './authenticate.js';
import { changeOptions, isNotModified, revisionOptions, taskTag, versionTag } from './conditions.js';
import { statusOf } from './problem-details.js';
import { limitFailures, limitUser, type RateLimits } from './rate-limit.js';
import { jsonBody } from './request-body.js';

/** Bytes of a batch: a hundred of the longest tasks fit in, even where each character is escaped (`\ud83d\ude00`). */
export const BATCH_LIMIT = 2 * 1024 * 1024;

/** Bytes of an import: ten thousand tasks of a kilobyte. */
export const IMPORT_LIMIT = 10 * 1024 * 1024;

/** How to export, as names and values of a query string. */
export const ExportQuerySchema = v.object({
  format: v.optional(
    v.pipe(
      v.picklist(['json', 'csv'], 'Parameter format must be json or csv.'),
      v.metadata({ description: 'JSON can be imported again; CSV is for spreadsheets.' }),
    ),
    'json',
  ),
});

/** The tasks of one user, under `/api/{user_id}`. Nothing in here is reached without that user's token. */
export function taskRoutes(tasks: TaskUseCases, tokens: TokenVerifier, limits: RateLimits): Router {
  const router = new Router({ prefix: '/api/:user_id', sensitive: true, strict: true });
  const body = jsonBody();
  // Who fails, who it is, whose path it is, how much: in this order. One step, because the router looks at the address anew
  // for each.
  router.use(async (ctx, next) => {
    const userId = await limitFailures(ctx, limits.failuresPerAddress, () => authenticate(ctx, tokens));
    ctx.state.userId = userId;
    if (ctx.params.user_id !== userId) throw new ForbiddenError();
    await limitUser(ctx, limits.perUser, userId);
    return next();
  });

  router.get('/tasks', async (ctx) => {
    const { userId } = ctx.state;
    const query = queryOf(ctx);
    const knowsVersion = ctx.get('If-None-Match') !== '';
    if (knowsVersion && isNotModified(ctx, versionTag(await tasks.listVersion(userId, query)))) return;
    const page = await tasks.list(userId, query);
    sendPage(ctx, page);
    ctx.body = page.tasks.map(toJson);
  });

  router.post('/tasks', body, async (ctx) => {
    const task = await tasks.create(ctx.state.userId, ctx.request.body, changeOptions(ctx));
    ctx.status = 201;
    ctx.set('Location', `/api/${encodeURIComponent(task.userId)}/tasks/${task.id}`);
    sendTask(ctx, task);
  });

  router.post('/tasks/batch', jsonBody(BATCH_LIMIT), async (ctx) => {
    const results = await tasks.batch(ctx.state.userId, ctx.request.body, changeOptions(ctx));
    ctx.body = { results: results.map(toResult) };
  });

  router.get('/tasks/export', async (ctx) => {
    const { format } = parseInput({ query: ExportQuerySchema }, { query: queryOf(ctx) }).query;
    const { tasks: found } = await tasks.list(ctx.state.userId, { sort_order: 'asc' });
    ctx.attachment(`tasks.${format}`);
    if (format === 'json') ctx.body = { tasks: found.map(toJson) };
    else ctx.body = toCsv(found.map(toJson));
  });

  router.post('/tasks/import', jsonBody(IMPORT_LIMIT), async (ctx) => {
    const imported = await tasks.import(ctx.state.userId, ctx.request.body, changeOptions(ctx));
    ctx.status = 201;
    ctx.body = { imported };
  });

  router.get('/tasks/:task_id', async (ctx) => {
    const task = await tasks.get(ctx.state.userId, ctx.params.task_id);
    if (!isNotModified(ctx, taskTag(task))) ctx.body = toJson(task);
  });

  router.put('/tasks/:task_id', body, async (ctx) => {
    const { task_id } = ctx.params;
    sendTask(ctx, await tasks.update(ctx.state.userId, task_id, ctx.request.body, revisionOptions(ctx)));
  });

  router.patch('/tasks/:task_id/complete', body, async (ctx) => {
    const { task_id } = ctx.params;
    sendTask(ctx, await tasks.complete(ctx.state.userId, task_id, ctx.request.body, revisionOptions(ctx)));
  });

  router.delete('/tasks/:task_id', async (ctx) => {
    const { once: _, ...options } = revisionOptions(ctx);
    await tasks.remove(ctx.state.userId, ctx.params.task_id, options);
    ctx.status = 204;
  });

  router.get('/stats', async (ctx) => {
    const { version, ...counts } = await tasks.count(ctx.state.userId);
    if (!isNotModified(ctx, versionTag(version))) ctx.body = counts;
  });

  router.get('/audit', async (ctx) => {
    const { entries, next } = await tasks.history(ctx.state.userId, queryOf(ctx));
    linkToNext(ctx, next);
    ctx.body = entries;
  });

  return router;
}

function sendTask(ctx: ParameterizedContext, task: Task): void {
  ctx.set('ETag', `"${taskTag(task)}"`);
  ctx.body = toJson(task);
}

function sendPage(ctx: ParameterizedContext, { version, next }: TaskPage): void {
  ctx.set('ETag', `"${versionTag(version)}"`);
  linkToNext(ctx, next);
}

/** The same list from `cursor` on (RFC 8288). Relative: behind a proxy nobody knows the address from outside. */
function linkToNext(ctx: ParameterizedContext, cursor: string | undefined): void {
  if (cursor === undefined) return;
  const parameters = new URLSearchParams(ctx.querystring);
  parameters.set('cursor', cursor);
  ctx.set('Link', `<?${parameters}>; rel="next"`);
}

/** A task as clients see it: every key always there. */
function toJson(task: Task) {
  return {
    id: task.id,
    title: task.title,
    description: task.description,
    priority: task.priority,
    category: task.category,
    status: task.status,
    completed: isCompleted(task),
    dueDate: task.dueDate,
    createdAt: task.createdAt,
    updatedAt: task.updatedAt,
    userId: task.userId,
  };
}

/** A table for spreadsheets, which must not take a title for a formula. */
export function toCsv(tasks: readonly Readonly<Record<(typeof COLUMNS)[number], unknown>>[]): string {
  const cast = { boolean: String };
  return stringify([...tasks], { header: true, columns: COLUMNS, cast, escape_formulas: true, bom: true });
}

/** The columns of the CSV, in the order of {@link toJson}. */
const COLUMNS = [
  'id',
  'title',
  'description',
  'priority',
  'category',
  'status',
  'completed',
  'dueDate',
  'createdAt',
  'updatedAt',
  'userId',
] as const satisfies readonly (keyof ReturnType<typeof toJson>)[];

/** One result of a batch, with the status that the operation would have had on its own. */
function toResult(result: OperationResult) {
  if ('code' in result) return { status: statusOf(result.code), errors: result.problems };
  const { op, task } = result;
  if (task === null) return { status: 204 };
  return { status: op === 'create' ? 201 : 200, task: toJson(task) };
}

/** The query string by name: a text, or an array of texts where the name is given more than once. */
function queryOf(ctx: ParameterizedContext): Record<string, string | string[]> {
  const texts = new Map<string, string | string[]>();
  for (const [name, text] of new URLSearchParams(ctx.querystring)) {
    const earlier = texts.get(name);
    if (earlier === undefined) texts.set(name, text);
    else if (typeof earlier === 'string') texts.set(name, [earlier, text]);
    else earlier.push(text);
  }
  return Object.fromEntries(texts);
}
