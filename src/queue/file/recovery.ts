/** What a start does to what a stop or a crash left of a log: finds the records, and cuts off what was not whole. */
import path from 'node:path';
import { addCounts, type Counts, noCounts } from '../../model/body.ts';
import { SluiceError } from '../../util/error.ts';
import type { Damage } from './damage.ts';
import { SEGMENT_HEADER_BYTES } from './format.ts';
import type { Fs } from './fs.ts';
import { type Segment, SegmentReader } from './segment.ts';

/** What was found at the opening. */
export interface LogContents {
  readonly records: number;
  readonly bytes: number;
  readonly counts: Counts;
}

export interface Recovered {
  /** In order. */
  readonly segments: readonly Segment[];
  /** Everything before it is done with. */
  readonly start: number;
  readonly nextSeq: number;
  readonly contents: LogContents;
}

/** `cursor` tells what is done with, if anything does. Throws a SluiceError for a file of a newer version. */
export async function recoverSegments(
  directory: string,
  cursor: number | undefined,
  fs: Fs,
  damage: Damage,
): Promise<Recovered> {
  const found: Segment[] = [];
  for (const name of (await fs.list(directory)).filter(isSegmentName).sort()) {
    const file = path.join(directory, name);
    const size = await fs.size(file);
    found.push({ firstSeq: Number.parseInt(name, 16), path: file, size, syncedSize: size });
  }
  const start = Math.max(cursor ?? 0, found[0]?.firstSeq ?? 1);
  let nextSeq = start;
  const segments: Segment[] = [];
  const contents = { records: 0, bytes: 0, counts: { ...noCounts } };
  for (const [index, segment] of found.entries()) {
    const reader = await openSegment(fs, segment.path);
    if (reader === undefined) {
      await damage.setAside(segment.path, segment.size);
      continue;
    }
    segments.push(segment);
    // A power cut after a sync that failed may have left nothing of the segment before.
    nextSeq = Math.max(nextSeq, segment.firstSeq);
    const next = found[index + 1];
    let end = SEGMENT_HEADER_BYTES;
    for (;;) {
      const record =
        (await reader.recordAt(end, segment.size)) ?? (await reader.recordAfter(end, segment.size));
      // What the next segment has too was written there again after an error.
      if (record === undefined || record.header.seq >= (next?.firstSeq ?? Number.POSITIVE_INFINITY)) break;
      end = record.end;
      if (record.header.seq < nextSeq) continue;
      nextSeq = record.header.seq + 1;
      contents.records++;
      contents.bytes += record.end - record.offset;
      addCounts(contents.counts, record.header.counts);
    }
    if (next === undefined && end < segment.size) {
      await damage.cutTail(reader, segment.path, end, segment.size);
      segment.size = end;
      segment.syncedSize = end;
    }
    await reader.close();
  }
  return { segments, start, nextSeq, contents };
}

/** Undefined when its header is damaged. */
async function openSegment(fs: Fs, file: string): Promise<SegmentReader | undefined> {
  const opened = await SegmentReader.open(fs, file);
  if (opened.status === 'ok') return opened.value;
  if (opened.status !== 'newer') return undefined;
  throw new SluiceError(
    'queue_version',
    `cannot read the queue file ${file}: a newer version of Sluice wrote it; start that version to drain it, or move the file away`,
  );
}

function isSegmentName(name: string): boolean {
  return /^[0-9a-f]{16}\.seg$/.test(name) && Number.isSafeInteger(Number.parseInt(name, 16));
}
