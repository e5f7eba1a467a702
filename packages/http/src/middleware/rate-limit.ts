import { UnauthenticatedError } from '@todo-backend/application';
import type { UserId } from '@todo-backend/domain';
import type { Context } from 'koa';
import { type RateLimiterAbstract, RateLimiterRes } from 'rate-limiter-flexible';
import { clientOf, type Proxies } from './address.js';
import { RequestError } from './request-error.js';

/** The limits for requests per user and for failed authentications per address. */
export interface RateLimits {
  readonly perUser: RateLimiterAbstract;
  readonly failuresPerAddress: RateLimiterAbstract;
}

/** Counts a request of a user, and refuses it above the limit. */
export async function limitUser(ctx: Context, limiter: RateLimiterAbstract, userId: UserId): Promise<void> {
  const { left, isOver } = await consume(limiter, userId);
  setHeaders(ctx, 'user', limiter, left);
  if (isOver) throw tooMany(ctx, left);
}

/** Counts failed authentications of an address; above the limit its tokens are not verified. */
export async function limitFailures<T>(
  ctx: Context,
  limiter: RateLimiterAbstract,
  proxies: Proxies,
  authenticate: () => Promise<T>,
): Promise<T> {
  const key = clientOf(ctx.req, proxies);
  const failures = await limiter.get(key);
  if (failures !== null && failures.consumedPoints > limiter.points) {
    setHeaders(ctx, 'address', limiter, failures);
    throw tooMany(ctx, failures);
  }
  try {
    return await authenticate();
  } catch (error) {
    if (error instanceof UnauthenticatedError) await consume(limiter, key);
    throw error;
  }
}

async function consume(limiter: RateLimiterAbstract, key: string): Promise<{ left: RateLimiterRes; isOver: boolean }> {
  try {
    return { left: await limiter.consume(key), isOver: false };
  } catch (refusal) {
    if (!(refusal instanceof RateLimiterRes)) throw refusal;
    return { left: refusal, isOver: true };
  }
}

/** Says what is left, as in draft-ietf-httpapi-ratelimit-headers. */
function setHeaders(
  ctx: Context,
  policy: string,
  { points, duration }: RateLimiterAbstract,
  left: RateLimiterRes,
): void {
  ctx.set('RateLimit-Policy', `"${policy}";q=${points};w=${duration}`);
  ctx.set('RateLimit', `"${policy}";r=${left.remainingPoints};t=${seconds(left)}`);
}

function tooMany(ctx: Context, left: RateLimiterRes): RequestError {
  ctx.set('Retry-After', String(seconds(left)));
  return new RequestError('RATE_LIMITED', `Too many requests. Please try again in ${seconds(left)} seconds.`);
}

function seconds({ msBeforeNext }: RateLimiterRes): number {
  return Math.max(1, Math.ceil(msBeforeNext / 1000));
}
