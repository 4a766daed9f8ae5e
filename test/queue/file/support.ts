/** A small log in a file system in memory, with records that a reader can tell apart. */
import assert from 'node:assert/strict';
import { noCounts } from '../../../src/model/body.ts';
import { type NewRecord, SegmentLog } from '../../../src/queue/file/log.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import type { MemoryFs } from '../../support/memory-fs.ts';
import { recordingLogger } from '../../support/quiet-logger.ts';

const SEGMENT_BYTES = 2_000;
const DIRECTORY = '/q';

export async function openLog(fs: MemoryFs, clock = new FakeClock()) {
  const ports = { fs, clock, log: recordingLogger() };
  return SegmentLog.open({ directory: DIRECTORY, segmentBytes: SEGMENT_BYTES }, ports);
}

/** A record whose payload starts with its number, so that a reader can tell which it is. */
export function record(id: number, bytes = 20): NewRecord {
  const payload = Buffer.alloc(Math.max(8, bytes), id % 251);
  payload.writeDoubleLE(id);
  const counts = { ...noCounts, series: 1, samples: id };
  return {
    header: { type: 'snappy', counts, rawLength: 5, slots: 3, bornAtMs: 7 },
    payload: [payload.subarray(0, 5), payload.subarray(5)],
  };
}

/** Everything that is left to read; checks that every payload is one of ours, and their order. */
export async function readAll(log: SegmentLog) {
  const ids: number[] = [];
  const damaged: number[] = [];
  const seqs: number[] = [];
  for (let found = await log.next(); found !== undefined; found = await log.next()) {
    const { payload, header } = found;
    if (payload === undefined) {
      damaged.push(header.counts.samples);
      continue;
    }
    const id = Buffer.from(payload).readDoubleLE();
    assert.deepEqual(Buffer.from(payload), Buffer.concat(record(id, payload.byteLength).payload));
    assert.equal(header.counts.samples, id);
    ids.push(id);
    seqs.push(header.seq);
  }
  assert.deepEqual(
    seqs,
    seqs.toSorted((a, b) => a - b),
  );
  return { ids, damaged, seqs };
}
