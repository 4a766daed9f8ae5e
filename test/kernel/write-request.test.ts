import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KernelError } from '../../src/kernel/errors.ts';
import { compileKernel, type EncodeOptions, Kernel } from '../../src/kernel/kernel.ts';
import { ALL_SLOTS } from '../../src/model/block.ts';
import { remoteWriteType } from '../../src/protocol/schema.ts';
import { randomWriteRequest } from './support/bodies.ts';
import { Differential } from './support/differential.ts';
import { Random } from './support/random.ts';

const WriteRequest = remoteWriteType('WriteRequest');
const differential = new Differential();
const kernel = new Kernel(compileKernel());
const columns = kernel.createColumns();
const input = kernel.memory.alloc(1 << 20);
const output = kernel.memory.alloc(1 << 20);

function place(bytes: Uint8Array): number {
  kernel.memory.bytes().set(bytes, input);
  return bytes.length;
}

function validate(bytes: Uint8Array) {
  return kernel.validateWriteRequest(input, place(bytes));
}

interface Series {
  labels: { name: string; value: string }[];
  samples?: { value: number; timestamp: number }[];
  exemplars?: object[];
  histograms?: object[];
}

function encode(timeseries: Series[], metadata: object[] = []): Uint8Array {
  return WriteRequest.encode(WriteRequest.fromObject({ timeseries, metadata })).finish();
}

const name = (value: string) => ({ name: '__name__', value });
const at = (timestamp: number, value = 1) => ({ value, timestamp });

function write(bytes: Uint8Array, options: Partial<EncodeOptions> = {}, slots = false) {
  columns.scan(input, place(bytes), undefined, slots);
  return writeOn(options);
}

function writeOn(options: Partial<EncodeOptions> = {}) {
  const done = kernel.encodeSeries(columns, {
    first: 0,
    slots: ALL_SLOTS,
    suffixPtr: 0,
    suffixLength: 0,
    suffixLabels: 0,
    dst: output,
    capacity: 1 << 20,
    rowsMax: 1e9,
    labelsMax: 1e9,
    ...options,
  });
  const bytes = Buffer.from(kernel.memory.bytes().subarray(output, output + done.bytes));
  const { timeseries = [] } = WriteRequest.toObject(WriteRequest.decode(bytes), { longs: Number }) as {
    timeseries?: Series[];
  };
  return { ...done, timeseries, wire: bytes };
}

test('arbitrary requests: validated, scanned and written as protobufjs understands them', () => {
  const text = fc.string({ unit: 'binary', maxLength: 200 });
  const series = fc.record({
    labels: fc.array(fc.record({ name: text, value: text }), { maxLength: 12 }),
    samples: fc.array(fc.record({ value: fc.double(), timestamp: fc.maxSafeInteger() }), { maxLength: 4 }),
  });
  fc.assert(
    fc.property(fc.array(series, { maxLength: 8 }), (timeseries) =>
      differential.writeRequest(encode(timeseries)),
    ),
  );
});

test('requests with every legal oddity', () => {
  for (let seed = 0; seed < 500; seed++) {
    const body = randomWriteRequest(new Random(seed), 0.5);
    differential.writeRequest(body);
  }
});

test('a request that is cut anywhere is refused, unless it ends with a series', () => {
  const parts = [
    encode([{ labels: [name('up'), { name: 'job', value: 'x'.repeat(200) }], samples: [at(1), at(2)] }]),
    encode([
      { labels: [name('h')], histograms: [{ countInt: 3, sum: 2, positiveDeltas: [1, 2], timestamp: 5 }] },
    ]),
    encode([{ labels: [name('up')], samples: [at(1)] }]),
    encode([], [{ metricFamilyName: 'up', help: 'Up.' }]),
  ];
  const whole = Buffer.concat(parts);
  const ends = new Set([0]);
  for (const part of parts) ends.add(Math.max(...ends) + part.length);
  for (let length = 0; length <= whole.length; length++) {
    const cut = whole.subarray(0, length);
    differential.writeRequest(cut);
    assert.equal('error' in validate(cut), !ends.has(length), `${length} bytes`);
  }
});

const series = (...bytes: number[]) => [0x0a, bytes.length, ...bytes];
const label = (...bytes: number[]) => [0x0a, bytes.length, ...bytes];
const sample = (...bytes: number[]) => [0x12, bytes.length, ...bytes];
const histogram = (...bytes: number[]) => [0x22, bytes.length, ...bytes];
const tenBytes = Array.from({ length: 10 }, () => 0x80);
for (const [what, bytes, code, position] of [
  ['field number 0', [0x02, 0x00], KernelError.badFieldNumber, 0],
  ['a tag of six bytes', [0x8a, 0x80, 0x80, 0x80, 0x80, 0x00, 0x00], KernelError.badVarint, 0],
  ['a length of six bytes', [0x0a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00], KernelError.badVarint, 1],
  ['a length of 2^31', [0x0a, 0x80, 0x80, 0x80, 0x80, 0x08], KernelError.badVarint, 1],
  ['a length past the end', [0x0a, 0x01], KernelError.lengthPastEnd, 1],
  ['a length without an end', [0x0a, 0x80], KernelError.truncated, 1],
  ['a group', [0x0b, 0x0c], KernelError.group, 0],
  ['the end of a group', [0x0c], KernelError.group, 0],
  ['an unknown group', [0x9b, 0x06, 0x9c, 0x06], KernelError.group, 0],
  ['wire type 6', [0x9e, 0x06], KernelError.badWireType, 0],
  ['wire type 7', [0x97, 0x06], KernelError.badWireType, 0],
  ['a series that is a number', [0x08, 0x01], KernelError.wrongWireType, 0],
  ['a label that is a number', series(0x08, 0x01), KernelError.wrongWireType, 2],
  ['a name that is a number', series(...label(0x08, 0x01)), KernelError.wrongWireType, 4],
  ['a name past its label', series(...label(0x0a, 0x02, 0x61)), KernelError.lengthPastEnd, 5],
  ['a label past its series', series(0x0a, 0x03, 0x0a, 0x00), KernelError.lengthPastEnd, 3],
  // What is left over behind the end of the series is a valid field, so that nothing but the length tells.
  [
    'a whole label past its series',
    [0x0a, 8, ...label(0x0a, 1, 0x61, 0x12, 5, 0x62, 0x20, 1, 0x20, 1)],
    KernelError.lengthPastEnd,
    3,
  ],
  [
    'a whole sample past its series',
    [0x0a, 11, ...sample(0x09, 1, 2, 3, 4, 5, 6, 7, 8, 0x10, 0x80, 0x81, 0x82, 0x83, 0x84, 0x35)],
    KernelError.lengthPastEnd,
    3,
  ],
  ['a value of four bytes', series(...sample(0x0d, 1, 2, 3, 4)), KernelError.wrongWireType, 4],
  ['a value that is cut', series(...sample(0x09, 1, 2, 3)), KernelError.truncated, 5],
  ['a timestamp of eleven bytes', series(...sample(0x10, ...tenBytes, 0)), KernelError.badVarint, 5],
  ['a timestamp without an end', series(...sample(0x10, 0x80)), KernelError.truncated, 5],
  ['an unknown varint of eleven bytes', [0x98, 0x06, ...tenBytes, 0], KernelError.badVarint, 2],
  ['an unknown fixed32 that is cut', [0x9d, 0x06, 1, 2, 3], KernelError.truncated, 2],
  [
    'packed doubles of 7 bytes',
    series(...histogram(0x52, 7, 1, 2, 3, 4, 5, 6, 7)),
    KernelError.badPackedLength,
    5,
  ],
  ['packed deltas that are cut', series(...histogram(0x4a, 1, 0x80)), KernelError.truncated, 6],
  ['a span that is cut', series(...histogram(0x42, 1, 0x08)), KernelError.truncated, 7],
  ['a cut name in an exemplar', series(0x1a, 4, ...label(0x0a, 0x05)), KernelError.lengthPastEnd, 7],
  ['a help that is a number', [0x1a, 2, 0x20, 1], KernelError.wrongWireType, 2],
  ['samples and histograms', series(...sample(0x10, 1), ...histogram(0x78, 1)), KernelError.mixedSeries, 0],
] as const) {
  test(`refused: ${what}`, () => {
    // Alone, and as the beginning of a long message, where the fast path looks first.
    const rest = Buffer.concat([encode([{ labels: [name('y'.repeat(100))], samples: [at(3)] }])]);
    const first = Uint8Array.from(bytes);
    differential.writeRequest(first);
    const verdict = validate(first);
    assert.ok('error' in verdict && verdict.error.length > 0);
    assert.deepEqual([verdict.code, verdict.at], [code, position]);
    const behind = Buffer.concat([rest, first]);
    const moved = validate(behind);
    assert.ok('error' in moved);
    assert.deepEqual([moved.code, moved.at], [code, position + rest.length]);
    differential.writeRequest(Buffer.concat([first, rest, rest]));
  });
}

test('a last field that ends behind its series is refused, by however few bytes', () => {
  // Every byte that is left over behind the series begins a valid field (32: number 4, varint) of the request.
  const spaces = (count: number) => Array.from({ length: count }, () => 0x20);
  for (const field of [
    label(0x0a, 1, 0x61, 0x12, 20, ...spaces(20)),
    sample(0x09, ...spaces(8), 0x10, 0x20),
  ]) {
    for (let cut = 1; cut < 5; cut++) {
      const bytes = [0x0a, 0, 0, ...label(0x0a, 125, ...spaces(125)), ...field];
      const head = 3 + 129;
      const length = bytes.length - 3 - cut;
      bytes[1] = 0x80 | (length & 127);
      bytes[2] = length >> 7;
      const message = Uint8Array.from([...bytes, ...spaces(200 + (cut & 1))]);
      differential.writeRequest(message);
      const verdict = validate(message);
      assert.ok('error' in verdict);
      assert.deepEqual([verdict.code, verdict.at], [KernelError.lengthPastEnd, head + 1]);
    }
  }
});

for (const [what, bytes, labels] of [
  ['a doubled name: the last counts', label(0x0a, 1, 0x61, 0x0a, 1, 0x62, 0x12, 1, 0x63), '0a060a0162120163'],
  ['value before name', label(0x12, 1, 0x63, 0x0a, 1, 0x62), '0a060a0162120163'],
  ['a long form of a length', label(0x0a, 0x81, 0x00, 0x62, 0x12, 1, 0x63), '0a060a0162120163'],
  ['a long form of a tag', label(0x8a, 0x00, 1, 0x62, 0x12, 1, 0x63), '0a060a0162120163'],
  ['an unknown field in a label', label(0x0a, 1, 0x62, 0x12, 1, 0x63, 0x18, 1), '0a060a0162120163'],
  ['an empty value', label(0x0a, 1, 0x62, 0x12, 0), '0a030a0162'],
  ['an empty name', label(0x0a, 0, 0x12, 1, 0x63), '0a03120163'],
  ['an empty label', label(), '0a00'],
  ['no value', label(0x0a, 1, 0x62), '0a030a0162'],
] as const) {
  test(`labels are made canonical: ${what}`, () => {
    const message = series(...bytes, ...sample(0x10, 1));
    differential.writeRequest(Uint8Array.from(message));
    columns.scan(input, place(Uint8Array.from(message)));
    const { labelsPtr, labelsLength } = columns.row(0);
    const scanned = kernel.memory.bytes().slice(labelsPtr, labelsPtr + labelsLength);
    assert.equal(Buffer.from(scanned).toString('hex'), labels);
  });
}

test('labels behind samples and samples behind the rest are put in order', () => {
  const up = label(0x0a, 1, 0x61, 0x12, 1, 0x62);
  const exemplar = [0x1a, 2, 0x18, 5];
  const message = series(...sample(0x10, 1), ...up, ...exemplar, ...sample(0x10, 2), ...up);
  const { timeseries, counts, labels } = write(Uint8Array.from(message));
  assert.deepEqual(counts, { series: 1, samples: 2, histograms: 0, exemplars: 1, metadata: 0 });
  assert.equal(labels, 2);
  assert.deepEqual(timeseries[0]!.labels, [
    { name: 'a', value: 'b' },
    { name: 'a', value: 'b' },
  ]);
  assert.deepEqual(
    timeseries[0]!.samples?.map(({ timestamp }) => timestamp),
    [1, 2],
  );
  assert.deepEqual(timeseries[0]!.exemplars, [{ timestamp: 5 }]);
});

test('the payload of a NaN and zeros are written with their exact bits', () => {
  const stale = [0x02, 0, 0, 0, 0, 0, 0xf0, 0x7f];
  const message = series(
    ...sample(0x09, ...stale, 0x10, 7),
    ...sample(0x09, 0, 0, 0, 0, 0, 0, 0, 0x80),
    ...sample(),
  );
  const { wire } = write(Uint8Array.from(message));
  const written = [
    ...sample(0x09, ...stale, 0x10, 7),
    ...sample(0x09, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x10, 0),
    ...sample(0x09, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0),
  ];
  assert.deepEqual([...wire], series(...written));
});

test('series without anything to send are left out', () => {
  const bytes = encode([
    { labels: [name('empty')] },
    { labels: [name('a')], samples: [at(1)] },
    { labels: [name('b')], exemplars: [{ value: 1 }] },
    { labels: [name('empty')] },
  ]);
  const found = validate(bytes);
  assert.ok(!('error' in found));
  assert.equal(found.everySeriesHasData, false);
  assert.equal(found.seriesWithSamples, 1);
  const { timeseries, next, counts } = write(bytes);
  assert.deepEqual(
    timeseries.map(({ labels }) => labels[0]!.value),
    ['a', 'b'],
  );
  assert.equal(next, 4);
  assert.equal(counts.series, 2);
});

const ten = Array.from({ length: 10 }, (_, index) => ({
  labels: [name(`m${index}`), { name: 'a', value: 'b' }],
  samples: [at(index + 1), at(index + 2)],
}));

test('no series is begun once the rows or labels are reached', () => {
  const bytes = encode(ten);
  assert.deepEqual([write(bytes, { rowsMax: 6 }).next, write(bytes, { rowsMax: 7 }).next], [3, 4]);
  assert.deepEqual([write(bytes, { labelsMax: 6 }).next, write(bytes, { labelsMax: 7 }).next], [3, 4]);
  assert.equal(write(bytes, { rowsMax: 0 }).next, 0);
  const histograms = encode(ten.map(({ labels }) => ({ labels, histograms: [{ sum: 1 }, { sum: 2 }] })));
  assert.equal(write(histograms, { rowsMax: 6 }).next, 3);
  assert.equal(write(bytes, { rowsMax: -5 }).bytes, 0);
  const unlimited = { rowsMax: 2 ** 32, labelsMax: Number.POSITIVE_INFINITY };
  assert.equal(write(bytes, unlimited).next, 10, 'limits beyond 32 bits are none');
});

test('blocks of any capacity hold all series in order, and nothing is written behind them', () => {
  const bytes = encode(ten);
  const { bytes: whole } = write(bytes);
  const one = write(encode(ten.slice(0, 1))).bytes;
  for (let capacity = one; capacity <= whole; capacity++) {
    columns.scan(input, place(bytes));
    const names: string[] = [];
    for (let first = 0; first < 10; ) {
      kernel.memory.bytes().fill(0xee, output, output + whole + 64);
      const step = writeOn({ first, capacity });
      assert.ok(step.next > first && step.bytes <= capacity);
      const behind = kernel.memory.bytes().subarray(output + capacity, output + whole + 64);
      assert.ok(behind.every((byte) => byte === 0xee));
      names.push(...step.timeseries.map(({ labels }) => labels[0]!.value));
      first = step.next;
    }
    assert.deepEqual(
      names,
      ten.map(({ labels }) => labels[0]!.value),
    );
  }
  const tooSmall = write(bytes, { capacity: one - 1 });
  assert.deepEqual([tooSmall.next, tooSmall.bytes], [0, 0]);
});

test('a series that is longer than the capacity can be cut between its samples', () => {
  const samples = Array.from({ length: 50 }, (_, index) => at(index + 1));
  const bytes = encode([
    { labels: [name('fat')], samples, exemplars: [{ value: 4 }] },
    { labels: [name('thin')], samples: [at(1)] },
  ]);
  columns.scan(input, place(bytes));
  const seen: number[] = [];
  let firstSample = 0;
  let first = 0;
  let exemplars = 0;
  let steps = 0;
  while (first < 2) {
    const step = writeOn({ first, firstSample, capacity: 120 });
    assert.ok(step.bytes > 0 && step.bytes <= 120, `${step.bytes} bytes`);
    for (const part of step.timeseries) {
      if (part.labels[0]!.value === 'fat')
        seen.push(...(part.samples ?? []).map(({ timestamp }) => timestamp));
    }
    exemplars += step.counts.exemplars;
    first = step.next;
    firstSample = step.nextSample;
    steps++;
  }
  assert.deepEqual(
    seen,
    samples.map(({ timestamp }) => timestamp),
  );
  assert.equal(exemplars, 1);
  assert.ok(steps > 10);
  assert.equal(
    writeOn({ firstSample: 51 }).counts.samples,
    1,
    'behind its last sample there is nothing to read',
  );
  assert.equal(writeOn({ capacity: 120 }).bytes, 0, 'without leave nothing is cut');
  assert.equal(writeOn({ capacity: 20, firstSample: 0 }).bytes, 0, 'labels and one sample must fit');
});

test('a cut never writes more than the capacity, however long the timestamps are', () => {
  columns.scan(
    input,
    place(encode([{ labels: [name('x')], samples: Array.from({ length: 30 }, () => at(-1)) }])),
  );
  const fits = 15 + 22 + 6; // labels, a sample, the largest head
  for (let capacity = fits; capacity < 500; capacity++) {
    kernel.memory.bytes().fill(0xee, output, output + 600);
    const { bytes } = writeOn({ capacity, firstSample: 0 });
    assert.ok(bytes > 0 && bytes <= capacity, `${bytes} in ${capacity}`);
    const behind = kernel.memory.bytes().subarray(output + capacity, output + 600);
    assert.ok(behind.every((byte) => byte === 0xee));
  }
});

test('suffix labels follow the labels of every series', () => {
  const suffix = Uint8Array.from(label(0x0a, 1, 0x78, 0x12, 1, 0x79));
  const suffixPtr = kernel.memory.alloc(suffix.length);
  kernel.memory.bytes().set(suffix, suffixPtr);
  const options = { suffixPtr, suffixLength: suffix.length, suffixLabels: 1 };
  const { timeseries, labels } = write(encode(ten), options);
  assert.equal(labels, 30);
  for (const { labels } of timeseries) assert.deepEqual(labels.at(-1), { name: 'x', value: 'y' });
});

test('slots part the series without overlap', () => {
  const bytes = encode(ten);
  const parts = [0x55555555, 0xaaaaaaaa].map((slots) => write(bytes, { slots }, true).timeseries);
  const names = parts.flat().map(({ labels }) => labels[0]!.value);
  assert.deepEqual(
    names.toSorted(),
    ten.map(({ labels }) => labels[0]!.value),
  );
  assert.ok(parts.every((part) => part.length > 0));
  assert.throws(() => write(bytes, { slots: 1 }), /BUG: slots/);
});

test('metadata fields are found as they came', () => {
  const bytes = encode([{ labels: [name('a')], samples: [at(1)] }], [{ help: 'x' }, { unit: 'y' }]);
  const found = validate(bytes);
  assert.ok(!('error' in found) && found.counts.metadata === 2);
  columns.scan(input, bytes.length);
  const { ptr, length } = columns.metadataField(1);
  const field = kernel.memory.bytes().slice(ptr, ptr + length);
  assert.deepEqual([...field], [0x1a, 3, 0x2a, 1, 0x79]);
});
