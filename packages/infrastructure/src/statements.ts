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
