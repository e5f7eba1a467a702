import { type ProblemCode, statusOf } from '../middleware/problem-details.js';
import { routes } from '../routes/index.js';
import { type Answer, needsToken, type Query, type Route, ref, type Schema } from '../routes/route.js';
import { license, version as ownVersion } from '../version.js';
import { headers, parameters, tags } from './components.js';
import { problemExample } from './problem-examples.js';
import { problems } from './problems.js';
import { schemaOf, schemas } from './schemas.js';

/** The parts of an OpenAPI document used here. */
export interface OpenApiDocument {
  readonly openapi: string;
  readonly info: object;
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationObject>>>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, Schema>>>>;
  readonly [more: string]: unknown;
}

/** An operation of an OpenAPI document. */
export interface OperationObject {
  readonly operationId: string;
  readonly parameters: readonly Schema[];
  readonly requestBody?: { readonly required: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, ResponseObject>>;
  readonly [more: string]: unknown;
}

interface ResponseObject {
  readonly description: string;
  readonly headers?: Schema;
  readonly content?: Content;
}

type Content = Readonly<Record<string, { readonly schema: Schema; readonly examples?: Examples }>>;
type Examples = Readonly<Record<string, { readonly value: unknown }>>;

/**
 * Describes the API in OpenAPI 3.1, from the schemas that validate its input.
 *
 * @param version of the API; default that of this package
 */
export function openApiDocument(version: string = ownVersion): OpenApiDocument {
  const paths: Record<string, Record<string, OperationObject>> = {};
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method]: operationObject(route) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Todo backend',
      version,
      description:
        'Tasks of many users. What lies below `/api/{user_id}` needs a token of that user, as Better Auth issues it. Every error is an `application/problem+json` (RFC 9457). An unknown address is 404; a known one with another method is 405, with `Allow`. `HEAD` works where `GET` does.',
      license: { name: license, identifier: license },
    },
    // Relative to the document, which may be served below another path.
    servers: [{ url: '.', description: 'Where this document comes from.' }],
    tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: schemas(),
      parameters: Object.fromEntries(Object.entries(parameters).map(([name, rest]) => [name, { name, ...rest }])),
      headers,
      securitySchemes: {
        bearerAuth: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description:
            'A token of Better Auth (`/api/auth/token`), or one of `npm run -s token -- --user alice` where the server signs its own.',
        },
      },
    },
  };
}

function operationObject(route: Route): OperationObject {
  const { id, tag, summary, description, body } = route;
  return {
    operationId: id,
    tags: [tag],
    summary,
    description,
    security: needsToken(route) ? [{ bearerAuth: [] }] : [],
    parameters: parametersOf(route),
    ...(body && {
      requestBody: {
        required: body.required,
        content: { 'application/json': { schema: ref(body.schema), examples: examplesOf(body.examples) } },
      },
    }),
    responses: {
      ...Object.fromEntries(
        Object.entries(route.answers).map(([status, answer]) => [status, success(answer, needsToken(route))]),
      ),
      ...Object.fromEntries(
        Object.entries(Object.groupBy(errorsOf(route), statusOf)).map(([status, codes = []]) => [
          status,
          failure(Number(status), codes, route),
        ]),
      ),
    },
  };
}

function pathParameters({ path }: Route): (keyof typeof parameters)[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as keyof typeof parameters);
}

function parametersOf(route: Route): Schema[] {
  const shared = (names: readonly string[]) => names.map((name) => ({ $ref: `#/components/parameters/${name}` }));
  return [
    ...shared(pathParameters(route)),
    ...(route.query === undefined ? [] : queryParameters(route.query)),
    ...shared([...(route.headers ?? []), 'X-Request-Id']),
  ];
}

function queryParameters({ schema: querySchema, names = {}, emptyIsAbsent = [] }: Query): Schema[] {
  const { properties = {}, required = [] } = schemaOf(querySchema) as {
    properties?: Record<string, Schema>;
    required?: string[];
  };
  const onWire = Object.fromEntries(Object.entries(names).map(([wire, name]) => [name, wire]));
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    ...(emptyIsAbsent.includes(name) && { allowEmptyValue: true }),
    name: onWire[name] ?? name,
    in: 'query',
    required: required.includes(name),
    description: emptyIsAbsent.includes(name)
      ? String(description).replace(/\.$/, '; an empty value is as if absent.')
      : description,
    schema: emptyIsAbsent.includes(name) ? orEmpty(schema) : schema,
  }));
}

/** The schema, and an empty text. */
function orEmpty(schema: Schema): Schema {
  const { items, pattern } = schema as { readonly items?: Schema; readonly pattern?: string };
  if (items !== undefined) return { ...schema, items: orEmpty(items) };
  return pattern === undefined ? schema : { ...schema, pattern: `^$|${pattern}` };
}

function success({ description, headers = [], content }: Answer, isLimited: boolean): ResponseObject {
  return {
    description,
    headers: headersOf([...headers, ...(isLimited ? ['RateLimit', 'RateLimit-Policy'] : [])]),
    ...(content && {
      content: Object.fromEntries(
        Object.entries(content).map(([type, { schema, examples }]) => [
          type,
          { schema, ...(examples && { examples: examplesOf(examples) }) },
        ]),
      ),
    }),
  };
}

/** The errors that a route may respond with. */
function errorsOf(route: Route): ProblemCode[] {
  const { method, query, body, headers = [], errors = [] } = route;
  const namesTask = pathParameters(route).includes('task_id');
  const codes: [ProblemCode, boolean][] = [
    ['MALFORMED_REQUEST', true],
    ['UNAUTHENTICATED', needsToken(route)],
    ['USER_UNKNOWN', needsToken(route) && method !== 'get'],
    ['FORBIDDEN', needsToken(route)],
    ['TASK_NOT_FOUND', namesTask],
    ['REQUEST_TIMEOUT', true],
    ['TASK_CHANGED', headers.includes('If-Match')],
    ['BODY_TOO_LARGE', body !== undefined],
    ['UNSUPPORTED_MEDIA_TYPE', body !== undefined],
    ['INVALID_INPUT', namesTask || query !== undefined || body !== undefined],
    ['IDEMPOTENCY_KEY_REUSED', headers.includes('Idempotency-Key')],
    ['RATE_LIMITED', needsToken(route)],
    ['HEADERS_TOO_LARGE', true],
    ['INTERNAL_ERROR', true],
    ['UNAVAILABLE', needsToken(route)],
  ];
  return [...new Set([...codes.filter(([, answered]) => answered).map(([code]) => code), ...errors])];
}

const HEADERS_BY_STATUS: Readonly<Record<number, readonly (keyof typeof headers)[]>> = {
  401: ['WWW-Authenticate'],
  429: ['Retry-After'],
  503: ['Retry-After'],
};

function failure(status: number, codes: readonly ProblemCode[], route: Route): ResponseObject {
  return {
    description: codes.map((code) => problems[code].when).join(' '),
    headers: headersOf(HEADERS_BY_STATUS[status] ?? []),
    content: {
      'application/problem+json': {
        schema: ref('Problem'),
        examples: examplesOf(Object.fromEntries(codes.map((code) => [code, problemExample(code, route)]))),
      },
    },
  };
}

function examplesOf(examples: Readonly<Record<string, unknown>>): Examples {
  return Object.fromEntries(Object.entries(examples).map(([name, value]) => [name, { value }]));
}

function headersOf(names: readonly string[]): Schema {
  return Object.fromEntries([...names, 'X-Request-Id'].map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}
