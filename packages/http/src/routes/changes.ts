import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RouterContext } from '@koa/router';
import {
  type ChangesPage,
  ChangesQuerySchema,
  type JournalPosition,
  presentTask,
  ResyncRequiredError,
  type TaskChange,
  type TokenVerifier,
  UnauthenticatedError,
  UnavailableError,
  unchecked,
} from '@todo-backend/application';
import { authenticate, expiryOf } from '../middleware/authenticate.js';
import { whenClosed } from '../middleware/fair-share.js';
import { EVENT_STREAM, type LiveStream } from '../middleware/live-streams.js';
import { milk } from './examples.js';
import { decoder } from './query.js';
import { json, type Query, type Route, type RouteParts, ref } from './route.js';

const changesQuery: Query = {
  schema: ChangesQuerySchema,
  emptyIsAbsent: ['since'],
  mistake: { since: 'yesterday', limit: '1001' },
};

const example = { taskId: milk.id, position: '21f5c5de001' };

export const listChanges: Route = {
  id: 'listChanges',
  method: 'get',
  path: '/api/{user_id}/changes',
  tag: 'Journal',
  summary: 'Read what has changed since, or follow it',
  description: `The tasks that have changed since a position: each once, as it is now, in the order of its last change. Applying changes twice does no harm. A position is what the header \`Journal-Position\` of a list or of a change says; without \`since\` there are no changes, and the present position.

With \`Accept: ${EVENT_STREAM}\` it is a stream of server-sent events, which goes on: for each change an event \`change\`, whose \`id\` is its position and whose \`data\` is a \`StreamedChange\`. \`Last-Event-ID\` is as \`since\`. It ends when the token expires and when the server shuts down; come again, and nothing is missed.`,
  query: changesQuery,
  headers: ['Last-Event-ID'],
  isLong: true,
  answers: {
    200: {
      description: 'The changes.',
      headers: ['Journal-Position'],
      content: {
        ...json(ref('ChangesPage'), {
          changed: { changes: [{ ...example, task: milk }], position: example.position, more: false },
          deleted: { changes: [{ ...example, task: null }], position: example.position, more: false },
        }),
        [EVENT_STREAM]: {
          schema: {
            type: 'string',
            description: 'Server-sent events. The data of each change is a `StreamedChange`.',
            contentMediaType: 'application/json',
            contentSchema: ref('StreamedChange'),
          },
          examples: {
            change: `id: ${example.position}\nevent: change\ndata: ${JSON.stringify({
              ...example,
              task: null,
              type: 'todo.task.deleted.v1',
              actor: { type: 'user', id: 'alice' },
              correlationId: '4b692b42-5e59-46b9-ad0e-693a92ef6968',
            })}\n\n`,
          },
        },
      },
    },
  },
  errors: ['RESYNC_REQUIRED'],
  handle(parts) {
    const decode = decoder(changesQuery);
    return async (ctx) => {
      const query = decode(ctx.querystring);
      ctx.vary('Accept');
      if (ctx.method !== 'HEAD' && ctx.accepts('application/json', EVENT_STREAM) === EVENT_STREAM) {
        const last = ctx.get('Last-Event-ID');
        await sendStream(ctx, parts, last === '' ? query : { ...query, since: last });
        return;
      }
      const { changes, position, more } = await parts.journal.changes(ctx.state.userId, unchecked(query));
      ctx.set('Journal-Position', position);
      ctx.type = 'json';
      ctx.body = JSON.stringify({ changes: changes.map(presentChange), position, more });
    };
  },
};

function presentChange({ taskId, task, position }: TaskChange) {
  return { taskId, task: task === undefined ? null : presentTask(task), position };
}

/** Milliseconds without a change after which the client is told that the stream is alive: proxies close silent ones. */
const HEARTBEAT = 20_000;

/** The longest time that a timer can wait, in milliseconds. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

/** Milliseconds between two reads of a stream: what changes meanwhile is read at once. */
const PAUSE = 25;

/** Milliseconds to wait, at the least and at the most, so that not all clients come at once. */
const jittered = (least: number, most: number) => Math.round(least + Math.random() * (most - least));

/** Responds with changes as they come. Whatever is wrong with the request is said before the stream begins. */
async function sendStream(
  ctx: RouterContext,
  { journal, feed, streams, tokens }: RouteParts,
  query: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { userId } = ctx.state;
  const live = streams.start(ctx, userId);
  // Before the first read, so that nothing is missed.
  const unsubscribe = feed.subscribe(userId, live.hint);
  const expiry = setTimeout(live.end, Math.min(expiryOf(ctx, tokens) - Date.now(), LONGEST_TIMEOUT));
  const close = () => {
    clearTimeout(expiry);
    unsubscribe();
    streams.finish(userId, live);
  };
  try {
    const first = await journal.changes(userId, unchecked(query));
    const read = (since: JournalPosition) =>
      streams.share(JSON.stringify([userId, since]), () => journal.changes(userId, { since }));
    const texts = textsOf(follow(live, first, read), String(query.since ?? first.position), () => isLetIn(ctx, tokens));
    const body = Readable.from(
      untilStalled(texts, streams.patience, () => ctx.res.destroy()),
      { objectMode: false },
    );
    body.once('error', () => ctx.res.destroy());
    body.once('close', close);
    whenClosed(ctx, () => {
      live.end();
      body.destroy();
    });
    ctx.set({
      'Cache-Control': 'no-cache, no-transform',
      'X-Accel-Buffering': 'no',
      'Journal-Position': first.position,
    });
    ctx.type = EVENT_STREAM;
    ctx.body = body;
  } catch (error) {
    close();
    throw error;
  }
}

/**
 * Pages of changes as they come; `undefined` where there were none for a while. A page is read when the one before it was
 * taken, so that nothing waits in memory for a slow reader. Ends where the journal does not go on from the last position.
 */
async function* follow(
  live: LiveStream,
  first: ChangesPage,
  read: (since: JournalPosition) => Promise<ChangesPage>,
): AsyncGenerator<ChangesPage | undefined, void> {
  let page = first;
  live.position = first.position;
  while (!live.hasEnded) {
    if (page.changes.length > 0) yield page;
    while (!page.more && !live.hasEnded && !(await live.wakes(HEARTBEAT))) yield undefined;
    if (live.hasEnded) return;
    await sleep(PAUSE);
    try {
      page = await read(page.position);
      live.position = page.position;
    } catch (error) {
      if (error instanceof ResyncRequiredError) return;
      if (!(error instanceof UnavailableError)) throw error;
      page = { ...page, changes: [], more: false };
      if (!(await live.wakes(jittered(1_000, 3_000)))) yield undefined;
      live.wake();
    }
  }
}

/** The text of a stream. Ends when the client would not be let in any more. */
async function* textsOf(
  pages: AsyncGenerator<ChangesPage | undefined, void>,
  since: JournalPosition,
  isLetIn: () => Promise<boolean>,
): AsyncGenerator<string, void> {
  yield `retry: ${jittered(1_000, 3_000)}\nid: ${since}\n\n`;
  let checked = Date.now();
  for await (const page of pages) {
    if (Date.now() - checked >= HEARTBEAT) {
      if (!(await isLetIn())) return;
      checked = Date.now();
    }
    yield page === undefined ? ': still there\n\n' : page.changes.map(eventOf).join('');
  }
}

function eventOf(change: TaskChange): string {
  const { type, actor, correlationId } = change;
  const data = JSON.stringify({ ...presentChange(change), type, actor, correlationId });
  return `id: ${change.position}\nevent: change\ndata: ${data}\n\n`;
}

/** Whether the token is still good: it may have been revoked. */
async function isLetIn(ctx: RouterContext, tokens: TokenVerifier): Promise<boolean> {
  try {
    await authenticate(ctx, tokens);
    return true;
  } catch (error) {
    if (error instanceof UnauthenticatedError) return false;
    if (error instanceof UnavailableError) return true;
    throw error;
  }
}

/** Calls back when the client does not take what it was sent. */
async function* untilStalled(
  texts: AsyncGenerator<string, void>,
  patience: number,
  isStalled: () => void,
): AsyncGenerator<string, void> {
  for await (const text of texts) {
    const timeout = setTimeout(isStalled, patience);
    try {
      yield text;
    } finally {
      clearTimeout(timeout);
    }
  }
}
