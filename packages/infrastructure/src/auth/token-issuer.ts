import { SignJWT } from 'jose';

/** A token to issue. */
export interface TokenRequest {
  readonly secret: string;
  /** Becomes the token's `sub`. */
  readonly userId: string;
  /** Seconds until it expires. */
  readonly lifetime: number;
}

/** Issues an HS256 token, for trying things out and for tests. In production tokens come from the auth server. */
export async function issueToken({ secret, userId, lifetime }: TokenRequest): Promise<string> {
  return new SignJWT()
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(userId)
    .setIssuedAt()
    .setExpirationTime(`${lifetime} seconds`)
    .sign(new TextEncoder().encode(secret));
}
