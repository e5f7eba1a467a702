import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';

const ROOT = join(import.meta.dirname, '..');
const PACKAGES = await readdir(join(ROOT, 'packages'));
const run = promisify(execFile);

/** The other dependencies of a consumer's project. */
const DEPENDENCIES = {
  '@types/node': '24.19.2',
  hono: '4.13.19',
  'typescript-5.9': 'npm:typescript@5.9.3',
  'typescript-7': 'npm:typescript@7.0.2',
};

/** A command line program: use cases on the embedded database, whose directory is locked meanwhile. */
const COMMAND_LINE = `
import { randomUUID } from 'node:crypto';
import { taskUseCases } from '@todo-backend/application';
import { timestamp } from '@todo-backend/domain';
import { Database, openDataDirectory, SqlTaskRepository } from '@todo-backend/infrastructure';

const directory = await openDataDirectory('data');
await openDataDirectory('data').then(
  () => process.exit(2),
  (error: Error) => console.log(error.name),
);
const database = await Database.embedded(directory.databasePath);
await database.migrate({ standaloneUsers: true });
const tasks = taskUseCases({
  tasks: new SqlTaskRepository(database, { standaloneUsers: true }),
  clock: () => timestamp(new Date()),
  newId: randomUUID,
});
await tasks.create('alice', { title: 'Buy milk', priority: 'high', category: 'home' });
console.log((await tasks.list('alice', { limit: 5 })).tasks.map(({ title }) => title).join());
await database.close();
await directory.release();
`;

/** A route of another framework, with the response format of the API, and errors by code. */
const HONO = `
import { presentTask, taskUseCases, unchecked } from '@todo-backend/application';
import { fixedClock, InMemoryTaskRepository, sequentialIds } from '@todo-backend/application/testing';
import { TodoError } from '@todo-backend/domain';
import { Hono } from 'hono';

const tasks = taskUseCases({ tasks: new InMemoryTaskRepository(), clock: fixedClock(), newId: sequentialIds() });
const app = new Hono();
app.post('/tasks', async (c) => c.json(presentTask(await tasks.create('alice', unchecked(await c.req.json()))), 201));
app.onError((error, c) => (error instanceof TodoError && error.code === 'INVALID_INPUT' ? c.json(error, 422) : c.text('', 500)));

const send = (body: object) => app.request('/tasks', { method: 'POST', body: JSON.stringify(body) });
const created = await send({ title: 'Buy milk', priority: 'high', category: 'home' });
console.log(created.status, ((await created.json()) as { completed: boolean }).completed);
console.log((await send({})).status);
`;

/** A test without a database, and the contract tests of an adapter. */
const ADAPTER = `
import { test } from 'node:test';
import { randomUUID } from 'node:crypto';
import type { ChangeDetails, Decide, Once, TaskQuery, TaskRepository } from '@todo-backend/application';
import { InMemoryTaskRepository, journalContract, taskRepositoryContract } from '@todo-backend/application/testing';
import type { TaskId, UserId } from '@todo-backend/domain';

class MyRepository implements TaskRepository {
  readonly inner = new InMemoryTaskRepository();
  list(owner: UserId, query: TaskQuery) {
    return this.inner.list(owner, query);
  }
  find(owner: UserId, id: TaskId) {
    return this.inner.find(owner, id);
  }
  count(owner: UserId) {
    return this.inner.count(owner);
  }
  tags(owner: UserId) {
    return this.inner.tags(owner);
  }
  change<Result>(
    owner: UserId,
    ids: readonly TaskId[],
    decide: Decide<Result>,
    once?: Once,
    details?: ChangeDetails,
  ) {
    return this.inner.change(owner, ids, decide, once, details);
  }
}

const tasks = new MyRepository();
const harness = { tasks, journal: tasks.inner, newId: randomUUID, newUser: async (): Promise<string> => randomUUID() };
for (const { name, verify } of [...taskRepositoryContract, ...journalContract]) test(name, () => verify(harness));
`;

/** A route handler of Next.js is a function from a web request to a response. */
const ROUTE_HANDLER = `
import { createTodoClient, TodoApiError, TodoNetworkError } from '@todo-backend/client';

const todo = createTodoClient({ baseUrl: 'http://127.0.0.1:9', getToken: async () => 'token', retries: 0 });

export async function GET(request: Request): Promise<Response> {
  const userId = new URL(request.url).searchParams.get('user') ?? '';
  try {
    return Response.json(await todo.listTasks(userId, { status: 'pending' }));
  } catch (error) {
    if (error instanceof TodoApiError) return Response.json({ detail: error.detail }, { status: error.status });
    return new Response(null, { status: error instanceof TodoNetworkError ? 502 : 500 });
  }
}

console.log((await GET(new Request('http://localhost/?user=alice'))).status);
`;

/** The host, mounted in another app. */
const HOST = `
import { createApp, loadConfig, routes, serve } from '@todo-backend/http';

const callback: (app: ReturnType<typeof createApp>) => unknown = (app) => app.callback();
console.log(typeof callback, typeof serve, routes.length > 10, loadConfig({}).port);
`;

/** Without TypeScript. */
const PLAIN = `
import { taskUseCases } from '@todo-backend/application';
import { fixedClock, InMemoryTaskRepository, sequentialIds } from '@todo-backend/application/testing';

const tasks = taskUseCases({ tasks: new InMemoryTaskRepository(), clock: fixedClock(), newId: sequentialIds() });
await tasks.create('alice', { title: 'Buy milk', priority: 'high', category: 'home' });
console.log((await tasks.count('alice')).total, await tasks.create('alice', {}).catch(({ code }) => code));
`;

const FILES = {
  'command-line.ts': COMMAND_LINE,
  'hono.ts': HONO,
  'adapter.ts': ADAPTER,
  'route-handler.ts': ROUTE_HANDLER,
  'host.ts': HOST,
};

async function consumer(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'todo-consumer-'));
  const tarballs = await Promise.all(
    PACKAGES.map(async (name) => {
      const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', directory], {
        cwd: join(ROOT, 'packages', name),
      });
      return [`@todo-backend/${name}`, `file:${stdout.trim()}`] as const;
    }),
  );
  const { overrides } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));
  const { kysely, pg } = overrides;
  const manifest = {
    private: true,
    type: 'module',
    dependencies: { ...Object.fromEntries(tarballs), ...DEPENDENCIES },
    overrides: { kysely, pg },
  };
  await writeFile(join(directory, 'package.json'), JSON.stringify(manifest));
  await run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'], { cwd: directory });
  await mkdir(join(directory, 'src'));
  for (const [name, text] of Object.entries(FILES)) await writeFile(join(directory, 'src', name), text);
  return directory;
}

test('packed and installed elsewhere, the packages work and have types', async (t) => {
  t.timeout(300_000);
  const directory = await consumer();
  t.teardown(() => rm(directory, { recursive: true }));

  const { stdout: installed } = await run('npm', ['ls', 'kysely', 'pg', '--all', '--parseable'], { cwd: directory });
  for (const name of ['kysely', 'pg']) {
    const places = new Set(installed.split('\n').filter((line) => line.endsWith(`node_modules/${name}`)));
    t.is(places.size, 1, `one ${name}`);
  }

  for (const [module, moduleResolution] of [
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ] as const) {
    const compilerOptions = {
      ...{ target: 'es2024', lib: ['es2024', 'dom'], module, moduleResolution, strict: true, skipLibCheck: false },
      ...{ types: ['node'], outDir: 'dist', rootDir: 'src' },
    };
    await writeFile(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['src'] }));
    for (const version of ['5.9', '7']) {
      const tsc = join(directory, 'node_modules', `typescript-${version}`, 'bin', 'tsc');
      const { stdout, code } = await run(process.execPath, [tsc, '-p', '.'], { cwd: directory }).then(
        ({ stdout }) => ({ stdout, code: 0 }),
        ({ stdout, code }) => ({ stdout, code }),
      );
      t.is(code, 0, `TypeScript ${version}, ${moduleResolution}: ${stdout}`);
    }
  }

  await mkdir(join(directory, 'dist'), { recursive: true });
  await writeFile(join(directory, 'dist', 'plain.js'), PLAIN);
  const output = async (name: string) =>
    (await run(process.execPath, [join('dist', name)], { cwd: directory })).stdout.trim().split('\n');
  t.deepEqual(await output('command-line.js'), ['DataDirectoryError', 'Buy milk']);
  t.deepEqual(await output('plain.js'), ['1 INVALID_INPUT']);
  t.deepEqual(await output('hono.js'), ['201 false', '422']);
  t.deepEqual(await output('route-handler.js'), ['502']);
  t.deepEqual(await output('host.js'), ['function function true 8000']);
  t.regex((await output('adapter.js')).join('\n'), /# fail 0|ℹ fail 0/);
});

test('a release updates the version of all packages, the document and the example, and writes a changelog', async (t) => {
  t.timeout(300_000);
  const directory = await mkdtemp(join(tmpdir(), 'todo-release-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const clone = join(directory, 'clone');
  const git = (...parameters: string[]) => run('git', parameters, { cwd: clone });
  await run('git', ['clone', '--quiet', ROOT, clone]);
  await cp(join(ROOT, 'node_modules'), join(clone, 'node_modules'), { recursive: true, verbatimSymlinks: true });
  const identity = { NAME: 'a maintainer', EMAIL: 'maintainer@example.com' };
  const env = {
    ...process.env,
    ...Object.fromEntries(
      Object.entries(identity).flatMap(([key, value]) => [
        [`GIT_AUTHOR_${key}`, value],
        [`GIT_COMMITTER_${key}`, value],
      ]),
    ),
  };
  await run('npx', ['lerna', 'version', 'minor', '--yes', '--no-push'], { cwd: clone, env });

  const json = async (path: string) => JSON.parse(await readFile(join(clone, path), 'utf8'));
  const { version } = await json('lerna.json');
  t.regex(version, /^\d+\.\d+\.0$/);
  t.not(version, (JSON.parse(await readFile(join(ROOT, 'lerna.json'), 'utf8')) as { version: string }).version);
  for (const name of PACKAGES) {
    const manifest = await json(`packages/${name}/package.json`);
    t.is(manifest.version, version, name);
    for (const [dependency, wanted] of Object.entries(manifest.dependencies ?? {})) {
      if (dependency.startsWith('@todo-backend/')) t.is(wanted, version, `${name}: ${dependency} is exact`);
    }
  }
  t.is((await json('docs/openapi.json')).info.version, version);
  t.is((await json('examples/nextjs/package.json')).version, version);
  t.is((await json('package-lock.json')).packages['packages/http'].version, version);
  t.regex(await readFile(join(clone, 'CHANGELOG.md'), 'utf8'), new RegExp(version.replaceAll('.', '\\.')));
  t.is((await git('tag', '--list', `v${version}`)).stdout.trim(), `v${version}`);
  t.is((await git('status', '--porcelain')).stdout, '', 'everything is committed');
  await run('npx', ['biome', 'check'], { cwd: clone });
});
