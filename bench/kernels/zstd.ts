/**
 * Compares zstd parameters for blocks of the VictoriaMetrics protocol: bytes and CPU a sample.
 * `node bench/kernels/zstd.ts [--bodies DIR] [--requests-per-block 5] [--rounds 5]`
 *
 * Blocks are five requests, joined: 10,000 samples as most senders write. Without `--bodies` they are those of the bench; with it, those of a
 * real sender: the files of DIR in the order of their names, each a snappy body as it was posted.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { constants, zstdCompressSync } from 'node:zlib';
import { uncompress } from 'snappyjs';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import { makeWorkload } from '../load/workload.ts';

const { values: flags } = parseArgs({
  options: {
    bodies: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    'requests-per-block': { type: 'string', default: '5' },
  },
});

const c = constants;
type Params = Readonly<Record<number, number>>;
const params = (names: Record<string, number>): Params =>
  Object.fromEntries(
    Object.entries(names).map(([name, value]) => [c[`ZSTD_c_${name}` as keyof typeof c], value]),
  );
const fast = { strategy: c.ZSTD_fast };
const dfast = { strategy: c.ZSTD_dfast };

/** What is compared; every one of them on top of the level. */
const candidates: Record<string, Params> = {
  'the level as it is': {},
  'chosen: fast, hashLog 13, minMatch 7': params({ ...fast, hashLog: 13, minMatch: 7 }),
  fast: params(fast),
  'fast, hashLog 12, minMatch 7': params({ ...fast, hashLog: 12, minMatch: 7 }),
  'fast, hashLog 13': params({ ...fast, hashLog: 13 }),
  'fast, hashLog 13, minMatch 6': params({ ...fast, hashLog: 13, minMatch: 6 }),
  'fast, hashLog 14, minMatch 7': params({ ...fast, hashLog: 14, minMatch: 7 }),
  'fast, hashLog 16, minMatch 7': params({ ...fast, hashLog: 16, minMatch: 7 }),
  'fast, hashLog 13, targetLength 2': params({ ...fast, hashLog: 13, targetLength: 2 }),
  'fast, windowLog 17': params({ ...fast, windowLog: 17 }),
  'fast, windowLog 19': params({ ...fast, windowLog: 19 }),
  'fast, long distance': params({ ...fast, enableLongDistanceMatching: 1 }),
  'minMatch 7': params({ minMatch: 7 }),
  'windowLog 18': params({ windowLog: 18 }),
  'dfast, hashLog 14, chainLog 13, minMatch 6': params({ ...dfast, hashLog: 14, chainLog: 13, minMatch: 6 }),
};
const otherLevels = [-1, 1, 2, 4, 5, 7, 9];

function rawBodies(): Uint8Array[] {
  if (flags.bodies === undefined) {
    return makeWorkload({ series: 100_000, seriesPerRequest: 2000, scrapes: 1 }).map(({ raw }) => raw);
  }
  const directory = flags.bodies;
  return readdirSync(directory)
    .toSorted()
    .map((file) => uncompress(readFileSync(join(directory, file))));
}

const kernel = new Kernel(compileKernel());
function samplesIn(body: Uint8Array): number {
  const ptr = kernel.memory.alloc(body.byteLength);
  kernel.memory.bytes().set(body, ptr);
  const found = kernel.validateWriteRequest(ptr, body.byteLength);
  kernel.memory.free(ptr, body.byteLength);
  if ('error' in found) throw new Error(`cannot read a body at byte ${found.at}: ${found.error}`);
  return found.counts.samples;
}

const bodies = rawBodies();
const blocks: Buffer[] = [];
const perBlock = Number(flags['requests-per-block']);
// A block that is not full would not be comparable.
for (let from = 0; from + perBlock <= bodies.length; from += perBlock) {
  blocks.push(Buffer.concat(bodies.slice(from, from + perBlock)));
}
const samples = blocks.reduce((sum, block) => sum + samplesIn(block), 0);
const rawBytes = blocks.reduce((sum, block) => sum + block.byteLength, 0);
console.log(`${blocks.length} blocks, ${samples} samples, ${(rawBytes / samples).toFixed(1)} bytes a sample`);

/** With room for the worst case libzstd compresses straight into the result, without buffers of its own. */
function compressAll(params: Params): number {
  let bytes = 0;
  for (const block of blocks) {
    const chunkSize = block.byteLength + (block.byteLength >> 8) + 64;
    bytes += zstdCompressSync(block, { chunkSize, params }).byteLength;
  }
  return bytes;
}

/** Rounds go through all candidates in turn, and the best of each counts: what disturbs a round makes it slower. */
const plans = new Map<string, Params>();
for (const [name, extra] of Object.entries(candidates)) {
  plans.set(name, { [c.ZSTD_c_compressionLevel]: 3, ...extra });
}
for (const level of otherLevels) plans.set(`level ${level}`, { [c.ZSTD_c_compressionLevel]: level });
const bestNs = new Map<string, number>();
const bytesOf = new Map<string, number>();
for (let round = 0; round < Number(flags.rounds); round++) {
  for (const [name, plan] of plans) {
    const from = process.cpuUsage();
    bytesOf.set(name, compressAll(plan));
    const { user, system } = process.cpuUsage(from);
    const ns = ((user + system) * 1000) / samples;
    bestNs.set(name, Math.min(bestNs.get(name) ?? Number.POSITIVE_INFINITY, ns));
  }
}
console.log('level 3 and'.padEnd(46), 'bytes a sample   ns of CPU a sample');
for (const [name, bytes] of bytesOf) {
  console.log(
    name.padEnd(46),
    (bytes / samples).toFixed(2).padStart(14),
    bestNs.get(name)!.toFixed(0).padStart(16),
  );
}
