import { InvalidInputError, type Problem } from '@todo-backend/domain';
import type { Query } from './route.js';

/** Field names of use cases that differ on the wire. */
const NAMES: Readonly<Record<string, string>> = { '': 'body', taskId: 'task_id' };

/** Renames the fields of an input error to those on the wire; returns other errors as they are. */
export function onTheWire(error: unknown, query: Query | undefined, search: string): unknown {
  if (!(error instanceof InvalidInputError)) return error;
  const names = {
    ...NAMES,
    ...Object.fromEntries(Object.entries(query?.names ?? {}).map(([wire, name]) => [name, wire])),
  };
  const parameters = query === undefined ? undefined : new URLSearchParams(search);
  return new InvalidInputError(
    error.problems.map(({ field, message }): Problem => {
      const name = names[field] ?? field;
      if (parameters !== undefined && parameters.getAll(name).length > 1) {
        return { field: name, message: `Parameter ${name} may be given only once.` };
      }
      return { field: name, message: field === '' ? 'The body must be a JSON object.' : message };
    }),
  );
}
