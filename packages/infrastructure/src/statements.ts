import { CompiledQuery, type Kysely, type RawBuilder, sql } from 'kysely';
import type { Tables } from './task-row.js';

/** A statement that can be run, with the values that go with it. */
export type Statement = Pick<CompiledQuery, 'sql' | 'parameters'>;

/** Where a value is to go. */
class Slot {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** The place of a value in a statement of {@link Statements}. */
export function value(name: string): RawBuilder<unknown> {
  return sql`${new Slot(name)}`;
}

/** The columns of rows that are sent along, and their types. */
type Columns = Readonly<Record<string, string>>;

/** A row that is sent along: a {@link value} by the name of each column, and its `position`, 1. */
export function rowOfValues(columns: Columns): RawBuilder<unknown> {
  const values = Object.entries(columns).map(
    ([name, type]) => sql`${value(name)}::${sql.raw(type)} as ${sql.ref(name)}`,
  );
  return sql`(select ${sql.join(values)}, 1 as position)`;
}

/**
 * Any number of rows that are sent along as one {@link value}, in JSON, and their `position`. A single row takes
 * PostgreSQL less time as {@link rowOfValues}.
 */
export function rowsOfJson(columns: Columns, name: string): RawBuilder<unknown> {
  const typed = Object.entries(columns).map(([column, type]) => sql`${sql.ref(column)} ${sql.raw(type)}`);
  const names = Object.keys(columns).map((column) => sql.ref(column));
  return sql`(
    select * from rows from (json_to_recordset(${value(name)}::text::json) as (${sql.join(typed)}))
      with ordinality as sent (${sql.join(names)}, position)
  )`;
}

/**
 * Statements that are put together once each, and run with other values every time: putting one together takes longer
 * than running it.
 */
export class Statements {
  readonly #compile: (statement: RawBuilder<unknown>) => CompiledQuery;
  readonly #compiled = new Map<string, CompiledQuery>();

  constructor(compile: (statement: RawBuilder<unknown>) => CompiledQuery) {
    this.#compile = compile;
  }

  /**
   * @param name of this very text
   * @param build puts the text together, with a {@link value} wherever one goes
   * @param values by name; they are sent as parameters
   */
  get(name: string, build: () => RawBuilder<unknown>, values: Readonly<Record<string, unknown>>): Statement {
    let compiled = this.#compiled.get(name);
    if (compiled === undefined) {
      compiled = this.#compile(build());
      this.#compiled.set(name, compiled);
    }
    const parameters = compiled.parameters.map((parameter) =>
      parameter instanceof Slot ? values[parameter.name] : parameter,
    );
    return { sql: compiled.sql, parameters };
  }
}

/**
 * Runs a statement.
 *
 * @returns each row as the array of its columns
 */
export async function runIn<Row>(db: Kysely<Tables>, { sql, parameters }: Statement): Promise<Row[]> {
  const { rows } = await db.executeQuery<object>(CompiledQuery.raw(sql, [...parameters]));
  return rows.map((row) => Object.values(row) as Row);
}
