import Router from '@koa/router';
import type { TaskUseCases, TokenVerifier } from '@todo-backend/application';
import { isCompleted, type Task } from '@todo-backend/domain';
import type { ParameterizedContext } from 'koa';
import { authenticate } from './authenticate.js';
import { limitFailures, limitUser, type RateLimits } from './rate-limit.js';
import { jsonBody } from './request-body.js';

/** The tasks of one user, under `/api/{user_id}`. Nothing in here is reached without that user's token. */
export function taskRoutes(tasks: TaskUseCases, tokens: TokenVerifier, limits: RateLimits): Router {
  const router = new Router({ prefix: '/api/:user_id', sensitive: true, strict: true });
  const body = jsonBody();
  router.use(limitFailures(limits.failuresPerAddress), authenticate(tokens), limitUser(limits.perUser));

  router.get('/tasks', async (ctx) => {
    const found = await tasks.list(ctx.state.userId, queryOf(ctx));
    ctx.body = found.map(toJson);
  });

  router.post('/tasks', body, async (ctx) => {
    const task = await tasks.create(ctx.state.userId, ctx.request.body);
    ctx.status = 201;
    ctx.set('Location', `/api/${encodeURIComponent(task.userId)}/tasks/${task.id}`);
    ctx.body = toJson(task);
  });

  router.get('/tasks/:task_id', async (ctx) => {
    ctx.body = toJson(await tasks.get(ctx.state.userId, ctx.params.task_id));
  });

  router.put('/tasks/:task_id', body, async (ctx) => {
    ctx.body = toJson(await tasks.update(ctx.state.userId, ctx.params.task_id, ctx.request.body));
  });

  router.patch('/tasks/:task_id/complete', body, async (ctx) => {
    ctx.body = toJson(await tasks.complete(ctx.state.userId, ctx.params.task_id, ctx.request.body));
  });

  router.delete('/tasks/:task_id', async (ctx) => {
    await tasks.remove(ctx.state.userId, ctx.params.task_id);
    ctx.status = 204;
  });

  router.get('/stats', async (ctx) => {
    ctx.body = await tasks.count(ctx.state.userId);
  });

  return router;
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

/** The query string by name: a text, or an array of texts where the name is given more than once. */
function queryOf(ctx: ParameterizedContext): Record<string, string | string[]> {
  const parameters = new URLSearchParams(ctx.querystring);
  return Object.fromEntries(
    [...new Set(parameters.keys())].map((name) => {
      const values = parameters.getAll(name);
      return [name, values.length === 1 ? (values[0] ?? '') : values];
    }),
  );
}
