import { randomBytes, randomUUID } from 'node:crypto';
import { type FileHandle, link, mkdir, open, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tryLock } from 'fs-native-extensions';

/** Another process uses the data directory. The message says what to do. */
export class DataDirectoryInUseError extends Error {
  override readonly name = 'DataDirectoryInUseError';
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
 * @throws {@link DataDirectoryInUseError} when another process holds it
 */
export async function openDataDirectory(path: string): Promise<DataDirectory> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const lock: FileHandle = await open(join(path, 'lock'), 'a');
  if (!tryLock(lock.fd)) {
    await lock.close();
    throw new DataDirectoryInUseError(
      `The data directory ${path} is in use by another server. Stop that one first, or choose another with DATA_DIR.`,
    );
  }
  return { databasePath: join(path, 'postgres'), release: () => lock.close() };
}

/**
 * The secret that signs tokens where no other is configured. Made on first use and kept in the data directory, readable
 * by the user of this process alone.
 */
export async function signingSecret(path: string): Promise<string> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const file = join(path, 'secret');
  const candidate = `${file}.${randomUUID()}`;
  await writeFile(candidate, randomBytes(32).toString('base64url'), { mode: 0o600 });
  try {
    // Appears whole or not at all, so that nobody who starts at the same moment reads half of it.
    await link(candidate, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await unlink(candidate);
  }
  return readFile(file, 'utf8');
}
