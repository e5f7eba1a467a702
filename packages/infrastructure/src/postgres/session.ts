import type { Socket } from 'node:net';
import { MAY_BECOME_API_ROLE } from './permissions.js';

/** The part of the driver's client that is used here. */
export interface Client {
  query(text: string | object, ...more: unknown[]): Promise<unknown>;
  readonly connection: { readonly stream: Socket };
}

/** Options of {@link startSession}. */
export interface SessionOptions {
  /** Milliseconds without traffic after which a connection is closed. */
  readonly silence: number;
  /** Whether there is a transaction pooler in between, which does not keep session settings. */
  readonly transactionPooler: boolean;
  /** The schema of the tables; that of the search path when left out. */
  readonly schema?: string | undefined;
  /** `array` for rows as arrays of their columns; objects otherwise. */
  readonly rowMode?: 'array' | undefined;
}

/** Prepares a new connection for queries. */
export async function startSession(
  client: Client,
  { silence, transactionPooler, schema, rowMode }: SessionOptions,
): Promise<void> {
  cutOffWhenSilent(client, silence);
  if (transactionPooler) return;
  if (schema !== undefined) await useSchema(client, schema);
  await client.query(SETTINGS);
  await client.query(BECOME_API_ROLE);
  prepareStatements(client, rowMode);
}

/** Sets the schema in which a connection finds and creates tables. */
export async function useSchema(client: Client, schema: string): Promise<void> {
  await client.query("select set_config('search_path', quote_ident($1), false)", [schema]);
}

/**
 * Closes the connection when there has been no traffic for that long: a server that hangs does not enforce its own
 * timeouts. Statements under way fail; an idle connection is simply replaced.
 */
function cutOffWhenSilent({ connection: { stream } }: Client, milliseconds: number): void {
  const error = Object.assign(new Error('The database server does not answer.'), { code: 'ETIMEDOUT' });
  stream.setTimeout(milliseconds, () => stream.destroy(error));
}

/**
 * - `DateStyle`: the server, the database or the role may have changed the default that the code relies on.
 * - `plan_cache_mode`: planning takes longer than running, and no statement has a plan that depends on its values.
 * - `search_path`: keeps that of the login, because "$user" would be another schema after `set role todo_api`.
 */
const SETTINGS = `
  select set_config('DateStyle', 'ISO', false), set_config('plan_cache_mode', 'force_generic_plan', false),
         set_config('search_path', replace(replace(current_setting('search_path'),
           '"$user"', quote_ident(session_user)), '$user', quote_ident(session_user)), false)`;

/** Becomes `todo_api` if the login bypasses row level security and is allowed to. */
const BECOME_API_ROLE = `
  select set_config('role', 'todo_api', false) from pg_roles
  where rolname = session_user and (rolsuper or rolbypassrls) and ${MAY_BECOME_API_ROLE}`;

/** Maximum prepared statements of a connection; a list has some hundred variants, most of them rare. */
const PREPARED_STATEMENTS = 200;

/**
 * Names the statements that have values, so that PostgreSQL parses and plans each one once per connection. Values are
 * never part of the text, so there are few statements.
 */
function prepareStatements(client: Client, rowMode: SessionOptions['rowMode']): void {
  const query = client.query.bind(client);
  const prepared = new Map<string, object>();
  client.query = (text, ...more) => {
    const [values] = more;
    if (typeof text !== 'string' || !Array.isArray(values)) return query(text, ...more);
    let statement = prepared.get(text);
    if (statement === undefined) {
      if (values.length === 0 || prepared.size === PREPARED_STATEMENTS) return query({ text, rowMode }, ...more);
      // Inherited, because the driver copies own properties, which is slow.
      statement = Object.create({ name: `todo_${prepared.size}`, text, rowMode }) as object;
      prepared.set(text, statement);
    }
    return query(statement, ...more);
  };
}
