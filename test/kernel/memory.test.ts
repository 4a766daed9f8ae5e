import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import { Region } from '../../src/kernel/memory.ts';
import { SluiceError } from '../../src/util/error.ts';

const module = compileKernel();
const newMemory = () => new Kernel(module).memory;

test('regions are aligned, do not overlap, and keep their content when the memory grows', () => {
  const memory = newMemory();
  const regions = [1, 64, 65, 1000, 100_000, 3_000_000].map((byteLength) => ({
    ptr: memory.alloc(byteLength),
    byteLength,
  }));
  for (const [index, { ptr, byteLength }] of regions.entries()) {
    assert.equal(ptr % 16, 0);
    memory.bytes().fill(index + 1, ptr, ptr + byteLength);
  }
  memory.alloc(10_000_000);
  for (const [index, { ptr, byteLength }] of regions.entries()) {
    const content = memory.bytes().subarray(ptr, ptr + byteLength);
    assert.ok(content.every((byte) => byte === index + 1));
  }
});

test('a freed region serves the next request of its size class', () => {
  const memory = newMemory();
  const first = memory.alloc(1000);
  const other = memory.alloc(5000);
  memory.free(first, 1000);
  assert.notEqual(memory.alloc(5000), other);
  assert.equal(memory.alloc(600), first);
  assert.notEqual(memory.alloc(600), first);
});

test('a freed region serves smaller requests, but for small ones', () => {
  const memory = newMemory();
  const large = memory.alloc(2 ** 20);
  memory.free(large, 2 ** 20);
  const end = memory.allocatedBytes;
  memory.alloc(2 ** 15);
  assert.equal(memory.allocatedBytes, end + 2 ** 15, 'nothing was taken of it');
  const parts = [2 ** 18, 2 ** 16, 2 ** 19, 2 ** 17, 2 ** 16].map((bytes) => [memory.alloc(bytes), bytes]);
  assert.equal(memory.allocatedBytes, end + 2 ** 15, 'all of it was taken');
  const inOrder = parts.sort(([a], [b]) => a! - b!);
  let at = large;
  for (const [ptr, bytes] of inOrder) {
    assert.equal(ptr, at);
    at += bytes!;
  }
  assert.equal(at, large + 2 ** 20);
});

test('allocZeroed clears what was used before', () => {
  const memory = newMemory();
  const ptr = memory.alloc(128);
  memory.bytes().fill(255, ptr, ptr + 128);
  memory.free(ptr, 128);
  assert.equal(memory.allocZeroed(128), ptr);
  assert.ok(
    memory
      .bytes()
      .subarray(ptr, ptr + 128)
      .every((byte) => byte === 0),
  );
});

test('views follow the memory', () => {
  const memory = newMemory();
  const before = memory.bytes();
  const ptr = memory.alloc(10_000_000);
  assert.equal(before.byteLength, 0);
  memory.bytes()[ptr] = 1;
  assert.equal(memory.u32()[ptr / 4], 1);
  assert.equal(memory.i64()[ptr / 8], 1n);
  assert.equal(memory.u64()[ptr / 8], 1n);
});

test('the last page is never handed out', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 500_000 }), { maxLength: 20 }), (sizes) => {
      const memory = newMemory();
      for (const size of sizes) assert.ok(memory.alloc(size) + size <= memory.bytes().byteLength - 65536);
    }),
    { numRuns: 30 },
  );
});

test('more than there can be is an error that says what to lower', () => {
  const memory = newMemory();
  assert.throws(() => memory.alloc(2 ** 32), {
    code: 'KERNEL_MEMORY',
    message: /cannot allocate 4294967296 bytes .*lower -/,
  });
  assert.throws(() => memory.alloc(2 ** 32), SluiceError);
  assert.ok(memory.alloc(64) > 0, 'and the memory goes on working');
});

test('a region that grows gives back what it had, also when there is no more', () => {
  const memory = newMemory();
  const region = new Region(memory);
  const first = region.reserve(600);
  assert.equal(region.byteLength, 1024);
  assert.equal(region.reserve(1024), first);
  const second = region.reserve(1025);
  assert.notEqual(second, first);
  assert.equal(memory.alloc(1024), first);
  assert.throws(() => region.reserve(2 ** 33), SluiceError);
  assert.equal(region.byteLength, 0);
  assert.equal(region.reserve(2000), second);
  region.free();
  assert.equal(memory.alloc(2000), second);
});
