import { InvalidInputError, type Problem } from '@todo-backend/domain';
import { isRepeatable } from './query.js';
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
  const parameters = new URLSearchParams(query === undefined ? '' : search);
  return new InvalidInputError(
    error.problems.map(({ field, message }): Problem => {
      const [first = '', ...place] = field.split('.');
      const name = [names[first] ?? first, ...place].join('.');
      if (query !== undefined && !isRepeatable(query, first) && parameters.getAll(name).length > 1) {
        return { field: name, message: `Parameter ${name} may be given only once.` };
      }
      return { field: name, message: field === '' ? 'The body must be a JSON object.' : message };
    }),
  );
}
