/** The directory that queues, journal and dead letters are kept in. */
import { access, constants, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { nodeFs } from './queue/file/fs.ts';
import { messageOf, SluiceError } from './util/error.ts';

/** Makes it if need be. Throws a SluiceError when it cannot be written to. */
export async function prepareDataDirectory(directory: string): Promise<void> {
  try {
    const made = await mkdir(directory, { recursive: true });
    // Its name must survive a power cut as well as what is in it.
    if (made !== undefined) await nodeFs.syncDirectory(path.dirname(made));
    await access(directory, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new SluiceError(
      'data_directory',
      `cannot use the data directory ${path.resolve(directory)}: ${messageOf(cause)}; make it writable or give another one with -remoteWrite.tmpDataPath`,
      { cause },
    );
  }
}
