/**
 * Lists the licences of everything that is shipped, in `docs/licences.md`, and fails where one is not on the list.
 *
 *   npm run licences
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

const ACCEPTED = ['MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', '0BSD', 'BlueOak-1.0.0', 'PostgreSQL'];

interface Component {
  readonly name: string;
  readonly version: string;
  readonly licenses?: { license?: { id?: string; name?: string }; expression?: string }[];
}

const sbom = execFileSync('npm', ['sbom', '--omit=dev', '--sbom-format=cyclonedx'], {
  maxBuffer: 1e8,
  encoding: 'utf8',
});
const components: Component[] = JSON.parse(sbom).components;
const shipped = components
  .filter(({ name }) => !name.startsWith('@todo-backend/'))
  .map(({ name, version, licenses = [] }) => ({
    name,
    version,
    licence: licenses.map(({ license, expression }) => license?.id ?? license?.name ?? expression).join(', '),
  }))
  .sort((a, b) => a.name.localeCompare(b.name, 'en'));

const rows = shipped.map(({ name, version, licence }) => `| ${name} | ${version} | ${licence} |`);
const text = ['# Licences', '', 'Everything that is shipped. Made by `npm run licences`.', ''];
writeFileSync(
  'docs/licences.md',
  [...text, '| Package | Version | Licence |', '|---|---|---|', ...rows, ''].join('\n'),
);

const refused = shipped.filter(({ licence }) => !licence.split(/ OR |, /).some((part) => ACCEPTED.includes(part)));
console.log(`${shipped.length} packages are shipped.`);
for (const { name, licence } of refused)
  console.error(`${name} has a licence that is not accepted: ${licence || 'none'}`);
process.exitCode = refused.length === 0 ? 0 : 1;
