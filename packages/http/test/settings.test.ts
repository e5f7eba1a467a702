import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EnvironmentSchema } from '@todo-backend/http';
import test from 'ava';

const ROOT = join(import.meta.dirname, '..', '..', '..');

/** Each setting, and its default if it is fixed. */
const settings = Object.entries(EnvironmentSchema.entries).map(([name, schema]) => {
  const { default: value } = schema as { default?: unknown };
  return { name, value: value === undefined ? undefined : String(value) };
});

test('every setting is documented in the configuration page, with its default', async (t) => {
  const page = await readFile(join(ROOT, 'docs', 'configuration.md'), 'utf8');
  const rows = new Map(
    [...page.matchAll(/^\| `(\w+)` \| (.*?) \| .* \| .* \|$/gm)].map(([, name, value]) => [
      name,
      value?.replaceAll('`', ''),
    ]),
  );
  t.deepEqual([...rows.keys()].sort(), settings.map(({ name }) => name).sort());
  for (const { name, value } of settings) if (value !== undefined) t.is(rows.get(name), value, name);
});

test('every setting is in .env.example, with its default', async (t) => {
  const example = await readFile(join(ROOT, '.env.example'), 'utf8');
  const lines = new Map([...example.matchAll(/^#(\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]));
  t.deepEqual([...lines.keys()].sort(), settings.map(({ name }) => name).sort());
  for (const { name, value } of settings) if (value !== undefined) t.is(lines.get(name), value, name);
});
