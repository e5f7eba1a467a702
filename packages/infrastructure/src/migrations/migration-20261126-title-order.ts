import { Migration } from '@mikro-orm/migrations';

/** The order of titles that people expect: by Unicode (CLDR's root collation), and numbers in them by their value. */
export class Migration20261126TitleOrder extends Migration {
  override up(): void {
    // In ICU's own spelling: the embedded PostgreSQL ignores the extension of "und-u-kn-true".
    this.addSql(`create collation if not exists "todo_title" (provider = icu, locale = 'und@colNumeric=yes')`);
  }
}
