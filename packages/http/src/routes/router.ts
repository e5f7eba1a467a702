import Router, { type RouterMiddleware } from '@koa/router';
import { compressed } from '../middleware/compression.js';
import { FairShare, whenTaken } from '../middleware/fair-share.js';
import { jsonBody } from '../middleware/json-body.js';
import { refuseMethod } from '../middleware/no-such-route.js';
import { assertListening } from '../middleware/user.js';
import { onTheWire } from './problems.js';
import { needsToken, type Route, type RouteParts, USER_PATH } from './route.js';

/** The routes of a user, behind `authenticate`, and those that need no token. */
export function routers(routes: readonly Route[], parts: RouteParts, authenticate: RouterMiddleware): Router[] {
  const options = { sensitive: true, strict: true };
  const ofUser = new Router({ ...options, prefix: koaPath(USER_PATH) });
  const open = new Router(options);
  ofUser.use(authenticate);
  const shares = new FairShare();
  const body = jsonBody();
  const bodyOf = ({ body: wanted }: Route): RouterMiddleware[] => {
    if (wanted === undefined) return [];
    return wanted.limit === undefined ? [body] : [shares.largeBody, jsonBody(wanted.limit)];
  };
  for (const route of routes) {
    const isOfUser = needsToken(route);
    const path = koaPath(isOfUser ? route.path.slice(USER_PATH.length) : route.path);
    const before = [...(route.isLong ? [compressed] : []), ...bodyOf(route)];
    (isOfUser ? ofUser : open)[route.method](path, ...before, handlerOf(route, parts, shares));
    if (isAlsoTask(route.path)) {
      const ofPath = routes.filter((other) => other.path === route.path);
      if (ofPath.at(-1) !== route) continue;
      // The routes of a task come later, and would take the last part of the path for an id.
      const methods = ofPath.map(({ method }) => method.toUpperCase());
      ofUser.all(path, (ctx) => refuseMethod(ctx, methods));
    }
  }
  // The most used routes come first.
  return [ofUser, open];
}

/** Whether a path is also one of a task, with its last part for the id. */
function isAlsoTask(path: string): boolean {
  return path.startsWith(`${USER_PATH}/tasks/`) && !path.includes('{task_id}');
}

function handlerOf(route: Route, parts: RouteParts, shares: FairShare): RouterMiddleware {
  const { handle, query, method } = route;
  const handler = handle(parts);
  const isChange = needsToken(route) && method !== 'get';
  const answer: RouterMiddleware = async (ctx) => {
    try {
      await handler(ctx);
      // Nothing was changed, or not by this request: what it says is no newer than this.
      if (isChange && !ctx.res.hasHeader('Journal-Position')) {
        ctx.set('Journal-Position', await parts.journal.position(ctx.state.userId));
      }
    } catch (error) {
      throw onTheWire(error, query, ctx.querystring);
    }
  };
  return async (ctx, next) => {
    const { userId } = ctx.state;
    if (userId === undefined) return answer(ctx, next);
    const turns = shares.turnsOf(ctx.method);
    const turn = turns.begin(userId);
    if (turn !== undefined) await turn;
    try {
      if (turn !== undefined) assertListening(ctx);
      return await answer(ctx, next);
    } finally {
      whenTaken(ctx, () => turns.end(userId));
    }
  };
}

/** Converts `{name}` of OpenAPI to `:name` of the router. */
function koaPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}
