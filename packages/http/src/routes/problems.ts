import { InvalidInputError, type Problem } from '@todo-backend/domain';
import type { Query } from './route.js';

/** What a use case calls the input as a whole, and its task, and how they are called on the wire. */
const NAMES: Readonly<Record<string, string>> = { '': 'body', taskId: 'task_id' };

/** The error of a use case in the words of the wire, where it is one of the input. */
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
