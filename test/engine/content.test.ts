import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { compress } from 'snappyjs';
import { decodeContent } from '../../src/engine/content.ts';
import type { BodyEncoding } from '../../src/model/body.ts';

const text = Buffer.from('foo{bar="baz"} 1 2\n'.repeat(1_000));
const encoders: readonly [BodyEncoding, (bytes: Uint8Array) => Uint8Array][] = [
  ['plain', (bytes) => bytes],
  ['gzip', gzipSync],
  ['deflate', deflateSync],
  ['zstd', zstdCompressSync],
  ['snappy', (bytes) => compress(bytes)],
];

/** As the engine has it: in memory that threads share. */
function shared(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.byteLength));
  copy.set(bytes);
  return copy;
}

test('every encoding is undone, from shared memory into memory of our own; plain bytes stay where they are', () => {
  for (const [encoding, encode] of encoders) {
    const content = decodeContent(shared(encode(text)), encoding, text.byteLength);
    assert.ok(typeof content !== 'string' && 'bytes' in content, encoding);
    assert.equal(Buffer.compare(content.bytes, text), 0, encoding);
    assert.equal(content.bytes.buffer instanceof SharedArrayBuffer, encoding === 'plain', encoding);
  }
});

test('gzip may have several members', () => {
  const content = decodeContent(Buffer.concat([gzipSync('a 1\n'), gzipSync('b 2\n')]), 'gzip', 100);
  assert.ok(typeof content !== 'string' && 'bytes' in content);
  assert.equal(Buffer.from(content.bytes).toString(), 'a 1\nb 2\n');
});

test('what comes out larger than the limit is too large', () => {
  for (const [encoding, encode] of encoders) {
    assert.equal(decodeContent(encode(text), encoding, text.byteLength - 1), 'too_large', encoding);
  }
  assert.equal(decodeContent(gzipSync(Buffer.alloc(64 * 1024 * 1024)), 'gzip', 1024 * 1024), 'too_large');
  assert.equal(decodeContent(Uint8Array.of(255, 255, 255, 255, 15), 'snappy', 1024), 'too_large');
});

test('bytes that are not in their encoding are told', () => {
  for (const [encoding, encode] of encoders.slice(1)) {
    for (const bad of [encode(text).subarray(0, 20), Buffer.from('foo 1\n'), new Uint8Array()]) {
      const content = decodeContent(bad, encoding, 1024 * 1024);
      assert.ok(typeof content !== 'string' && 'error' in content, encoding);
      assert.match(content.error, new RegExp(`^cannot decode ${encoding} body: .`));
    }
  }
  const raw = decodeContent(deflateRawSync(text), 'deflate', 1024 * 1024);
  assert.ok(typeof raw !== 'string' && 'error' in raw, 'deflate means zlib');
});
