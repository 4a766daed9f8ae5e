import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { eachField } from '../../src/destination/fields.ts';
import { encodeRequest, request } from '../engine/support/messages.ts';

type Fields = (readonly [number: number, start: number, to: number])[];

function walked(bytes: Uint8Array): Fields | undefined {
  const fields: Fields = [];
  try {
    eachField(
      bytes,
      0,
      bytes.byteLength,
      (number, _from, to, start) => void fields.push([number, start, to]),
    );
    return fields;
  } catch (error) {
    assert.equal((error as { code?: string }).code, 'undecodable');
    return undefined;
  }
}

/** The same by protobufjs. */
function reference(bytes: Uint8Array): Fields | undefined {
  const reader = protobuf.Reader.create(bytes);
  const fields: Fields = [];
  try {
    while (reader.pos < reader.len) {
      const start = reader.pos;
      const tag = reader.uint32();
      reader.skipType(tag & 7, 0, tag >>> 3);
      fields.push([tag >>> 3, start, reader.pos]);
    }
    return fields;
  } catch {
    return undefined;
  }
}

/** Bytes in which tags, lengths and zeros are more frequent than chance has them. */
const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        [0],
        [0, 0],
        [0x0a, 0],
        [0x12, 0],
        [0x07],
        [0x0b],
        [0x0c],
        [0x80, 0],
        [0xff, 0xff, 0xff, 0xff, 0x7f],
      ),
      fc
        .tuple(fc.integer({ min: 8, max: 40 }), fc.uint8Array({ maxLength: 12 }))
        .map(([tag, rest]) => [tag, ...rest]),
      fc.uint8Array({ maxLength: 12 }).map((rest) => [0x0a, rest.length, ...rest]),
    ),
    { maxLength: 10 },
  )
  .map((parts) => Uint8Array.from(parts.flat()));

test('hostile bytes are refused or walked as protobufjs walks them', () => {
  fc.assert(
    fc.property(hostile, (bytes) => {
      const found = walked(bytes);
      if (found !== undefined) assert.deepEqual(found, reference(bytes));
    }),
    { numRuns: Number(process.env.FUZZ_RUNS ?? 20_000) },
  );
});

test('every message of remote write is walked', () => {
  fc.assert(
    fc.property(request, (message) => {
      const bytes = encodeRequest(message);
      assert.deepEqual(walked(bytes), reference(bytes));
      assert.equal(walked(bytes)?.length, message.series.length + message.metadata.length);
    }),
  );
});

for (const [name, bytes] of Object.entries({
  'field number 0': [0, 0],
  'a field number above 2^29 - 1': [0x80, 0x80, 0x80, 0x80, 0x20, 0],
  'a group': [0x0b, 0x0c],
  'a field beyond the end': [0x0a, 2, 0],
  'a tag that does not end': [0x8a],
})) {
  test(`${name} is refused`, () => assert.equal(walked(Uint8Array.from(bytes)), undefined));
}

test('the walk ends when it is told to, and stays between its bounds', () => {
  const bytes = Uint8Array.from([0x08, 1, 0x10, 2, 0x18, 3, 0x20]);
  const seen: number[] = [];
  eachField(bytes, 2, 6, (number) => void seen.push(number));
  eachField(bytes, 0, bytes.byteLength, (number) => {
    seen.push(number);
    return number < 2;
  });
  assert.deepEqual(seen, [2, 3, 1, 2]);
});
