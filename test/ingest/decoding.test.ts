import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { compress } from 'snappyjs';
import { declaredSize } from '../../src/ingest/decoding.ts';

/** A skippable frame of zstd with this many bytes in it. */
function skippable(length: number): Buffer {
  const frame = Buffer.alloc(8 + length);
  frame.writeUInt32LE(0x184d2a53, 0);
  frame.writeUInt32LE(length, 4);
  return frame;
}

/** A frame header: magic, descriptor, then the rest. */
function frame(...bytes: number[]): Uint8Array {
  return Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, ...bytes]);
}

test('snappy declares what it decodes to', () => {
  for (const length of [1, 127, 128, 16_384, 3_000_000]) {
    const body = compress(new Uint8Array(length).fill(7));
    for (const encoding of ['snappy-or-zstd', 'zstd-or-snappy'] as const) {
      assert.equal(declaredSize(body, encoding), length);
    }
  }
});

test('the largest and the impossible snappy lengths', () => {
  assert.equal(declaredSize(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f), 'snappy-or-zstd'), 2 ** 32 - 1);
  assert.equal(declaredSize(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x1f), 'snappy-or-zstd'), undefined);
  assert.equal(declaredSize(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 1), 'snappy-or-zstd'), undefined);
  assert.equal(declaredSize(Uint8Array.of(0x80), 'snappy-or-zstd'), undefined);
});

test('zstd declares the size of its first frame, also behind skippable frames and under a snappy header', () => {
  for (const length of [1, 255, 256, 70_000, 300_000]) {
    const body = zstdCompressSync(new Uint8Array(length).fill(7), { pledgedSrcSize: length });
    for (const encoding of ['snappy-or-zstd', 'zstd-or-snappy'] as const) {
      assert.equal(declaredSize(body, encoding), length);
      assert.equal(declaredSize(Buffer.concat([skippable(5), skippable(0), body]), encoding), length);
    }
  }
});

test('every width of the frame content size', () => {
  const cases: [Uint8Array, number | undefined][] = [
    [frame(0b0010_0000, 200), 200],
    [frame(0b0110_0000, 1, 2), 0x0201 + 256],
    [frame(0b1010_0000, 1, 2, 3, 4), 0x04030201],
    [frame(0b1110_0000, 0, 0, 0, 0, 1, 0, 0, 0), 2 ** 32],
    [frame(0b1000_0000, 99, 1, 0, 0, 0), 1],
    [frame(0b1010_0011, 9, 9, 9, 9, 1, 0, 0, 0), 1],
    [frame(0b0000_0000, 99, 1, 0, 0, 0), undefined],
  ];
  const block = Buffer.from([1, 0, 0]);
  for (const [header, size] of cases) {
    const bytes = Buffer.concat([header, block]);
    assert.equal(declaredSize(bytes, 'zstd-or-snappy'), size, bytes.toString('hex'));
  }
});

test('a frame header that is cut off says nothing', () => {
  assert.equal(declaredSize(frame(0b1010_0000, 1, 2, 3), 'zstd-or-snappy'), undefined);
  assert.equal(declaredSize(frame(0b1110_0000, 0, 0, 0, 0, 1), 'zstd-or-snappy'), undefined);
  assert.equal(declaredSize(frame(), 'zstd-or-snappy'), undefined);
});

test('skippable frames without end are left to the engine', () => {
  const many = Buffer.concat(Array.from({ length: 100_000 }, () => skippable(0)));
  assert.equal(declaredSize(many, 'zstd-or-snappy'), undefined);
  const beyond = Buffer.from('5a2a4d18ffffffff', 'hex');
  assert.equal(declaredSize(beyond, 'zstd-or-snappy'), undefined);
});

test('any bytes give a size or none, and never throw', () => {
  const encodings = fc.constantFrom('snappy-or-zstd', 'zstd-or-snappy', 'plain');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.boolean(), encodings, (bytes, asZstd, encoding) => {
      const input = asZstd ? frame(...bytes) : bytes;
      const size = declaredSize(input, encoding as 'plain');
      assert.ok(size === undefined || size >= 0);
    }),
  );
});

test('gzip and deflate declare nothing, the others what they are', () => {
  const bytes = new Uint8Array(1_000);
  assert.equal(declaredSize(bytes, 'plain'), 1_000);
  assert.equal(declaredSize(bytes, 'gzip'), undefined);
  assert.equal(declaredSize(bytes, 'deflate'), undefined);
  assert.equal(declaredSize(compress(bytes), 'snappy'), 1_000);
  assert.equal(declaredSize(zstdCompressSync(bytes, { pledgedSrcSize: 1_000 }), 'zstd'), 1_000);
});
