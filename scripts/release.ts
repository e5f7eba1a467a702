/**
 * Moves along what follows from the version of the packages: the document, the client's types and the example. Run by
 * `lerna version`, before it commits.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const { version } = JSON.parse(readFileSync('lerna.json', 'utf8')) as { version: string };

for (const path of ['package.json', 'examples/nextjs/package.json']) {
  writeFileSync(path, readFileSync(path, 'utf8').replace(/"version": "[^"]*"/, `"version": "${version}"`));
}
execFileSync('npm', ['run', 'openapi'], { stdio: 'inherit' });
execFileSync('npx', ['biome', 'check', '--write', 'lerna.json', 'package.json', 'packages', 'examples'], {
  stdio: 'inherit',
});
execFileSync('git', ['add', '--update'], { stdio: 'inherit' });
