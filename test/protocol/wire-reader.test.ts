import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { BYTES, FIXED64, VARINT, WireError, WireReader } from '../../src/protocol/wire-reader.ts';

const field = fc.oneof(
  fc.record({
    kind: fc.constant('varint'),
    number: fc.integer({ min: 1, max: 2 ** 29 - 1 }),
    value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  }),
  fc.record({
    kind: fc.constant('fixed64'),
    number: fc.integer({ min: 1, max: 5000 }),
    value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  }),
  fc.record({
    kind: fc.constant('bytes'),
    number: fc.integer({ min: 1, max: 5000 }),
    value: fc.uint8Array({ maxLength: 300 }),
  }),
  fc.record({ kind: fc.constant('fixed32'), number: fc.integer({ min: 1, max: 5000 }), value: fc.nat() }),
);

const halves = (value: bigint) => ({
  low: Number(value & 0xffff_ffffn),
  high: Number(value >> 32n),
  unsigned: false,
});

test('what protobufjs writes is read field by field', () => {
  fc.assert(
    fc.property(fc.array(field, { maxLength: 8 }), (fields) => {
      const writer = protobuf.Writer.create();
      for (const { kind, number, value } of fields) {
        const tag = (wireType: number) => writer.uint32(((number << 3) | wireType) >>> 0);
        // biome-ignore lint/suspicious/noExplicitAny: halves are what protobufjs takes for a Long.
        const long = () => halves(value as bigint) as any;
        if (kind === 'varint') tag(0).uint64(long());
        else if (kind === 'fixed64') tag(1).fixed64(long());
        else if (kind === 'bytes') tag(2).bytes(value as Uint8Array);
        else tag(5).fixed32(value as number);
      }
      const bytes = writer.finish();
      const reader = new WireReader(bytes);
      for (const { kind, number, value } of fields) {
        assert.ok(reader.next(bytes.byteLength));
        assert.equal(reader.field, number);
        if (kind === 'varint') {
          reader.expect(VARINT);
          assert.equal((BigInt(reader.high) << 32n) | BigInt(reader.low), value);
          assert.equal(reader.unsigned, Number(value));
        } else if (kind === 'fixed64') {
          reader.expect(FIXED64);
          assert.equal(reader.end - reader.start, 8);
          assert.equal(reader.fixed64(reader.start), Number(value));
          assert.equal(reader.sfixed64(reader.start), Number(BigInt.asIntN(64, value as bigint)));
        } else if (kind === 'bytes') {
          reader.expect(BYTES);
          assert.deepEqual(new Uint8Array(bytes.subarray(reader.start, reader.end)), value);
        } else assert.throws(() => reader.expect(VARINT), WireError);
      }
      assert.ok(!reader.next(bytes.byteLength));
    }),
  );
});

test('zigzag and repeated numbers, packed or not', () => {
  const writer = protobuf.Writer.create();
  const numbers = [0, -1, 1, -2, 2 ** 31 - 1, -(2 ** 31)];
  for (const number of numbers) writer.uint32(0x08).sint32(number);
  writer.uint32(0x12).fork().uint32(5).uint32(300).ldelim().uint32(0x10).uint32(7);
  writer.uint32(0x1a).fork().double(1.5).double(-2).ldelim().uint32(0x19).double(3);
  const bytes = writer.finish();
  const reader = new WireReader(bytes);
  const [zigzag, varints, places]: [number[], number[], number[]] = [[], [], []];
  while (reader.next(bytes.byteLength)) {
    if (reader.field === 1) zigzag.push(reader.zigzag);
    else if (reader.field === 2) reader.eachVarint((value) => varints.push(value));
    else reader.fixed64s(places);
  }
  assert.deepEqual(zigzag, numbers);
  assert.deepEqual(varints, [5, 300, 7]);
  assert.deepEqual(
    places.map((at) => reader.double(at)),
    [1.5, -2, 3],
  );
});

test('a message is read with its length in front', () => {
  const bytes = protobuf.Writer.create().bytes(Buffer.from('ab')).bytes(new Uint8Array()).finish();
  const reader = new WireReader(bytes);
  assert.equal(Buffer.from(reader.delimited()).toString(), 'ab');
  assert.equal(reader.delimited().byteLength, 0);
  assert.throws(() => reader.delimited(), WireError);
  assert.throws(() => new WireReader(Uint8Array.of(3, 1, 1)).delimited(), /goes past the end/);
  assert.throws(() => new WireReader(Uint8Array.of(0x80)).delimited(), WireError);
});

test('nanoseconds are cut to whole milliseconds, without a loss on the way', () => {
  const times = [
    0n,
    999_999n,
    1_000_000n,
    2n ** 32n - 1n,
    2n ** 32n,
    2n ** 64n - 1n,
    1_700_000_000_123_999_999n,
  ];
  const bytes = Buffer.alloc(8);
  for (const nanoseconds of times) {
    bytes.writeBigUInt64LE(nanoseconds);
    assert.equal(new WireReader(bytes).milliseconds(0), Number(nanoseconds / 1_000_000n));
  }
});

test('bytes that are no message are told apart', () => {
  const cases: [number[], RegExp][] = [
    [[0x00, 0x00], /has the number 0/],
    [[0x0b], /unknown wire type 3/],
    [[0x08], /goes past the end/],
    [[0x08, 0x80], /goes past the end/],
    [[0x0a, 0x02, 0x00], /goes past the end/],
    [[0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f], /goes past the end/],
    [[0x09, 1, 2, 3, 4, 5, 6, 7], /goes past the end/],
    [[0x0d, 1, 2, 3], /goes past the end/],
    [[0x08, ...new Array(10).fill(0x80), 1], /more than ten bytes/],
    [[0x88, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 1], /is too large/],
  ];
  for (const [bytes, expected] of cases) {
    const reader = new WireReader(Uint8Array.from(bytes));
    assert.throws(
      () => {
        while (reader.next(bytes.length));
      },
      (error) => error instanceof WireError && expected.test(error.message),
      String(bytes),
    );
  }
});

test('a field that ends behind its message is none, also when there are more bytes', () => {
  const reader = new WireReader(Uint8Array.of(0x0a, 0x02, 1, 1, 1, 1));
  assert.throws(() => reader.next(3), /goes past the end of its message at byte 3/);
  const packed = new WireReader(Uint8Array.of(0x0a, 0x02, 1, 0x80, 0x01));
  assert.ok(packed.next(4));
  assert.throws(() => packed.eachVarint(() => {}), WireError);
  const odd = new WireReader(Uint8Array.of(0x0a, 0x02, 1, 1));
  assert.ok(odd.next(4));
  assert.throws(() => odd.fixed64s([]), /has 2 bytes, not 8 for each/);
});
