import type { Query } from './route.js';

/** Decodes the query string for a use case, which validates it. */
export type Decode = (querystring: string) => Record<string, unknown>;

/**
 * Returns a decoder of query strings: names on the wire become those of the input, and strings become numbers and
 * booleans when the schema expects them. A repeated parameter stays a list, which no schema accepts.
 */
export function decoder({ schema, names = {}, emptyIsAbsent = [] }: Query): Decode {
  const entries = (schema as { readonly entries?: Readonly<Record<string, unknown>> }).entries ?? {};
  const fieldsOf = (type: string) => Object.keys(entries).filter((name) => wants(type, entries[name]));
  const numbers = fieldsOf('number');
  const booleans = fieldsOf('boolean');
  return (querystring) => {
    const input: Record<string, unknown> = {};
    if (querystring === '') return input;
    for (const [name, text] of new URLSearchParams(querystring)) {
      const field = names[name] ?? name;
      if (!Object.hasOwn(entries, field) || isHidden(field, name, names)) continue;
      const earlier = input[field];
      if (earlier === undefined) input[field] = text;
      else if (Array.isArray(earlier)) earlier.push(text);
      else input[field] = [earlier, text];
    }
    for (const field of emptyIsAbsent) if (input[field] === '') delete input[field];
    for (const field of numbers) if (isWholeNumber(input[field])) input[field] = Number(input[field]);
    for (const field of booleans) {
      if (input[field] === 'true' || input[field] === 'false') input[field] = input[field] === 'true';
    }
    return input;
  };
}

/** Whether a name is that of an input field with another name on the wire. */
function isHidden(field: string, name: string, names: Readonly<Record<string, string>>): boolean {
  return field === name && Object.values(names).includes(field);
}

function isWholeNumber(value: unknown): boolean {
  return typeof value === 'string' && /^[1-9]\d{0,9}$/.test(value);
}

/** Whether a schema, possibly optional, accepts values of this type. */
function wants(type: string, schema: unknown): boolean {
  const { type: own, wrapped } = schema as { readonly type?: string; readonly wrapped?: unknown };
  return wrapped === undefined ? own === type : wants(type, wrapped);
}
