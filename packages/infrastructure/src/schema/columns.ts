import { p, Type } from '@mikro-orm/core';
import { UserRow } from './better-auth.js';

/** Keeps the text that PostgreSQL returns: a `Date` loses its format and is slower to create. */
class PlainText extends Type<string, string> {
  override getColumnType(): string {
    return 'text';
  }

  /** The driver of the embedded database has already converted it to a `Date`. */
  override convertToJSValue(value: string | Date): string {
    return value instanceof Date ? value.toISOString() : value;
  }
}

/** A column that is read and written as text. */
export function text(columnType: string) {
  return p.type(PlainText).columnType(columnType);
}

/** The owner of a row. It is deleted when Better Auth deletes the user. */
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
