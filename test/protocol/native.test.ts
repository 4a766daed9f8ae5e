import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { native } from '../../src/protocol/native.ts';
import { SeriesSink } from '../../src/protocol/series-sink.ts';
import { bitsOf, decodeWriteRequest, STALE_MARKER_BITS } from '../support/remote-write.ts';
import { type NativeSeries, nativeBody } from './native-support.ts';
import { NOW_MS, parse, rowsOf } from './support.ts';

const series = (over: Partial<NativeSeries> = {}): NativeSeries => ({
  name: ['up', 'job', 'node'],
  timestamps: [1_000n, 2_000n],
  values: [15n, -25n],
  scale: -1,
  timestampKind: 2,
  valueKind: 6,
  ...over,
});

test('blocks are series', () => {
  const body = nativeBody([
    series(),
    series({ name: ['', 'a', 'b\u0000\u0001\u0002é'], values: [1n, 1n], scale: 2, valueKind: 3 }),
  ]);
  assert.deepEqual(rowsOf(native, body), [
    'up{job="node"} 1.5@1000 -2.5@2000',
    '{a="b\\u0000\\u0001\\u0002é"} 100@1000 100@2000',
  ]);
  assert.deepEqual(rowsOf(native, nativeBody([])), []);
});

test('samples outside of the head are left out', () => {
  assert.deepEqual(rowsOf(native, nativeBody([series()], 1_001n, 2_000n)), ['up{job="node"} -2.5@2000']);
  assert.deepEqual(rowsOf(native, nativeBody([series(), series({ name: ['b'] })], 5_000n, 6_000n)), []);
});

test('the marker of an ended series keeps its bits', () => {
  const sink = new SeriesSink(1024 * 1024);
  native.parse!(
    nativeBody([series({ values: [2n ** 63n - 2n, 2n ** 63n - 1n] })]),
    { parameters: {}, receivedMs: NOW_MS, options: {} },
    sink,
  );
  const [found] = decodeWriteRequest(sink.bytes).series;
  assert.deepEqual(
    found!.points.map(({ bits }) => bits),
    [STALE_MARKER_BITS, bitsOf(Infinity)],
  );
});

test('what makes no sense refuses the request', () => {
  const body = nativeBody([series()]);
  for (let length = 1; length < body.byteLength; length++) {
    if (length === 16) continue;
    assert.match(
      parse(native, body.subarray(0, length)).failure ?? '',
      /^cannot parse the body: .*cut off/,
      String(length),
    );
  }
  const failureOf = (bytes: Uint8Array) =>
    parse(native, Buffer.concat([body.subarray(0, 16), bytes])).failure ?? '';
  assert.match(failureOf(Uint8Array.of(0, 16, 0, 1)), /a part of 1048577 bytes/);
  assert.match(failureOf(Uint8Array.of(0, 0, 0, 2, 0, 0x33)), /wrong escape/);
  assert.match(failureOf(Uint8Array.of(0, 0, 0, 4, 0x61, 1, 0x62, 1)), /name of a series is cut off/);
});

test('whatever is written is read back', () => {
  const text = fc.string({ maxLength: 6 });
  const one = fc.record({
    metric: text,
    labels: fc.array(fc.tuple(fc.string({ minLength: 1, maxLength: 4 }), text), { maxLength: 3 }),
    rows: fc.array(fc.tuple(fc.maxSafeInteger(), fc.bigInt({ min: -(2n ** 53n), max: 2n ** 53n })), {
      minLength: 1,
      maxLength: 10,
    }),
    timestampKind: fc.constantFrom(1, 4, 5, 6),
    valueKind: fc.constantFrom(1, 4, 5, 6),
  });
  fc.assert(
    fc.property(fc.array(one, { maxLength: 4 }), (all) => {
      const body = nativeBody(
        all.map(({ metric, labels, rows, timestampKind, valueKind }) => ({
          name: [metric, ...labels.flat()],
          timestamps: rows.map(([timestamp]) => BigInt(timestamp)),
          values: rows.map(([, value]) => value),
          scale: 0,
          timestampKind,
          valueKind,
        })),
      );
      assert.deepEqual(
        parse(native, body).rows.map(({ labels, samples }) => ({ labels, samples })),
        all.map(({ metric, labels, rows }) => ({
          labels: [['__name__', metric], ...labels].map(([name, value]) => ({
            name,
            value,
          })),
          samples: rows.map(([timestamp, value]) => ({ value: Number(value), timestamp })),
        })),
      );
    }),
  );
});
