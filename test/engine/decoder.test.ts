/** How bodies are told apart and bounded; what they hold is the business of the pipeline's tests. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import snappy from 'snappyjs';
import { BodyDecoder } from '../../src/engine/decoder.ts';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';

const kernel = new Kernel(compileKernel());
const target = kernel.memory.alloc(4096);
const decoder = new BodyDecoder(kernel, 1000, () => target);
const message = Buffer.from('a message that repeats, a message that repeats');
const asSnappy = new Uint8Array(snappy.compress(message));
const asZstd = new Uint8Array(zstdCompressSync(message));

function text(wire: Uint8Array, encoding: 'snappy-or-zstd' | 'zstd-or-snappy'): string {
  const decoded = decoder.decode(wire, encoding);
  assert.ok(!('error' in decoded));
  return Buffer.from(
    kernel.memory.bytes().subarray(decoded.rawPtr, decoded.rawPtr + decoded.rawLength),
  ).toString();
}

test('the other compression is tried when the first one fails', () => {
  for (const encoding of ['snappy-or-zstd', 'zstd-or-snappy'] as const) {
    assert.equal(text(asSnappy, encoding), String(message));
    assert.equal(text(asZstd, encoding), String(message));
  }
});

test('a body is bounded as it comes and as it is', () => {
  const large = new Uint8Array(2000);
  for (const wire of [
    large,
    new Uint8Array(snappy.compress(large)),
    new Uint8Array(zstdCompressSync(large)),
  ]) {
    const refused = decoder.decode(wire, 'zstd-or-snappy');
    assert.ok('error' in refused);
    assert.equal(refused.status, 413);
    assert.match(refused.error, /the limit is 1000 bytes/);
  }
});

test('a decoder takes over the memory of the one before', () => {
  const before = kernel.memory.allocatedBytes;
  const next = new BodyDecoder(kernel, 500, () => target, decoder);
  assert.ok(!('error' in next.decode(asSnappy, 'snappy-or-zstd')));
  assert.equal(kernel.memory.allocatedBytes, before);
});
