import type { Constructor } from '@mikro-orm/core';
import type { Migration } from '@mikro-orm/migrations';

/** The table of users that the owners of rows are in. */
export interface UserTable {
  /** As SQL has it, quoted. */
  readonly name: string;
  readonly idType: UserIdType;
}

/** What Better Auth can be told to make ids of: its own texts, UUIDs, or numbers of a sequence. */
export type UserIdType = 'text' | 'uuid' | 'bigint';

/** A migration that depends on the table of users. */
export type MigrationFor = (users: UserTable) => Constructor<Migration>;

/** The id that a text spells, or null. One spelling is accepted, so that nobody has two names. */
const KEY_OF_TEXT = {
  uuid: `case when "userId" ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then "userId"::uuid end`,
  bigint: `case when "userId" ~ '^[1-9][0-9]{0,17}$' then "userId"::bigint end`,
} as const;

/**
 * The owner of a row, who takes it along when Better Auth deletes them. Row level security and all statements know the
 * owner as a text; where the ids of users are of another type, a column that follows from the text refers to them.
 */
export function ownerColumns({ name, idType }: UserTable, constraint: string, deferral = ''): string {
  const reference = `references ${name} ("id") on delete cascade ${deferral}`;
  if (idType === 'text') return `"userId" text ${constraint} ${reference}`;
  return `"userId" text ${constraint},
    "userKey" ${idType} not null generated always as (${KEY_OF_TEXT[idType]}) stored ${reference}`;
}

/** What finds the rows of a user who is deleted, where the column of {@link ownerColumns} is not the text itself. */
export function ownerIndexes({ idType }: UserTable, table: string): string[] {
  return idType === 'text' ? [] : [`create index "${table}_userKey_index" on "${table}" ("userKey")`];
}
