/** The user whose rows a statement or a transaction may see. If not set, it is null or empty and matches no row. */
const CURRENT_USER = `current_setting('app.user_id'::text, true)`;

/** Tasks of the server that read the rows of all users. */
type ServerTask = 'delivery' | 'pruning' | 'expiry' | 'feed';

const CURRENT_TASK = `current_setting('app.task'::text, true)`;

/** Formatted as PostgreSQL prints it, so that the schema comparison finds no difference. */
export const IS_OWN = `("userId" = ${CURRENT_USER})`;

export function isTask(task: ServerTask): string {
  return `(${CURRENT_TASK} = '${task}'::text)`;
}

/** Like {@link IS_OWN}, but reads the setting once per statement instead of once per row. */
export const IS_OWN_READ_ONCE = `("userId" = ( SELECT ${CURRENT_USER} AS current_setting))`;

/** Like {@link isTask}, but reads the setting once per statement instead of once per row. */
export function isTaskReadOnce(task: ServerTask): string {
  return `(( SELECT ${CURRENT_TASK} AS current_setting) = '${task}'::text)`;
}

/** The tasks that a transaction erases. */
const ERASED_TASKS = `( SELECT (unnest(string_to_array(current_setting('app.erased_tasks'::text, true), ','::text)))::uuid AS unnest)`;

const IS_ERASED = `${IS_OWN_READ_ONCE} AND ("taskId" IN ${ERASED_TASKS})`;

/** Own events of tasks that the transaction erases. */
export const IS_OWN_ERASED = `(${IS_ERASED})`;

/** Where the texts of an event are. */
const TEXTS = [
  'task,title',
  'task,description',
  'changes,title,before',
  'changes,description,before',
  'changes,title,after',
  'changes,description,after',
];

/** Where the tags of an event are. */
const TAGS = ['task,tags', 'changes,tags,before', 'changes,tags,after'];

/** The same, without texts. */
export const IS_OWN_BLANK = `(${IS_ERASED} AND ((data ->> 'erased'::text) = 'true'::text) AND ${[
  ...TEXTS.map((path) => isValue(path, '')),
  ...TAGS.map((path) => isValue(path, '[]')),
].join(' AND ')})`;

/** Whether what is at this path of an event is missing, or that. */
function isValue(path: string, value: string): string {
  return `(COALESCE((data #>> '{${path}}'::text[]), '${value}'::text) = '${value}'::text)`;
}
