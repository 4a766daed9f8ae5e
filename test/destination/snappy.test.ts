import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compress } from 'snappyjs';
import { decodeSnappy } from '../../src/destination/snappy.ts';
import { referenceSnappy } from '../kernel/support/reference.ts';

const BYTES_MAX = 1 << 20;

function decoded(block: Uint8Array): Uint8Array | undefined {
  try {
    return decodeSnappy(block, BYTES_MAX);
  } catch {
    return undefined;
  }
}

test('what another implementation makes is read', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat({ max: 200 }), (bytes, times) => {
      const raw = Buffer.concat(Array.from({ length: times }, () => bytes));
      assert.ok(raw.equals(decodeSnappy(compress(raw), BYTES_MAX)));
    }),
  );
});

/** Elements as the format has them, with lengths and offsets that need not be right. */
const element = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 20 }).map((text) => [(text.length - 1) << 2, ...text]),
  fc
    .tuple(fc.integer({ min: 60, max: 63 }), fc.uint8Array({ maxLength: 8 }))
    .map(([n, rest]) => [n << 2, ...rest]),
  fc.tuple(fc.nat(255), fc.nat(40)).map(([tag, offset]) => [(tag & ~3) | 1, offset]),
  fc.tuple(fc.nat(63), fc.nat(40)).map(([n, offset]) => [(n << 2) | 2, offset, 0]),
  fc
    .tuple(fc.nat(63), fc.nat(40), fc.nat(255))
    .map(([n, offset, high]) => [(n << 2) | 3, offset, 0, 0, high]),
);
const damaged = fc
  .tuple(
    fc.integer({ min: 0, max: 300 }),
    fc.array(element, { maxLength: 12 }),
    fc.uint8Array({ maxLength: 3 }),
  )
  .map(([length, elements, tail]) => {
    const preamble = length < 128 ? [length] : [(length & 127) | 128, length >> 7];
    return Uint8Array.from([...preamble, ...elements.flat(), ...tail]);
  });

test('of hostile bytes, exactly what the format allows is read, and to the same bytes', () => {
  const blocks = fc.oneof(damaged, fc.uint8Array({ maxLength: 60 }));
  fc.assert(
    fc.property(blocks, (block) => {
      const expected = referenceSnappy(block, BYTES_MAX);
      const found = decoded(block);
      if (typeof expected === 'string') assert.equal(found, undefined, expected);
      else assert.deepEqual(found && [...found], [...expected]);
    }),
    { numRuns: Number(process.env.FUZZ_RUNS ?? 20_000) },
  );
});

for (const [name, block] of Object.entries({
  'a length that so few bytes cannot make up': [0xff, 0xff, 0xff, 0x1f, 0],
  'a length and nothing else': [0x05],
  'fewer bytes than declared': [0x05, 0x04, 1, 2],
  'more bytes than declared': [0x01, 0x04, 1, 2],
  'a literal of a length that is negative in 32 bits': [0x10, 0xfc, 0xf0, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5],
  'an offset that is negative in 32 bits': [0x10, 0x00, 1, 0xff, 0xff, 0xff, 0xff, 0xff],
  'an endless length': [0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
})) {
  test(`${name} is refused`, () => {
    assert.throws(() => decodeSnappy(Uint8Array.from(block), 64 * BYTES_MAX));
  });
}
