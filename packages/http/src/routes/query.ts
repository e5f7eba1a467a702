import type { Query } from './route.js';

/** Decodes the query string for a use case, which validates it. */
export type Decode = (querystring: string) => Record<string, unknown>;

/**
 * Returns a decoder of query strings: names on the wire become those of the input, and strings become numbers and
 * booleans when the schema expects them. A parameter whose schema is a list may be repeated; another one that is becomes
 * a list as well, which its schema refuses.
 */
export function decoder({ schema, names = {}, emptyIsAbsent = [] }: Query): Decode {
  const entries = entriesOf(schema);
  const fieldsOf = (type: string) => Object.keys(entries).filter((name) => wants(type, entries[name]));
  const numbers = fieldsOf('number');
  const booleans = fieldsOf('boolean');
  const lists = fieldsOf('array');
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
    for (const field of lists) {
      if (input[field] === undefined) continue;
      const given = [input[field]].flat();
      const items = emptyIsAbsent.includes(field) ? given.filter((item) => item !== '') : given;
      if (items.length > 0) input[field] = items;
      else delete input[field];
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

/** Whether a field of a query may be given several times. */
export function isRepeatable({ schema }: Query, field: string): boolean {
  return wants('array', entriesOf(schema)[field]);
}

function entriesOf(schema: unknown): Readonly<Record<string, unknown>> {
  return (schema as { readonly entries?: Readonly<Record<string, unknown>> }).entries ?? {};
}

/** Whether a schema, possibly optional, accepts values of this type. */
function wants(wanted: string, schema: unknown): boolean {
  const { type, wrapped } = (schema ?? {}) as { readonly type?: string; readonly wrapped?: unknown };
  return wrapped === undefined ? type === wanted : wants(wanted, wrapped);
}
