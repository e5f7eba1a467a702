/**
 * What Node.js can do on this work: `node:http`, `pg` with named prepared statements in a pipeline, jose with a cache of
 * verified tokens, and all else by hand for these very requests. Nobody should have to keep a server like this; it is
 * the mark that the others are measured by.
 *
 * What was measured on the way: PostgreSQL's own JSON (`json_agg`, `to_char`) spares Node a third of its time and costs
 * PostgreSQL twice as much, so rows come as PostgreSQL prints them, and a template makes JSON of them. Four connections
 * with statements in a pipeline take two thirds of the processor time of ten connections with one statement each.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { createLocalJWKSet, jwtVerify } from 'jose';
import pg from 'pg';
import { uuidv7 as uuid } from 'uuidv7';
import {
  Completion,
  HttpError,
  loadKeys,
  NewTask,
  notFound,
  parse,
  problem,
  settings,
  TaskChanges,
  TaskQuery,
} from './shared.ts';

/** Reading is fastest on few connections; writing waits for the disk, and those who wait together wait once. */
const READERS = Math.min(4, Math.ceil(settings.poolSize / 2));
const TOKENS = 20_000;

type Text = string | null;
type Row = [
  id: string,
  title: string,
  description: Text,
  priority: string,
  category: string,
  completed: string,
  dueDate: Text,
  dueDateIsFloating: string,
  createdAt: string,
  updatedAt: string,
];

const COLUMNS = [
  'id',
  'title',
  'description',
  'priority',
  'category',
  'completed',
  '"dueDate"',
  '"dueDateIsFloating"',
  '"createdAt"',
  '"updatedAt"',
];
const TASK = COLUMNS.join(', ');
const ORDER = 'order by "createdAt" desc, id desc';
const FOUND = `position(upper($2::text collate "und-x-icu") in upper`;
const EVENT = `insert into task_events ("userId", sequence, "eventId", type, time, "taskId", "actorType", "actorId", "correlationId", data)`;
const TIME = `'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'`;
/** Whoever writes locks the task first and the ledger after it, and writes all in one statement. */
const SQL = {
  list: `select ${TASK} from tasks where "userId" = $1 ${ORDER}`,
  find: `select ${TASK} from tasks where id = $1 and "userId" = $2`,
  stats: `select tasks, completed from task_ledgers where "userId" = $1`,
  search: `select ${TASK} from tasks where "userId" = $1 and (${FOUND}(title collate "und-x-icu")) > 0
      or ${FOUND}(description collate "und-x-icu")) > 0) ${ORDER}`,
  create: `
    with task as (
      insert into tasks (id, "userId", title, description, priority, category, status, "dueDate", "dueDateIsFloating", "createdAt", "updatedAt")
      values ($1, $2, $6, $7, $8, $9, 'pending', $10, $11, $3, $3)
    ), ledger as (
      insert into task_ledgers as l ("userId", sequence, tasks, completed) values ($2, 1, 1, 0)
      on conflict ("userId") do update set sequence = l.sequence + 1, tasks = l.tasks + 1 returning sequence
    )
    ${EVENT} select $2, sequence, $4, 'todo.task.created.v1', $3, $1, 'user', $2, $5, $12 from ledger`,
  toggle: `
    with before as (
      select id, status, completed, "updatedAt" from tasks
      where id = $1 and "userId" = $2 and completed is distinct from $6 for update
    ), task as (
      update tasks t set status = case when before.completed then 'pending' else 'completed' end::task_status,
        "updatedAt" = greatest($3, before."updatedAt" + interval '1 millisecond')
      from before where t.id = before.id returning ${COLUMNS.map((column) => `t.${column}`).join(', ')}
    ), ledger as (
      update task_ledgers l set sequence = sequence + 1, completed = l.completed + case when task.completed then 1 else -1 end
      from task where "userId" = $2 returning sequence
    ), event as (
      ${EVENT}
      select $2, sequence, $4, case when task.completed then 'todo.task.completed.v1' else 'todo.task.reopened.v1' end,
        $3, $1, 'user', $2, $5, json_build_object('changes', json_build_object(
          'status', json_build_object('before', before.status, 'after', case when task.completed then 'completed' else 'pending' end),
          'updatedAt', json_build_object('before', to_char(before."updatedAt", ${TIME}), 'after', to_char(task."updatedAt", ${TIME}))))
      from before, task, ledger
    )
    select ${TASK} from task`,
  update: `
    with task as (
      update tasks set title = $6, description = $7, priority = $8, category = $9, "dueDate" = $10, "dueDateIsFloating" = $11, "updatedAt" = $12
      where id = $1 and "userId" = $2 and "updatedAt" = $13 returning id
    ), ledger as (
      update task_ledgers set sequence = sequence + 1 from task where "userId" = $2 returning sequence
    )
    ${EVENT} select $2, sequence, $4, 'todo.task.updated.v1', $3, $1, 'user', $2, $5, $14 from ledger returning sequence`,
};

/** Statements on their way, the fewest first. */
interface Connection {
  readonly client: pg.Client;
  pending: number;
}

const connections: Connection[] = await Promise.all(
  Array.from({ length: settings.poolSize }, async () => {
    const client = new pg.Client({
      connectionString: settings.databaseUrl,
      pipeline: true,
      options: '-c timezone=UTC -c datestyle=ISO',
    } as pg.ClientConfig);
    await client.connect();
    return { client, pending: 0 };
  }),
);
// Every value stays the text that PostgreSQL sent.
const types = { getTypeParser: () => (value: string) => value };

const readers = connections.slice(0, READERS);
const writers = connections.slice(READERS);
const WRITES: readonly string[] = ['create', 'toggle', 'update'];

async function query<Found = Row>(name: keyof typeof SQL, values: unknown[]): Promise<Found[]> {
  const candidates = WRITES.includes(name) ? writers : readers;
  const connection = candidates.reduce((least, other) => (other.pending < least.pending ? other : least));
  connection.pending++;
  try {
    const query = { name, text: SQL[name], values, rowMode: 'array' as const, types };
    const { stream } = (connection.client as unknown as { connection: { stream: Socket } }).connection;
    // What is asked for at the same time goes out at once.
    if (stream.writableCorked === 0) {
      stream.cork();
      setImmediate(() => stream.uncork());
    }
    return (await connection.client.query(query)).rows as Found[];
  } finally {
    connection.pending--;
  }
}

function taskJson(row: Row, user: string): string {
  const [id, title, description, priority, category, completed, , , createdAt, updatedAt] = row;
  return `{"id":"${id}","title":${JSON.stringify(title)},"description":${
    description === null ? 'null' : JSON.stringify(description)
  },"priority":"${priority}","category":"${category}",${
    completed === 't' ? '"status":"completed","completed":true' : '"status":"pending","completed":false'
  },"dueDate":${dueDateJson(row)},"createdAt":"${instant(createdAt)}","updatedAt":"${instant(updatedAt)}","userId":${user}}`;
}

function dueDateJson([, , , , , , dueDate, floating]: Row): string {
  if (dueDate === null) return 'null';
  return floating === 't' ? `"${floatingTime(dueDate)}"` : `"${instant(dueDate)}"`;
}

/** `2026-03-10 04:30:00.1`, with or without a fraction and `+00`, in ISO 8601. */
function instant(text: string): string {
  const end = text.length - (text.endsWith('+00') ? 3 : 0);
  const milliseconds = end === 19 ? '.000' : text.slice(19, end).padEnd(4, '0');
  return `${text.slice(0, 10)}T${text.slice(11, 19)}${milliseconds}Z`;
}

function floatingTime(text: string): string {
  return text.length === 19 ? `${text.slice(0, 10)}T${text.slice(11)}` : instant(text).slice(0, -1);
}

const keys = createLocalJWKSet({ keys: await loadKeys() });
const verified = new Map<string, { user: string; expires: number }>();

async function authenticate(header: string | undefined): Promise<string> {
  if (!header?.startsWith('Bearer ')) throw new HttpError(401, 'Please sign in.');
  const known = verified.get(header);
  if (known !== undefined && known.expires > Date.now()) return known.user;
  const { payload } = await jwtVerify(header.slice(7), keys, {
    algorithms: ['EdDSA'],
    issuer: settings.issuer,
    audience: settings.issuer,
    requiredClaims: ['exp', 'sub'],
  }).catch(() => {
    throw new HttpError(401, 'The token is not valid.');
  });
  if (verified.size >= TOKENS) verified.clear();
  const { sub = '', exp = 0 } = payload;
  verified.set(header, { user: sub, expires: exp * 1000 });
  return sub;
}

const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;
const TARGET = /^\/api\/([^/?]+)\/(?:(stats)|tasks(?:\/([^/?]+)(\/complete)?)?)(?:\?(.*))?$/;

/** @returns what to log of the request */
async function handle(request: IncomingMessage, response: ServerResponse): Promise<string> {
  const { method, url = '/' } = request;
  const user = await authenticate(request.headers.authorization);
  const match = TARGET.exec(url);
  if (match === null) throw new HttpError(404, 'There is nothing at this address.');
  const [, path = '', stats, id, complete, search] = match;
  if (path !== user && decodeURIComponent(path) !== user) throw new HttpError(403, 'You can only use your own tasks.');
  const owner = JSON.stringify(user);

  if (stats) {
    const [[total, completed] = [0, 0]] = await query<[string, string]>('stats', [user]);
    send(response, 200, `{"total":${total},"pending":${Number(total) - Number(completed)},"completed":${completed}}`);
  } else if (id === undefined && method === 'GET') {
    const rows = search ? await find(user, search) : await query('list', [user]);
    let json = '';
    for (const row of rows) json = json === '' ? taskJson(row, owner) : `${json},${taskJson(row, owner)}`;
    send(response, 200, `[${json}]`);
  } else if (id === undefined && method === 'POST') {
    const json = taskJson(await create(user, owner, await body(request)), owner);
    send(response, 201, json, ['Location', `/api/${path}/tasks/${json.slice(7, 43)}`]);
  } else if (id === undefined) {
    throw new HttpError(405, `This address does not support ${method}.`);
  } else if (!UUID.test(id)) {
    throw new HttpError(422, 'The task id must be a UUID.');
  } else if (complete && method === 'PATCH') {
    const { completed } = parse(Completion, (await body(request)) ?? {});
    const [row] = await query('toggle', [id, user, now(), uuid(), randomUUID(), completed]);
    send(response, 200, taskJson(row ?? only(await query('find', [id, user])), owner));
  } else if (method === 'GET') {
    send(response, 200, taskJson(only(await query('find', [id, user])), owner));
  } else if (method === 'PUT') {
    send(response, 200, taskJson(await update(user, id, await body(request)), owner));
  } else {
    throw new HttpError(405, `This address does not support ${method}.`);
  }
  return user;
}

/** As PostgreSQL shows it, but for a letter. */
function now(): string {
  return new Date().toISOString().slice(0, -1);
}

async function create(user: string, owner: string, input: unknown): Promise<Row> {
  const { title, description, priority, category, dueDate } = parse(NewTask, input);
  const [id, time] = [uuid(), now()];
  const due = dueDate?.dueDate.replace('.000', '') ?? null;
  const floating = dueDate?.dueDateIsFloating ?? false;
  const row: Row = [id, title, description, priority, category, 'f', due, floating ? 't' : 'f', time, time];
  const task = taskJson(row, owner).replace('"completed":false,', '');
  const values = [id, user, time, uuid(), randomUUID(), title, description, priority, category, due, floating];
  await query('create', [...values, `{"task":${task}}`]);
  return row;
}

/** The time of the last change is the version: who finds another one than was read reads again. */
async function update(user: string, id: string, input: unknown): Promise<Row> {
  const { dueDate, ...changes } = parse(TaskChanges, input);
  for (;;) {
    const before = only(await query('find', [id, user]));
    const { title = before[1], description = before[2], priority = before[3], category = before[4] } = changes;
    const due = dueDate === undefined ? before[6] : (dueDate?.dueDate.replace('.000', '').replace('T', ' ') ?? null);
    const floating = dueDate === undefined ? before[7] : dueDate?.dueDateIsFloating ? 't' : 'f';
    const time = now();
    const last = instant(before[9]).slice(0, -1);
    const updatedAt = time > last ? time : new Date(Date.parse(`${last}Z`) + 1).toISOString().slice(0, -1);
    const after: Row = [id, title, description, priority, category, before[5], due, floating, before[8], updatedAt];
    const differences = FIELDS.flatMap(([name, show]) => {
      const [old, fresh] = [show(before), show(after)];
      return old === fresh ? [] : [`"${name}":{"before":${old},"after":${fresh}}`];
    });
    if (differences.length === 1) return before;
    const values = [id, user, time, uuid(), randomUUID(), title, description, priority, category, due, floating];
    const saved = await query('update', [...values, updatedAt, before[9], `{"changes":{${differences}}}`]);
    if (saved.length > 0) return after;
  }
}

/** How a journal shows the fields that an update can change; the time of the change is always among them. */
const FIELDS: readonly [string, (row: Row) => string][] = [
  ['title', (row) => JSON.stringify(row[1])],
  ['description', (row) => JSON.stringify(row[2])],
  ['priority', (row) => `"${row[3]}"`],
  ['category', (row) => `"${row[4]}"`],
  ['dueDate', (row) => dueDateJson(row)],
  ['updatedAt', (row) => `"${instant(row[9])}"`],
];

/** Lists with a query string. Only the search of the newest tasks is made for speed. */
async function find(user: string, text: string): Promise<Row[]> {
  const { status, priority, category, search, sort_by, sort_order } = parse(
    TaskQuery,
    Object.fromEntries(new URLSearchParams(text)),
  );
  if (status || priority || category || sort_by !== 'createdAt' || sort_order !== 'desc') {
    throw new HttpError(501, 'Not here.');
  }
  return search ? query('search', [user, search]) : query('list', [user]);
}

function only([row]: Row[]): Row {
  if (row === undefined) throw notFound();
  return row;
}

async function body(request: IncomingMessage): Promise<unknown> {
  let text = '';
  request.setEncoding('utf8');
  for await (const chunk of request) text += chunk;
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new HttpError(400, 'The body is not JSON.');
  }
}

function send(response: ServerResponse, status: number, json: string, headers: string[] = []): void {
  const type = status < 400 ? 'application/json; charset=utf-8' : 'application/problem+json';
  const length = String(Buffer.byteLength(json));
  response.writeHead(status, ['Content-Type', type, 'Content-Length', length, ...headers]);
  response.end(json);
}

let log = '';
const isLogging = ['info', 'debug', 'trace'].includes(settings.logLevel);

function flush(): void {
  process.stdout.write(log);
  log = '';
}

const server = createServer(async (request, response) => {
  const start = performance.now();
  let user = '';
  try {
    user = await handle(request, response);
  } catch (error) {
    const { status, message, errors } =
      error instanceof HttpError ? error : new HttpError(500, 'Something went wrong.');
    if (status === 500) console.error(error);
    send(response, status, JSON.stringify(problem(status, message, errors)));
  }
  if (!isLogging) return;
  if (log === '') setImmediate(flush);
  const milliseconds = (performance.now() - start).toFixed(1);
  log += `{"level":30,"time":${Date.now()},"method":"${request.method}","status":${response.statusCode},"milliseconds":${milliseconds},"userId":${JSON.stringify(user)},"msg":"request"}\n`;
});
server.keepAliveTimeout = 65_000;
server.listen(settings.port, settings.host);
