/** What blocks hold is tested through the pipeline (test/engine/pipeline.test.ts); here is what a builder promises beside. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import snappy from 'snappyjs';
import { BlockBuilder, zstdOptions } from '../../src/encode/builder.ts';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import { ALL_SLOTS, type Codec } from '../../src/model/block.ts';
import { noCounts } from '../../src/model/body.ts';

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

test('what is compressed piece by piece is what was added, in its order and not larger', () => {
  const limits = { rowsMax: 1e6, rawBytesMax: 1024 * 1024, metadataMax: 10 };
  const messages = Array.from({ length: 30 }, (_, nth) =>
    Buffer.from(`message ${nth} ${'of many bytes '.repeat(nth * 150)}`),
  );
  const lengthOf = (codec: Codec, compacts: boolean) => {
    const kernel = new Kernel(compileKernel());
    const builder = new BlockBuilder(kernel, codec, 0, ALL_SLOTS, limits);
    let free = builder.room;
    for (const message of messages) {
      kernel.memory.bytes().set(message, builder.tailEnd);
      builder.addTail(1, message.byteLength, { ...noCounts, samples: 1 }, 1, 0);
      free -= message.byteLength;
      if (compacts) builder.compact();
      assert.equal(builder.room, free);
    }
    const { memory, offset, length, rawLength } = builder.take();
    const block = new Uint8Array(memory, offset, length);
    const raw = codec === 'snappy' ? snappy.uncompress(block) : zstdDecompressSync(block);
    assert.deepEqual(Buffer.from(raw), Buffer.concat(messages));
    assert.equal(rawLength, raw.byteLength);
    assert.ok(builder.empty);
    return length;
  };
  assert.ok(lengthOf('snappy', true) <= lengthOf('snappy', false) * 1.01);
  assert.equal(lengthOf('zstd', true), lengthOf('zstd', false));
});
