/** Fastify, Drizzle and @fastify/jwt: what one picks for speed, with their own means to it (schemas, prepared statements, token cache). */
import { createPublicKey } from 'node:crypto';
import jwt from '@fastify/jwt';
import { and, asc, count, desc, eq, ilike, or, type SQL, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { boolean, pgEnum, pgTable, text, timestamp, uuid, varchar } from 'drizzle-orm/pg-core';
import Fastify, { type FastifyError } from 'fastify';
import pg from 'pg';
import { v7 as uuidV7 } from 'uuid';
import { HttpError, likePattern, loadKeys, notFound, parseDueDate, problem, settings, showDueDate } from './shared.ts';

const PRIORITIES = ['low', 'medium', 'high'] as const;
const CATEGORIES = ['work', 'personal', 'home', 'other'] as const;
const STATUSES = ['pending', 'completed'] as const;
const tasks = pgTable('tasks', {
  id: uuid('id').primaryKey(),
  title: varchar('title', { length: 255 }).notNull(),
  description: text('description'),
  priority: pgEnum('task_priority', PRIORITIES)('priority').notNull(),
  category: pgEnum('task_category', CATEGORIES)('category').notNull(),
  status: pgEnum('task_status', STATUSES)('status').notNull(),
  completed: boolean('completed').generatedAlwaysAs(sql`"status" = 'completed'`),
  dueDate: timestamp('dueDate', { precision: 3 }),
  dueDateIsFloating: boolean('dueDateIsFloating').notNull(),
  createdAt: timestamp('createdAt', { precision: 3, withTimezone: true }).notNull(),
  updatedAt: timestamp('updatedAt', { precision: 3, withTimezone: true }).notNull(),
  userId: text('userId').notNull(),
});
type Row = typeof tasks.$inferSelect;

const db = drizzle(new pg.Pool({ connectionString: settings.databaseUrl, max: settings.poolSize }));
const userId = sql.placeholder('userId');
const mine = eq(tasks.userId, userId);
const thisOne = and(eq(tasks.id, sql.placeholder('id')), mine);
const statements = {
  list: db.select().from(tasks).where(mine).orderBy(desc(tasks.createdAt), desc(tasks.id)).prepare('list'),
  find: db.select().from(tasks).where(thisOne).prepare('find'),
  stats: db
    .select({
      total: count(),
      pending: sql<number>`(count(*) filter (where ${tasks.status} = 'pending'))::int`,
      completed: sql<number>`(count(*) filter (where ${tasks.status} = 'completed'))::int`,
    })
    .from(tasks)
    .where(mine)
    .prepare('stats'),
};

const [key] = await loadKeys();
if (key === undefined) throw new Error('There is no key.');
const publicKey = createPublicKey({ key: { ...key }, format: 'jwk' });
const app = Fastify({ logger: settings.logLevel === 'silent' ? false : { level: settings.logLevel, base: null } });
await app.register(jwt, {
  secret: { public: publicKey.export({ type: 'spki', format: 'pem' }).toString() },
  verify: {
    algorithms: ['EdDSA'],
    allowedIss: settings.issuer,
    allowedAud: settings.issuer,
    requiredClaims: ['exp', 'sub'],
    cache: 10_000,
  },
});

app.setErrorHandler((error: FastifyError | HttpError, request, reply) => {
  const status = error instanceof HttpError ? error.status : 'validation' in error ? 422 : (error.statusCode ?? 500);
  if (status >= 500) request.log.error(error);
  const errors =
    'validation' in error
      ? error.validation?.map(({ instancePath, message = '' }) => ({ field: instancePath.slice(1), message }))
      : undefined;
  reply
    .code(status)
    .type('application/problem+json')
    .send(problem(status, error.message, errors));
});

app.addHook<{ Params: { user_id: string } }>('onRequest', async (request) => {
  const { sub } = await request.jwtVerify<{ sub: string }>().catch(() => {
    throw new HttpError(401, 'Please sign in.');
  });
  if (sub !== request.params.user_id) throw new HttpError(403, 'You can only use your own tasks.');
});

const anyCase = (values: readonly string[]) => ({
  type: 'string',
  pattern: `^(?:${values.map(inAnyCase).join('|')})$`,
});
const content = {
  title: { type: 'string', pattern: '\\S', maxLength: 255 },
  description: { type: ['string', 'null'], maxLength: 1000 },
  priority: anyCase(PRIORITIES),
  category: anyCase(CATEGORIES),
  dueDate: { type: ['string', 'null'] },
};
const newTask = { type: 'object', required: ['title', 'priority', 'category'], properties: content };
const changes = { type: 'object', properties: content };
const query = {
  type: 'object',
  properties: {
    status: anyCase(STATUSES),
    priority: anyCase(PRIORITIES),
    category: anyCase(CATEGORIES),
    search: { type: 'string', maxLength: 2000 },
    sort_by: { enum: ['createdAt', 'updatedAt', 'dueDate', 'priority', 'title'] },
    sort_order: { enum: ['asc', 'desc'] },
  },
};
const string = { type: 'string' };
const task = {
  type: 'object',
  properties: {
    id: string,
    title: string,
    description: { type: 'string', nullable: true },
    priority: string,
    category: string,
    status: string,
    completed: { type: 'boolean' },
    dueDate: { type: 'string', nullable: true },
    createdAt: { type: 'string', format: 'date-time' },
    updatedAt: { type: 'string', format: 'date-time' },
    userId: string,
  },
};
const counts = {
  type: 'object',
  properties: { total: { type: 'integer' }, pending: { type: 'integer' }, completed: { type: 'integer' } },
};
const params = { type: 'object', properties: { user_id: string, task_id: { type: 'string', format: 'uuid' } } };

interface Task {
  Params: { user_id: string; task_id: string };
}
interface Content {
  title: string;
  description?: string | null;
  priority: string;
  category: string;
  dueDate?: string | null;
}
interface Query {
  status?: string;
  priority?: string;
  category?: string;
  search?: string;
  sort_by?: 'createdAt' | 'updatedAt' | 'dueDate' | 'priority' | 'title';
  sort_order?: 'asc' | 'desc';
}

app.get<Task & { Querystring: Query }>(
  '/api/:user_id/tasks',
  { schema: { params, querystring: query, response: { 200: { type: 'array', items: task } } } },
  async ({ params, query }) => {
    const rows =
      Object.keys(query).length === 0
        ? await statements.list.execute({ userId: params.user_id })
        : await search(params.user_id, query);
    return rows.map(toJson);
  },
);

app.post<Task & { Body: Content }>(
  '/api/:user_id/tasks',
  { schema: { params, body: newTask, response: { 201: task } } },
  async ({ params, body }, reply) => {
    const now = new Date();
    const values = { description: null, dueDate: null, dueDateIsFloating: false, ...columns(body) };
    const row = only(
      await db
        .insert(tasks)
        .values({
          ...(values as Content & typeof values & Pick<Row, 'priority' | 'category'>),
          id: uuidV7(),
          userId: params.user_id,
          status: 'pending',
          createdAt: now,
          updatedAt: now,
        })
        .returning(),
    );
    return reply.code(201).header('Location', `/api/${row.userId}/tasks/${row.id}`).send(toJson(row));
  },
);

app.get<Task>('/api/:user_id/tasks/:task_id', { schema: { params, response: { 200: task } } }, async ({ params }) =>
  toJson(only(await statements.find.execute({ id: params.task_id, userId: params.user_id }))),
);

app.put<Task & { Body: Partial<Content> }>(
  '/api/:user_id/tasks/:task_id',
  { schema: { params, body: changes, response: { 200: task } } },
  async ({ params, body }) => {
    const wanted = columns(body);
    const names = Object.keys(wanted) as (keyof typeof wanted)[];
    const differs = names.map((name) => sql`${tasks[name]} is distinct from ${sql.param(wanted[name], tasks[name])}`);
    const own = and(eq(tasks.id, params.task_id), eq(tasks.userId, params.user_id));
    const changed =
      names.length === 0
        ? []
        : await db
            .update(tasks)
            .set({ ...wanted, updatedAt: new Date() })
            .where(and(own, or(...differs)))
            .returning();
    if (changed.length > 0) return toJson(only(changed));
    return toJson(only(await statements.find.execute({ id: params.task_id, userId: params.user_id })));
  },
);

app.patch<Task & { Body: { completed?: boolean } | null | undefined }>(
  '/api/:user_id/tasks/:task_id/complete',
  { schema: { params, response: { 200: task } }, preValidation: async (request) => checkCompletion(request.body) },
  async ({ params, body }) => {
    const completed = body?.completed;
    const status =
      completed === undefined
        ? sql<Row['status']>`case when ${tasks.completed} then 'pending' else 'completed' end::task_status`
        : completed
          ? 'completed'
          : 'pending';
    const own = and(eq(tasks.id, params.task_id), eq(tasks.userId, params.user_id));
    const isOther = typeof status === 'string' ? sql`${tasks.status} <> ${status}` : undefined;
    const changed = await db.update(tasks).set({ status, updatedAt: new Date() }).where(and(own, isOther)).returning();
    if (changed.length > 0) return toJson(only(changed));
    return toJson(only(await statements.find.execute({ id: params.task_id, userId: params.user_id })));
  },
);

app.delete<Task>('/api/:user_id/tasks/:task_id', { schema: { params } }, async ({ params }, reply) => {
  const own = and(eq(tasks.id, params.task_id), eq(tasks.userId, params.user_id));
  const { rowCount } = await db.delete(tasks).where(own);
  if (rowCount === 0) throw notFound();
  return reply.code(204).send();
});

app.get<Task>('/api/:user_id/stats', { schema: { params, response: { 200: counts } } }, async ({ params }) => {
  const [found] = await statements.stats.execute({ userId: params.user_id });
  return found;
});

await app.listen({ port: settings.port, host: settings.host });

async function search(user: string, { status, priority, category, search, ...sort }: Query): Promise<Row[]> {
  const { sort_by = 'createdAt', sort_order = 'desc' } = sort;
  const direction = sort_order === 'asc' ? asc : desc;
  const pattern = search ? likePattern(search) : undefined;
  const key: SQL = sort_by === 'title' ? sql`lower(${tasks.title})` : sql`${tasks[sort_by]}`;
  return db
    .select()
    .from(tasks)
    .where(
      and(
        eq(tasks.userId, user),
        status ? eq(tasks.status, status.toLowerCase() as Row['status']) : undefined,
        priority ? eq(tasks.priority, priority.toLowerCase() as Row['priority']) : undefined,
        category ? eq(tasks.category, category.toLowerCase() as Row['category']) : undefined,
        pattern ? or(ilike(tasks.title, pattern), ilike(tasks.description, pattern)) : undefined,
      ),
    )
    .orderBy(sql`${direction(key)} nulls last`, direction(tasks.createdAt), direction(tasks.id));
}

/** The columns that the body names. */
function columns({ title, description, priority, category, dueDate }: Partial<Content>) {
  const parsed = dueDate ? parseDueDate(dueDate) : undefined;
  if (dueDate && parsed === undefined) throw new HttpError(422, 'Due date must be a date.');
  return {
    ...(title !== undefined && { title: title.trim() }),
    ...(description !== undefined && { description }),
    ...(priority !== undefined && { priority: priority.toLowerCase() as Row['priority'] }),
    ...(category !== undefined && { category: category.toLowerCase() as Row['category'] }),
    ...(dueDate !== undefined && {
      dueDate: parsed ? new Date(`${parsed.dueDate}Z`) : null,
      dueDateIsFloating: parsed?.dueDateIsFloating ?? false,
    }),
  };
}

function checkCompletion(body: unknown): void {
  const completed = (body as { completed?: unknown } | null | undefined)?.completed;
  if (completed !== undefined && typeof completed !== 'boolean')
    throw new HttpError(422, 'Completed must be a boolean.');
}

function inAnyCase(word: string): string {
  return [...word].map((letter) => `[${letter}${letter.toUpperCase()}]`).join('');
}

function only([row]: Row[]): Row {
  if (row === undefined) throw notFound();
  return row;
}

function toJson({ dueDate, dueDateIsFloating, ...row }: Row) {
  return { ...row, dueDate: showDueDate(dueDate, dueDateIsFloating) };
}
