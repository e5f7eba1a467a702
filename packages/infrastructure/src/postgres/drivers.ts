import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** What MikroORM pins to an older version than this package, and what is wrong with that one. */
const PINNED = {
  kysely: 'it loses a place in the pool for good whenever PostgreSQL ends a connection inside a transaction',
  pg: 'it cannot verify the certificate of a server that is addressed by its IP',
};

/**
 * Warns where MikroORM uses another version of a library than this package: npm installs both unless the application
 * overrides the older one.
 */
export function warnOfOtherDrivers(): void {
  const own = createRequire(import.meta.url);
  const orms = createRequire(own.resolve('@mikro-orm/postgresql'));
  const others = Object.entries(PINNED).filter(([name]) => versionOf(name, own) !== versionOf(name, orms));
  if (others.length === 0) return;
  const overrides = Object.fromEntries(Object.keys(PINNED).map((name) => [name, versionOf(name, own)]));
  const reasons = others.map(([name, reason]) => `MikroORM uses ${name} ${versionOf(name, orms)}: ${reason}.`);
  process.emitWarning(
    `${reasons.join(' ')} Put "overrides": ${JSON.stringify(overrides)} into your package.json, and install again.`,
    { code: 'TODO_BACKEND_OVERRIDES' },
  );
}

function versionOf(name: string, require: NodeJS.Require): string {
  const [directory = ''] =
    new RegExp(`^.*[\\\\/]node_modules[\\\\/]${name}(?=[\\\\/])`).exec(require.resolve(name)) ?? [];
  return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')).version;
}
