import type { RouterContext } from '@koa/router';
import {
  BatchSchema,
  type ChangeFeed,
  type Clock,
  CompletionSchema,
  ImportedTaskSchema,
  ImportSchema,
  type JournalUseCases,
  NewTaskSchema,
  OperationSchema,
  type ReadinessProbe,
  type RecoveryUseCases,
  TaskPatchSchema,
  type TaskUseCases,
  type TokenVerifier,
  UndoSchema,
} from '@todo-backend/application';
import { type GenericSchema, unwrap } from 'valibot';
import type { LiveStreams } from '../middleware/live-streams.js';
import type { ProblemCode } from '../middleware/problem-details.js';

/** The dependencies of route handlers. */
export interface RouteParts {
  readonly tasks: TaskUseCases;
  readonly journal: JournalUseCases;
  readonly recovery: RecoveryUseCases;
  readonly feed: ChangeFeed;
  readonly streams: LiveStreams;
  readonly tokens: TokenVerifier;
  readonly readiness: ReadinessProbe;
  readonly clock: Clock;
  readonly version: string;
  /** The path at which proxies show the server, without a slash at the end. Default none. */
  readonly publicPath?: string | undefined;
  /** Returns the OpenAPI document, generated on first use. */
  readonly document: () => Promise<object>;
}

/** Handles a request that has passed the middleware. */
type Handler = (ctx: RouterContext) => unknown;

/** A JSON Schema (draft 2020-12). */
export type Schema = Readonly<Record<string, unknown>>;

/** Request bodies and their parts, by the name of the component in the document. */
export const bodies = {
  NewTask: NewTaskSchema,
  TaskChanges: TaskPatchSchema,
  Completion: unwrap(CompletionSchema),
  Batch: BatchSchema,
  BatchOperation: OperationSchema,
  Import: ImportSchema,
  ImportedTask: ImportedTaskSchema,
  Undo: UndoSchema,
} satisfies Record<string, GenericSchema>;

/** The names of response schemas in the document. */
export type AnswerSchema =
  | 'Task'
  | 'JournalEntry'
  | 'OperationResult'
  | 'Change'
  | 'ChangesPage'
  | 'StreamedChange'
  | 'UndoResult'
  | 'TrashedTask'
  | 'Stats'
  | 'TagCount'
  | 'Occurrences'
  | 'Info'
  | 'Health'
  | 'Readiness'
  | 'Problem'
  | 'FieldProblem';

/** The name of a schema that can be referenced. */
export type SchemaName = AnswerSchema | keyof typeof bodies;

/** A reference to a schema of the document. */
export function ref(name: SchemaName): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

/** The tags of routes. */
export type Tag = 'Tasks' | 'Journal' | 'System' | 'Documentation';

/** Request headers that only some routes read. */
export type RequestHeader = 'If-None-Match' | 'If-Match' | 'Idempotency-Key' | 'Last-Event-ID';

/** Response headers that only some routes send. */
export type AnswerHeader = 'ETag' | 'Journal-Position' | 'Link' | 'Location' | 'Content-Disposition';

export type Examples = Readonly<Record<string, unknown>>;

export type Content = Readonly<Record<string, { readonly schema: Schema; readonly examples?: Examples }>>;

/** A success response. */
export interface Answer {
  readonly description: string;
  readonly headers?: readonly AnswerHeader[];
  /** The body by media type; omitted when there is none. */
  readonly content?: Content;
}

/** A query string: how it is decoded and validated. */
export interface Query {
  readonly schema: GenericSchema;
  /** Names on the wire that differ from the field, mapped to the field. */
  readonly names?: Readonly<Record<string, string>>;
  /** Fields whose empty value counts as absent. */
  readonly emptyIsAbsent?: readonly string[];
  /** An invalid example, for the example of the error. */
  readonly mistake: Readonly<Record<string, string>>;
}

/** One operation of the API, the source of the router, the document, the client's types and the test matrix. */
export interface Route {
  readonly id: string;
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** With parameters in braces. Paths below `/api/{user_id}` need that user's token. */
  readonly path: string;
  readonly tag: Tag;
  readonly summary: string;
  readonly description: string;
  readonly query?: Query;
  readonly headers?: readonly RequestHeader[];
  /** Whether answers may be long, and are compressed for clients who take that. */
  readonly isLong?: boolean;
  readonly body?: {
    readonly schema: keyof typeof bodies;
    readonly required: boolean;
    readonly examples: Examples;
    /** An invalid example, for the example of the error. */
    readonly mistake: unknown;
    /** Maximum bytes, if more than the default. */
    readonly limit?: number;
  };
  /** The success responses, by status. */
  readonly answers: Readonly<Record<number, Answer>>;
  /** Errors that do not follow from the other properties. */
  readonly errors?: readonly ProblemCode[];
  readonly handle: (parts: RouteParts) => Handler;
}

/** The path prefix of a user's routes. */
export const USER_PATH = '/api/{user_id}';

/** Whether a route needs the token of the user in its path. */
export function needsToken({ path }: Pick<Route, 'path'>): boolean {
  return path.startsWith(`${USER_PATH}/`);
}

/** A JSON body. */
export function json(schema: Schema, examples?: Examples): Content {
  return { 'application/json': { schema, ...(examples && { examples }) } };
}

export const notModified: Answer = { description: 'Nothing has changed.', headers: ['ETag'] };

/** As {@link notModified}, for what is of a position in the journal. */
export const unchanged: Answer = { ...notModified, headers: ['ETag', 'Journal-Position'] };
