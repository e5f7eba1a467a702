import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isNotModified } from '../middleware/conditions.js';
import { RequestError } from '../middleware/request-error.js';
import { json, notModified, type Route } from './route.js';

const getOpenApi: Route = {
  id: 'getOpenApi',
  method: 'get',
  path: '/openapi.json',
  tag: 'Documentation',
  summary: 'This document',
  description: 'The description of the API, in OpenAPI 3.1.',
  headers: ['If-None-Match'],
  answers: {
    200: {
      description: 'The document.',
      headers: ['ETag'],
      content: json(
        { type: 'object' },
        { start: { openapi: '3.1.0', info: { title: 'Todo backend', version: '0.1.0' }, paths: {} } },
      ),
    },
    304: notModified,
  },
  handle({ document }) {
    const prepared = once(async () => {
      const text = Buffer.from(JSON.stringify(await document()));
      return { text, tag: createHash('sha256').update(text).digest('hex') };
    });
    return async (ctx) => {
      const { text, tag } = await prepared();
      ctx.set('Cache-Control', 'public, no-cache');
      if (isNotModified(ctx, tag)) return;
      ctx.type = 'application/json';
      ctx.body = text;
    };
  },
};

const getDocs: Route = {
  id: 'getDocs',
  method: 'get',
  path: '/docs',
  tag: 'Documentation',
  summary: 'A page to read and to try the API',
  description: 'This document in Swagger UI. It talks to this server alone.',
  answers: {
    200: {
      description: 'The page.',
      content: {
        'text/html': {
          schema: { type: 'string' },
          examples: { start: '<!doctype html>\n<html lang="en">\n  <head>\n    <title>Todo backend API</title>' },
        },
      },
    },
  },
  handle:
    ({ version }) =>
    (ctx) => {
      ctx.set('Content-Security-Policy', PAGE_POLICY);
      ctx.set('Cross-Origin-Opener-Policy', 'same-origin');
      ctx.type = 'text/html';
      ctx.body = page(encodeURIComponent(version));
    },
};

const getDocsFile: Route = {
  id: 'getDocsFile',
  method: 'get',
  path: '/docs/{file}',
  tag: 'Documentation',
  summary: 'A file of the page',
  description: 'Scripts, styles and pictures of the page. With its version in the address it can be kept for good.',
  answers: {
    200: {
      description: 'The file.',
      content: {
        'text/css': { schema: { type: 'string' } },
        'text/javascript': { schema: { type: 'string' } },
        'image/png': { schema: {} },
      },
    },
  },
  errors: ['ROUTE_NOT_FOUND'],
  handle:
    ({ version }) =>
    async (ctx) => {
      const file = FILES.get(ctx.params.file ?? '');
      if (file === undefined) throw new RequestError('ROUTE_NOT_FOUND', 'There is nothing at this address.');
      // The page requests files with the version, so that they can be cached forever. Without it they must not be.
      if (new URLSearchParams(ctx.querystring).getAll('v').join() === version) {
        ctx.set('Cache-Control', 'public, max-age=31536000, immutable');
      }
      ctx.body = await file.content();
      ctx.type = file.type;
    },
};

/** The OpenAPI document and the Swagger UI page, both loaded on first use. */
export const docsRoutes = { getOpenApi, getDocs, getDocsFile };

/** The page may only load from, and connect to, this server. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join(';');

/** Links are relative, so that the page also works below another path. */
function page(version: string): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Todo backend API</title>
    <link rel="icon" type="image/png" href="docs/favicon-32x32.png?v=${version}">
    <link rel="stylesheet" href="docs/swagger-ui.css?v=${version}">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="docs/swagger-ui-bundle.js?v=${version}"></script>
    <script src="docs/initializer.js?v=${version}"></script>
  </body>
</html>
`;
}

/** Keeps the token in memory only, and does not send the document to an external validator. */
const INITIALIZER = `SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null,
});
`;

/** Memoizes `make`, and retries it if it failed. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make().catch((error) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}

/** The files of the page, each read once. */
const FILES = new Map([
  ['swagger-ui.css', { type: 'text/css', content: once(() => read('swagger-ui.css')) }],
  ['swagger-ui-bundle.js', { type: 'text/javascript', content: once(() => read('swagger-ui-bundle.js')) }],
  ['favicon-32x32.png', { type: 'image/png', content: once(() => read('favicon-32x32.png')) }],
  ['initializer.js', { type: 'text/javascript', content: async () => Buffer.from(INITIALIZER) }],
]);

async function read(name: string): Promise<Buffer> {
  const { default: absolutePath } = await import('swagger-ui-dist/absolute-path.js');
  return readFile(join(absolutePath(), name));
}
