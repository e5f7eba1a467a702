import { CompiledQuery, type Kysely, type RawBuilder, sql } from 'kysely';
import type { Tables } from './task-row.js';

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
  readonly #compiled = new Map<string, CompiledQuery>();

  /**
   * Runs a statement.
   *
   * @param name of this very text
   * @param build puts the text together, with a {@link value} wherever one goes
   * @param values by name; they are sent as parameters
   */
  async run<Row>(
    db: Kysely<Tables>,
    name: string,
    build: () => RawBuilder<Row>,
    values: Readonly<Record<string, unknown>>,
  ): Promise<Row[]> {
    let compiled = this.#compiled.get(name);
    if (compiled === undefined) {
      compiled = build().compile(db);
      this.#compiled.set(name, compiled);
    }
    const parameters = compiled.parameters.map((parameter) =>
      parameter instanceof Slot ? values[parameter.name] : parameter,
    );
    return (await db.executeQuery<Row>(CompiledQuery.raw(compiled.sql, parameters))).rows;
  }
}
