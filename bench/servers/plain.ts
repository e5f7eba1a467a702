/** Koa, `pg` and jose, as a careful person writes it in an afternoon. */
import Router from '@koa/router';
import { createLocalJWKSet, jwtVerify } from 'jose';
import Koa from 'koa';
import bodyParser from 'koa-bodyparser';
import pg from 'pg';
import { pino } from 'pino';
import { v7 as uuid } from 'uuid';
import {
  Completion,
  HttpError,
  likePattern,
  loadKeys,
  NewTask,
  notFound,
  parse,
  problem,
  settings,
  showDueDate,
  TaskChanges,
  TaskId,
  TaskQuery,
} from './shared.ts';

interface Row {
  id: string;
  title: string;
  description: string | null;
  priority: string;
  category: string;
  status: string;
  completed: boolean;
  dueDate: Date | null;
  dueDateIsFloating: boolean;
  createdAt: Date;
  updatedAt: Date;
  userId: string;
}

// The wall clock of a `timestamp` is read as UTC, and not in the zone of this machine.
pg.types.setTypeParser(pg.types.builtins.TIMESTAMP, (text) => new Date(`${text.replace(' ', 'T')}Z`));
const pool = new pg.Pool({ connectionString: settings.databaseUrl, max: settings.poolSize });
const keys = createLocalJWKSet({ keys: await loadKeys() });
const logger = pino({ level: settings.logLevel, base: null });

const app = new Koa();
app.use(async (ctx, next) => {
  const start = performance.now();
  await next();
  logger.info({ method: ctx.method, path: ctx.path, status: ctx.status, ms: performance.now() - start }, 'request');
});
app.use(async (ctx, next) => {
  try {
    await next();
  } catch (error) {
    const known = error instanceof HttpError ? error : undefined;
    if (!known) logger.error(error);
    ctx.status = known?.status ?? 500;
    ctx.body = problem(ctx.status, known?.message ?? 'Something went wrong.', known?.errors);
    ctx.type = 'application/problem+json';
  }
});
app.use(bodyParser({ enableTypes: ['json'], jsonLimit: '100kb' }));

const router = new Router({ prefix: '/api/:user_id' });
router.use(async (ctx, next) => {
  const [, token] = /^Bearer (.+)$/.exec(ctx.get('Authorization')) ?? [];
  if (token === undefined) throw new HttpError(401, 'Please sign in.');
  const { payload } = await jwtVerify(token, keys, {
    algorithms: ['EdDSA'],
    issuer: settings.issuer,
    audience: settings.issuer,
    requiredClaims: ['exp', 'sub'],
  }).catch(() => {
    throw new HttpError(401, 'The token is not valid.');
  });
  if (payload.sub !== ctx.params.user_id) throw new HttpError(403, 'You can only use your own tasks.');
  await next();
});

router.get('/tasks', async (ctx) => {
  const query = parse(TaskQuery, ctx.query);
  const values: unknown[] = [ctx.params.user_id];
  const conditions = ['"userId" = $1'];
  const value = (given: unknown) => `$${values.push(given)}`;
  for (const column of ['status', 'priority', 'category'] as const) {
    if (query[column]) conditions.push(`${column} = ${value(query[column])}`);
  }
  if (query.search) {
    const pattern = value(likePattern(query.search));
    conditions.push(`(title ilike ${pattern} or description ilike ${pattern})`);
  }
  const order = query.sort_order;
  const key = query.sort_by === 'title' ? 'lower(title)' : `"${query.sort_by}"`;
  const { rows } = await pool.query<Row>(
    `select * from tasks where ${conditions.join(' and ')}
     order by ${key} ${order} nulls last, "createdAt" ${order}, id ${order}`,
    values,
  );
  ctx.body = rows.map(toJson);
});

router.post('/tasks', async (ctx) => {
  const { title, description, priority, category, dueDate } = parse(NewTask, ctx.request.body);
  const { rows } = await pool.query<Row>(
    `insert into tasks (id, "userId", title, description, priority, category, status, "dueDate", "dueDateIsFloating", "createdAt", "updatedAt")
     values ($1, $2, $3, $4, $5, $6, 'pending', $7, $8, now(), now()) returning *`,
    [
      uuid(),
      ctx.params.user_id,
      title,
      description,
      priority,
      category,
      dueDate?.dueDate ?? null,
      dueDate?.dueDateIsFloating ?? false,
    ],
  );
  const task = only(rows);
  ctx.status = 201;
  ctx.set('Location', `/api/${task.userId}/tasks/${task.id}`);
  ctx.body = toJson(task);
});

router.get('/tasks/:task_id', async (ctx) => {
  const id = parse(TaskId, ctx.params.task_id);
  const { rows } = await pool.query<Row>('select * from tasks where id = $1 and "userId" = $2', [
    id,
    ctx.params.user_id,
  ]);
  ctx.body = toJson(only(rows));
});

router.put('/tasks/:task_id', async (ctx) => {
  const id = parse(TaskId, ctx.params.task_id);
  const { dueDate, ...changes } = parse(TaskChanges, ctx.request.body);
  const columns: Record<string, unknown> = { ...changes };
  if (dueDate !== undefined) {
    columns.dueDate = dueDate?.dueDate ?? null;
    columns.dueDateIsFloating = dueDate?.dueDateIsFloating ?? false;
  }
  const given = Object.entries(columns).filter(([, value]) => value !== undefined);
  const values: unknown[] = [id, ctx.params.user_id, ...given.map(([, value]) => value)];
  const set = given.map(([name], index) => `"${name}" = $${index + 3}`);
  const differs = given.map(([name], index) => `"${name}" is distinct from $${index + 3}`);
  const { rows } =
    given.length === 0
      ? { rows: [] }
      : await pool.query<Row>(
          `update tasks set ${set.join(', ')}, "updatedAt" = now()
           where id = $1 and "userId" = $2 and (${differs.join(' or ')}) returning *`,
          values,
        );
  // Nothing was changed: because there was nothing to change, or no such task.
  const unchanged = rows[0]
    ? rows
    : (await pool.query<Row>('select * from tasks where id = $1 and "userId" = $2', [id, ctx.params.user_id])).rows;
  ctx.body = toJson(only(unchanged));
});

router.patch('/tasks/:task_id/complete', async (ctx) => {
  const id = parse(TaskId, ctx.params.task_id);
  const { completed } = parse(Completion, ctx.request.body ?? {});
  const { rows } = await pool.query<Row>(
    `update tasks set status = case when coalesce($3, not completed) then 'completed' else 'pending' end::task_status,
       "updatedAt" = case when completed is distinct from $3 then now() else "updatedAt" end
     where id = $1 and "userId" = $2 returning *`,
    [id, ctx.params.user_id, completed ?? null],
  );
  ctx.body = toJson(only(rows));
});

router.delete('/tasks/:task_id', async (ctx) => {
  const id = parse(TaskId, ctx.params.task_id);
  const { rowCount } = await pool.query('delete from tasks where id = $1 and "userId" = $2', [id, ctx.params.user_id]);
  if (rowCount === 0) throw notFound();
  ctx.status = 204;
});

router.get('/stats', async (ctx) => {
  const { rows } = await pool.query(
    `select count(*)::int as total, count(*) filter (where not completed)::int as pending,
       count(*) filter (where completed)::int as completed from tasks where "userId" = $1`,
    [ctx.params.user_id],
  );
  ctx.body = rows[0];
});

app.use(router.routes());
app.listen(settings.port, settings.host);

function only([row]: Row[]): Row {
  if (row === undefined) throw notFound();
  return row;
}

function toJson(row: Row) {
  return {
    id: row.id,
    title: row.title,
    description: row.description,
    priority: row.priority,
    category: row.category,
    status: row.status,
    completed: row.completed,
    dueDate: showDueDate(row.dueDate, row.dueDateIsFloating),
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
    userId: row.userId,
  };
}
