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

/** What an access token may allow an agent, as OAuth scopes. */
export const AGENT_SCOPES = ['todo:read', 'todo:write'] as const;
export type AgentScope = (typeof AGENT_SCOPES)[number];

/** What an access token allows an agent to do. */
export interface AgentAccess {
  /** The user for whom the agent acts. */
  readonly userId: UserId;
  /** The agent: the client that the token was issued to. */
  readonly agentId: string;
  readonly scopes: readonly string[];
}

/** Verifies the access tokens that agents send, which are not those of {@link TokenVerifier}. */
export interface AccessTokenVerifier {
  /**
   * @throws `UnauthenticatedError` (`UNAUTHENTICATED`) when the token is not valid, or has no user
   * @throws `UnavailableError` (`UNAVAILABLE`) when no key could be loaded yet to verify the token
   */
  verify(token: string): Promise<AgentAccess>;
}
