/**
 * Nanoseconds of CPU per series of every kernel, on the bodies that the end-to-end bench sends.
 * `node bench/kernels/measure.ts [--series 100000] [--per-request 2000] [--rounds 15]`; the best round is printed,
 * because everything that disturbs a round makes it slower.
 */
import { parseArgs } from 'node:util';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import { ALL_SLOTS } from '../../src/model/block.ts';
import { SeriesTable } from '../../src/series/table.ts';
import { makeWorkload } from '../load/workload.ts';

const { values: flags } = parseArgs({
  options: {
    series: { type: 'string', default: '100000' },
    'per-request': { type: 'string', default: '2000' },
    rounds: { type: 'string', default: '15' },
  },
});
const series = Number(flags.series);
const bodies = makeWorkload({ series, seriesPerRequest: Number(flags['per-request']), scrapes: 1 });

const kernel = new Kernel(compileKernel());
const { memory } = kernel;
const columns = kernel.createColumns();
const table = new SeriesTable(kernel);

/** Every body and its compressed form in linear memory, as they come in: cold for the caches. */
const placed = bodies.map(({ raw, compressed }) => {
  const rawPtr = memory.alloc(raw.byteLength);
  const compressedPtr = memory.alloc(compressed.byteLength);
  memory.bytes().set(raw, rawPtr);
  memory.bytes().set(compressed, compressedPtr);
  return { rawPtr, rawLength: raw.byteLength, compressedPtr, compressedLength: compressed.byteLength };
});
const roomBytes = Math.max(...bodies.map(({ raw }) => kernel.snappyMaxLength(raw.byteLength)));
const decoded = memory.alloc(roomBytes);
const written = memory.alloc(roomBytes * 2);
type Placed = (typeof placed)[number];

const noSuffix = { suffixPtr: 0, suffixLength: 0, suffixLabels: 0 };
function encodeAll(): number {
  const { bytes, next } = kernel.encodeSeries(columns, {
    ...noSuffix,
    first: 0,
    slots: ALL_SLOTS,
    dst: written,
    capacity: roomBytes * 2,
    rowsMax: 1e9,
    labelsMax: 1e9,
  });
  if (next !== columns.seriesCount) throw new Error('not every series was written');
  return bytes;
}
const decode = (body: Placed) =>
  kernel.snappyDecode(body.compressedPtr, body.compressedLength, decoded, roomBytes);

let encodedBytes = 0;
const steps: Record<string, (body: Placed) => unknown> = {
  'snappy decode': decode,
  validate: ({ rawPtr, rawLength }) => kernel.validateWriteRequest(rawPtr, rawLength),
  'validate + scan': ({ rawPtr, rawLength }) => columns.scan(rawPtr, rawLength),
  'validate + scan + slots': ({ rawPtr, rawLength }) => columns.scan(rawPtr, rawLength, undefined, true),
  'validate + scan + intern': ({ rawPtr, rawLength }) => columns.scan(rawPtr, rawLength, table),
  'validate + scan + encode': ({ rawPtr, rawLength }) => {
    columns.scan(rawPtr, rawLength);
    encodeAll();
  },
  'snappy encode': ({ rawPtr, rawLength }) => {
    encodedBytes += kernel.snappyEncode(rawPtr, rawLength, written);
  },
  'verbatim: decode + validate': (body) => kernel.validateWriteRequest(decoded, decode(body)),
  'column: decode + validate + scan + intern + encode + snappy': (body) => {
    columns.scan(decoded, decode(body), table);
    kernel.snappyEncode(written, encodeAll(), decoded);
  },
};

function bestNs(step: (body: Placed) => unknown): number {
  const rounds: number[] = [];
  for (let round = 0; round < Number(flags.rounds); round++) {
    const from = process.cpuUsage();
    for (const body of placed) step(body);
    const { user, system } = process.cpuUsage(from);
    rounds.push(((user + system) * 1000) / series);
  }
  return Math.min(...rounds);
}

const sum = (read: (body: Placed) => number) => placed.reduce((total, body) => total + read(body), 0);
for (const [name, step] of Object.entries(steps)) {
  console.log(name.padEnd(64), `${bestNs(step).toFixed(0).padStart(5)} ns a series`);
}
const rawBytes = sum(({ rawLength }) => rawLength);
console.log(`raw ${(rawBytes / series).toFixed(1)} bytes a series;`);
console.log(
  `snappy ${(encodedBytes / Number(flags.rounds) / series).toFixed(1)} (snappyjs ${(sum(({ compressedLength }) => compressedLength) / series).toFixed(1)})`,
);
