import type { CallToolResult, ToolAnnotations } from '@modelcontextprotocol/server';
import type { AgentScope } from '@todo-backend/application';
import type { GenericSchema, InferOutput } from 'valibot';
import * as v from 'valibot';
import type { Call } from './caller.js';

/** A tool: what a model reads of it, and what it does. */
export interface Tool<Input extends GenericSchema = GenericSchema> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** What the token of the caller has to allow. */
  readonly scope: AgentScope;
  readonly annotations: ToolAnnotations;
  readonly input: Input;
  readonly output: GenericSchema;
  /** Errors of use cases are for the agent. */
  run(call: Call, input: InferOutput<Input>): Promise<CallToolResult>;
}

/** A tool with its input as its handler gets it. */
export function tool<const Input extends GenericSchema>(definition: Tool<Input>): Tool {
  return definition as unknown as Tool;
}

/** All tools work on the tasks of one user, and on nothing else. */
export const READS: ToolAnnotations = { readOnlyHint: true, openWorldHint: false };

/** How a tool changes tasks. */
export function changes(how: { readonly destroys: boolean; readonly isIdempotent: boolean }): ToolAnnotations {
  return {
    readOnlyHint: false,
    destructiveHint: how.destroys,
    idempotentHint: how.isIdempotent,
    openWorldHint: false,
  };
}

/** The most tasks of one call. */
const MAX_TASKS_PER_CALL = 25;

/** A schema that says what it is for. */
export function described<Schema extends GenericSchema>(schema: Schema, description: string) {
  return v.pipe(schema, v.description(description));
}

/** Up to {@link MAX_TASKS_PER_CALL} of something. */
export function several<Item extends GenericSchema>(item: Item) {
  return v.pipe(v.array(item), v.minLength(1), v.maxLength(MAX_TASKS_PER_CALL));
}

export const ids = several(v.string());

/** A number of results from 1 to 50, by default 20. */
export const limit = v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(50)), 20);

export const cursor = v.optional(
  described(v.string(), 'The next of an earlier answer, with the same other arguments.'),
);

export const dryRun = v.optional(described(v.boolean(), 'Changes nothing, and tells what would change.'), false);
