import type { Journal, JournalEntry, JournalQuery } from '@todo-backend/application';
import type { UserId } from '@todo-backend/domain';
import { type RawBuilder, sql } from 'kysely';
import type { Database } from './database.js';
import { Statements, value } from './statements.js';
import { entry, journalConditions, type StoredEntry, toEntry } from './task-journal.js';
import { KNOWS_ME, ME } from './task-repository.js';

/** The journal in PostgreSQL, on a server or embedded, as its users read it. */
export class SqlJournal implements Journal {
  readonly #database: Database;
  readonly #statements: Statements;

  constructor(database: Database) {
    this.#database = database;
    this.#statements = new Statements((statement) => database.compile(statement));
  }

  async entries(owner: UserId, query: JournalQuery): Promise<JournalEntry[]> {
    const { names, conditions } = journalConditions(query);
    const statement = this.#statements.get(
      `entries ${names}`,
      () => sql`
        with ${ME} select found.* from me, lateral (
          select ${entry} as entry from "task_events"
          where ${sql.join([this.ownedBy(), KNOWS_ME, ...conditions], sql` and `)}
          order by "sequence" desc limit ${value('limit')} offset 0
        ) as found`,
      { owner, ...query },
    );
    const rows = await this.#database.read<readonly [StoredEntry]>(statement);
    return rows.map(([entry]) => toEntry(entry));
  }

  /** The first wall. Behind it row level security is the second. */
  protected ownedBy(): RawBuilder<boolean> {
    return sql<boolean>`"task_events"."userId" = ${value('owner')}`;
  }
}
