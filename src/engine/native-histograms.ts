/**
 * Native histograms as the series that VictoriaMetrics makes of them (-promremotewrite.convertNativeHistograms): `<name>_count`,
 * `<name>_sum`, and `<name>_bucket{vmrange="<from>...<to>"}` with the count of each bucket that is not empty.
 * https://docs.victoriametrics.com/victoriametrics/keyconcepts/#histogram
 *
 * Buckets are counts of their own, not cumulative. Exemplars go on with `<name>_count`. Off the hot path.
 */
import { DELIMITED, eachField } from '../destination/fields.ts';
import { encodeVarint } from '../util/varint.ts';

const TIMESERIES = 1;
const [LABEL, SAMPLE, HISTOGRAM] = [1, 2, 4];
const [COUNT_INT, COUNT_FLOAT, SUM, SCHEMA, THRESHOLD, ZERO_INT, ZERO_FLOAT] = [1, 2, 3, 4, 5, 6, 7];
const [NEGATIVE_SPANS, NEGATIVE_DELTAS, NEGATIVE_COUNTS] = [8, 9, 10];
const [POSITIVE_SPANS, POSITIVE_DELTAS, POSITIVE_COUNTS] = [11, 12, 13];
const [TIMESTAMP, CUSTOM_VALUES] = [15, 16];
const CUSTOM_BUCKETS = -53;
const STALE = 0x7ff0000000000002n;

interface Side {
  readonly spans: { offset: number; length: number }[];
  readonly deltas: bigint[];
  readonly counts: bigint[];
}

/** Doubles are bit patterns: a number does not keep the payload of a NaN. */
interface Histogram {
  count: bigint;
  sum: bigint;
  schema: number;
  threshold: number;
  zeroCount: bigint;
  timestamp: bigint;
  readonly negative: Side;
  readonly positive: Side;
  readonly customValues: number[];
}

export interface Converted {
  readonly message: Uint8Array;
  /** Series with histograms and without a name: they are left out. */
  readonly nameless: number;
}

const scratch = new DataView(new ArrayBuffer(8));
function bitsOf(value: number): bigint {
  scratch.setFloat64(0, value);
  return scratch.getBigUint64(0);
}
function numberOf(bits: bigint): number {
  scratch.setBigUint64(0, bits);
  return scratch.getFloat64(0);
}

/** A WriteRequest that was validated, without native histograms. `too_large`: it would have more than `bytesMax` bytes. */
export function convertHistograms(message: Uint8Array, bytesMax: number): Converted | 'too_large' {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  let nameless = 0;
  const put = (part: Uint8Array) => {
    parts.push(part);
    bytes += part.byteLength;
    return bytes <= bytesMax;
  };
  eachField(message, 0, message.byteLength, (number, from, to, start, wire) => {
    if (number !== TIMESERIES || wire !== DELIMITED || !hasHistograms(message, from, to)) {
      return put(message.subarray(start, to));
    }
    const series = new SeriesOf(message, from, to);
    if (series.name === undefined) nameless++;
    else series.write(put);
    return bytes <= bytesMax;
  });
  return bytes > bytesMax ? 'too_large' : { message: Buffer.concat(parts), nameless };
}

function hasHistograms(message: Uint8Array, start: number, end: number): boolean {
  let found = false;
  eachField(message, start, end, (field) => {
    found = field === HISTOGRAM;
    return !found;
  });
  return found;
}

/** A series with native histograms. */
class SeriesOf {
  readonly #message: Uint8Array;
  /** Label fields without the name. */
  readonly #labels: Uint8Array[] = [];
  readonly #rest: Uint8Array[] = [];
  readonly #histograms: Histogram[] = [];
  name: Uint8Array | undefined;

  constructor(message: Uint8Array, start: number, end: number) {
    this.#message = message;
    eachField(message, start, end, (field, from, to, at) => {
      if (field === LABEL) this.#readLabel(from, to, message.subarray(at, to));
      else if (field === HISTOGRAM) this.#histograms.push(readHistogram(message, from, to));
      else if (field !== SAMPLE) this.#rest.push(message.subarray(at, to));
    });
  }

  #readLabel(start: number, end: number, field: Uint8Array): void {
    const texts: (Uint8Array | undefined)[] = [];
    eachField(this.#message, start, end, (number, from, to) => {
      texts[number] = this.#message.subarray(from, to);
    });
    const isName = Buffer.from(texts[1] ?? []).equals(Buffer.from('__name__'));
    if (isName && texts[2]?.byteLength) this.name ??= texts[2];
    else if (!isName) this.#labels.push(field);
  }

  /** Each series with the samples of all histograms, in order; stops when `put` says so. */
  write(put: (part: Uint8Array) => boolean): void {
    const samples = (valueBits: (histogram: Histogram) => bigint) =>
      this.#histograms.map((histogram) => sampleField(valueBits(histogram), histogram.timestamp));
    // A marker of the end of a series is one of all series.
    const countBits = ({ count, sum }: Histogram) => (sum === STALE ? STALE : count);
    if (!put(this.#series('_count', [], [...samples(countBits), ...this.#rest]))) return;
    if (
      !put(
        this.#series(
          '_sum',
          [],
          samples(({ sum }) => sum),
        ),
      )
    )
      return;
    const buckets = new Map<string, Uint8Array[]>();
    for (const histogram of this.#histograms) {
      for (const [range, count] of bucketsOf(histogram)) {
        const list = buckets.get(range) ?? [];
        buckets.set(range, list);
        list.push(sampleField(count, histogram.timestamp));
      }
    }
    for (const [range, list] of buckets) {
      if (!put(this.#series('_bucket', [labelField(Buffer.from('vmrange'), Buffer.from(range))], list)))
        return;
    }
  }

  #series(suffix: string, more: readonly Uint8Array[], points: readonly Uint8Array[]): Uint8Array {
    const name = labelField(Buffer.from('__name__'), Buffer.concat([this.name!, Buffer.from(suffix)]));
    return delimited(TIMESERIES, [name, ...this.#labels, ...more, ...points]);
  }
}

function readHistogram(message: Uint8Array, start: number, end: number): Histogram {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const side = (): Side => ({ spans: [], deltas: [], counts: [] });
  const histogram: Histogram = {
    count: 0n,
    sum: 0n,
    schema: 0,
    threshold: 0,
    zeroCount: 0n,
    timestamp: 0n,
    negative: side(),
    positive: side(),
    customValues: [],
  };
  eachField(message, start, end, (field, from, to, _at, wire) => {
    const { negative, positive } = histogram;
    if (field === COUNT_INT) histogram.count = bitsOf(Number(readVarint(message, from)[0]));
    else if (field === COUNT_FLOAT) histogram.count = view.getBigUint64(from, true);
    else if (field === SUM) histogram.sum = view.getBigUint64(from, true);
    else if (field === SCHEMA)
      histogram.schema = Number(BigInt.asIntN(32, zigzag(readVarint(message, from)[0])));
    else if (field === THRESHOLD) histogram.threshold = view.getFloat64(from, true);
    else if (field === ZERO_INT) histogram.zeroCount = bitsOf(Number(readVarint(message, from)[0]));
    else if (field === ZERO_FLOAT) histogram.zeroCount = view.getBigUint64(from, true);
    else if (field === TIMESTAMP) histogram.timestamp = readVarint(message, from)[0];
    else if (field === NEGATIVE_SPANS) negative.spans.push(readSpan(message, from, to));
    else if (field === POSITIVE_SPANS) positive.spans.push(readSpan(message, from, to));
    else if (field === NEGATIVE_DELTAS) readVarints(message, from, to, negative.deltas);
    else if (field === POSITIVE_DELTAS) readVarints(message, from, to, positive.deltas);
    else if (field === NEGATIVE_COUNTS) readDoubles(view, from, to, (bits) => negative.counts.push(bits));
    else if (field === POSITIVE_COUNTS) readDoubles(view, from, to, (bits) => positive.counts.push(bits));
    else if (field === CUSTOM_VALUES && (wire === DELIMITED || wire === 1)) {
      readDoubles(view, from, to, (bits) => histogram.customValues.push(numberOf(bits)));
    }
  });
  return histogram;
}

function readVarint(message: Uint8Array, start: number): [value: bigint, end: number] {
  let value = 0n;
  let at = start;
  for (let shift = 0n; ; shift += 7n) {
    const byte = message[at++]!;
    value |= BigInt(byte & 127) << shift;
    if (byte < 128) return [BigInt.asUintN(64, value), at];
  }
}

function zigzag(value: bigint): bigint {
  return (value >> 1n) ^ -(value & 1n);
}

/** A packed field, or a single value: its content is the same. */
function readVarints(message: Uint8Array, start: number, end: number, into: bigint[]): void {
  for (let at = start; at < end; ) {
    const [value, next] = readVarint(message, at);
    into.push(zigzag(value));
    at = next;
  }
}

function readDoubles(view: DataView, start: number, end: number, push: (bits: bigint) => void): void {
  for (let at = start; at < end; at += 8) push(view.getBigUint64(at, true));
}

function readSpan(message: Uint8Array, start: number, end: number): { offset: number; length: number } {
  const span = { offset: 0, length: 0 };
  eachField(message, start, end, (field, from) => {
    if (field === 1) span.offset = Number(BigInt.asIntN(32, zigzag(readVarint(message, from)[0])));
    else if (field === 2) span.length = Number(BigInt.asUintN(32, readVarint(message, from)[0]));
  });
  return span;
}

/** Range and count of the buckets that are not empty. */
function bucketsOf(histogram: Histogram): [range: string, bits: bigint][] {
  const { zeroCount, threshold, schema, customValues } = histogram;
  const buckets: [string, bigint][] = [];
  if (numberOf(zeroCount) > 0) buckets.push([rangeOf(-threshold, threshold), zeroCount]);
  const base = 2 ** (2 ** -schema);
  const isCustom = schema === CUSTOM_BUCKETS;
  const bound = (index: number) => {
    if (!isCustom) return base ** index;
    return index < 0 ? Number.NEGATIVE_INFINITY : (customValues[index] ?? Number.POSITIVE_INFINITY);
  };
  const lower = (index: number) => (isCustom ? bound(index - 1) : bound(index) / base);
  for (const [index, bits] of indexed(histogram.positive))
    buckets.push([rangeOf(lower(index), bound(index)), bits]);
  for (const [index, bits] of indexed(histogram.negative))
    buckets.push([rangeOf(-bound(index), -lower(index)), bits]);
  return buckets;
}

/** Indices and counts of one side; only as many as there are counts, whatever the spans say. */
function indexed({ spans, deltas, counts }: Side): [index: number, bits: bigint][] {
  const found: [number, bigint][] = [];
  const isFloat = counts.length > 0;
  const total = isFloat ? counts.length : deltas.length;
  let index = 0;
  let nth = 0;
  let running = 0n;
  for (const { offset, length } of spans) {
    index += offset;
    for (let more = Math.min(length, total - nth); more > 0; more--, nth++, index++) {
      if (!isFloat) running = BigInt.asIntN(64, running + deltas[nth]!);
      const bits = isFloat ? counts[nth]! : bitsOf(Number(running));
      if (numberOf(bits) > 0) found.push([index, bits]);
    }
  }
  return found;
}

function rangeOf(from: number, to: number): string {
  return `${shortest(from)}...${shortest(to)}`;
}

/** As Go writes `%.3e`. */
function shortest(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  // Right between two, Go takes the even one, and JavaScript the larger one.
  const [, even, power] = /^(-?\d\.\d\d[02468])50*(e.*)$/.exec(value.toExponential(100)) ?? [];
  const text =
    even === undefined ? `${Object.is(value, -0) ? '-' : ''}${value.toExponential(3)}` : even + power;
  return text.replace(/e([+-])(\d)$/, 'e$10$2');
}

function delimited(field: number, parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, { byteLength }) => sum + byteLength, 0);
  return Buffer.concat([Uint8Array.of((field << 3) | DELIMITED), encodeVarint(length), ...parts]);
}

function labelField(name: Uint8Array, value: Uint8Array): Uint8Array {
  return delimited(LABEL, [delimited(1, [name]), delimited(2, [value])]);
}

function sampleField(bits: bigint, timestamp: bigint): Uint8Array {
  const value = Buffer.alloc(9);
  value[0] = 0x09;
  value.writeBigUInt64LE(bits, 1);
  const bytes: number[] = [0x10];
  let rest = timestamp;
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return delimited(SAMPLE, [value, Uint8Array.from(bytes)]);
}
