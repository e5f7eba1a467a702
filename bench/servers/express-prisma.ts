/** Express, Prisma, jose and zod: what most people pick. */
import { PrismaPg } from '@prisma/adapter-pg';
import express, { type ErrorRequestHandler, type RequestHandler } from 'express';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { pino } from 'pino';
import { v7 as uuid } from 'uuid';
import { PrismaClient, type Task } from '../generated/client.ts';
import {
  Completion,
  HttpError,
  loadKeys,
  NewTask,
  notFound,
  parse,
  problem,
  type StoredDueDate,
  settings,
  showDueDate,
  TaskChanges,
  TaskId,
  TaskQuery,
} from './shared.ts';

const prisma = new PrismaClient({
  adapter: new PrismaPg({ connectionString: settings.databaseUrl, max: settings.poolSize }),
});
const keys = createLocalJWKSet({ keys: await loadKeys() });
const logger = pino({ level: settings.logLevel, base: null });

const requestLog: RequestHandler = (request, response, next) => {
  const start = performance.now();
  response.on('finish', () => {
    const { method, path } = request;
    logger.info({ method, path, status: response.statusCode, ms: performance.now() - start }, 'request');
  });
  next();
};

const authenticate: RequestHandler = async (request, _response, next) => {
  const [, token] = /^Bearer (.+)$/.exec(request.get('Authorization') ?? '') ?? [];
  if (token === undefined) throw new HttpError(401, 'Please sign in.');
  const { payload } = await jwtVerify(token, keys, {
    algorithms: ['EdDSA'],
    issuer: settings.issuer,
    audience: settings.issuer,
    requiredClaims: ['exp', 'sub'],
  }).catch(() => {
    throw new HttpError(401, 'The token is not valid.');
  });
  if (payload.sub !== request.params.user_id) throw new HttpError(403, 'You can only use your own tasks.');
  next();
};

const answerError: ErrorRequestHandler = (error, _request, response, _next) => {
  const known = error instanceof HttpError ? error : undefined;
  if (!known) logger.error(error);
  const status = known?.status ?? error.status ?? 500;
  response
    .status(status)
    .type('application/problem+json')
    .send(JSON.stringify(problem(status, known?.message ?? 'Something went wrong.', known?.errors)));
};

type Params = { user_id: string; task_id: string };
const app = express();
app.use(requestLog);
app.use(express.json({ limit: '100kb' }));
const router = express.Router({ mergeParams: true });
app.use('/api/:user_id', authenticate, router);

router.get<Params>('/tasks', async (request, response) => {
  const { status, priority, category, search, sort_by, sort_order } = parse(TaskQuery, request.query);
  const contains = search ? { contains: search, mode: 'insensitive' as const } : undefined;
  const tasks = await prisma.task.findMany({
    where: {
      userId: request.params.user_id,
      ...(status && { status }),
      ...(priority && { priority }),
      ...(category && { category }),
      ...(contains && { OR: [{ title: contains }, { description: contains }] }),
    },
    orderBy: [
      { [sort_by]: sort_by === 'dueDate' ? { sort: sort_order, nulls: 'last' } : sort_order },
      { createdAt: sort_order },
      { id: sort_order },
    ],
  });
  response.json(tasks.map(toJson));
});

router.post<Params>('/tasks', async (request, response) => {
  const { dueDate, ...content } = parse(NewTask, request.body);
  const now = new Date();
  const task = await prisma.task.create({
    data: {
      ...content,
      ...dueDateColumns(dueDate),
      id: uuid(),
      status: 'pending',
      createdAt: now,
      updatedAt: now,
      userId: request.params.user_id,
    },
  });
  response.status(201).location(`/api/${task.userId}/tasks/${task.id}`).json(toJson(task));
});

router.get<Params>('/tasks/:task_id', async (request, response) => {
  response.json(toJson(await find(request.params)));
});

router.put<Params>('/tasks/:task_id', async (request, response) => {
  const { dueDate, ...content } = parse(TaskChanges, request.body);
  const before = await find(request.params);
  const wanted = { ...content, ...(dueDate !== undefined && dueDateColumns(dueDate)) };
  const given = Object.entries(wanted).filter(([, value]) => value !== undefined);
  const same = (a: unknown, b: unknown) => (a instanceof Date ? a.getTime() : a) === (b instanceof Date ? +b : b);
  const changes = given.filter(([name, value]) => !same(before[name as keyof Task], value));
  response.json(toJson(changes.length === 0 ? before : await save(before, Object.fromEntries(changes))));
});

router.patch<Params>('/tasks/:task_id/complete', async (request, response) => {
  const { completed } = parse(Completion, request.body ?? {});
  const before = await find(request.params);
  const status = (completed ?? before.status === 'pending') ? 'completed' : 'pending';
  response.json(toJson(status === before.status ? before : await save(before, { status })));
});

router.delete<Params>('/tasks/:task_id', async (request, response) => {
  const id = parse(TaskId, request.params.task_id);
  const { count } = await prisma.task.deleteMany({ where: { id, userId: request.params.user_id } });
  if (count === 0) throw notFound();
  response.status(204).end();
});

router.get<Params>('/stats', async (request, response) => {
  const groups = await prisma.task.groupBy({
    by: ['status'],
    where: { userId: request.params.user_id },
    _count: true,
  });
  const count = (status: string) => groups.find((group) => group.status === status)?._count ?? 0;
  const [pending, completed] = [count('pending'), count('completed')];
  response.json({ total: pending + completed, pending, completed });
});

app.use(answerError);
await prisma.$connect();
app.listen(settings.port, settings.host);

async function find(params: Params): Promise<Task> {
  const id = parse(TaskId, params.task_id);
  const task = await prisma.task.findFirst({ where: { id, userId: params.user_id } });
  if (task === null) throw notFound();
  return task;
}

async function save({ id, userId }: Task, changes: Partial<Task>): Promise<Task> {
  const [task] = await prisma.task.updateManyAndReturn({
    where: { id, userId },
    data: { ...changes, updatedAt: new Date() },
  });
  if (task === undefined) throw notFound();
  return task;
}

function dueDateColumns(dueDate: StoredDueDate | null) {
  return {
    dueDate: dueDate && new Date(`${dueDate.dueDate}Z`),
    dueDateIsFloating: dueDate?.dueDateIsFloating ?? false,
  };
}

function toJson(task: Task) {
  return {
    id: task.id,
    title: task.title,
    description: task.description,
    priority: task.priority,
    category: task.category,
    status: task.status,
    completed: task.status === 'completed',
    dueDate: showDueDate(task.dueDate, task.dueDateIsFloating),
    createdAt: task.createdAt,
    updatedAt: task.updatedAt,
    userId: task.userId,
  };
}
