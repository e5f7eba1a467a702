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
      // The page names the version, so that a new one is fetched anew. Without it, nobody can tell what was kept.
      if (new URLSearchParams(ctx.querystring).getAll('v').join() === version) {
        ctx.set('Cache-Control', 'public, max-age=31536000, immutable');
      }
      ctx.body = await file.content();
      ctx.type = file.type;
    },
};

/** The description of the API, and a page to read and to try it. Nothing of either is loaded before somebody asks. */
export const docsRoutes = { getOpenApi, getDocs, getDocsFile };

/** What the page may do: load what this server has, and ask it. */
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

/** Relative to /docs, so that the page works below another path too. */
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

/** The token stays in the page's memory, and the document is shown to no validator elsewhere. */
const INITIALIZER = `SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null,
});
`;

/** Makes something when it is first asked for, and again only where that failed. */
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

/** The files of the page. Each is read once, and all answers share its bytes. */
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
