import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compress, uncompress } from 'snappyjs';
import { makeWorkload } from '../../bench/load/workload.ts';
import { KernelError } from '../../src/kernel/errors.ts';
import { Differential } from './support/differential.ts';

const differential = new Differential();
const { kernel } = differential;

/** Content with runs, repeats near and far, and noise. */
const content = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .tuple(fc.nat(255), fc.integer({ min: 1, max: 300 }))
        .map(([byte, length]) => Buffer.alloc(length, byte)),
      fc
        .tuple(fc.uint8Array({ minLength: 1, maxLength: 20 }), fc.integer({ min: 1, max: 40 }))
        .map(([unit, times]) => Buffer.concat(Array.from({ length: times }, () => unit))),
    ),
    { maxLength: 30 },
  )
  .map((parts) => Buffer.concat(parts));

function decode(block: Uint8Array, capacity: number) {
  const src = kernel.memory.alloc(block.length + 16);
  const dst = kernel.memory.alloc(capacity + 16);
  kernel.memory.bytes().set(block, src);
  const length = kernel.snappyDecode(src, block.length, dst, capacity);
  const decoded = length < 0 ? undefined : Buffer.from(kernel.memory.bytes().subarray(dst, dst + length));
  kernel.memory.free(src, block.length + 16);
  kernel.memory.free(dst, capacity + 16);
  return { length, decoded, code: kernel.errorCode, at: kernel.errorAt };
}

test('any content survives the round trip through the kernel and snappyjs, both ways', () => {
  fc.assert(fc.property(content, (bytes) => void differential.snappyRoundTrip(bytes)));
});

test('every length from 0 to 300, of noise and of one byte', () => {
  for (let length = 0; length <= 300; length++) {
    // Zeros are also what lies behind the content here: a match must not go on there.
    differential.snappyRoundTrip(Buffer.alloc(length));
    differential.snappyRoundTrip(Buffer.alloc(length, 7));
    differential.snappyRoundTrip(Uint8Array.from({ length }, (_, index) => (index * index * 31 + 7) >> 3));
  }
});

test('a match ends with the content, also when what lies behind it would go on', () => {
  for (let length = 1; length <= 20; length++) {
    const unit = Uint8Array.from({ length }, (_, index) => index + 1);
    const between = Uint8Array.from({ length: 30 }, (_, index) => 100 + index);
    // The zeros behind the first unit are also what lies behind the content.
    differential.snappyRoundTrip(Buffer.concat([unit, new Uint8Array(8), between, unit]));
  }
});

test('copies of every offset and length repeat what they overlap', () => {
  for (let offset = 1; offset <= 40; offset++) {
    for (const length of [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 63, 64]) {
      for (const tail of [0, 200]) {
        const literal = Uint8Array.from({ length: offset }, (_, index) => index + 1);
        const total = offset + length + tail;
        const preamble = total < 128 ? [total] : [(total & 127) | 128, total >> 7];
        const copy = [((length - 1) << 2) | 2, offset & 255, offset >> 8];
        const rest = tail === 0 ? [] : [60 << 2, tail - 1, ...new Uint8Array(tail)];
        differential.snappyBlock(Uint8Array.of(...preamble, (offset - 1) << 2, ...literal, ...copy, ...rest));
      }
    }
  }
});

test('a long copy that ends with the output writes nothing behind it, whatever follows in the block', () => {
  for (let offset = 1; offset <= 70; offset++) {
    for (let length = 48; length <= 64; length++) {
      const literal = offset <= 60 ? [(offset - 1) << 2] : [60 << 2, offset - 1];
      const content = Uint8Array.from({ length: offset }, (_, index) => index + 1);
      const copy = [((length - 1) << 2) | 2, offset, 0];
      const total = offset + length;
      const preamble = total < 128 ? [total] : [(total & 127) | 128, total >> 7];
      differential.snappyBlock(
        Uint8Array.of(...preamble, ...literal, ...content, ...copy, ...new Uint8Array(100)),
      );
    }
  }
});

test('a block that is cut anywhere is refused', () => {
  const [body] = makeWorkload({ series: 10, seriesPerRequest: 10, scrapes: 1 });
  for (let length = 0; length < body!.compressed.length; length++) {
    const cut = body!.compressed.subarray(0, length);
    differential.snappyBlock(cut);
    assert.equal(decode(cut, body!.raw.length).length, -1, `${length} bytes`);
  }
});

const literal = (text: string) => [(text.length - 1) << 2, ...Buffer.from(text)];
const zeros = (length: number) => [60 << 2, length - 1, ...new Uint8Array(length)];
for (const [name, bytes, code, at] of [
  ['nothing', [], KernelError.noLength, 0],
  ['a length without an end', [0x80, 0x80], KernelError.noLength, 0],
  ['a length of six bytes', [0x80, 0x80, 0x80, 0x80, 0x80, 0x00], KernelError.noLength, 0],
  ['a length of 2^32', [0x80, 0x80, 0x80, 0x80, 0x10], KernelError.noLength, 0],
  ['more than the capacity', [0xe9, 0x07, ...literal('a')], KernelError.outputTooLong, 0],
  ['less than declared', [4, ...literal('abc')], KernelError.outputTooShort, 5],
  ['a literal that is longer than declared', [2, ...literal('abc')], KernelError.outputTooLong, 1],
  ['a copy that is longer than declared', [5, ...literal('abc'), 1, 3], KernelError.outputTooLong, 5],
  ['a literal past the end', [9, 8 << 2, 1, 2, 3], KernelError.lengthPastEnd, 1],
  ['a literal of 2^32 bytes', [9, 63 << 2, 255, 255, 255, 255, 1], KernelError.lengthPastEnd, 1],
  ['a cut length of a literal', [9, 61 << 2, 1], KernelError.truncated, 1],
  ['a cut copy of one byte', [9, ...literal('abc'), 1], KernelError.truncated, 5],
  ['a cut copy of two bytes', [9, ...literal('abc'), 2, 1], KernelError.truncated, 5],
  ['a cut copy of four bytes', [9, ...literal('abc'), 3, 1, 0, 0], KernelError.truncated, 5],
  ['offset 0', [9, ...literal('abc'), (2 << 2) | 1, 0], KernelError.badCopy, 5],
  ['an offset one before the beginning', [9, ...literal('abc'), (2 << 2) | 1, 4], KernelError.badCopy, 5],
  ['an offset of 2^32 - 1', [9, ...literal('abc'), 23, 255, 255, 255, 255], KernelError.badCopy, 5],
  ['a copy at the very beginning', [9, 1, 1], KernelError.badCopy, 1],
  [
    'an offset one before the beginning with much behind it',
    [0xe8, 0x07, ...literal('abc'), (2 << 2) | 1, 4, ...zeros(200)],
    KernelError.badCopy,
    6,
  ],
] as const) {
  test(`refused: ${name}`, () => {
    const block = Uint8Array.from(bytes);
    differential.snappyBlock(block);
    const outcome = decode(block, 1000);
    assert.deepEqual([outcome.length, outcome.code, outcome.at], [-1, code, at]);
    assert.match(kernel.snappyError(), new RegExp(` at byte ${at}$`));
  });
}

test('the largest offset that is legal is taken', () => {
  for (const tail of [0, 200]) {
    const total = 10 + tail;
    const preamble = total < 128 ? [total] : [(total & 127) | 128, total >> 7];
    const block = [...preamble, ...literal('abc'), (3 << 2) | 1, 3, ...(tail === 0 ? [] : zeros(tail))];
    assert.equal(decode(Uint8Array.from(block), 1000).decoded?.subarray(0, 10).toString(), 'abcabcabca');
  }
});

test('a 47-byte body may say that it holds 2.5 GB, and nothing is decoded', () => {
  const block = Uint8Array.of(0x80, 0x80, 0x80, 0xd4, 0x09, ...new Uint8Array(42));
  const src = kernel.memory.alloc(block.length);
  kernel.memory.bytes().set(block, src);
  assert.equal(kernel.snappyDecodedLength(src, block.length), 0x9a800000);
  assert.equal(kernel.snappyDecode(src, block.length, src, 0), -1);
});

test('40 MiB, and a block of nothing but copies', () => {
  const length = 40 * 1024 * 1024 + 3;
  const src = kernel.memory.alloc(length);
  const dst = kernel.memory.alloc(kernel.snappyMaxLength(length));
  const words = kernel.memory.u32();
  for (let i = 0, x = 1; i < length / 4; i++) {
    x = Math.imul(x, 1664525) + 1013904223;
    words[src / 4 + i] = (i >> 13) & 1 ? i >> 6 : x; // blocks of noise between blocks that repeat
  }
  const encoded = kernel.snappyEncode(src, length, dst);
  const back = kernel.memory.alloc(length);
  assert.equal(kernel.snappyDecode(dst, encoded, back, length), length);
  const bytes = kernel.memory.bytes();
  assert.equal(Buffer.compare(bytes.subarray(src, src + length), bytes.subarray(back, back + length)), 0);
  assert.ok(encoded < length * 0.6, `${encoded} of ${length}`);
});

test('real bodies get as small as with snappyjs', () => {
  for (const { raw, compressed } of makeWorkload({ series: 2000, seriesPerRequest: 500, scrapes: 1 })) {
    const block = differential.snappyRoundTrip(raw);
    assert.ok(block.length < compressed.length * 1.02, `${block.length} against ${compressed.length}`);
    assert.equal(Buffer.compare(uncompress(compress(raw)), raw), 0);
  }
});
