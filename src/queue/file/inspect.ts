/** Looks into a log without changing anything, also while a relay uses it. */
import path from 'node:path';
import { BufferPool } from '../../util/buffer-pool.ts';
import type { Logger } from '../../util/logger.ts';
import { CursorFile } from './cursor.ts';
import { type RecordHeader, SEGMENT_HEADER_BYTES } from './format.ts';
import type { Fs } from './fs.ts';
import { SegmentReader } from './segment.ts';

export type Finding =
  | { readonly kind: 'record'; readonly header: RecordHeader; readonly payload: Uint8Array }
  /** A record whose bytes are not what was written. */
  | {
      readonly kind: 'damaged-record';
      readonly header: RecordHeader;
      readonly file: string;
      readonly offset: number;
    }
  /** Bytes that are no record. */
  | {
      readonly kind: 'damaged-bytes';
      readonly file: string;
      readonly offset: number;
      readonly bytes: number;
    };

const silent = { warn: () => {} } as unknown as Logger;

export function segmentNames(names: readonly string[]): string[] {
  return names.filter((name) => /^[0-9a-f]{16}\.seg$/.test(name)).sort();
}

/** Everything that is not done with, in order, and what is damaged. */
export async function* inspectLog(fs: Fs, directory: string): AsyncGenerator<Finding> {
  let expected = (await new CursorFile(fs, directory).read(silent)) ?? 0;
  for (const name of segmentNames(await fs.list(directory))) {
    const file = path.join(directory, name);
    const found = await openIfThere(fs, file);
    // All of it is done with by now.
    if (found === undefined) continue;
    const { size, opened } = found;
    if (opened.status !== 'ok') {
      yield { kind: 'damaged-bytes', file, offset: 0, bytes: size };
      continue;
    }
    const reader = opened.value;
    try {
      let at = SEGMENT_HEADER_BYTES;
      while (at < size) {
        const record = await reader.recordAt(at, size);
        if (record === undefined) {
          const next = await reader.recordAfter(at, size);
          const end = next?.offset ?? size;
          yield { kind: 'damaged-bytes', file, offset: at, bytes: end - at };
          at = end;
          continue;
        }
        at = record.end;
        const { header, offset } = record;
        if (header.seq < expected) continue;
        expected = header.seq + 1;
        const payload = await reader.payloadOf(record, new BufferPool(0));
        if (payload === undefined) yield { kind: 'damaged-record', header, file, offset };
        else yield { kind: 'record', header, payload };
      }
    } finally {
      await reader.close();
    }
  }
}

async function openIfThere(fs: Fs, file: string) {
  try {
    return { size: await fs.size(file), opened: await SegmentReader.open(fs, file) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
