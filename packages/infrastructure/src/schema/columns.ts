import { p, Type } from '@mikro-orm/core';
import { UserRow } from './better-auth.js';

/** A value that stays the text that PostgreSQL writes it as: a `Date` loses the spelling, and takes longer to make. */
class PlainText extends Type<string, string> {
  override getColumnType(): string {
    return 'text';
  }

  /** The driver of the embedded database has made a `Date` of it already. */
  override convertToJSValue(value: string | Date): string {
    return value instanceof Date ? value.toISOString() : value;
  }
}

/** A column whose values are read and written as texts. */
export function text(columnType: string) {
  return p.type(PlainText).columnType(columnType);
}

/** The owner of a row, who takes it along when Better Auth deletes them. */
export function owner(foreignKeyName: string) {
  return p
    .manyToOne(UserRow)
    .mapToPk()
    .joinColumn('userId')
    .deleteRule('cascade')
    .updateRule('no action')
    .foreignKeyName(foreignKeyName)
    .index(false);
}
