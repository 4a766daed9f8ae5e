/**
 * The native format that VictoriaMetrics exports:
 *
 *     i64 first timestamp | i64 last timestamp | for each block: u32 length, name of the series | u32 length, block
 *
 * big-endian, the timestamps zigzag, in milliseconds. A name is the metric name and all labels, each ended by 1:
 *
 *     metric 1 label 1 value 1 label 1 value 1 …
 *
 * with 0 '0', 0 '1' and 0 '2' for the bytes 0, 1 and 2. Samples outside of the timestamps of the head are left out. Anything
 * that makes no sense refuses the request. https://docs.victoriametrics.com/#how-to-import-data-in-native-format
 */
import { options } from '../config/option.ts';
import { receiveBody } from './content-encoding.ts';
import { BlockError, numberFrom, readBlock } from './native-block.ts';
import type { ParseFailure, Pieces, Protocol } from './protocol.ts';
import { Scratch } from './scratch.ts';
import type { SeriesSink } from './series-sink.ts';

const PATH = '/api/v1/import/native';
const HEAD_BYTES = 16;
const LENGTH_BYTES = 4;
/** Of a name, and of a block. */
const PART_BYTES_MAX = 1024 * 1024;
const ESCAPE = 0;
const END = 1;
const FIRST_ESCAPED = 0x30;

class NativeReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #sink: SeriesSink;
  readonly #scratch = new Scratch();
  /** Where the parts of a name end in the scratch. */
  readonly #ends: number[] = [];
  #at = HEAD_BYTES;

  constructor(bytes: Uint8Array, sink: SeriesSink) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#sink = sink;
  }

  /** Throws a BlockError. */
  run(): void {
    const { byteLength } = this.#bytes;
    if (byteLength === 0) return;
    if (byteLength < HEAD_BYTES) throw new BlockError('the timestamps at its beginning are cut off');
    const first = this.#zigzag(0);
    const last = this.#zigzag(8);
    while (this.#at < byteLength) {
      this.#readName(this.#part());
      this.#writeBlock(this.#part(), first, last);
      this.#sink.items++;
    }
  }

  #zigzag(at: number): bigint {
    const value = this.#view.getBigUint64(at);
    return (value >> 1n) ^ -(value & 1n);
  }

  #part(): Uint8Array {
    const start = this.#at + LENGTH_BYTES;
    if (start > this.#bytes.byteLength) throw new BlockError('a length is cut off');
    const length = this.#view.getUint32(this.#at);
    if (length > PART_BYTES_MAX) throw new BlockError(`a part of ${length} bytes is above ${PART_BYTES_MAX}`);
    if (start + length > this.#bytes.byteLength) throw new BlockError('a part is cut off');
    this.#at = start + length;
    return this.#bytes.subarray(start, start + length);
  }

  #readName(name: Uint8Array): void {
    const scratch = this.#scratch.reserve(0, name.byteLength);
    this.#ends.length = 0;
    let out = 0;
    for (let at = 0; at < name.byteLength; at++) {
      let byte = name[at]!;
      if (byte === END) {
        this.#ends.push(out);
        continue;
      }
      if (byte === ESCAPE) {
        byte = (name[++at] ?? 0) - FIRST_ESCAPED;
        if (byte < 0 || byte > 2) throw new BlockError('the name of a series has a wrong escape');
      }
      scratch[out++] = byte;
    }
    // The metric name, and two for each label.
    if (name.at(-1) !== END || this.#ends.length % 2 === 0)
      throw new BlockError('the name of a series is cut off');
  }

  #writeBlock(bytes: Uint8Array, first: bigint, last: bigint): void {
    const sink = this.#sink;
    const { timestampsMs, values, scale } = readBlock(bytes);
    const before = sink.samples;
    sink.begin();
    this.#writeLabels();
    for (let row = 0; row < values.length; row++) {
      const timestampMs = timestampsMs[row]!;
      if (timestampMs < first || timestampMs > last) continue;
      const value = numberFrom(values[row]!, scale);
      if (value === undefined) sink.staleMarker(Number(timestampMs));
      else sink.sample(value, Number(timestampMs));
    }
    if (sink.samples > before) sink.end();
    else sink.cancel();
  }

  #writeLabels(): void {
    const { bytes } = this.#scratch;
    const ends = this.#ends;
    this.#sink.name(bytes, 0, ends[0]!);
    for (let index = 1; index < ends.length; index += 2) {
      this.#sink.label(bytes, ends[index - 1]!, ends[index]!, bytes, ends[index]!, ends[index + 1]!);
    }
  }
}

function parse(bytes: Uint8Array, _request: unknown, sink: SeriesSink): ParseFailure {
  try {
    new NativeReader(bytes, sink).run();
  } catch (error) {
    if (error instanceof BlockError) return `cannot parse the body: ${error.message}`;
    throw error;
  }
  return undefined;
}

/** Where the item at `at` ends, a name and its block: beyond the bytes if it is not whole, -1 if a part is too long. */
function itemEnd(bytes: Uint8Array, at: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = at;
  for (let part = 0; part < 2; part++) {
    const start = end + LENGTH_BYTES;
    if (start > bytes.byteLength) return start;
    const length = view.getUint32(end);
    if (length > PART_BYTES_MAX) return -1;
    end = start + length;
  }
  return end;
}

/** The timestamps of the head hold for all pieces. */
const pieces: Pieces = {
  item: 'block',
  headBytes: HEAD_BYTES,
  lastEnd(bytes, start) {
    for (let end = start; ; ) {
      const next = itemEnd(bytes, end);
      // The parser tells what is wrong with it.
      if (next < 0) return bytes.byteLength;
      if (next > bytes.byteLength) return end;
      end = next;
    }
  },
};

export const native: Protocol = {
  name: 'native',
  family: 'nativeimport',
  summary: 'The native format that VictoriaMetrics exports.',
  routes: [PATH, `/prometheus${PATH}`].map((path) => ({ path, counterPath: PATH })),
  options: options({}),
  accepted: { status: 204 },
  receive: (head) => receiveBody(head, { pieces }),
  parse,
};
