import { IDEMPOTENCY_HOURS, POSITION_PATTERN, TaskIdSchema } from '@todo-backend/application';
import type { AnswerHeader, RequestHeader, Schema, Tag } from '../routes/route.js';
import { schemaOf } from './schemas.js';

/** The tags of the operations. */
export const tags = {
  Tasks: 'The tasks of one user.',
  Journal: 'What happened to them.',
  System: 'What this is, and how it is. No token is needed.',
  Documentation: 'This document, and a page to read and to try it.',
} satisfies Record<Tag, string>;

/** Parameters outside the query string, by name. */
export const parameters = {
  user_id: {
    in: 'path',
    required: true,
    description: "Better Auth's `user.id`: any text. It has to be the token's `sub`.",
    schema: { type: 'string', minLength: 1 },
    example: 'alice',
  },
  task_id: {
    in: 'path',
    required: true,
    description: 'The id of a task, in any letter case.',
    schema: schemaOf(TaskIdSchema),
    example: '01a207c3-6b95-73c6-8716-019a7e6b4001',
  },
  file: {
    in: 'path',
    required: true,
    description: 'The name of a file that the page names.',
    schema: { type: 'string' },
    example: 'swagger-ui.css',
  },
  'If-None-Match': {
    in: 'header',
    required: false,
    description: 'The `ETag` of what is there already: 304, without a body, where nothing has changed.',
    schema: { type: 'string' },
  },
  'If-Match': {
    in: 'header',
    required: false,
    description: 'The `ETag` of the task that is to be changed: 412 where somebody else was faster.',
    schema: { type: 'string' },
  },
  'Idempotency-Key': {
    in: 'header',
    required: false,
    description: `A name for this request, such as a UUID. Sent again with the same name within ${IDEMPOTENCY_HOURS} hours, it is not done again, and answered as it was the first time.`,
    schema: { type: 'string', pattern: '^"?[\\x21\\x23-\\x7e]{1,255}"?$' },
  },
  'Last-Event-ID': {
    in: 'header',
    required: false,
    description: 'As `since`, for a stream: the `id` of the last event that came.',
    schema: { type: 'string' },
  },
  'X-Request-Id': {
    in: 'header',
    required: false,
    description:
      'What to call this request in logs and in the answer: 1 to 128 letters, digits, `_`, `.` and `-`. Another one is replaced.',
    schema: { type: 'string' },
  },
} satisfies Record<RequestHeader | 'user_id' | 'task_id' | 'file' | 'X-Request-Id', Schema>;

/** Response headers, by name; `required` when every response that documents the header has it. */
export const headers = {
  'X-Request-Id': {
    required: true,
    description: 'What the request is called in logs.',
    schema: { type: 'string', pattern: '^[\\w.-]{1,128}$' },
  },
  ETag: {
    required: true,
    description: 'The name of this version, for `If-None-Match` and `If-Match`.',
    schema: { type: 'string', pattern: '^(?:W/)?"[\\da-z]+"$' },
  },
  'Journal-Position': {
    required: true,
    description: 'How far the journal of the user had come, with this change in it: for `since` of the changes.',
    schema: { type: 'string', pattern: POSITION_PATTERN },
    example: '21f5c5de001',
  },
  Link: {
    required: false,
    description: 'Where there is more: the address of the next part, relative to this one (RFC 8288).',
    schema: { type: 'string', pattern: '^<\\?[^<>]+>; rel="next"$' },
    example: '<?limit=50&cursor=11f5c5de001>; rel="next"',
  },
  Location: {
    required: true,
    description: 'Where the new task is.',
    schema: { type: 'string', format: 'uri-reference' },
    example: '/api/alice/tasks/01a207c3-6b95-73c6-8716-019a7e6b4001',
  },
  'Content-Disposition': {
    required: true,
    description: 'A name for the file.',
    schema: { type: 'string', pattern: '^attachment; filename="[^"]+"$' },
    example: 'attachment; filename="tasks.json"',
  },
  'WWW-Authenticate': {
    required: true,
    description: 'What is wrong with the token (RFC 6750).',
    schema: { type: 'string', pattern: '^Bearer(?: error="invalid_token", error_description="[^"\\\\]+")?$' },
    example: 'Bearer error="invalid_token", error_description="The token has expired."',
  },
  'Retry-After': {
    required: true,
    description: 'Seconds after which to try again.',
    schema: { type: 'integer', minimum: 1 },
    example: 17,
  },
  RateLimit: {
    required: true,
    description:
      'How many requests are left to this user (`r`), and for how many seconds (`t`); or, to an address that fails to authenticate.',
    schema: { type: 'string', pattern: '^"(?:user|address)";r=\\d+;t=\\d+$' },
    example: '"user";r=1199;t=60',
  },
  'RateLimit-Policy': {
    required: true,
    description: 'How many requests a user has (`q`) in so many seconds (`w`).',
    schema: { type: 'string', pattern: '^"(?:user|address)";q=\\d+;w=\\d+$' },
    example: '"user";q=1200;w=60',
  },
} satisfies Record<
  AnswerHeader | 'X-Request-Id' | 'WWW-Authenticate' | 'Retry-After' | 'RateLimit' | 'RateLimit-Policy',
  Schema
>;
