/** A key in Better Auth's format, and tokens as its `jwt()` plugin issues them. */
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

export interface SigningKey {
  readonly id: string;
  readonly publicKey: JWK;
  readonly privateKey: CryptoKey;
}

export async function createKey(): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  const id = crypto.randomUUID().replaceAll('-', '');
  return { id, publicKey: await exportJWK(publicKey), privateKey };
}

/** A token that outlasts the measurements. It carries the whole user, as Better Auth's do. */
export async function issueToken(key: SigningKey, issuer: string, user: string): Promise<string> {
  const now = new Date().toISOString();
  const profile = { name: 'A User', email: `${user}@example.com`, emailVerified: true, image: null };
  return new SignJWT({ ...profile, id: user, createdAt: now, updatedAt: now })
    .setProtectedHeader({ alg: 'EdDSA', kid: key.id })
    .setSubject(user)
    .setIssuer(issuer)
    .setAudience(issuer)
    .setIssuedAt()
    .setExpirationTime('12 hours')
    .sign(key.privateKey);
}
