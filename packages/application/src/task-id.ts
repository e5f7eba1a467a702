import * as v from 'valibot';

/** The grammar of a UUID (RFC 9562), in any letter case. */
export const UUID = /^[\dA-Fa-f]{8}(?:-[\dA-Fa-f]{4}){3}-[\dA-Fa-f]{12}$/;

/** Checks the id of a task: a UUID in any letter case. */
export const TaskIdSchema = v.pipe(
  v.string('The task id must be a UUID.'),
  v.regex(UUID, 'The task id must be a UUID.'),
  v.toLowerCase(),
  v.metadata({ format: 'uuid' }),
);
