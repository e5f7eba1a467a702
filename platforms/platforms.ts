import { existsSync } from 'node:fs';
import { chmod, cp, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import type { TestFn } from 'ava';
import type { BetterAuth } from '../test/better-auth.ts';
import { type PrivatePostgres, startPrivatePostgres } from '../test/postgres.ts';

const PACKAGES = join(import.meta.dirname, 'node_modules');

/**
 * `test` where the package of this folder is installed, a visibly skipped test otherwise, and an error where
 * `REQUIRE_PLATFORMS` says that skipping will not do.
 */
export function platformTest(test: TestFn, name: string): Pick<TestFn, 'skip'> & TestFn {
  if (existsSync(join(PACKAGES, name))) return test;
  if (process.env.REQUIRE_PLATFORMS) {
    throw new Error(
      `REQUIRE_PLATFORMS is set, and platforms/node_modules/${name} is missing. Run npm ci in platforms.`,
    );
  }
  return test.skip as unknown as TestFn;
}

/**
 * Loads a version of Better Auth from this folder.
 *
 * @param migrations where it exports them
 */
export async function loadBetterAuth(name: string, migrations: string): Promise<BetterAuth> {
  const [main, db, node, plugins] = await Promise.all(
    ['', migrations, '/node', '/plugins'].map((path) => import(name + path) as Promise<BetterAuth>),
  );
  return { ...main, ...db, ...node, ...plugins } as BetterAuth;
}

/** Starts a private server from the binaries of the package `name`. */
export async function startPackagedPostgres(name: string): Promise<PrivatePostgres> {
  // A copy, because the server's user may not be allowed to read this folder.
  const directory = await mkdtemp(join(tmpdir(), 'todo-postgres-binaries-'));
  await chmod(directory, 0o755);
  await cp(join(PACKAGES, name, 'native'), directory, { recursive: true });
  // A package cannot hold symbolic links; this one lists those that its libraries need.
  const links = JSON.parse(await readFile(join(directory, 'pg-symlinks.json'), 'utf8')) as Link[];
  for (const { source, target } of links) {
    await symlink(relative(dirname(target), source), join(directory, relative('native', target)));
  }
  const server = await startPrivatePostgres({}, {}, join(directory, 'bin'));
  return {
    ...server,
    async stop() {
      await server.stop();
      await rm(directory, { recursive: true });
    },
  };
}

interface Link {
  readonly source: string;
  readonly target: string;
}

/** Collects what works where, and prints it as a table when the tests are done. */
export function report(test: TestFn, title: string): (situation: string, platform: string) => void {
  const cells = new Map<string, Set<string>>();
  test.after.always('what works where', (t) => {
    const platforms = [...new Set([...cells.values()].flatMap((done) => [...done]))].sort();
    const rows = [...cells].map(([situation, done]) => [
      situation,
      ...platforms.map((platform) => (done.has(platform) ? '✔' : '')),
    ]);
    const lines = [[title, ...platforms], ['---', ...platforms.map(() => '---')], ...rows];
    t.log(lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n'));
  });
  return (situation, platform) => {
    const done = cells.get(situation) ?? new Set();
    cells.set(situation, done.add(platform));
  };
}
