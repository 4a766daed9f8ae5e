import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import { copyBytes } from '../../src/util/copy-bytes.ts';

const heap = (length: number) => new Uint8Array(length);
const shared = (length: number) => new Uint8Array(new SharedArrayBuffer(length));
const { memory: kernelMemory } = new Kernel(compileKernel());
const LINEAR_BYTES = 16 * 1024 * 1024;
const linearPtr = kernelMemory.alloc(LINEAR_BYTES);
let linearUsed = 0;
/** All of it is there at once, because views are gone when memory grows. */
function linear(length: number): Uint8Array {
  const ptr = linearPtr + linearUsed;
  linearUsed += length;
  assert.ok(linearUsed <= LINEAR_BYTES);
  return kernelMemory.bytes().subarray(ptr, ptr + length);
}
const memories = [heap, shared, linear];
const pattern = (length: number) => Uint8Array.from({ length }, (_, index) => (index * index) >> 3);

test('bytes are copied as they are, from and to every kind of memory, and none beside them', () => {
  const memory = fc.constantFrom(...memories);
  fc.assert(
    fc.property(
      memory,
      memory,
      fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 4_000, max: 9_000 }).map(pattern)),
      fc.nat(20),
      fc.nat(20),
      (from, to, bytes, start, at) => {
        const source = from(start + bytes.length).subarray(start);
        source.set(bytes);
        const target = to(at + bytes.length + 5).fill(0xee);
        copyBytes(target, at, source);
        const expected = new Uint8Array(target.length).fill(0xee);
        expected.set(bytes, at);
        assert.deepEqual(Buffer.from(target), Buffer.from(expected));
      },
    ),
  );
});

test('what does not fit is an error of ours, and nothing is cut off silently', () => {
  assert.throws(() => copyBytes(heap(10), 3, heap(8)), /BUG/);
});
