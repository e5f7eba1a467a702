import type { StandardSchemaWithJSON } from '@modelcontextprotocol/server';
import { type ConversionConfig, type JsonSchema, toJsonSchema } from '@valibot/to-json-schema';
import type { GenericSchema } from 'valibot';

const conversion: ConversionConfig = {
  target: 'draft-2020-12',
  overrideSchema({ valibotSchema: { type }, jsonSchema }): JsonSchema | undefined {
    const { anyOf = [], propertyNames: _, additionalProperties: __, ...rest } = jsonSchema;
    const [first] = anyOf;
    // `string | null` takes a third of the words of `anyOf`.
    if (type === 'nullable' && typeof first === 'object' && typeof first.type === 'string') {
      return { ...rest, ...first, type: [first.type, 'null'] };
    }
    return type === 'record' ? rest : undefined;
  },
};

/** A schema as the protocol takes it (Standard Schema with JSON Schema), in few words: a model reads it. */
export function standardSchema(schema: GenericSchema): StandardSchemaWithJSON {
  const [input, output] = (['input', 'output'] as const).map((typeMode) => {
    const { $schema: _, ...converted } = toJsonSchema(schema, { ...conversion, typeMode });
    return converted as Record<string, unknown>;
  });
  // Asked for with each request.
  const jsonSchema = { input: () => input, output: () => output };
  return { '~standard': { ...schema['~standard'], jsonSchema } } as StandardSchemaWithJSON;
}
