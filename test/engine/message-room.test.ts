import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageRoom } from '../../src/engine/message-room.ts';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import { Region } from '../../src/kernel/memory.ts';
import { SeriesSink } from '../../src/protocol/series-sink.ts';
import { decodeWriteRequest } from '../support/remote-write.ts';

function setUp() {
  const kernel = new Kernel(compileKernel());
  const region = new Region(kernel.memory);
  return { kernel, room: new MessageRoom(kernel, (byteLength) => region.reserve(byteLength)) };
}

test('what was written stays when more room is needed, here or elsewhere', () => {
  const { kernel, room } = setUp();
  const first = room.reserve(100, 0);
  first.set([1, 2, 3]);
  const before = room.ptr;
  const second = room.reserve(1_000_000, 3);
  assert.notEqual(room.ptr, before);
  assert.equal(second.byteLength, 1_000_000);
  assert.deepEqual([...second.subarray(0, 3)], [1, 2, 3]);
  kernel.memory.alloc(64 * 1024 * 1024);
  assert.equal(second.byteLength, 0, 'views of before are gone');
  assert.deepEqual([...room.reserve(1_000_000, 3).subarray(0, 3)], [1, 2, 3]);
});

test('a sink goes on after the memory has grown between two series, and at its end', () => {
  const { kernel, room } = setUp();
  const sink = new SeriesSink(1 << 28, room);
  sink.reset(1 << 28);
  const name = Buffer.from('a');
  for (let count = 0; count < 3; count++) {
    sink.begin();
    sink.name(name, 0, 1);
    sink.sample(count, 1_000 + count);
    sink.end();
    kernel.memory.alloc(32 * 1024 * 1024);
  }
  const { series } = decodeWriteRequest(sink.bytes);
  assert.deepEqual(
    series.map(({ points }) => points[0]?.timestampMs),
    [1_000, 1_001, 1_002],
  );
});

test('a message without series is empty, also after the memory has grown', () => {
  const { kernel, room } = setUp();
  const sink = new SeriesSink(1_000, room);
  assert.equal(sink.bytes.byteLength, 0);
  sink.reset(1_000);
  kernel.memory.alloc(64 * 1024 * 1024);
  assert.equal(sink.bytes.byteLength, 0);
});

test('what is placed counts as what is appended, and there is no place beyond the limit', () => {
  const { kernel, room } = setUp();
  const writer = new SeriesSink(1_000);
  writer.begin();
  writer.name(Buffer.from('a'), 0, 1);
  writer.sample(1, 5);
  writer.end();
  const one = writer.bytes.slice();
  const sink = new SeriesSink(1_000, room);
  sink.reset(1_000);
  const appended = new SeriesSink(1_000);
  appended.reset(1_000);
  for (let count = 0; count < 10; count++) {
    const place = sink.place(500);
    assert.ok(place !== undefined && place.byteLength >= 500);
    kernel.memory.bytes().set(one, place.ptr);
    sink.appendPlaced(one.byteLength, 1, 1, 1, 0);
    appended.append(one, 1, 1, 1);
  }
  assert.deepEqual(sink.bytes, appended.bytes);
  assert.deepEqual(sink.found, appended.found);
  assert.equal(sink.place(1_000), undefined);
  assert.equal(appended.place(1), undefined, 'its memory is not that of the kernels');
});
