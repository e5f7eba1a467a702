import type { RouterContext } from '@koa/router';
import {
  BatchSchema,
  type Clock,
  CompletionSchema,
  ImportedTaskSchema,
  ImportSchema,
  type JournalUseCases,
  NewTaskSchema,
  OperationSchema,
  type ReadinessProbe,
  TaskPatchSchema,
  type TaskUseCases,
} from '@todo-backend/application';
import { type GenericSchema, unwrap } from 'valibot';
import type { ProblemCode } from '../middleware/problem-details.js';

/** What the handlers of routes need. */
export interface RouteParts {
  readonly tasks: TaskUseCases;
  readonly journal: JournalUseCases;
  readonly readiness: ReadinessProbe;
  readonly clock: Clock;
  readonly version: string;
  /** Makes the description of the API, when it is first asked for. */
  readonly document: () => Promise<object>;
}

/** Answers a request that the middleware has let through. */
type Handler = (ctx: RouterContext) => unknown;

/** A schema as JSON Schema has it (draft 2020-12). */
export type Schema = Readonly<Record<string, unknown>>;

/** The bodies that are taken, and their parts, by the name of their component in the document. */
export const bodies = {
  NewTask: NewTaskSchema,
  TaskChanges: TaskPatchSchema,
  Completion: unwrap(CompletionSchema),
  Batch: BatchSchema,
  BatchOperation: OperationSchema,
  Import: ImportSchema,
  ImportedTask: ImportedTaskSchema,
} satisfies Record<string, GenericSchema>;

/** The answers that the document describes by name. */
export type AnswerSchema =
  | 'Task'
  | 'JournalEntry'
  | 'OperationResult'
  | 'Stats'
  | 'Info'
  | 'Health'
  | 'Readiness'
  | 'Problem'
  | 'FieldProblem';

/** The name of a schema that others can refer to. */
export type SchemaName = AnswerSchema | keyof typeof bodies;

/** A reference to a schema of the document. */
export function ref(name: SchemaName): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

/** What the routes are grouped by. */
export type Tag = 'Tasks' | 'Journal' | 'System' | 'Documentation';

/** The headers of requests that only some routes read. */
export type RequestHeader = 'If-None-Match' | 'If-Match' | 'Idempotency-Key';

/** The headers of answers that only some routes send. */
export type AnswerHeader = 'ETag' | 'Link' | 'Location' | 'Content-Disposition';

export type Examples = Readonly<Record<string, unknown>>;

export type Content = Readonly<Record<string, { readonly schema: Schema; readonly examples?: Examples }>>;

/** A success. */
export interface Answer {
  readonly description: string;
  readonly headers?: readonly AnswerHeader[];
  /** The body by media type; left out where there is none. */
  readonly content?: Content;
}

/** A query string: how it is decoded, and what checks it. */
export interface Query {
  readonly schema: GenericSchema;
  /** The names of the fields on the wire, where they differ: the wire's first. */
  readonly names?: Readonly<Record<string, string>>;
  /** The fields whose empty value counts as absent. */
  readonly emptyIsAbsent?: readonly string[];
  /** One that is refused, for the example of the error. */
  readonly mistake: Readonly<Record<string, string>>;
}

/** One thing that the API does: from these records come the router, the document, the client's types and the tests' matrix. */
export interface Route {
  readonly id: string;
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** With parameters in braces. What lies below `/api/{user_id}` needs that user's token. */
  readonly path: string;
  readonly tag: Tag;
  readonly summary: string;
  readonly description: string;
  readonly query?: Query;
  readonly headers?: readonly RequestHeader[];
  readonly body?: {
    readonly schema: keyof typeof bodies;
    readonly required: boolean;
    readonly examples: Examples;
    /** One that is refused, for the example of the error. */
    readonly mistake: unknown;
    /** Bytes that it may have, where they are more than usual. */
    readonly limit?: number;
  };
  /** What a success answers, by status. */
  readonly answers: Readonly<Record<number, Answer>>;
  /** The errors that do not follow from the rest. */
  readonly errors?: readonly ProblemCode[];
  readonly handle: (parts: RouteParts) => Handler;
}

/** Where the routes of a user begin. */
export const USER_PATH = '/api/{user_id}';

/** Whether a route needs the token of the user in its path. */
export function needsToken({ path }: Pick<Route, 'path'>): boolean {
  return path.startsWith(`${USER_PATH}/`);
}

/** A body of JSON. */
export function json(schema: Schema, examples?: Examples): Content {
  return { 'application/json': { schema, ...(examples && { examples }) } };
}

export const notModified: Answer = { description: 'Nothing has changed.', headers: ['ETag'] };
