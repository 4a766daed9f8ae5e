import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import { copyBytes } from '../../src/util/copy-bytes.ts';

const heap = (length: number) => new Uint8Array(length);
const shared = (length: number) => new Uint8Array(new SharedArrayBuffer(length));
const { memory: kernelMemory } = new Kernel(compileKernel());
function linear(length: number): Uint8Array {
  const ptr = kernelMemory.alloc(length);
  return kernelMemory.bytes().subarray(ptr, ptr + length);
}
const memories = [heap, shared, linear];

test('bytes are copied as they are, from and to every kind of memory, and none beside them', () => {
  const memory = fc.constantFrom(...memories);
  fc.assert(
    fc.property(
      memory,
      memory,
      fc.uint8Array({ maxLength: 300 }),
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
