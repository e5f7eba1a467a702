import { parseInput, TaskIdSchema } from '@todo-backend/application';
import { InvalidInputError } from '@todo-backend/domain';
import type { GenericSchema } from 'valibot';
import { type ProblemCode, problemOf, statusOf } from '../problem-details.js';
import { tooLarge } from '../request-body.js';
import { license, version as ownVersion } from '../version.js';
import { headers, parameters, tags } from './components.js';
import { type Answer, type Operation, operations } from './operations.js';
import { problems } from './problems.js';
import { bodies, ref, type Schema, schemaOf, schemas } from './schemas.js';

/** As much of an OpenAPI document as there is here. */
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
 * Describes the API, in OpenAPI 3.1: what it takes, by the schemas that check it, and all that it may answer.
 *
 * @param version of the API; that of this package by default
 */
export function openApiDocument(version: string = ownVersion): OpenApiDocument {
  const paths: Record<string, Record<string, OperationObject>> = {};
  for (const operation of operations) {
    paths[operation.path] = { ...paths[operation.path], [operation.method]: operationObject(operation) };
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
    // Relative to where the document is, which may be below another path.
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

function operationObject(operation: Operation): OperationObject {
  const { id, tag, summary, description, body } = operation;
  return {
    operationId: id,
    tags: [tag],
    summary,
    description,
    security: needsToken(operation) ? [{ bearerAuth: [] }] : [],
    parameters: parametersOf(operation),
    ...(body && {
      requestBody: {
        required: body.required,
        content: { 'application/json': { schema: ref(body.schema), examples: examplesOf(body.examples) } },
      },
    }),
    responses: {
      ...Object.fromEntries(
        Object.entries(operation.answers).map(([status, answer]) => [status, success(answer, needsToken(operation))]),
      ),
      ...Object.fromEntries(
        Object.entries(Object.groupBy(errorsOf(operation), statusOf)).map(([status, codes = []]) => [
          status,
          failure(Number(status), codes, operation),
        ]),
      ),
    },
  };
}

function needsToken({ path }: Operation): boolean {
  return path.startsWith('/api/{user_id}/');
}

function pathParameters({ path }: Operation): (keyof typeof parameters)[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as keyof typeof parameters);
}

function parametersOf(operation: Operation): Schema[] {
  const { properties = {}, required = [] } = (operation.query ? schemaOf(operation.query.schema) : {}) as {
    properties?: Record<string, Schema>;
    required?: string[];
  };
  const shared = (names: readonly string[]) => names.map((name) => ({ $ref: `#/components/parameters/${name}` }));
  return [
    ...shared(pathParameters(operation)),
    ...Object.entries(properties).map(([name, { description, ...schema }]) => ({
      name,
      in: 'query',
      required: required.includes(name),
      description,
      schema,
    })),
    ...shared([...(operation.parameters ?? []), 'X-Request-Id']),
  ];
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

/** The errors that an operation may answer, for what it takes and for what it does. */
function errorsOf(operation: Operation): ProblemCode[] {
  const { method, query, body, parameters = [], errors = [] } = operation;
  const namesTask = pathParameters(operation).includes('task_id');
  const codes: [ProblemCode, boolean][] = [
    ['MALFORMED_REQUEST', true],
    ['UNAUTHENTICATED', needsToken(operation)],
    ['USER_UNKNOWN', needsToken(operation) && method !== 'get'],
    ['FORBIDDEN', needsToken(operation)],
    ['TASK_NOT_FOUND', namesTask],
    ['REQUEST_TIMEOUT', true],
    ['TASK_CHANGED', parameters.includes('If-Match')],
    ['BODY_TOO_LARGE', body !== undefined],
    ['UNSUPPORTED_MEDIA_TYPE', body !== undefined],
    ['INVALID_INPUT', namesTask || query !== undefined || body !== undefined],
    ['IDEMPOTENCY_KEY_REUSED', parameters.includes('Idempotency-Key')],
    ['RATE_LIMITED', needsToken(operation)],
    ['HEADERS_TOO_LARGE', true],
    ['INTERNAL_ERROR', true],
    ['UNAVAILABLE', needsToken(operation)],
  ];
  return [...new Set([...codes.filter(([, answered]) => answered).map(([code]) => code), ...errors])];
}

const HEADERS_BY_STATUS: Readonly<Record<number, readonly (keyof typeof headers)[]>> = {
  401: ['WWW-Authenticate'],
  429: ['Retry-After'],
  503: ['Retry-After'],
};

function failure(status: number, codes: readonly ProblemCode[], operation: Operation): ResponseObject {
  return {
    description: codes.map((code) => problems[code].when).join(' '),
    headers: headersOf(HEADERS_BY_STATUS[status] ?? []),
    content: {
      'application/problem+json': {
        schema: ref('Problem'),
        examples: examplesOf(Object.fromEntries(codes.map((code) => [code, problemExample(code, operation)]))),
      },
    },
  };
}

function problemExample(code: ProblemCode, operation: Operation): object {
  // The parser answers these, before there is a path.
  const isUnread = code === 'REQUEST_TIMEOUT' || code === 'HEADERS_TOO_LARGE';
  const { path, detail, errors } =
    code === 'INVALID_INPUT'
      ? refusal(operation)
      : { detail: detailOf(code, operation), path: examplePath(operation), errors: undefined };
  return problemOf(code, {
    detail,
    ...(!isUnread && { instance: path }),
    requestId: '4b692b42-5e59-46b9-ad0e-693a92ef6968',
    ...(errors && { errors }),
  });
}

function detailOf(code: ProblemCode, { body }: Operation): string {
  return code === 'BODY_TOO_LARGE' && body?.limit ? tooLarge(body.limit).message : problems[code].detail;
}

/** What the schemas of an operation say about its mistakes; where it takes an id alone, about that. */
function refusal(operation: Operation) {
  const { query, body } = operation;
  const id = '1';
  const checks: Record<string, [GenericSchema, unknown]> = {
    ...(query && { query: [query.schema, query.mistake] }),
    ...(body && { body: [bodies[body.schema], body.mistake] }),
    ...(!query && !body && { task_id: [TaskIdSchema, id] }),
  };
  const pick = (index: 0 | 1) => Object.fromEntries(Object.entries(checks).map(([name, pair]) => [name, pair[index]]));
  try {
    parseInput(pick(0) as Record<string, GenericSchema>, pick(1));
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    const path = examplePath(operation, 'task_id' in checks ? { task_id: id } : {});
    return { path, detail: error.message, errors: error.problems };
  }
  throw new Error(`The mistakes of ${operation.id} are none.`);
}

function examplePath({ path }: Operation, values: Readonly<Record<string, string>> = {}): string {
  return path.replace(/\{(\w+)\}/g, (_, name: keyof typeof parameters) => {
    const { example }: Schema = parameters[name];
    return values[name] ?? String(example);
  });
}

function examplesOf(examples: Readonly<Record<string, unknown>>): Examples {
  return Object.fromEntries(Object.entries(examples).map(([name, value]) => [name, { value }]));
}

function headersOf(names: readonly string[]): Schema {
  return Object.fromEntries([...names, 'X-Request-Id'].map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}
