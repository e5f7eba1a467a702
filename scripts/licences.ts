/**
 * Lists the licences of everything that is shipped, in `docs/licences.md`, and fails where one is not on the list.
 *
 *   npm run licences
 */
import { readFileSync, writeFileSync } from 'node:fs';

const ACCEPTED = [
  'MIT',
  'ISC',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  '0BSD',
  'Unlicense',
  'BlueOak-1.0.0',
  'PostgreSQL',
];

interface Entry {
  readonly version: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly link?: boolean;
}

const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, Entry> };
const found = Object.entries(packages)
  .filter(([path, { dev, devOptional, link }]) => path.includes('node_modules/') && !dev && !devOptional && !link)
  .map(([path, { version, license }]) => ({
    name: path.split('node_modules/').at(-1) ?? '',
    version,
    licence: license ?? '',
  }))
  .sort((a, b) => a.name.localeCompare(b.name, 'en') || a.version.localeCompare(b.version, 'en'));
// One version may lie in several places.
const shipped = [...new Map(found.map((entry) => [`${entry.name} ${entry.version}`, entry])).values()];

const rows = shipped.map(({ name, version, licence }) => `| ${name} | ${version} | ${licence} |`);
const text = ['# Licences', '', 'Everything that is shipped. Made by `npm run licences`.', ''];
writeFileSync(
  'docs/licences.md',
  [...text, '| Package | Version | Licence |', '|---|---|---|', ...rows, ''].join('\n'),
);

const refused = shipped.filter(
  ({ licence }) =>
    !licence
      .replaceAll(/[()]/g, '')
      .split(' OR ')
      .some((part) => ACCEPTED.includes(part)),
);
console.log(`${shipped.length} packages are shipped.`);
for (const { name, licence } of refused)
  console.error(`${name} has a licence that is not accepted: ${licence || 'none'}`);
process.exitCode = refused.length === 0 ? 0 : 1;
