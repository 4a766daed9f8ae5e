/** A file that appears whole or not at all, for the owner only. */
import path from 'node:path';
import type { Fs } from './fs.ts';

/** Resolves when the file is safe from a power cut; rejects with Node's error, and then there is no file. */
export async function writeWhole(fs: Fs, file: string, chunks: readonly Uint8Array[]): Promise<void> {
  try {
    await replaceWhole(fs, file, chunks);
  } catch (error) {
    await fs.unlink(file).catch(() => {});
    throw error;
  }
}

/** The same for a file that may be there: when it rejects, the file is the old one or the new one. */
export async function replaceWhole(fs: Fs, file: string, chunks: readonly Uint8Array[]): Promise<void> {
  const directory = path.dirname(file);
  const temporary = `${file}.tmp`;
  await fs.makeDirectory(directory);
  await fs.unlink(temporary).catch(() => {});
  const opened = await fs.create(temporary);
  try {
    try {
      await opened.write(chunks, 0);
      await opened.sync();
    } finally {
      await opened.close();
    }
    await fs.rename(temporary, file);
    await fs.syncDirectory(directory);
  } catch (error) {
    await fs.unlink(temporary).catch(() => {});
    throw error;
  }
}
