import { createHash } from 'node:crypto';
import type { ChangeOptions, RevisionOptions } from '@todo-backend/application';
import type { Task, Timestamp } from '@todo-backend/domain';
import type { Context, ParameterizedContext } from 'koa';
import { RequestError } from './request-error.js';

/** Digits of a time before 1970 in a tag: one more than those of any later time. */
const DIGITS_BEFORE_1970 = 10;

/** The entity tag (RFC 9110, section 8.8.3) of a task: its version, which is the time of its last change. */
export function taskTag({ updatedAt }: Pick<Task, 'updatedAt'>): string {
  const time = Date.parse(updatedAt);
  return time < 0 ? (-time).toString(36).padStart(DIGITS_BEFORE_1970, '0') : time.toString(36);
}

/** Sets the tag; returns whether the client has this version, and then responds with `304 Not Modified`. */
export function isNotModified(ctx: ParameterizedContext, tag: string): boolean {
  ctx.set('ETag', `"${tag}"`);
  const known = tagsOf(ctx.get('If-None-Match'));
  if (known !== '*' && !known?.includes(tag)) return false;
  ctx.status = 304;
  return true;
}

/** The options of a change from the headers: the request id and `Idempotency-Key`. Its position goes into the answer. */
export function changeOptions(ctx: Context): ChangeOptions {
  const key = idempotencyKey(ctx);
  return {
    correlationId: ctx.state.requestId,
    onSaved: (position) => ctx.set('Journal-Position', position),
    ...(key !== undefined && { once: { key, fingerprint: fingerprint(ctx) } }),
  };
}

/** Like {@link changeOptions}, with `If-Match`. */
export function revisionOptions(ctx: Context): RevisionOptions {
  const wanted = tagsOf(ctx.get('If-Match'));
  return { ...changeOptions(ctx), ...(Array.isArray(wanted) && { ifUpdatedAt: wanted.map(updatedAtOf) }) };
}

/** The maximum number of entity tags in a header. */
const MAX_TAGS = 50;

/** The maximum length of an entity tag. The longest tag of this server has 64 characters. */
const MAX_TAG_LENGTH = 200;

/** The tags of a header, without quotes and suffixes. */
function tagsOf(header: string): readonly string[] | '*' | undefined {
  const list = header.trim();
  if (list === '') return undefined;
  if (list === '*') return '*';
  const tags = list.split(',', MAX_TAGS + 1);
  if (tags.length > MAX_TAGS) {
    throw new RequestError(
      'MALFORMED_REQUEST',
      `If-Match and If-None-Match must not have more than ${MAX_TAGS} entity tags.`,
    );
  }
  return tags.map(bareTag);
}

/**
 * Compressing proxies make tags weak, and some add a suffix: it is still the same version. No two parts of the pattern
 * match the same characters, so that it takes linear time.
 */
function bareTag(text: string): string {
  const tag = text.trim();
  if (tag.length > MAX_TAG_LENGTH) return '';
  return /^(?:W\/)?"?([\da-z]*)(?:[-;+.][\w-]*)?"?$/.exec(tag)?.[1] ?? '';
}

/** The `updatedAt` of a tag; empty, and so never equal, when the tag is not from this server. */
function updatedAtOf(tag: string): Timestamp {
  const milliseconds = Number.parseInt(tag, 36);
  const time = new Date(tag.length === DIGITS_BEFORE_1970 ? -milliseconds : milliseconds);
  return Number.isNaN(time.getTime()) ? '' : time.toISOString();
}

/** The key, plain or quoted as in draft-ietf-httpapi-idempotency-key-header. */
function idempotencyKey(ctx: Context): string | undefined {
  const header = ctx.headers['idempotency-key'];
  if (header === undefined) return undefined;
  const [, key] = /^"?([\x21\x23-\x7e]{1,255})"?$/.exec(String(header)) ?? [];
  if (key === undefined) {
    throw new RequestError('MALFORMED_REQUEST', 'Idempotency-Key must have 1 to 255 visible ASCII characters.');
  }
  return key;
}

/** Identifies a request by what it says: the order of members, and how the JSON is written, do not matter. */
function fingerprint(ctx: Context): string {
  const parts = [ctx.method, ctx.path, ctx.request.body, ...(ctx.querystring === '' ? [] : [ctx.querystring])];
  const request = JSON.stringify(parts, (_, value: unknown) =>
    isRecord(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value,
  );
  return createHash('sha256').update(request).digest('base64url');
}

function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
