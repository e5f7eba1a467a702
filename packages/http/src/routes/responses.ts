import { Readable } from 'node:stream';
import { type PresentedTask, presentTask, type TaskListing, UnavailableError } from '@todo-backend/application';
import type { Task } from '@todo-backend/domain';
import type { ParameterizedContext } from 'koa';
import { taskTag } from '../middleware/conditions.js';

/** Responds with a task and its entity tag. */
export function sendTask(ctx: ParameterizedContext, task: Task): void {
  ctx.set('ETag', `"${taskTag(task)}"`);
  ctx.body = presentTask(task);
}

/** A text of any number of tasks, which can be written in parts. */
export interface TasksFormat {
  /** The media type, or its file extension. */
  readonly type: string;
  /** All tasks at once. */
  readonly whole: (tasks: readonly PresentedTask[]) => string;
  readonly start: string;
  readonly part: (tasks: readonly PresentedTask[], isFirst: boolean) => string;
  readonly end: string;
}

/** A JSON array of tasks. */
export const JSON_ARRAY: TasksFormat = {
  type: 'json',
  whole: (tasks) => JSON.stringify(tasks),
  start: '[',
  part: (tasks, isFirst) => `${isFirst ? '' : ','}${JSON.stringify(tasks).slice(1, -1)}`,
  end: ']',
};

/** Bytes of a long list that are read before the client takes them: until then they keep a connection busy. */
const READ_AHEAD = 4 * 1024 * 1024;

/** Long lists that are sent at once, to all users. */
const MAX_LONG_LISTS = 32;

let longLists = 0;

/** Responds with tasks: with a long list in parts, so that it is never in memory as a whole. */
export function sendTasks(ctx: ParameterizedContext, listing: TaskListing, format: TasksFormat): void {
  ctx.type = format.type;
  const { tasks, rest } = listing;
  if (rest === undefined) {
    ctx.body = format.whole(tasks.map(presentTask));
    return;
  }
  const body = Readable.from(partsOf(tasks, rest, format), { objectMode: false, highWaterMark: READ_AHEAD });
  // What was sent so far must not look like all of it.
  body.once('error', () => ctx.res.destroy());
  longLists++;
  // Also where nobody has read a part of it. What fails there has failed for the reader already.
  body.once('close', () => {
    longLists--;
    rest.return().catch(() => {});
  });
  if (longLists > MAX_LONG_LISTS) {
    body.destroy();
    throw new UnavailableError(
      'Too many long lists are being sent. Please try again in a moment, or ask for pages with limit.',
    );
  }
  ctx.body = body;
}

async function* partsOf(
  tasks: readonly Task[],
  rest: AsyncIterable<TaskListing>,
  { start, part, end }: TasksFormat,
): AsyncGenerator<string, void> {
  yield start + part(tasks.map(presentTask), true);
  for await (const { tasks } of rest) yield part(tasks.map(presentTask), false);
  if (end !== '') yield end;
}

/** Links to the next page (RFC 8288). Relative, because the public URL behind a proxy is unknown. */
export function linkToNext(
  ctx: ParameterizedContext,
  next: string | undefined,
  parameter: 'cursor' | 'after' = 'cursor',
): void {
  if (next === undefined) return;
  const parameters = new URLSearchParams(ctx.querystring);
  parameters.set(parameter, next);
  ctx.set('Link', `<?${parameters}>; rel="next"`);
}
