import assert from 'node:assert/strict';
import { test } from 'node:test';
import protobuf from 'protobufjs';
import { readFields, readMessage, readNumbers } from '../../src/protocol/protobuf-fields.ts';

test('known fields are read, others are stepped over, numbers come packed and alone', () => {
  const writer = protobuf.Writer.create().uint32(0x08).uint32(5).uint32(0x12).string('skipped');
  writer.uint32(0x1a).fork().uint32(0x08).uint32(7).ldelim();
  writer.uint32(0x22).fork().uint32(1).uint32(2).ldelim().uint32(0x20).uint32(3);
  const bytes = writer.finish();
  const reader = protobuf.Reader.create(bytes);
  const found: number[] = [];
  const numbers: number[] = [];
  readFields(reader, bytes.byteLength, (field, wireType) => {
    if (field === 1) found.push(reader.uint32());
    else if (field === 3) readMessage(reader, () => found.push(reader.uint32()) > 0);
    else if (field === 4) readNumbers(reader, wireType, numbers, () => reader.uint32());
    else return false;
    return true;
  });
  assert.deepEqual(
    [found, numbers],
    [
      [5, 7],
      [1, 2, 3],
    ],
  );
});
