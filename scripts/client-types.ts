/** Writes the types of the client from docs/openapi.json. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compile, type JSONSchema } from 'json-schema-to-typescript';

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: JSONSchema;
}

interface Document {
  readonly paths: Record<string, Record<string, { operationId: string; parameters?: Parameter[] }>>;
  readonly components: { readonly schemas: Record<string, JSONSchema> };
}

/** What the client speaks of; the rest of the document belongs to other readers. */
const SCHEMAS = [
  'Task',
  'NewTask',
  'TaskChanges',
  'Completion',
  'Batch',
  'OperationResult',
  'ImportedTask',
  'Stats',
  'TagCount',
  'Occurrences',
  'JournalEntry',
  'Change',
  'ChangesPage',
  'StreamedChange',
  'Undo',
  'UndoResult',
  'TrashedTask',
  'FieldProblem',
  'Problem',
];
const QUERIES: Record<string, string> = {
  listTasks: 'TaskQuery',
  deleteTasks: 'TaskFilter',
  listJournal: 'JournalQuery',
  listChanges: 'ChangesQuery',
  listTrash: 'TrashQuery',
  previewOccurrences: 'OccurrencesPreview',
};

const root = join(import.meta.dirname, '..');
const document: Document = JSON.parse(await readFile(join(root, 'docs', 'openapi.json'), 'utf8'));

const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
const queries = operations.flatMap(({ operationId, parameters = [] }): [string, JSONSchema][] => {
  const name = QUERIES[operationId];
  if (name === undefined) return [];
  const inQuery = parameters.filter((parameter) => parameter.in === 'query');
  const properties = inQuery.map(({ name, description, schema }) => [name, { description, ...schema }]);
  return [[name, { type: 'object', properties: Object.fromEntries(properties), additionalProperties: false }]];
});
const all: Record<string, JSONSchema> = { ...document.components.schemas, ...Object.fromEntries(queries) };
const wanted = [...SCHEMAS, ...queries.map(([name]) => name)];

const types = await compile(
  {
    title: 'Api',
    type: 'object',
    required: wanted,
    additionalProperties: false,
    properties: Object.fromEntries(wanted.map((name) => [name, { $ref: `#/components/schemas/${name}` }])),
    components: {
      schemas: Object.fromEntries(Object.entries(all).map(([title, schema]) => [title, { title, ...closed(schema) }])),
    },
  } as JSONSchema,
  'Api',
  {
    bannerComment: '/* Written by `npm run openapi` from docs/openapi.json: change that. */',
    format: false,
    ignoreMinAndMaxItems: true,
  },
);
// The names of the schemas, without the object that was needed to name them all.
const named = types.replace(/export interface Api \{[\s\S]*?\n\}\n/, '');
await writeFile(join(root, 'packages', 'client', 'src', 'types.ts'), named);

/** Without index signatures: a field that is not in the document is a mistake in the caller's code. */
function closed<T>(value: T): T {
  if (Array.isArray(value)) return value.map(closed) as T;
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) => [key, closed(item)]);
  return Object.fromEntries('properties' in value ? [...entries, ['additionalProperties', false]] : entries) as T;
}
