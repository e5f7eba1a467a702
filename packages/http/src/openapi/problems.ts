import {
  ChangedSinceError,
  DEFAULT_MAX_TASKS,
  EventNotFoundError,
  IdempotencyKeyReusedError,
  ResyncRequiredError,
  TaskExistsError,
  TaskLimitError,
  UserUnknownError,
} from '@todo-backend/application';
import { TaskChangedError, TaskNotFoundError } from '@todo-backend/domain';
import { BODY_LIMIT, MAX_DEPTH, MAX_RATIO, MAX_VALUES, sizeOf, tooLarge } from '../middleware/json-body.js';
import { INTERNAL_DETAIL, type ProblemCode } from '../middleware/problem-details.js';
import { FORBIDDEN_DETAIL } from '../middleware/user.js';
import { MAX_TARGET_LENGTH } from '../middleware/well-formed-target.js';
import { BATCH_LIMIT } from '../routes/batch.js';
import { IMPORT_LIMIT } from '../routes/import-export.js';

/** When each error occurs, and an example of its `detail`. A missing code is a type error. */
export const problems: Record<ProblemCode, { readonly when: string; readonly detail: string }> = {
  MALFORMED_REQUEST: {
    when: `The body is not JSON in UTF-8, nested more than ${MAX_DEPTH} levels deep, has more than ${MAX_VALUES} values, or becomes more than ${MAX_RATIO} times as large when it is decompressed; the address is not well-formed, or longer than ${sizeOf(MAX_TARGET_LENGTH)}; this is no HTTP, or can be read in two ways.`,
    detail: 'The address is not correctly percent-encoded UTF-8.',
  },
  UNAUTHENTICATED: {
    when: 'There is no token, or one that proves nothing.',
    detail: 'Please sign in: the request has no bearer token.',
  },
  USER_UNKNOWN: {
    when: 'The token is good, and its user does not exist any more.',
    detail: new UserUnknownError().message,
  },
  FORBIDDEN: { when: "The user in the path is not the token's.", detail: FORBIDDEN_DETAIL },
  TASK_NOT_FOUND: {
    when: "The user has no such task; somebody else's looks just the same.",
    detail: new TaskNotFoundError().message,
  },
  EVENT_NOT_FOUND: {
    when: 'The journal has no such event, or not any more.',
    detail: new EventNotFoundError().message,
  },
  ROUTE_NOT_FOUND: { when: 'There is nothing at this address.', detail: 'There is nothing at this address.' },
  METHOD_NOT_ALLOWED: {
    when: 'The address has other methods: see `Allow`.',
    detail: 'This address does not support PATCH.',
  },
  REQUEST_TIMEOUT: {
    when: 'The request did not arrive in time.',
    detail: 'The request took too long to arrive.',
  },
  TASK_LIMIT_REACHED: {
    when: 'The user would have more tasks than a user may have (`MAX_TASKS_PER_USER`).',
    detail: new TaskLimitError(DEFAULT_MAX_TASKS).message,
  },
  TASK_EXISTS: {
    when: 'The task is to be restored, and was not deleted, or is back.',
    detail: new TaskExistsError().message,
  },
  CHANGED_SINCE: {
    when: 'What is to be undone was changed since: `errors` names the fields, and nothing was undone.',
    detail: new ChangedSinceError([]).message,
  },
  RESYNC_REQUIRED: {
    when: 'The position is of another history, such as before a backup was restored, or what followed it was pruned: load everything again.',
    detail: new ResyncRequiredError().message,
  },
  TASK_CHANGED: {
    when: 'The task is not the version that `If-Match` names.',
    detail: new TaskChangedError().message,
  },
  BODY_TOO_LARGE: {
    when: `The body is larger than ${sizeOf(BODY_LIMIT)} (a batch: than ${sizeOf(BATCH_LIMIT)}, an import: than ${sizeOf(IMPORT_LIMIT)}), compressed or not.`,
    detail: tooLarge(BODY_LIMIT).message,
  },
  UNSUPPORTED_MEDIA_TYPE: {
    when: 'The body is not JSON, or in an unknown encoding.',
    detail: 'Send the body as JSON, with Content-Type: application/json.',
  },
  INVALID_INPUT: {
    when: 'Well-formed, and not valid: `errors` has every problem at once.',
    detail: 'Please correct title and priority.',
  },
  IDEMPOTENCY_KEY_REUSED: {
    when: 'The idempotency key was used for another request.',
    detail: new IdempotencyKeyReusedError().message,
  },
  RATE_LIMITED: {
    when: 'Too many requests: try again after `Retry-After` seconds.',
    detail: 'Too many requests. Please try again in 17 seconds.',
  },
  HEADERS_TOO_LARGE: {
    when: 'Address and headers are larger than 16 KB.',
    detail: 'The address and the headers are too long.',
  },
  INTERNAL_ERROR: { when: 'A bug; the log has it under the request id.', detail: INTERNAL_DETAIL },
  UNAVAILABLE: {
    when: 'The database or the keys cannot be reached: try again after `Retry-After` seconds.',
    detail: 'The database cannot be reached right now. Please try again in a moment.',
  },
};
