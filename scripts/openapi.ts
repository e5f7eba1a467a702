/**
 * Writes the description of the API to `docs/openapi.json`. `npm run openapi` checks it afterwards.
 *
 *   npm run openapi
 */
import { writeFileSync } from 'node:fs';
import { openApiDocument } from '@todo-backend/http';

writeFileSync('docs/openapi.json', `${JSON.stringify(openApiDocument(), null, 2)}\n`);
