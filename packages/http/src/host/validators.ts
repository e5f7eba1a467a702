import { parseDatabaseUrl } from '@todo-backend/infrastructure';
import * as v from 'valibot';

export function wholeNumber(byDefault: number, least: number, most: number) {
  return v.optional(digits(least, most), String(byDefault));
}

export function digits(least: number, most: number) {
  const message = `must be a whole number from ${least} to ${most}`;
  return v.pipe(
    v.string(),
    v.regex(/^\d{1,9}$/, message),
    v.transform(Number),
    v.minValue(least, message),
    v.maxValue(most, message),
  );
}

export function baseUrl(what: string) {
  return v.pipe(
    v.string(),
    v.check(isBaseUrl, `must be the http(s) URL ${what}`),
    v.transform((url) => url.replace(/\/+$/, '')),
  );
}

/** Values that are separated by commas. */
export function list() {
  return v.pipe(
    v.string(),
    v.transform((text) => text.split(',').map((one) => one.trim())),
    v.array(v.pipe(v.string(), v.nonEmpty('must be a comma-separated list, without an empty entry'))),
  );
}

/** The name of a table, or of a schema and a table. */
export function tableName() {
  return v.pipe(
    v.string(),
    v.regex(/^[^."\0]+(?:\.[^."\0]+)?$/, 'must be the name of a table, such as users or auth.users'),
  );
}

/**
 * An origin as browsers send it: of a page (`https://app.example.com`), of its subdomains (`https://*.example.com`), or of an
 * app (`capacitor://localhost`).
 */
export function isOrigin(text: string): boolean {
  if (!isHttpUrl(text))
    return /^(?!(?:file|data|blob|javascript|about):)[a-z][a-z\d+.-]*:\/\/[\w.-]+(?::\d+)?$/.test(text);
  // One label at the beginning, of a name that is not a whole top-level domain.
  const plain = text.replace(/^(https?:\/\/)\*\.(?=[^.*:/]+\.[^*]+$)/, '$1label.');
  return !plain.includes('*') && new URL(plain).origin === plain;
}

export function originProblem(text: string): string {
  if (text === '*') return 'must not be *: the API allows credentials, so every origin has to be named';
  return (
    'must be a comma-separated list of origins such as https://app.example.com, https://*.example.com (one label) or ' +
    `capacitor://localhost, and "${text}" is none`
  );
}

/** One secret of Standard Webhooks, or two while they are rotated. */
export function webhookSecrets() {
  return v.pipe(
    v.string(),
    v.transform((text) => text.trim().split(/[\s,]+/)),
    v.check(
      (secrets) => secrets.length <= 2 && secrets.every(isWebhookSecret),
      'must be whsec_ and 24 to 64 bytes in base64 (openssl rand -base64 32), or two of these with a space or a comma ' +
        'between them',
    ),
  );
}

function isWebhookSecret(text: string): boolean {
  const encoded = text.replace(/^whsec_/, '');
  const key = Buffer.from(encoded, 'base64');
  // Node.js skips what is not base64; the libraries of receivers do not.
  return encoded !== text && key.toString('base64') === encoded && key.length >= 24 && key.length <= 64;
}

/** The name of a header (RFC 9110, section 5.1). */
export function headerName() {
  return v.pipe(v.string(), v.regex(/^[\w!#$%&'*+.^`|~-]+$/, 'must be a comma-separated list of names of headers'));
}

function isBaseUrl(text: string): boolean {
  const url = URL.parse(text);
  return isHttpUrl(text) && url !== null && !url.search && !url.hash && !url.username && !url.password;
}

export function isPlainUrl(text: string): boolean {
  const url = URL.parse(text);
  return isHttpUrl(text) && url !== null && !url.username && !url.password;
}

function isHttpUrl(text: string): boolean {
  return ['http:', 'https:'].includes(URL.parse(text)?.protocol ?? '');
}

export function databaseUrlProblem(url: string): string | undefined {
  try {
    parseDatabaseUrl(url);
    return undefined;
  } catch (error) {
    return `is not usable: ${(error as Error).message}`;
  }
}
