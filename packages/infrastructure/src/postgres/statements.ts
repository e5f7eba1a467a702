import {
  type Compilable,
  CompiledQuery,
  type Kysely,
  type OperationNodeSource,
  type QueryCreator,
  type RawBuilder,
  type Selectable,
  sql,
} from 'kysely';
import type { Tables } from '../schema/tables.js';

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
export function value<T>(name: string): RawBuilder<T> {
  return sql<T>`${new Slot(name)}`;
}

/** The SQL type of each column of rows that are sent along. */
type ColumnTypes<Row> = { readonly [Column in keyof Row]: string };

/** Rows that are sent along with a statement, and the `position` of each, counted from 1. */
type Sent<Row> = RawBuilder<Selectable<Row> & { readonly position: number }>;

/** One row that is sent along: a {@link value} by the name of each column. */
export function rowOfValues<Row>(types: ColumnTypes<Row>): Sent<Row> {
  const values = Object.entries<string>(types).map(
    ([name, type]) => sql`${value(name)}::${sql.raw(type)} as ${sql.ref(name)}`,
  );
  return sql`(select ${sql.join(values)}, 1 as position)`;
}

/** Any number of rows that are sent along as one {@link value}, in JSON. PostgreSQL reads one {@link rowOfValues} faster. */
export function rowsOfJson<Row>(types: ColumnTypes<Row>, name: string): Sent<Row> {
  const columns = Object.entries<string>(types).map(([column, type]) => sql`${sql.ref(column)} ${sql.raw(type)}`);
  const names = Object.keys(types).map((column) => sql.ref(column));
  return sql`(
    select * from rows from (json_to_recordset(${value(name)}::text::json) as (${sql.join(columns)}))
      with ordinality as sent (${sql.join(names)}, position)
  )`;
}

/** A part of a statement: a common table expression. */
type Part = (db: QueryCreator<Tables>) => OperationNodeSource;

/** Begins a statement with these parts, in their order. One that is `undefined` is left out. */
export function withParts<Name extends string>(
  db: QueryCreator<Tables>,
  parts: { readonly [Key in Name]: Part | undefined },
): QueryCreator<Tables & { [Key in Name]: object }> {
  const given = Object.entries<Part | undefined>(parts).filter(([, part]) => part !== undefined);
  // What a part returns decides only about the columns of its name, which nobody asks the types for.
  return given.reduce((creator, [name, part]) => creator.with(name, part as never), db) as never;
}

/** Statements that are put together once each, and then run with other values: that takes longer than running one. */
export class Statements {
  readonly #builder: Kysely<Tables>;
  readonly #compiled = new Map<string, CompiledQuery>();

  constructor(builder: Kysely<Tables>) {
    this.#builder = builder;
  }

  /**
   * @param name of this very text
   * @param build puts the text together, with a {@link value} wherever one goes
   * @param values by name; they are sent as parameters
   */
  get(name: string, build: (db: Kysely<Tables>) => Compilable, values: Readonly<Record<string, unknown>>): Statement {
    let compiled = this.#compiled.get(name);
    if (compiled === undefined) {
      compiled = build(this.#builder).compile();
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
