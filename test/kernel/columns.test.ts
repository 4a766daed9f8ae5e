import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeWorkload } from '../../bench/load/workload.ts';
import { Columns, NO_REF } from '../../src/kernel/columns.ts';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import { SeriesTable } from '../../src/series/table.ts';
import { decodeWriteRequest } from '../support/remote-write.ts';
import { Guarded } from './support/guarded.ts';

const kernel = new Kernel(compileKernel());
const [small, large] = [3, 4000].map((series) => {
  const [body] = makeWorkload({ series, seriesPerRequest: series, scrapes: 1 });
  const ptr = kernel.memory.alloc(body!.raw.length);
  kernel.memory.bytes().set(body!.raw, ptr);
  return { raw: body!.raw, ptr, length: body!.raw.length, series };
});

test('columns grow with the message and are used again for a smaller one', () => {
  const columns = kernel.createColumns();
  for (const { raw, ptr, length, series } of [small!, large!, small!]) {
    columns.scan(ptr, length);
    assert.equal(columns.seriesCount, series);
    assert.equal(columns.sampleCount, series);
    const expected = decodeWriteRequest(raw).series;
    for (const [index, { points }] of expected.entries()) {
      assert.equal(columns.timestampMs(index), BigInt(points[0]!.timestampMs));
      assert.equal(columns.valueBits(index), points[0]!.bits);
      assert.equal(columns.ref(index), NO_REF);
    }
  }
});

test('a scan asks for no memory once the columns are large enough', () => {
  const columns = kernel.createColumns();
  const table = new SeriesTable(kernel);
  for (let i = 0; i < 2; i++) columns.scan(large!.ptr, large!.length, table, true);
  const before = kernel.memory.allocatedBytes;
  for (let i = 0; i < 3; i++) columns.scan(large!.ptr, large!.length, table, true);
  assert.equal(kernel.memory.allocatedBytes, before);
});

test('columns that could not grow never use the regions that they gave back', () => {
  const columns = kernel.createColumns();
  columns.scan(small!.ptr, small!.length);
  const { rowsPtr } = columns;
  const { alloc } = kernel.memory;
  kernel.memory.alloc = () => {
    throw new Error('used up');
  };
  assert.throws(() => columns.scan(large!.ptr, large!.length), /used up/);
  kernel.memory.alloc = alloc;
  const taken = kernel.memory.alloc(3 * 64);
  assert.equal(taken, rowsPtr, 'the region was given back');
  kernel.memory.bytes().fill(0xee, taken, taken + 3 * 64);
  columns.scan(small!.ptr, small!.length);
  assert.ok(
    kernel.memory
      .bytes()
      .subarray(taken, taken + 3 * 64)
      .every((byte) => byte === 0xee),
  );
  assert.equal(columns.row(2).sampleCount, 1);
});

test('room is asked for in full also beyond 2 GiB', () => {
  const asked: number[] = [];
  const rows = 2 ** 25 + 1;
  const huge = {
    foundIn: () => ({ counts: { series: rows, samples: 0, metadata: 0 } }),
    memory: { alloc: (byteLength: number) => asked.push(byteLength) },
    exports: { scanWriteRequest: () => 1 },
    result: () => 0,
  };
  new Columns(huge as unknown as Kernel).scan(64, 0);
  assert.ok(asked.length === 1 && asked[0]! >= rows * 64, `${asked}`);
});

test('slots are there only when they were asked for', () => {
  const columns = kernel.createColumns();
  columns.scan(small!.ptr, small!.length);
  assert.equal(columns.hasSlots, false);
  assert.throws(() => columns.slot(0), /BUG:/);
  columns.scan(small!.ptr, small!.length, undefined, true);
  assert.ok(columns.slot(0) < 32);
});

test('the kernel writes nothing behind columns that are too small', () => {
  const memory = kernel.memory;
  const [rows, timestamps, values, metadata, scratch] = Array.from(
    { length: 5 },
    () => new Guarded(memory, 1 << 12),
  );
  const metadataField = [0x1a, 2, 0x08, 1];
  const raw = Buffer.concat([small!.raw, Uint8Array.from([...metadataField, ...metadataField])]);
  const ptr = memory.alloc(raw.length);
  memory.bytes().set(raw, ptr);
  const scan = (series: number, samples: number, fields: number) =>
    kernel.exports.scanWriteRequest(
      ptr,
      raw.length,
      rows!.room(series * 64, 0xc1),
      series,
      timestamps!.room(samples * 8, 0xc2),
      values!.room(samples * 8, 0xc3),
      samples,
      metadata!.room(fields * 8, 0xc4),
      fields,
      scratch!.room(0, 0xc5),
      0,
      0,
      0,
      0,
      0,
    );
  assert.equal(scan(3, 3, 2), 1);
  for (const [series, samples, fields] of [
    [2, 3, 2],
    [3, 2, 2],
    [3, 3, 1],
  ] as const) {
    assert.equal(scan(series, samples, fields), 0);
    for (const region of [rows, timestamps, values, metadata, scratch]) region!.assertIntact('scan');
  }
});

test('a message that was changed after its validation is our own bug', () => {
  const columns = kernel.createColumns();
  const ptr = kernel.memory.alloc(small!.length);
  kernel.memory.bytes().set(small!.raw, ptr);
  kernel.validateWriteRequest(ptr, small!.length);
  kernel.memory.bytes().fill(0xff, ptr, ptr + small!.length);
  assert.throws(() => columns.scan(ptr, small!.length), /BUG: .*between/);
  assert.throws(() => kernel.createColumns().scan(ptr, small!.length - 1), /BUG: .*validated/);
});
