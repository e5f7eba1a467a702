import { presentTask } from '@todo-backend/application';
import type { Task } from '@todo-backend/domain';
import type { ParameterizedContext } from 'koa';
import { taskTag } from '../middleware/conditions.js';

/** Responds with a task and its entity tag. */
export function sendTask(ctx: ParameterizedContext, task: Task): void {
  ctx.set('ETag', `"${taskTag(task)}"`);
  ctx.body = presentTask(task);
}

/** Links to the next page (RFC 8288). Relative, because the public URL behind a proxy is unknown. */
export function linkToNext(ctx: ParameterizedContext, cursor: string | undefined): void {
  if (cursor === undefined) return;
  const parameters = new URLSearchParams(ctx.querystring);
  parameters.set('cursor', cursor);
  ctx.set('Link', `<?${parameters}>; rel="next"`);
}
