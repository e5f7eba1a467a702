/** The user whose rows a statement or a transaction may see. Not set, it is null or empty, and no row is theirs. */
const CURRENT_USER = `current_setting('app.user_id'::text, true)`;

/** The server's own work on the rows of all users. */
type ServerTask = 'delivery' | 'pruning';

const CURRENT_TASK = `current_setting('app.task'::text, true)`;

/** Written as PostgreSQL gives it back, or the schema would seem to differ. */
export const IS_OWN = `("userId" = ${CURRENT_USER})`;

export function isTask(task: ServerTask): string {
  return `(${CURRENT_TASK} = '${task}'::text)`;
}

/** As {@link IS_OWN}, with the setting read once for each statement and not once for each row. */
export const IS_OWN_READ_ONCE = `("userId" = ( SELECT ${CURRENT_USER} AS current_setting))`;

/** As {@link isTask}, with the setting read once for each statement and not once for each row. */
export function isTaskReadOnce(task: ServerTask): string {
  return `(( SELECT ${CURRENT_TASK} AS current_setting) = '${task}'::text)`;
}
