import { defineConfig } from 'drizzle-kit';

const { DATABASE_URL: url = '', TABLES_FILTER: filter } = process.env;

export default defineConfig({
  dialect: 'postgresql',
  schema: './drizzle/schema.ts',
  dbCredentials: { url },
  ...(filter && { tablesFilter: filter.split(',') }),
});
