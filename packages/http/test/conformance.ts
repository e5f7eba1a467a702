import assert from 'node:assert/strict';
import { type OpenApiDocument, type OperationObject, openApiDocument } from '@todo-backend/http';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

/** The parts of a response that are compared with the document. */
export interface Seen {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** The OpenAPI document: the same as docs/openapi.json, and as the one served. */
export const document: OpenApiDocument = openApiDocument('test');

const ajv = addFormats.default(new Ajv2020({ allErrors: true, allowUnionTypes: true }));
ajv.addVocabulary(Object.keys(document)).addSchema(closed(document), 'openapi');

/** An operation of the document, with the validators of its responses. */
interface Operation {
  readonly method: string;
  readonly path: RegExp;
  readonly parameters: number;
  readonly responses: ReadonlyMap<number, Response>;
}

interface Response {
  readonly headers: readonly Header[];
  readonly bodies: Bodies;
}

interface Header {
  readonly name: string;
  readonly isRequired: boolean;
  readonly isNumber: boolean;
  readonly isValid: ValidateFunction;
}

/** By media type; empty when there is no body. */
type Bodies = ReadonlyMap<string, Body>;

interface Body {
  readonly isValid: ValidateFunction;
  /** The possible `type`s of an error. Every documented one has an example. */
  readonly types?: readonly unknown[];
}

const NO_BODY: Response = { headers: [], bodies: new Map() };
const ANY_PROBLEM: Response = {
  headers: [header('X-Request-Id')],
  bodies: new Map([['application/problem+json', { isValid: compile('/components/schemas/Problem') }]]),
};

const operations: readonly Operation[] = Object.entries(document.paths)
  .flatMap(([path, methods]) => Object.entries(methods).map(([method, it]) => operation(method, path, it)))
  // OpenAPI matches paths without parameters first.
  .sort((a, b) => a.parameters - b.parameters);

function operation(method: string, path: string, { responses }: OperationObject): Operation {
  const answers = Object.entries(responses).map(([status, { headers = {}, content = {} }]): [number, Response] => {
    const pointer = `/paths/${escaped(path)}/${method}/responses/${status}/content`;
    const types = Object.entries(content).map(([type, { examples = {} }]): [string, Body] => {
      const isValid = compile(`${pointer}/${escaped(type)}/schema`);
      if (Number(status) < 400) return [type, { isValid }];
      return [type, { isValid, types: Object.values(examples).map(({ value }) => (value as { type: unknown }).type) }];
    });
    return [Number(status), { headers: Object.keys(headers).map(header), bodies: new Map(types) }];
  });
  return {
    method: method.toUpperCase(),
    path: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
    parameters: path.split('{').length - 1,
    responses: new Map(answers),
  };
}

function header(name: string): Header {
  const { required, schema } = document.components.headers?.[name] ?? {};
  return {
    name,
    isRequired: required === true,
    isNumber: (schema as { type: unknown }).type === 'integer',
    isValid: compile(`/components/headers/${name}/schema`),
  };
}

/**
 * Fails unless the response is documented for this request: status, headers, type and body. Without an operation (an
 * unknown path, another method, no request at all) it must be a problem or a CORS response.
 *
 * @param target as it was sent, or `undefined` if none could be read
 */
export function assertDocumented(method: string, target: string | undefined, { status, headers, text }: Seen): void {
  const path = /^(?:[a-z]+:\/\/[\w.-]*(?::\d*)?(?=[/?#]|$))?([^?#]*)/i.exec(target ?? '')?.[1] ?? '';
  const about = `${method} ${target}: ${status} ${text.slice(0, 500)}`;
  // A fixed part of a path is not a parameter of another one.
  const ofPath = operations.filter((it) => it.path.test(path));
  const operation = ofPath.find(
    (it) => it.parameters === ofPath[0]?.parameters && it.method === (method === 'HEAD' ? 'GET' : method),
  );
  const response = operation ? operation.responses.get(status) : elsewhere(method, status);
  assert.ok(response, `the status is not documented: ${about}`);
  for (const header of response.headers) assertHeader(header, headers.get(header.name), about);

  const { bodies } = response;
  const [type = ''] = (headers.get('Content-Type') ?? '').split(';');
  const body = bodies.get(type);
  if (bodies.size > 0) assert.ok(body, `the type ${type} is not documented: ${about}`);
  if (method === 'HEAD' || body === undefined) assert.equal(text, '', about);
  else if (type.endsWith('json')) assertValid(body, text, about);
}

/** `fetch` for this API: rejects when the response is not documented. */
export const documentedFetch: typeof fetch = async (input, init) => {
  const { method, url } = new Request(input, init);
  const response = await fetch(input, init);
  const { status, headers } = response;
  assertDocumented(method, url, { status, headers, text: await response.clone().text() });
  return response;
};

/** Parses the consecutive responses of a connection. The last one may be arriving still. */
export function parseAnswers(received: string): Seen[] {
  if (!received.includes('\r\n\r\n')) return [];
  const [head = '', ...rest] = received.split('\r\n\r\n');
  const [line = '', ...fields] = head.split('\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(line)?.[1]);
  const headers = new Headers(
    fields.map((field): [string, string] => [field.slice(0, field.indexOf(':')), field.slice(field.indexOf(':') + 1)]),
  );
  const after = rest.join('\r\n\r\n');
  const size = status === 100 ? 0 : Math.min(Number(headers.get('content-length') ?? 0), after.length);
  return [{ status, headers, text: after.slice(0, size) }, ...parseAnswers(after.slice(size))];
}

/** The possible responses to requests that match no operation. */
function elsewhere(method: string, status: number): Response | undefined {
  // A CORS preflight, which can be sent to any path.
  if (method === 'OPTIONS' && status === 204) return NO_BODY;
  return status >= 400 ? ANY_PROBLEM : undefined;
}

function assertHeader({ name, isRequired, isNumber, isValid }: Header, value: string | null, about: string): void {
  if (value === null) assert.ok(!isRequired, `the header ${name} is missing: ${about}`);
  else
    assert.ok(
      isValid(isNumber ? Number(value) : value),
      `the header ${name} ${ajv.errorsText(isValid.errors)}: ${about}`,
    );
}

function assertValid({ isValid, types }: Body, text: string, about: string): void {
  const value: { type?: unknown } = JSON.parse(text);
  assert.ok(isValid(value), `${ajv.errorsText(isValid.errors)}: ${about}`);
  if (types) assert.ok(types.includes(value.type), `the problem is not documented: ${about}`);
}

function compile(pointer: string): ValidateFunction {
  return ajv.compile({ $ref: `openapi#${pointer}` });
}

function escaped(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** The same schema, with every object closed, so that undocumented properties are found. */
function closed<T>(value: T): T {
  if (Array.isArray(value)) return value.map(closed) as T;
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) => [key, closed(item)]);
  const isObject = 'type' in value && value.type === 'object' && 'properties' in value;
  return Object.fromEntries(isObject ? [...entries, ['additionalProperties', false]] : entries) as T;
}
