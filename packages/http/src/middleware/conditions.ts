import { createHash } from 'node:crypto';
import type { ChangeOptions, RevisionOptions } from '@todo-backend/application';
import type { Task, Timestamp } from '@todo-backend/domain';
import type { Context, ParameterizedContext } from 'koa';
import { RequestError } from './request-error.js';

/** The entity tag (RFC 9110, section 8.8.3) of a task: its version, which is the time of its last change. */
export function taskTag({ updatedAt }: Task): string {
  return Date.parse(updatedAt).toString(36);
}

/** The entity tag of what is made from a user's tasks. */
export function versionTag(version: number): string {
  return version.toString(36);
}

/** Sends the tag along; says whether the client has this very version, and the answer is `304 Not Modified`. */
export function isNotModified(ctx: ParameterizedContext, tag: string): boolean {
  ctx.set('ETag', `"${tag}"`);
  const known = tagsOf(ctx.get('If-None-Match'));
  if (known !== '*' && !known?.includes(tag)) return false;
  ctx.status = 304;
  return true;
}

/** What the headers say of a change: which request it is a part of, and `Idempotency-Key`. */
export function changeOptions(ctx: Context): ChangeOptions {
  const key = idempotencyKey(ctx);
  return {
    correlationId: ctx.state.requestId,
    ...(key !== undefined && { once: { key, fingerprint: fingerprint(ctx) } }),
  };
}

/** As {@link changeOptions}, with `If-Match`. */
export function revisionOptions(ctx: Context): RevisionOptions {
  const wanted = tagsOf(ctx.get('If-Match'));
  return { ...changeOptions(ctx), ...(Array.isArray(wanted) && { ifUpdatedAt: wanted.map(updatedAtOf) }) };
}

/** Entity tags that a header may have. */
const MAX_TAGS = 50;

/** Characters of the longest entity tag that is looked at. The longest of this server's own has 64. */
const MAX_TAG_LENGTH = 200;

/** The tags of a header, bare. */
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
 * Compressing proxies make tags weak, and some put a suffix after them: it is the same version all the same. No two
 * parts of the pattern match the same characters, so that it takes linear time.
 */
function bareTag(text: string): string {
  const tag = text.trim();
  if (tag.length > MAX_TAG_LENGTH) return '';
  return /^(?:W\/)?"?([\da-z]*)(?:[-;+.][\w-]*)?"?$/.exec(tag)?.[1] ?? '';
}

/** The `updatedAt` that a tag stands for; empty, and so never equal, where the tag is not one of this server. */
function updatedAtOf(tag: string): Timestamp {
  const time = new Date(Number.parseInt(tag, 36));
  return Number.isNaN(time.getTime()) ? '' : time.toISOString();
}

/** Plain, or in quotes as draft-ietf-httpapi-idempotency-key-header has it. */
function idempotencyKey(ctx: Context): string | undefined {
  const header = ctx.get('Idempotency-Key');
  if (header === '') return undefined;
  const [, key] = /^"?([\x21\x23-\x7e]{1,255})"?$/.exec(header) ?? [];
  if (key === undefined) {
    throw new RequestError('MALFORMED_REQUEST', 'Idempotency-Key must have 1 to 255 visible ASCII characters.');
  }
  return key;
}

function fingerprint(ctx: Context): string {
  const request = JSON.stringify([ctx.method, ctx.path, ctx.request.body]);
  return createHash('sha256').update(request).digest('base64url');
}
