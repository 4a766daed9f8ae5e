/** Between a block in memory, which knows monotonic time, and its record in a file, which knows wall time. */
import type { Block, Codec } from '../model/block.ts';
import type { Clock } from '../util/clock.ts';
import type { RecordHeader } from './file/format.ts';
import type { NewRecord } from './file/log.ts';

export function recordOf({ codec, bytes, rawLength, counts, slots, bornMs }: Block, clock: Clock): NewRecord {
  const bornAtMs = clock.nowMs() - (clock.monotonicMs() - bornMs);
  return { header: { type: codec, rawLength, counts, slots, bornAtMs }, payload: [bytes] };
}

/** Its age goes on from where it was; a wall clock that was set back makes it new, not younger than new. */
export function blockOf(header: RecordHeader, payload: Uint8Array, clock: Clock): Block {
  return {
    seq: header.seq,
    codec: header.type as Codec,
    bytes: payload,
    rawLength: header.rawLength,
    counts: header.counts,
    slots: header.slots,
    bornMs: clock.monotonicMs() - Math.max(0, clock.nowMs() - header.bornAtMs),
    firstBody: 0,
  };
}
