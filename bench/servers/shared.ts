/** What every server that is measured beside the project needs, and nobody would write twice. */
import type { JWK } from 'jose';
import pg from 'pg';
import * as z from 'zod';

/** The settings, under the names that the project gives them. */
export const settings = {
  host: process.env.API_HOST ?? '127.0.0.1',
  port: Number(process.env.API_PORT ?? 8000),
  databaseUrl: process.env.DATABASE_URL ?? '',
  poolSize: Number(process.env.DATABASE_POOL_SIZE ?? 10),
  issuer: process.env.BETTER_AUTH_URL ?? '',
  logLevel: process.env.LOG_LEVEL ?? 'info',
};

/** Better Auth's public keys, from its table. */
export async function loadKeys(): Promise<JWK[]> {
  const client = new pg.Client({ connectionString: settings.databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query('select "id", "publicKey" from jwks');
    return rows.map(({ id, publicKey }) => ({ ...JSON.parse(publicKey), kid: id, alg: 'EdDSA' }));
  } finally {
    await client.end();
  }
}

/** An error that has an answer. */
export class HttpError extends Error {
  readonly status: number;
  readonly errors: { field: string; message: string }[] | undefined;

  constructor(status: number, message: string, errors?: { field: string; message: string }[]) {
    super(message);
    this.status = status;
    this.errors = errors;
  }
}

/** The body of an error. */
export function problem(status: number, detail: string, errors?: { field: string; message: string }[]) {
  return { type: 'about:blank', status, detail, ...(errors && { errors }) };
}

export const notFound = () => new HttpError(404, 'There is no such task.');

const DUE_DATE = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})?)?$/;

/** How a due date is stored: the wall clock of a floating one, or the UTC time of an instant, and which of the two. */
export interface StoredDueDate {
  readonly dueDate: string;
  readonly dueDateIsFloating: boolean;
}

/** `undefined` when the text is no date. */
export function parseDueDate(text: string): StoredDueDate | undefined {
  const match = DUE_DATE.exec(text);
  if (match === null) return undefined;
  const dueDateIsFloating = match[1] === undefined;
  const date = new Date(dueDateIsFloating ? `${text.length === 10 ? `${text}T00:00` : text}Z` : text);
  if (Number.isNaN(date.getTime())) return undefined;
  const iso = date.toISOString();
  // `Date` rolls 30 February over to March.
  if (dueDateIsFloating && !iso.startsWith(text)) return undefined;
  return { dueDate: iso.slice(0, -1), dueDateIsFloating };
}

/** The due date as clients see it, from what `Date` makes of the column. */
export function showDueDate(date: Date | null, floating: boolean): string | null {
  if (date === null) return null;
  const iso = date.toISOString();
  return floating ? iso.replace(/(\.000)?Z$/, '') : iso;
}

const dueDate = z
  .string()
  .nullable()
  .transform((text, context) => {
    if (text === null || text === '') return null;
    const parsed = parseDueDate(text);
    if (parsed === undefined) context.addIssue('Due date must be a date.');
    return parsed ?? z.NEVER;
  });
const oneOf = <const Values extends readonly [string, ...string[]]>(values: Values) =>
  z.string().toLowerCase().pipe(z.enum(values));
const title = z.string().trim().min(1).max(255);
const description = z.string().max(1000).nullable();
const priority = oneOf(['low', 'medium', 'high']);
const category = oneOf(['work', 'personal', 'home', 'other']);

export const NewTask = z.object({
  title,
  description: description.default(null),
  priority,
  category,
  dueDate: dueDate.default(null),
});
export const TaskChanges = z.object({ title, description, priority, category, dueDate }).partial();
export const Completion = z.object({ completed: z.boolean().optional() });
export const TaskId = z.uuid('The task id must be a UUID.');
export const TaskQuery = z.object({
  status: oneOf(['pending', 'completed']).optional(),
  priority: priority.optional(),
  category: category.optional(),
  search: z.string().max(2000).optional(),
  sort_by: z.enum(['createdAt', 'updatedAt', 'dueDate', 'priority', 'title']).default('createdAt'),
  sort_order: z.enum(['asc', 'desc']).default('desc'),
});
export type TaskQuery = z.infer<typeof TaskQuery>;

/** Checks input; a 422 with all that is wrong otherwise. */
export function parse<Schema extends z.ZodType>(schema: Schema, input: unknown): z.infer<Schema> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const errors = result.error.issues.map(({ path, message }) => ({ field: path.join('.'), message }));
  throw new HttpError(422, 'Please correct the input.', errors);
}

/** A text in which nothing is a wildcard of `like`. */
export function likePattern(text: string): string {
  return `%${text.replace(/[\\%_]/g, '\\$&')}%`;
}
