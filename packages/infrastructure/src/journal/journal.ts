import type { Journal, JournalEntry, JournalQuery } from '@todo-backend/application';
import type { UserId } from '@todo-backend/domain';
import { type ExpressionBuilder, type RawBuilder, sql } from 'kysely';
import { asCaller, type CallerTables, knowsCaller, noOffset } from '../postgres/caller.js';
import type { Database } from '../postgres/database.js';
import { Statements, value } from '../postgres/statements.js';
import { type StoredEntry, storedEntry, toEntry } from './entry.js';
import { selectLedger } from './ledger.js';

/** The most entries of a user that a filter reads on a connection that others wait behind. */
const LONG_JOURNAL = 10_000;

/** The journal in PostgreSQL, on a server or embedded. */
export class SqlJournal implements Journal {
  readonly #database: Database;
  readonly #statements: Statements;

  constructor(database: Database) {
    this.#database = database;
    this.#statements = new Statements(database.builder);
  }

  async entries(owner: UserId, query: JournalQuery): Promise<JournalEntry[]> {
    const filters = filtersOf(query);
    const statement = this.#statements.get(
      `entries ${filters}`,
      (db) =>
        asCaller(db)
          .selectFrom('caller')
          .innerJoinLateral(
            (eb) =>
              eb
                .selectFrom('task_events')
                .select(storedEntry.as('entry'))
                .where((eb) => eb.and([this.ownedBy(), knowsCaller, ...filters.map((name) => FILTERS[name](eb))]))
                .orderBy('sequence', 'desc')
                .limit(value<number>('limit'))
                .offset(noOffset)
                .as('found'),
            (join) => join.onTrue(),
          )
          .select('found.entry'),
      { owner, ...query },
    );
    // A filter reads past everything that it does not match.
    const isSlow = filters.some((name) => name !== 'before') && (await this.#sequence(owner)) > LONG_JOURNAL;
    const rows = isSlow
      ? await this.#database.readSlowly<readonly [StoredEntry]>(statement)
      : await this.#database.read<readonly [StoredEntry]>(statement);
    return rows.map(([entry]) => toEntry(entry));
  }

  /** The owner predicate, in addition to row level security. */
  protected ownedBy(table: 'task_events' | 'task_ledgers' = 'task_events'): RawBuilder<boolean> {
    return sql<boolean>`${sql.ref(`${table}.userId`)} = ${value('owner')}`;
  }

  /** The sequence of the newest entry. */
  async #sequence(owner: UserId): Promise<number> {
    const statement = this.#statements.get(
      'sequence',
      (db) => selectLedger(db, [sql.ref('sequence').as('sequence')], this.ownedBy('task_ledgers')),
      { owner },
    );
    const [row] = await this.#database.read<readonly [sequence: number]>(statement);
    return row?.[0] ?? 0;
  }
}

type Filter = Exclude<keyof JournalQuery, 'limit'>;
type Filtered = ExpressionBuilder<CallerTables, 'task_events' | 'caller'>;

/** The condition of each filter, whose parameter has the same name. A missing condition is a type error. */
const FILTERS: { readonly [Name in Filter]: (eb: Filtered) => ReturnType<Filtered> } = {
  taskId: (eb) => eb('taskId', '=', value<string>('taskId')),
  type: (eb) => eb('type', '=', value<string>('type')),
  since: (eb) => eb('time', '>=', value<string>('since')),
  until: (eb) => eb('time', '<', value<string>('until')),
  before: (eb) => eb('sequence', '<', value<number>('before')),
};

function filtersOf(query: JournalQuery): Filter[] {
  return (Object.keys(FILTERS) as Filter[]).filter((name) => query[name] !== undefined);
}
