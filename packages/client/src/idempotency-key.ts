/** A new key for a request that must be carried out once, however often it is sent. */
export function newIdempotencyKey(): string {
  // Not `randomUUID`: browsers have it only on pages that came over TLS, or from localhost.
  return crypto.getRandomValues(new Uint32Array(4)).join('-');
}
