import type { TaskId } from '@todo-backend/domain';
import * as v from 'valibot';
import { check, outputsOf } from './validation.js';

/** The grammar of a UUID (RFC 9562), in any letter case. */
export const UUID = /^[\dA-Fa-f]{8}(?:-[\dA-Fa-f]{4}){3}-[\dA-Fa-f]{12}$/;

/** Checks the id of a task: a UUID in any letter case. */
export const TaskIdSchema = v.pipe(
  v.string('The task id must be a UUID.'),
  v.regex(UUID, 'The task id must be a UUID.'),
  v.toLowerCase(),
  v.metadata({ format: 'uuid' }),
);

/** Checks a task id on its own, as the field `taskId`. */
export function checkTaskId(id: unknown) {
  return check(TaskIdSchema, id, 'taskId');
}

/** @throws `InvalidInputError` (`INVALID_INPUT`) when it is no task id */
export function parseTaskId(id: unknown): TaskId {
  return outputsOf({ taskId: checkTaskId(id) }).taskId;
}
