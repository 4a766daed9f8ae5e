import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BlockError, numberFrom, readBlock } from '../../src/protocol/native-block.ts';
import { blockOf, type NativeSeries } from './native-support.ts';

const series = (over: Partial<NativeSeries>): NativeSeries => ({
  name: ['m'],
  timestamps: [1n, 2n, 3n],
  values: [1n, 1n, 1n],
  scale: 0,
  timestampKind: 6,
  valueKind: 6,
  ...over,
});
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const columnOf = fc.constantFrom(1, 4, 5, 6).chain((kind) => fc.tuple(fc.constant(kind), int64));

test('columns of every kind are read, with 64 bits that wrap', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(int64, int64), { minLength: 1, maxLength: 20 }),
      columnOf,
      columnOf,
      fc.integer({ min: -400, max: 400 }),
      (rows, [timestampKind], [valueKind], scale) => {
        const timestamps = rows.map(([timestamp]) => timestamp);
        const values = rows.map(([, value]) => value);
        const block = readBlock(blockOf(series({ timestamps, values, scale, timestampKind, valueKind })));
        assert.deepEqual(
          [[...block.timestampsMs], [...block.values], block.scale],
          [timestamps, values, scale],
        );
      },
    ),
  );
});

test('a column may be one value or one difference', () => {
  const block = readBlock(
    blockOf(series({ timestamps: [10n, 25n, 40n], values: [7n, 7n, 7n], timestampKind: 2, valueKind: 3 })),
  );
  assert.deepEqual(
    [[...block.timestampsMs], [...block.values]],
    [
      [10n, 25n, 40n],
      [7n, 7n, 7n],
    ],
  );
});

test('integers and scales make numbers', () => {
  const cases: [bigint, number, number | undefined][] = [
    [15n, -1, 1.5],
    [15n, 1, 150],
    [0n, 0, 0],
    [-123456789n, -5, -1234.56789],
    [1n, -308, 1e-308],
    [49n, -325, 4.94e-324],
    [1n, 308, 1e308],
    [1n, 400, Infinity],
    [2n ** 63n - 1n, 0, Infinity],
    [-(2n ** 63n), 5, -Infinity],
    [2n ** 63n - 2n, 0, undefined],
  ];
  for (const [integer, scale, expected] of cases)
    assert.equal(numberFrom(integer, scale), expected, `${integer} × 10^${scale}`);
});

test('a block that makes no sense is told', () => {
  const good = blockOf(series({}));
  const fails = (bytes: Uint8Array, why: RegExp) => {
    assert.throws(
      () => readBlock(bytes),
      (error: Error) => error instanceof BlockError && why.test(error.message),
      `${why}`,
    );
  };
  for (let length = 0; length < good.byteLength; length++) fails(good.subarray(0, length), /cut off/);
  fails(Uint8Array.from([...good, 0]), /bytes follow the values/);
  fails(blockOf(series({ timestampKind: 7 })), /no column of kind 7/);
  fails(Uint8Array.from([0, 0, 0, 0, 0, 3, 3, 64, 0, 0]), /0 rows/);
  fails(Uint8Array.from([0, 0, 0, 0x81, 0x40, 0, 3, 3, 64, 0, 0]), /8193 rows/);
  fails(Uint8Array.from([0, 0, 0, 1, 0, 3, 3, 64, 1, 0, 0]), /has data/);
  fails(Uint8Array.from([0, 0, 0, 1, 0, 4, 3, 64, 1, 0, 0]), /cannot be decompressed/);
  fails(Uint8Array.from([0, 0, 0, 1, 0, 6, 3, 64, 1, 0, 0]), /bytes follow the differences/);
  fails(
    Uint8Array.from({ length: 12 }, () => 255),
    /more than ten bytes/,
  );
});
