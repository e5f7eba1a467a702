import { type Checked, check, outputsOf, TaskIdSchema } from '@todo-backend/application';
import { InvalidInputError } from '@todo-backend/domain';
import { tooLarge } from '../middleware/json-body.js';
import { type ProblemCode, problemOf } from '../middleware/problem-details.js';
import { onTheWire } from '../routes/problems.js';
import { decoder } from '../routes/query.js';
import { bodies, type Query, type Route, type Schema } from '../routes/route.js';
import { parameters } from './components.js';
import { problems } from './problems.js';

/** What a route may answer with this code, made by what checks its input. */
export function problemExample(code: ProblemCode, route: Route): object {
  // The parser answers these, before there is a path.
  const isUnread = code === 'REQUEST_TIMEOUT' || code === 'HEADERS_TOO_LARGE';
  const { path, detail, errors } =
    code === 'INVALID_INPUT'
      ? refusal(route)
      : { detail: detailOf(code, route), path: examplePath(route), errors: undefined };
  return problemOf(code, {
    detail,
    ...(!isUnread && { instance: path }),
    requestId: '4b692b42-5e59-46b9-ad0e-693a92ef6968',
    ...(errors && { errors }),
  });
}

function detailOf(code: ProblemCode, { body }: Route): string {
  return code === 'BODY_TOO_LARGE' && body?.limit ? tooLarge(body.limit).message : problems[code].detail;
}

/** What the schemas of a route say about its mistakes; where it takes an id alone, about that. */
function refusal(route: Route) {
  const { query, body } = route;
  const id = '1';
  const checks: Record<string, Checked<unknown>> = {
    ...(query && { query: check(query.schema, mistaken(query)) }),
    ...(body && { body: check(bodies[body.schema], body.mistake) }),
    ...(!query && !body && { id: check(TaskIdSchema, id, 'taskId') }),
  };
  try {
    outputsOf(checks);
  } catch (error) {
    const told = onTheWire(error, query, '');
    if (!(told instanceof InvalidInputError)) throw error;
    const path = examplePath(route, 'id' in checks ? { task_id: id } : {});
    return { path, detail: told.message, errors: told.problems };
  }
  throw new Error(`The mistakes of ${route.id} are none.`);
}

/** The mistake of a query, decoded. */
function mistaken(query: Query): object {
  return decoder(query)(String(new URLSearchParams(query.mistake)));
}

function examplePath({ path }: Route, values: Readonly<Record<string, string>> = {}): string {
  return path.replace(/\{(\w+)\}/g, (_, name: keyof typeof parameters) => {
    const { example }: Schema = parameters[name];
    return values[name] ?? String(example);
  });
}
