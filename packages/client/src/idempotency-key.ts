/** A new key for a request that must take effect only once, even if it is retried. */
export function newIdempotencyKey(): string {
  // `randomUUID` is only available in secure contexts (HTTPS or localhost).
  return crypto.getRandomValues(new Uint32Array(4)).join('-');
}
