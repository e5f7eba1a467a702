import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Batch, OperationResult, StreamedChange, Task } from '@todo-backend/client';

/** A request that came. */
export interface Asked {
  readonly method: string;
  /** The path after the user. */
  readonly path: string;
  readonly query: Record<string, string>;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
  readonly at: number;
}

type Answer = (response: ServerResponse, asked: Asked) => void;

export type Stub = Awaited<ReturnType<typeof startStub>>;

/**
 * A server on a socket with just enough of the API to be watched: tasks, their changes, and answers that a test
 * prescribes. Positions are the number of the change.
 */
export async function startStub() {
  const tasks = new Map<string, Task>();
  const log: StreamedChange[] = [];
  const streams = new Set<ServerResponse>();
  const asked: Asked[] = [];
  /** Answers of the next requests, in the place of the stub's own: by `GET /tasks`, or `STREAM` for streams. */
  const answers: Record<string, Answer[]> = {};
  const settings = { retry: 10, pruned: 0, delay: 0 };

  const position = () => `${log.length}`;
  const write = (response: ServerResponse, change: StreamedChange) =>
    response.write(`id: ${change.position}\nevent: change\ndata: ${JSON.stringify(change)}\n\n`);

  function record(
    taskId: string,
    task: Task | null,
    type: StreamedChange['type'],
    correlationId: string | null = null,
  ) {
    if (task === null) tasks.delete(taskId);
    else tasks.set(taskId, task);
    const actor = { type: 'user', id: 'alice' } as const;
    const change = { taskId, task, position: `${log.length + 1}`, type, actor, correlationId };
    log.push(change);
    for (const stream of streams) write(stream, change);
    return change;
  }

  /** A task is there, from now on or with this title. */
  function put(id: string, title = id, fields: Partial<Task> = {}, requestId?: string) {
    const isNew = !tasks.has(id);
    const task = { ...BLANK, ...tasks.get(id), ...fields, id, title };
    return record(id, task, isNew ? 'todo.task.created.v1' : 'todo.task.updated.v1', requestId);
  }

  const drop = (id: string, requestId?: string) => record(id, null, 'todo.task.deleted.v1', requestId);

  function json(response: ServerResponse, status: number, body?: unknown) {
    response.writeHead(status, { 'Content-Type': 'application/json', 'Journal-Position': position() });
    response.end(body === undefined ? undefined : JSON.stringify(body));
  }

  function changes(response: ServerResponse, { query, headers }: Asked) {
    const since = query.since ?? headers['last-event-id'];
    if (since !== undefined && !(Number(since) >= settings.pruned && Number(since) <= log.length)) {
      return problem(response, 410, 'resync-required');
    }
    const missed = log.slice(Number(since ?? log.length));
    const last = new Map(missed.map((change) => [change.taskId, change]));
    const changed = missed.filter((change) => last.get(change.taskId) === change);
    if (headers.accept !== 'text/event-stream') {
      const some = changed.slice(0, Number(query.limit ?? 200));
      const more = some.length < changed.length;
      return json(response, 200, {
        changes: some.map(({ taskId, task, position }) => ({ taskId, task, position })),
        position: (more && some.at(-1)?.position) || position(),
        more,
      });
    }
    response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' });
    response.write(`retry: ${settings.retry}\nid: ${since ?? position()}\n\n`);
    for (const change of changed) write(response, change);
    streams.add(response);
    response.on('close', () => streams.delete(response));
  }

  function batch(response: ServerResponse, { body }: Asked) {
    const { operations } = body as Batch;
    const refused = operations.some((operation) => operation.op === 'create' && operation.task.title === '');
    if (refused) return problem(response, 422, 'invalid-input');
    const results = operations.map((operation): OperationResult => {
      if (operation.op === 'create') {
        const { task } = put(`t${log.length + 1}`, operation.task.title, operation.task as Task);
        return { status: 201, task: task as Task };
      }
      const { title } = tasks.get(operation.id) as Task;
      if (operation.op === 'update') {
        return { status: 200, task: put(operation.id, operation.changes.title ?? title).task as Task };
      }
      if (operation.op === 'complete') {
        return {
          status: 200,
          task: put(operation.id, title, { completed: operation.completed === true }).task as Task,
        };
      }
      drop(operation.id);
      return { status: 204 };
    });
    json(response, 200, { results });
  }

  function answer(response: ServerResponse, request: Asked): void {
    const { method, path, body, headers } = request;
    const id = path.split('/')[2] ?? '';
    const name = headers['x-request-id'] as string | undefined;
    const fields = body as Partial<Task>;
    if (path === '/changes') setTimeout(() => changes(response, request), settings.delay);
    else if (path === '/tasks/batch') batch(response, request);
    else if (method === 'GET' && path === '/tasks') json(response, 200, [...tasks.values()].reverse());
    else if (method === 'POST' && path === '/tasks') {
      json(response, 201, put(`t${log.length + 1}`, fields.title, fields, name).task);
    } else if (!tasks.has(id)) problem(response, 404, 'task-not-found');
    else if (method === 'PUT') json(response, 200, put(id, fields.title, fields, name).task);
    else if (method === 'DELETE') {
      drop(id, name);
      json(response, 204);
    }
  }

  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '', 'http://stub');
    const path = url.pathname.replace(/^\/api\/[^/]+/, '');
    const { method = '', headers } = request;
    const query = Object.fromEntries(url.searchParams);
    const body = await bodyOf(request);
    const arrived = { method, path, query, headers, body, at: performance.now() };
    asked.push(arrived);
    const key = headers.accept === 'text/event-stream' ? 'STREAM' : `${method} ${path}`;
    (answers[key]?.shift() ?? answer)(response, arrived);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tasks,
    log,
    streams,
    asked,
    answers,
    settings,
    position,
    put,
    drop,
    /** The requests for streams. */
    connections: () => asked.filter(({ headers }) => headers.accept === 'text/event-stream'),
    /** Breaks every stream off. */
    cut: () => {
      for (const stream of streams) stream.destroy();
    },
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** An error as the API tells it. */
export function problem(response: ServerResponse, status: number, name = 'x', headers: Record<string, string> = {}) {
  response.writeHead(status, { 'Content-Type': 'application/problem+json', ...headers });
  response.end(JSON.stringify({ type: `/problems/${name}`, status, detail: `${name}.`, title: name, requestId: 'r' }));
}

/** A prescribed answer that is an error. */
export function refusal(status: number, name?: string, headers?: Record<string, string>): Answer {
  return (response) => problem(response, status, name, headers);
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const text = (await request.toArray()).join('');
  return text === '' ? undefined : JSON.parse(text);
}

const BLANK: Task = {
  id: '',
  title: '',
  description: null,
  priority: 'low',
  category: 'home',
  status: 'pending',
  completed: false,
  dueDate: null,
  createdAt: '2026-11-23T09:36:17.301Z',
  updatedAt: '2026-11-23T09:36:17.301Z',
  userId: 'alice',
  tags: [],
  recurrence: null,
  remindAt: null,
  series: null,
};
