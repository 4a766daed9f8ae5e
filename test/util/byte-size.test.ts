import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatByteSize, parseByteSize } from '../../src/util/byte-size.ts';

test('sizes are bytes, with suffixes of 1000 and 1024 in any case', () => {
  const cases: [string, number][] = [
    ['0', 0],
    ['4096', 4096],
    ['1KB', 1000],
    ['1kb', 1000],
    ['1KiB', 1024],
    ['1kib', 1024],
    ['8MiB', 8388608],
    ['5MB', 5e6],
    ['1.5MiB', 1572864],
    ['1.5GB', 1.5e9],
    ['2TiB', 2 * 2 ** 40],
    ['2TB', 2e12],
    ['1e3', 1000],
    ['1.9', 1],
    ['-1', -1],
  ];
  for (const [text, bytes] of cases) assert.equal(parseByteSize(text), bytes, text);
});

test('what is no size is none', () => {
  for (const text of [
    '',
    'KB',
    '5M',
    '5K',
    '5 MiB',
    '5B',
    '0x10',
    '1_000',
    'NaN',
    'Infinity',
    '9007199254740993TB',
  ]) {
    assert.equal(parseByteSize(text), undefined, text);
  }
});

test('sizes are shown with the suffix that keeps them exact, and read back as the same', () => {
  assert.equal(formatByteSize(8 * 2 ** 20), '8MiB');
  assert.equal(formatByteSize(1000), '1000');
  assert.equal(formatByteSize(0), '0');
  assert.equal(formatByteSize(3 * 2 ** 40), '3TiB');
  fc.assert(
    fc.property(fc.maxSafeNat(), (bytes) => assert.equal(parseByteSize(formatByteSize(bytes)), bytes)),
  );
});
