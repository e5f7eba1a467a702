import type { CallToolResult } from '@modelcontextprotocol/server';
import type { ApplicationError } from '@todo-backend/application';
import { ProblemsError, TodoError } from '@todo-backend/domain';

/** What an agent can do about each error. A missing code is a type error. */
const ADVICE: Readonly<Record<ApplicationError['code'], string>> = {
  INVALID_INPUT: 'Nothing was changed. Correct this, and call again.',
  TASK_NOT_FOUND: 'Find the id with find_tasks, or look in recent_changes whether the task was deleted.',
  TASK_CHANGED: 'Read the task again with get_tasks, and decide anew.',
  TASK_EXISTS: 'There is nothing to do.',
  TASK_LIMIT_REACHED: 'Nothing was changed. Ask the user which tasks may be deleted.',
  EVENT_NOT_FOUND: 'Look at recent_changes for a changeId or the ids of events.',
  CHANGED_SINCE: 'Nothing was changed. With atomic false, the rest is undone and these fields stay as they are.',
  RESYNC_REQUIRED: 'Start again without a cursor.',
  IDEMPOTENCY_KEY_REUSED: 'Call again.',
  UNAUTHENTICATED: 'The user has to connect again.',
  USER_UNKNOWN: 'The account was deleted. There is nothing that you can do.',
  UNAVAILABLE: 'Wait some seconds, and call again.',
};

const UNEXPECTED =
  'Something went wrong on the side of the server. Look at recent_changes whether anything was changed before you call again.';

/**
 * An error as an agent reads it: what is wrong, where, and what to do.
 *
 * @param report called where an operator should know
 */
export function errorAnswer(error: unknown, report: () => void): CallToolResult {
  const isExpected = error instanceof TodoError && error.code in ADVICE;
  if (!isExpected || error.code === 'UNAVAILABLE') report();
  return { content: [{ type: 'text', text: isExpected ? sentences(error) : UNEXPECTED }], isError: true };
}

function sentences(error: TodoError): string {
  const problems = error instanceof ProblemsError ? error.problems : [];
  return [
    // Its message names the fields as the use cases know them.
    error.code === 'INVALID_INPUT' ? 'The input is not valid.' : error.message,
    ...problems.map(
      ({ field, message }) => `- ${argumentOf(field)}: ${message.replace(/^CorrelationId\b/, 'ChangeId')}`,
    ),
    ADVICE[error.code as ApplicationError['code']],
  ].join('\n');
}

/** The argument of a tool that a field of a batch comes from: `operations.3.task.title` is `tasks.3.title`. */
function argumentOf(field: string): string {
  return field
    .replace(/^operations\.(\d+)\.task\b/, 'tasks.$1')
    .replace(/^operations\.(\d+)\.changes\b/, 'changes.$1')
    .replace(/^operations\.(\d+)\.id$/, 'item $1, id')
    .replace(/^events\b/, 'eventIds')
    .replace(/^correlationId$/, 'changeId');
}
