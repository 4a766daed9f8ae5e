/** Runs one input through the kernels and the references, and throws where they disagree. */
import assert from 'node:assert/strict';
import { compress, uncompress } from 'snappyjs';
import { Columns } from '../../../src/kernel/columns.ts';
import { KernelError } from '../../../src/kernel/errors.ts';
import { compileKernel, type Encoded, type EncodeOptions, Kernel } from '../../../src/kernel/kernel.ts';
import { ALL_SLOTS } from '../../../src/model/block.ts';
import { addCounts, type Counts, noCounts } from '../../../src/model/body.ts';
import { SeriesTable } from '../../../src/series/table.ts';
import { assertSame, compareCounts, compareSeries } from './compare.ts';
import { atEdge, Guarded } from './guarded.ts';
import { decodeExact, type ExactRequest, ExactWriteRequest, referenceSnappy } from './reference.ts';

const INPUT_BYTES_MAX = 1 << 18;
const ROW_BYTES = 64;
/** What protobufjs accepts and the kernel refuses, on purpose; the other way round there is nothing. */
const STRICTER: readonly number[] = [KernelError.group, KernelError.wrongWireType, KernelError.mixedSeries];

export class Differential {
  readonly kernel = new Kernel(compileKernel());
  readonly #input = new Guarded(this.kernel.memory, INPUT_BYTES_MAX);
  readonly #output = new Guarded(this.kernel.memory, 4 * INPUT_BYTES_MAX);
  readonly #rows = new Guarded(this.kernel.memory, INPUT_BYTES_MAX);
  readonly #timestamps = new Guarded(this.kernel.memory, INPUT_BYTES_MAX);
  readonly #values = new Guarded(this.kernel.memory, INPUT_BYTES_MAX);
  readonly #metadata = new Guarded(this.kernel.memory, INPUT_BYTES_MAX);
  readonly #scratch = new Guarded(this.kernel.memory, INPUT_BYTES_MAX);
  readonly #columns = new Columns(this.kernel);
  readonly #table = new SeriesTable(this.kernel, { capacity: 100 });
  accepted = 0;
  refused = 0;
  /** Of those that were accepted, in one pass. */
  checked = 0;

  /** Validates, scans and writes again what may be a WriteRequest. */
  writeRequest(bytes: Uint8Array): void {
    const found = this.#validateTwice(bytes);
    const expected = decodeExact(bytes);
    if ('error' in found) {
      this.refused++;
      assert.ok(found.at <= bytes.length, `an error at byte ${found.at} of ${bytes.length}`);
      this.#rawScan(bytes, { series: 9, samples: 40, metadata: 5 }, false);
      assert.equal(this.#check(bytes), undefined, 'what is malformed is malformed in one pass, too');
      const stricter = STRICTER.includes(found.code) || isLongVarint(bytes, found.at, found.code);
      if (expected !== undefined && !stricter)
        assert.fail(`refused, but protobufjs accepts it: ${found.error}`);
      return;
    }
    this.accepted++;
    assert.ok(expected !== undefined, 'accepted, but protobufjs refuses it');
    const mixed = expected.timeseries.some(
      ({ samples, histograms }) => samples.length * histograms.length > 0,
    );
    assert.ok(!mixed, 'accepted a series with both samples and histograms');
    compareCounts(found, expected);
    this.#rawScan(bytes, found.counts, true);
    // Series of a few bytes have no room there, and are no sender's.
    const checked = this.#check(bytes);
    if (checked !== undefined) {
      assert.deepEqual(checked, found);
      this.#compareRows(expected);
      this.checked++;
    }
    this.#columns.scan(this.#input.place(bytes, 0x12), bytes.length, this.#table, true);
    this.#compareRows(expected);
    this.#compareMetadata(expected);
    this.#compareWritten(expected);
  }

  #check(bytes: Uint8Array) {
    return this.#columns.check(this.#input.place(bytes, 0x12), bytes.length, this.#table, true);
  }

  /** The verdict must not depend on what lies around the bytes. */
  #validateTwice(bytes: Uint8Array) {
    const verdicts = [0x00, 0x8a].map((canary) => {
      const ptr = this.#input.place(bytes, canary);
      const verdict = this.kernel.validateWriteRequest(ptr, bytes.length);
      this.#input.assertIntact('validate');
      return verdict;
    });
    assert.deepEqual(verdicts[1], verdicts[0]);
    atEdge(this.kernel.memory, bytes, (ptr) => {
      assert.deepEqual(this.kernel.validateWriteRequest(ptr, bytes.length), verdicts[0]);
    });
    return verdicts[0]!;
  }

  /** The kernel itself, with columns that have just the room, on bytes that need not be valid. */
  #rawScan(
    bytes: Uint8Array,
    room: { series: number; samples: number; metadata: number },
    expected: boolean,
  ): void {
    const ptr = this.#input.place(bytes, 0x0a);
    this.#rawScanAt(ptr, bytes, room, expected);
    this.#input.assertIntact('scan');
    atEdge(this.kernel.memory, bytes, (edge) => this.#rawScanAt(edge, bytes, room, expected));
  }

  #rawScanAt(
    ptr: number,
    bytes: Uint8Array,
    room: { series: number; samples: number; metadata: number },
    expected: boolean,
  ): void {
    const done = this.kernel.exports.scanWriteRequest(
      ptr,
      bytes.length,
      this.#rows.room(room.series * ROW_BYTES, 0xc1),
      room.series,
      this.#timestamps.room(room.samples * 8, 0xc2),
      this.#values.room(room.samples * 8, 0xc3),
      room.samples,
      this.#metadata.room(room.metadata * 8, 0xc4),
      room.metadata,
      this.#scratch.room(bytes.length, 0xc5),
      bytes.length,
      0,
      0,
      0,
      0,
    );
    assert.equal(done, expected ? 1 : 0, 'the scan agrees with the validation');
    for (const region of [this.#rows, this.#timestamps, this.#values, this.#metadata]) {
      region.assertIntact('scan');
    }
    this.#scratch.assertIntact('scan');
  }

  #compareRows(expected: ExactRequest): void {
    assert.equal(this.#columns.seriesCount, expected.timeseries.length);
    for (const [index, series] of expected.timeseries.entries()) {
      compareSeries(this.kernel, this.#columns, index, series);
    }
  }

  #compareMetadata(expected: ExactRequest): void {
    const columns = this.#columns;
    const memory = this.kernel.memory.bytes();
    const fields = Array.from({ length: columns.metadataCount }, (_, index) => {
      const { ptr, length } = columns.metadataField(index);
      return memory.slice(ptr, ptr + length);
    });
    assertSame(
      ExactWriteRequest.encode(ExactWriteRequest.decode(Buffer.concat(fields))).finish(),
      ExactWriteRequest.encode({ metadata: expected.metadata }).finish(),
      'metadata',
    );
  }

  #compareWritten(expected: ExactRequest): void {
    const capacity = 4 * INPUT_BYTES_MAX;
    const written = this.#encode({ first: 0, capacity });
    const timeseries = expected.timeseries.filter(
      ({ samples, histograms, exemplars }) => samples.length + histograms.length + exemplars.length > 0,
    );
    assert.equal(written.next, expected.timeseries.length);
    assert.equal(written.counts.series, timeseries.length);
    const whole = this.#output.read(written.bytes);
    const again = decodeExact(whole);
    assert.ok(again !== undefined, 'what was written is a WriteRequest');
    assertSame(
      ExactWriteRequest.encode(again).finish(),
      ExactWriteRequest.encode({ timeseries }).finish(),
      'written series',
    );
    // Some size below that of a usual request, so that series do not fit, or only in parts.
    const small = 20 + ((whole.length * 131) % 400);
    this.#compareBlocks(whole, small);
    this.#compareCut(written.counts, small);
  }

  #encode(options: Pick<EncodeOptions, 'first' | 'capacity' | 'firstSample'>): Encoded {
    const encoded = this.kernel.encodeSeries(this.#columns, {
      slots: ALL_SLOTS,
      suffixPtr: 0,
      suffixLength: 0,
      suffixLabels: 0,
      dst: this.#output.room(options.capacity, 0x77),
      rowsMax: 1e9,
      labelsMax: 1e9,
      ...options,
    });
    this.#output.assertIntact('encode');
    assert.ok(encoded.bytes <= options.capacity);
    return encoded;
  }

  /** Blocks of this capacity one after another are the whole, but for the series that fit into none. */
  #compareBlocks(whole: Uint8Array, capacity: number): void {
    const blocks: Uint8Array[] = [];
    let fits = true;
    for (let first = 0; first < this.#columns.seriesCount; ) {
      const { bytes, next } = this.#encode({ first, capacity });
      blocks.push(this.#output.read(bytes));
      const stuck = bytes === 0 && next === first;
      fits &&= !stuck;
      first = stuck ? next + 1 : next;
    }
    if (fits) assertSame(Buffer.concat(blocks), whole, 'blocks one after another');
  }

  /** Cut series hold every sample once, and what else they have goes with the last part. */
  #compareCut(counts: Counts, capacity: number): void {
    const sum = { ...noCounts };
    for (let first = 0, firstSample = 0; first < this.#columns.seriesCount; ) {
      const step = this.#encode({ first, firstSample, capacity });
      addCounts(sum, step.counts);
      const went = step.bytes > 0 || step.next > first;
      if (!went) return; // labels or histograms alone are longer
      assert.ok(decodeExact(this.#output.read(step.bytes)) !== undefined, 'a part is a WriteRequest');
      first = step.next;
      firstSample = step.nextSample;
    }
    const { samples, histograms, exemplars } = sum;
    assert.deepEqual({ ...counts, samples, histograms, exemplars }, counts);
  }

  /** Decodes what may be a snappy block. */
  snappyBlock(block: Uint8Array): void {
    const expected = referenceSnappy(block, INPUT_BYTES_MAX);
    const outcomes = [0x00, 0xfd].map((canary) => {
      const src = this.#input.place(block, canary);
      const declared = this.kernel.snappyDecodedLength(src, block.length);
      assert.equal(declared === -1, expected === 'preamble');
      const capacity = Math.min(Math.max(declared, 0), INPUT_BYTES_MAX);
      const dst = this.#output.room(capacity, canary ^ 0x55);
      const length = this.kernel.snappyDecode(src, block.length, dst, capacity);
      this.#input.assertIntact('snappy decode');
      this.#output.assertIntact('snappy decode');
      return length < 0
        ? { code: this.kernel.errorCode, at: this.kernel.errorAt }
        : this.#output.read(length);
    });
    assert.deepEqual(outcomes[1], outcomes[0]);
    const [outcome] = outcomes;
    this.#snappyAtEdge(block, outcome!);
    if (typeof expected === 'string') {
      this.refused++;
      assert.ok(!Buffer.isBuffer(outcome), `accepted, but the reference says: ${expected}`);
      assert.ok(outcome!.at <= block.length);
      return;
    }
    this.accepted++;
    assert.ok(Buffer.isBuffer(outcome), `refused: ${this.kernel.snappyError()}`);
    assertSame(outcome, expected, 'decoded block');
    if (!endsWithShortLongLiteral(block)) assertSame(uncompress(block), expected, 'snappyjs');
  }

  #snappyAtEdge(block: Uint8Array, expected: Buffer | { code: number; at: number }): void {
    const { kernel } = this;
    const capacity = Buffer.isBuffer(expected) ? expected.length : INPUT_BYTES_MAX;
    const dst = this.#output.room(capacity, 0x3c);
    atEdge(kernel.memory, block, (src) => {
      const length = kernel.snappyDecode(src, block.length, dst, capacity);
      this.#output.assertIntact('snappy decode');
      assert.equal(length, Buffer.isBuffer(expected) ? expected.length : -1);
    });
  }

  /** Compresses, and has both others decompress it. */
  snappyRoundTrip(content: Uint8Array): Uint8Array {
    const src = this.#input.place(content, 0x00);
    const dst = this.#output.room(this.kernel.snappyMaxLength(content.length), 0x66);
    const block = this.#output.read(this.kernel.snappyEncode(src, content.length, dst));
    this.#input.assertIntact('snappy encode');
    this.#output.assertIntact('snappy encode');
    atEdge(this.kernel.memory, content, (edge) => {
      const again = this.#output.read(this.kernel.snappyEncode(edge, content.length, dst));
      assertSame(again, block, 'encoded at the end of the memory');
    });
    assertSame(uncompress(block), content, 'snappyjs of the kernel');
    this.snappyBlock(block);
    this.snappyBlock(compress(content));
    return block;
  }
}

/** protobufjs skips unknown varints of any length; ten bytes that go on are too long for the kernel. */
function isLongVarint(bytes: Uint8Array, at: number, code: number): boolean {
  return code === KernelError.badVarint && bytes.subarray(at, at + 10).every((byte) => byte > 127);
}

/** snappyjs reads four bytes for every length of its own, though there may be fewer: the end is refused by mistake. */
function endsWithShortLongLiteral(block: Uint8Array): boolean {
  return block.subarray(-6).some((byte) => (byte & 3) === 0 && byte >> 2 >= 60);
}
