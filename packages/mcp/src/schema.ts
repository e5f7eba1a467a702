import type { StandardSchemaWithJSON } from '@modelcontextprotocol/server';
import { type ConversionConfig, type JsonSchema, toJsonSchema } from '@valibot/to-json-schema';
import type { GenericSchema } from 'valibot';
import { shortened } from './answer.js';

const conversion: ConversionConfig = {
  target: 'draft-2020-12',
  // What a record may hold goes without saying.
  overrideSchema({ valibotSchema: { type }, jsonSchema }): JsonSchema | undefined {
    const { propertyNames: _, additionalProperties: __, ...rest } = jsonSchema;
    return type === 'record' ? rest : undefined;
  },
};

/** Problems of an input that are named. */
const MOST_PROBLEMS = 20;

/** Characters of a problem, which may have the whole input in it. */
const LONGEST_PROBLEM = 300;

/** A schema as the protocol takes it (Standard Schema with JSON Schema), in few words: a model reads it. */
export function standardSchema(schema: GenericSchema): StandardSchemaWithJSON {
  const [input, output] = (['input', 'output'] as const).map((typeMode) => {
    const { $schema: _, ...converted } = toJsonSchema(schema, { ...conversion, typeMode });
    return converted as Record<string, unknown>;
  });
  // Asked for with each request.
  const jsonSchema = { input: () => input, output: () => output };
  const { validate, ...standard } = schema['~standard'];
  const validateBriefly: typeof validate = async (...of) => {
    const result = await validate(...of);
    if (result.issues === undefined) return result;
    const { issues } = result;
    const problems = issues.slice(0, MOST_PROBLEMS).map(({ path, message }) => ({
      ...(path && { path }),
      message: shortened(message, LONGEST_PROBLEM),
    }));
    const rest = issues.length - problems.length;
    return { issues: rest === 0 ? problems : [...problems, { message: `and ${rest} more` }] };
  };
  return { '~standard': { ...standard, validate: validateBriefly, jsonSchema } } as StandardSchemaWithJSON;
}
