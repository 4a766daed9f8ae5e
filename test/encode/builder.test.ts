/** What blocks hold is tested through the pipeline (test/engine/pipeline.test.ts); here is what a builder promises beside. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { zstdOptions } from '../../src/encode/builder.ts';

test('every level gives what zstd reads back, in one piece', () => {
  const small = Buffer.from('one two three '.repeat(100));
  const large = Buffer.alloc(2 << 20, 'some labels that repeat themselves, and a number: ');
  for (const level of [-22, -2, -1, 0, 1, 3, 19]) {
    for (const message of [small, large]) {
      const options = zstdOptions(level, message.byteLength);
      const compressed = zstdCompressSync(message, options);
      assert.ok(compressed.byteLength <= options.chunkSize);
      assert.deepEqual(zstdDecompressSync(compressed), message);
    }
  }
});

test('-1 is a fast level and not the default', () => {
  const message = Buffer.from(Array.from({ length: 20_000 }, (_, n) => `series{n="${n * 7919}"} `).join(''));
  const sizeAt = (level: number) =>
    zstdCompressSync(message, zstdOptions(level, message.byteLength)).byteLength;
  assert.ok(sizeAt(-1) > sizeAt(1));
  assert.ok(sizeAt(-1) <= sizeAt(-5));
});

test('incompressible bytes fit into the one piece', () => {
  const noise = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, n) => (n * n * 2_654_435_761) >>> 13));
  const options = zstdOptions(0, noise.byteLength);
  assert.ok(zstdCompressSync(noise, options).byteLength <= options.chunkSize);
});
