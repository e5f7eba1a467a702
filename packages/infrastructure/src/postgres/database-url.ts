import { checkServerIdentity, type PeerCertificate, type ConnectionOptions as TlsOptions } from 'node:tls';
import { type ConnectionOptions, parse } from 'pg-connection-string';

/** A database URL, taken apart. */
export interface DatabaseLocation extends Omit<ConnectionOptions, 'database' | 'ssl'> {
  readonly database: string;
  /** The schema of the tables, as Prisma writes it (`?schema=auth`); that of the login's search path when left out. */
  readonly schema?: string;
  readonly ssl?: TlsOptions;
}

const SSL_MODES = ['disable', 'require', 'verify-ca', 'verify-full'];

/**
 * Reads a PostgreSQL URL. TLS is used as `sslmode` says, and wherever there is TLS the server's certificate and name
 * are verified, against `sslrootcert` if it is given and the system's authorities otherwise: `require` and `verify-ca`
 * mean `verify-full` here, and the modes that would accept any server are refused. `schema` is the schema of the tables.
 *
 * @throws Error with a sentence that says what is wrong with the URL; it never repeats the password
 */
export function parseDatabaseUrl(text: string): DatabaseLocation {
  const url = URL.parse(text);
  if (url === null || !['postgres:', 'postgresql:'].includes(url.protocol)) {
    throw new Error('it must look like postgres://user:password@host:5432/database, over TCP');
  }
  for (const parameter of ['ssl', 'uselibpqcompat']) {
    if (url.searchParams.has(parameter)) throw new Error(`"${parameter}" is not supported; use sslmode`);
  }
  const mode = url.searchParams.get('sslmode');
  if (mode !== null) {
    if (!SSL_MODES.includes(mode)) throw new Error(`sslmode must be one of ${SSL_MODES.join(', ')}`);
    if (mode !== 'disable') url.searchParams.set('sslmode', 'verify-full');
  }
  const schema = url.searchParams.get('schema');
  if (schema !== null && !isSchemaName(schema)) {
    throw new Error('schema must be one name, of at most 63 bytes; a search path goes into "options"');
  }
  url.searchParams.delete('schema');
  const { database, ssl, ...others } = parse(url.href);
  const connection = { ...others, ...(schema !== null && { schema }) };
  if (!database) throw new Error('it must name a database, as in postgres://user:password@host:5432/database');
  if (!ssl) return { ...connection, database };
  // The driver names no host when that is an IP address, and Node then checks the certificate against "localhost".
  const verifyHost = (_: string, certificate: PeerCertificate) =>
    checkServerIdentity(connection.host ?? '', certificate);
  return { ...connection, database, ssl: { ...(ssl as TlsOptions), checkServerIdentity: verifyHost } };
}

/** No comma, which parts the names of a search path. */
function isSchemaName(name: string): boolean {
  return /^[^,\0]+$/.test(name) && Buffer.byteLength(name) <= 63;
}
