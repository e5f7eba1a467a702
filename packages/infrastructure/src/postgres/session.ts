import type { Socket } from 'node:net';
import { MAY_BECOME_API_ROLE } from './permissions.js';

/** As much of the driver's client as is used here. */
export interface Client {
  query(text: string | object, ...more: unknown[]): Promise<unknown>;
  readonly connection: { readonly stream: Socket };
}

/** How a connection is to be. */
export interface SessionOptions {
  /** Milliseconds after which a connection on which nothing has moved is given up. */
  readonly silence: number;
  /** Whether there is a transaction pooler in between, which keeps nothing that is set here. */
  readonly transactionPooler: boolean;
  /** The schema of the tables; that of the search path when left out. */
  readonly schema?: string | undefined;
  /** Whether rows come as the arrays of their columns, or as objects. */
  readonly rowMode?: 'array' | undefined;
}

/** Makes a new connection what queries need. */
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

/** Has a connection find and make tables in one schema. */
export async function useSchema(client: Client, schema: string): Promise<void> {
  await client.query("select set_config('search_path', quote_ident($1), false)", [schema]);
}

/**
 * A server that hangs does not keep its own time limits. A connection on which nothing has moved for that long is given
 * up, and whatever waits for it fails; an idle one is nothing lost.
 */
function cutOffWhenSilent({ connection: { stream } }: Client, milliseconds: number): void {
  const error = Object.assign(new Error('The database server does not answer.'), { code: 'ETIMEDOUT' });
  stream.setTimeout(milliseconds, () => stream.destroy(error));
}

/**
 * Dates are spelt as PostgreSQL does unless somebody has told the server, the database or the role something else. And a
 * prepared statement is planned once: planning takes longer than running, PostgreSQL cannot make up its mind about some
 * of the statements, and none has a plan that would be better for other values. The search path stays the one of the
 * login: "$user" in it would be another schema once the role is `todo_api`.
 */
const SETTINGS = `
  select set_config('DateStyle', 'ISO', false), set_config('plan_cache_mode', 'force_generic_plan', false),
         set_config('search_path', replace(replace(current_setting('search_path'),
           '"$user"', quote_ident(session_user)), '$user', quote_ident(session_user)), false)`;

/** Where the login role would pass row level security, and may become one that does not. */
const BECOME_API_ROLE = `
  select set_config('role', 'todo_api', false) from pg_roles
  where rolname = session_user and (rolsuper or rolbypassrls) and ${MAY_BECOME_API_ROLE}`;

/** Statements that one connection prepares; a list has some hundred variants, and most are seldom asked for. */
const PREPARED_STATEMENTS = 200;

/**
 * Names the statements that come with values, so that PostgreSQL parses and plans each one once for a connection. The
 * texts never hold a value, so there are few of them.
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
      // Inherited, because the driver takes long to copy what is its own.
      statement = Object.create({ name: `todo_${prepared.size}`, text, rowMode }) as object;
      prepared.set(text, statement);
    }
    return query(statement, ...more);
  };
}
