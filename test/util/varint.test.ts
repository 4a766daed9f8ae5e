import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { encodeVarint } from '../../src/util/varint.ts';

test('varints are what protobufjs writes and reads', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      const bytes = encodeVarint(value);
      assert.deepEqual(Buffer.from(bytes), Buffer.from(protobuf.Writer.create().uint64(value).finish()));
      assert.equal(Number(protobuf.Reader.create(bytes).uint64()), value);
    }),
  );
  assert.deepEqual([...encodeVarint(0)], [0]);
  assert.deepEqual([...encodeVarint(300)], [0xac, 0x02]);
});
