/**
 * Nanoseconds of CPU per series of every kernel, on the bodies that the end-to-end bench sends.
 * `node bench/kernels/measure.ts [--series 100000] [--per-request 2000] [--rounds 15] [--against OTHER.wasm]`
 *
 * The best round is printed, because everything that disturbs a round makes it slower. `--against` measures another
 * build of the kernels in the same rounds, in turn; its TypeScript face is the one of this tree.
 */

import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import { ALL_SLOTS } from '../../src/model/block.ts';
import { SeriesTable } from '../../src/series/table.ts';
import { type EncodedBody, makeWorkload } from '../load/workload.ts';

const { values: flags } = parseArgs({
  options: {
    series: { type: 'string', default: '100000' },
    'per-request': { type: 'string', default: '2000' },
    rounds: { type: 'string', default: '15' },
    against: { type: 'string' },
  },
});
const series = Number(flags.series);
const rounds = Number(flags.rounds);
const bodies = makeWorkload({ series, seriesPerRequest: Number(flags['per-request']), scrapes: 1 });

/** A body and its compressed form in linear memory, as it comes in: cold for the caches. */
interface Placed extends EncodedBody {
  readonly rawPtr: number;
  readonly compressedPtr: number;
}

type Step = (body: Placed) => unknown;

/** The steps by name, on a kernel of their own. */
function makeSteps(kernel: Kernel): { placed: Placed[]; steps: Record<string, Step> } {
  const { memory } = kernel;
  const columns = kernel.createColumns();
  const table = new SeriesTable(kernel);
  const place = (bytes: Uint8Array, ptr = memory.alloc(bytes.byteLength)) => {
    memory.bytes().set(bytes, ptr);
    return ptr;
  };
  const placed = bodies.map((body) => ({
    ...body,
    rawPtr: place(body.raw),
    compressedPtr: place(body.compressed),
  }));
  const roomBytes = Math.max(...bodies.map(({ raw }) => kernel.snappyMaxLength(raw.byteLength)));
  const input = memory.alloc(roomBytes);
  const decoded = memory.alloc(roomBytes);
  const written = memory.alloc(roomBytes * 2);
  const block = new Uint8Array(roomBytes);

  const encodeAll = () => {
    const { bytes, next } = kernel.encodeSeries(columns, {
      suffixPtr: 0,
      suffixLength: 0,
      suffixLabels: 0,
      first: 0,
      slots: ALL_SLOTS,
      dst: written,
      capacity: roomBytes * 2,
      rowsMax: 1e9,
      labelsMax: 1e9,
    });
    if (next !== columns.seriesCount) throw new Error('not every series was written');
    return bytes;
  };
  const decode = ({ compressed }: Placed, ptr: number) => {
    const length = kernel.snappyDecodedLength(ptr, compressed.byteLength);
    return kernel.snappyDecode(ptr, compressed.byteLength, decoded, length);
  };
  const steps: Record<string, Step> = {
    'snappy decode': (body) => decode(body, body.compressedPtr),
    validate: ({ raw, rawPtr }) => kernel.validateWriteRequest(rawPtr, raw.byteLength),
    'validate + scan': ({ raw, rawPtr }) => columns.scan(rawPtr, raw.byteLength),
    'validate + scan + slots': ({ raw, rawPtr }) => columns.scan(rawPtr, raw.byteLength, undefined, true),
    'validate + scan + intern': ({ raw, rawPtr }) => columns.scan(rawPtr, raw.byteLength, table),
    'check: the same in one pass': ({ raw, rawPtr }) => columns.check(rawPtr, raw.byteLength, table),
    'validate + scan + encode': ({ raw, rawPtr }) => {
      columns.scan(rawPtr, raw.byteLength);
      encodeAll();
    },
    'snappy encode': ({ raw, rawPtr }) => kernel.snappyEncode(rawPtr, raw.byteLength, written),
    'pass through: copy in + decode + validate + copy out': (body) => {
      place(body.compressed, input);
      kernel.validateWriteRequest(decoded, decode(body, input));
      block.set(memory.bytes().subarray(input, input + body.compressed.byteLength));
    },
    'column: copy in + decode + validate + scan + intern + encode + snappy': (body) => {
      place(body.compressed, input);
      columns.scan(decoded, decode(body, input), table);
      kernel.snappyEncode(written, encodeAll(), decoded);
    },
  };
  return { placed, steps };
}

function cpuNs(placed: readonly Placed[], step: Step): number {
  const from = process.cpuUsage();
  for (const body of placed) step(body);
  const { user, system } = process.cpuUsage(from);
  return (user + system) * 1000;
}

const files = flags.against === undefined ? [undefined] : [undefined, pathToFileURL(flags.against)];
const kernels = files.map((file) => new Kernel(compileKernel(file)));
const variants = kernels.map(makeSteps);
console.log('ns a series (and a request); with --against: this build, then the other');
for (const name of Object.keys(variants[0]!.steps)) {
  const best = variants.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < rounds; round++) {
    for (const [index, { placed, steps }] of variants.entries()) {
      best[index] = Math.min(best[index]!, cpuNs(placed, steps[name]!));
    }
  }
  const columns = best.map(
    (ns) => `${(ns / series).toFixed(1).padStart(7)} (${(ns / bodies.length).toFixed(0).padStart(7)})`,
  );
  console.log(name.padEnd(70), columns.join('   '));
}

const [kernel] = kernels;
const { placed } = variants[0]!;
const target = kernel!.memory.alloc(
  Math.max(...bodies.map(({ raw }) => kernel!.snappyMaxLength(raw.byteLength))),
);
const bytes = (read: (body: Placed) => number) =>
  (placed.reduce((total, body) => total + read(body), 0) / series).toFixed(1);
console.log(
  `bytes a series: raw ${bytes(({ raw }) => raw.byteLength)},`,
  `snappy ${bytes(({ raw, rawPtr }) => kernel!.snappyEncode(rawPtr, raw.byteLength, target))}`,
  `(snappyjs ${bytes(({ compressed }) => compressed.byteLength)})`,
);
