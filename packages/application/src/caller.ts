import type { UserId } from '@todo-backend/domain';

/** Verifies the tokens that callers send. */
export interface TokenVerifier {
  /**
   * @returns the user that the token was issued to (its `sub`)
   * @throws `UnauthenticatedError` (`UNAUTHENTICATED`) when the token is not valid
   * @throws `UnavailableError` (`UNAVAILABLE`) when no key could be loaded yet to verify the token
   */
  verify(token: string): Promise<UserId>;

  /** When a token that was verified expires, in milliseconds since 1970. */
  expiresAt(token: string): number;
}
