import { cp, mkdtemp, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { cruise, type ICruiseResult } from 'dependency-cruiser';
import extractConfig from 'dependency-cruiser/config-utl/extract-depcruise-config';

const ROOT = join(import.meta.dirname, '..');
const SOURCES = [
  'packages/domain/src',
  'packages/application/src',
  'packages/application/testing',
  'packages/infrastructure/src',
  'packages/mcp/src',
  'packages/http/src',
  'packages/client/src',
];

const config = await extractConfig(join(ROOT, '.dependency-cruiser.mjs'));

async function dependencies(baseDir = ROOT): Promise<ICruiseResult> {
  const { options, ...ruleSet } = config;
  const { output } = await cruise(SOURCES, { ...options, baseDir, ruleSet, validate: true });
  if (typeof output === 'string') throw new Error(output);
  return output;
}

/** A copy of the sources, to which a file can be added. */
async function copy(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'todo-architecture-'));
  for (const source of SOURCES) await cp(join(ROOT, source), join(directory, source), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  return directory;
}

test('every module depends only on what its package may', async (t) => {
  const { modules, summary } = await dependencies();
  t.deepEqual(summary.violations, []);
  for (const source of SOURCES) {
    const seen = modules.filter((module) => module.source.startsWith(`${source}/`));
    t.not(seen.length, 0, `${source} was looked at`);
  }
});

test('every rule applies to existing files', async (t) => {
  const { modules } = await dependencies();
  for (const { from } of config.allowed ?? []) {
    const pattern = new RegExp(String(from.path));
    const matches = modules.filter(({ source }) => pattern.test(source));
    t.not(matches.length, 0, pattern.source);
  }
});

test('an unchanged copy has no violations', async (t) => {
  t.deepEqual((await dependencies(await copy())).summary.violations, []);
});

const plants: [file: string, code: string][] = [
  ['packages/domain/src/planted.ts', `import 'valibot';`],
  ['packages/domain/src/planted.ts', `import 'node:fs';`],
  ['packages/client/src/planted.ts', `import '@todo-backend/domain';`],
  ['packages/application/src/tasks/planted.ts', `import type { Context } from 'koa'; export type X = Context;`],
  ['packages/application/src/tasks/planted.ts', `import '../../testing/index.js';`],
  ['packages/application/src/tasks/planted.ts', `import 'tsyringe';`],
  ['packages/application/src/tasks/planted.ts', `import '../delivery/relay.js';`],
  ['packages/application/src/tasks/planted.ts', `import '../journal/journal.js';`],
  ['packages/application/src/journal/planted.ts', `import '../tasks/tasks.js';`],
  ['packages/infrastructure/src/postgres/planted.ts', `import 'koa';`],
  ['packages/infrastructure/src/postgres/planted.ts', `import '../tasks/task-list.js';`],
  ['packages/infrastructure/src/schema/planted.ts', `import '../postgres/statements.js';`],
  ['packages/infrastructure/src/journal/planted.ts', `import '../tasks/task-list.js';`],
  ['packages/infrastructure/src/delivery/planted.ts', `import '../tasks/task-list.js';`],
  ['packages/infrastructure/src/auth/planted.ts', `import '../journal/journal.js';`],
  ['packages/infrastructure/src/tasks/planted.ts', `import '@mikro-orm/core';`],
  ['packages/mcp/src/planted.ts', `import '@todo-backend/infrastructure';`],
  ['packages/mcp/src/planted.ts', `import 'koa';`],
  ['packages/mcp/src/planted.ts', `import 'node:http';`],
  ['packages/http/src/middleware/planted.ts', `import '@todo-backend/mcp';`],
  ['packages/http/src/routes/planted.ts', `import '@modelcontextprotocol/server';`],
  ['packages/http/src/routes/planted.ts', `import '@todo-backend/infrastructure';`],
  ['packages/http/src/routes/planted.ts', `import '../openapi/document.js';`],
  ['packages/http/src/routes/planted.ts', `import '../host/config.js';`],
  ['packages/http/src/middleware/planted.ts', `import '../routes/route.js';`],
  ['packages/http/src/middleware/planted.ts', `import 'tsyringe';`],
  ['packages/http/src/openapi/planted.ts', `import '../host/config.js';`],
  ['packages/http/src/host/planted.ts', `import '../routes/route.js';`],
  ['packages/http/src/host/planted.ts', `import '@mikro-orm/core';`],
  ['packages/http/src/host/planted.ts', `import 'tsyringe';`],
  ['packages/http/src/host/planted.ts', `export const late = () => import('kysely');`],
  ['packages/http/src/host/planted.ts', `import './nowhere.js';`],
];

for (const [file, code] of plants) {
  test(`a violation is found: ${code} in ${file}`, async (t) => {
    const directory = await copy();
    await writeFile(join(directory, file), code);
    const { summary } = await dependencies(directory);
    t.true(summary.violations.some(({ from, rule }) => from === file && rule.severity === 'error'));
  });
}

test('each package declares what it uses, and no more', async (t) => {
  const { modules } = await dependencies();
  for (const name of await readdir(join(ROOT, 'packages'))) {
    const manifest = JSON.parse(await readFile(join(ROOT, 'packages', name, 'package.json'), 'utf8'));
    const used = modules
      .filter(({ source }) => source.startsWith(`packages/${name}/src/`))
      .flatMap(({ dependencies }) => dependencies.map(({ module }) => module))
      .filter((module) => !module.startsWith('.') && !isBuiltin(module))
      .map((module) =>
        module
          .split('/')
          .slice(0, module.startsWith('@') ? 2 : 1)
          .join('/'),
      );
    // `@types` packages are imported by the name of their library.
    const declared = Object.keys(manifest.dependencies ?? {}).filter((module) => !module.startsWith('@types/'));
    t.deepEqual(declared.sort(), [...new Set(used)].sort(), name);
  }
});
