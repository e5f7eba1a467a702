import { randomBytes, randomUUID } from 'node:crypto';
import { chmod, type FileHandle, link, mkdir, open, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tryLock } from 'fs-native-extensions';

/** The data directory cannot be used: another process holds it, or it is damaged. The message says what to do. */
export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError';
}

/** The directory that the embedded database lives in, held by this process alone until it is released. */
export interface DataDirectory {
  /** Where the embedded database keeps its files. */
  readonly databasePath: string;
  release(): Promise<void>;
}

/**
 * Takes a data directory for this process alone, and makes it where it is missing. The lock belongs to the operating
 * system: it ends with the process, however that ends, and leaves nothing behind that could keep the next one out.
 *
 * @throws {@link DataDirectoryError} when another process holds it
 */
export async function openDataDirectory(path: string): Promise<DataDirectory> {
  await makeDirectory(path);
  const lock: FileHandle = await open(join(path, 'lock'), 'a').catch((error) => rethrow(error, path));
  if (!tryLock(lock.fd)) {
    await lock.close();
    throw new DataDirectoryError(
      `The data directory ${path} is in use by another server. Stop that one first, or choose another with DATA_DIR.`,
    );
  }
  const databasePath = join(path, 'postgres');
  try {
    // Whatever the mode of the directory around it, nobody else reads the tasks.
    await makeDirectory(databasePath);
    await chmod(databasePath, 0o700).catch((error) => rethrow(error, databasePath));
  } catch (error) {
    await lock.close();
    throw error;
  }
  return { databasePath, release: () => lock.close() };
}

/**
 * The secret that signs tokens where no other is configured. Made on first use and kept in the data directory, readable
 * by the user of this process alone.
 */
export async function signingSecret(path: string): Promise<string> {
  await makeDirectory(path);
  const file = join(path, 'secret');
  const candidate = `${file}.${randomUUID()}`;
  const made = randomBytes(32).toString('base64url');
  await writeFile(candidate, made, { mode: 0o600, flush: true }).catch((error) => rethrow(error, path));
  try {
    // Appears whole or not at all, so that nobody who starts at the same moment reads half of it.
    await link(candidate, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await unlink(candidate);
  }
  const secret = await readFile(file, 'utf8');
  if (secret.length < 32) {
    throw new DataDirectoryError(`The secret in ${file} is damaged. Delete the file to have a new one made.`);
  }
  await chmod(file, 0o600);
  return secret;
}

async function makeDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 }).catch((error) => rethrow(error, path));
}

function rethrow(cause: NodeJS.ErrnoException, path: string): never {
  const message = ['EACCES', 'EPERM', 'EROFS'].includes(cause.code ?? '')
    ? `The data directory ${path} is not writable for the user ${process.getuid?.() ?? 'of this process'}. Give it to that ` +
      'user (chown), mount it writable, or choose another with DATA_DIR.'
    : `${path} cannot be a data directory (${cause.message}); see DATA_DIR.`;
  throw new DataDirectoryError(message, { cause });
}
