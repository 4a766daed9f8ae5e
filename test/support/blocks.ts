import type { Block } from '../../src/model/block.ts';
import { noCounts } from '../../src/model/body.ts';

/** A block with made-up bytes, for tests that do not look inside. */
export function makeBlock(seq: number, over: Partial<Block> = {}): Block {
  return {
    seq,
    codec: 'snappy',
    bytes: Buffer.from(`block ${seq}`),
    rawLength: 100,
    counts: { ...noCounts, series: 1, samples: seq },
    slots: 0xffffffff,
    bornMs: 0,
    firstBody: seq,
    ...over,
  };
}
