import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import snappy from 'snappyjs';
import { decodeBlock, toSnappy } from '../../src/destination/recode.ts';

const raw = Buffer.from('abc'.repeat(10_000));

test('zstd becomes snappy, snappy stays as it is', async () => {
  const packed = await toSnappy({ codec: 'zstd', bytes: zstdCompressSync(raw), rawLength: raw.length });
  assert.equal(packed.codec, 'snappy');
  assert.equal(packed.rawLength, raw.length);
  assert.deepEqual(Buffer.from(snappy.uncompress(packed.bytes)), raw);
  assert.equal(await toSnappy(packed), packed);
});

test('garbage and bombs are refused', async () => {
  const bomb = zstdCompressSync(Buffer.alloc(65 * 1024 * 1024));
  const snappyBomb = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0]);
  for (const [codec, bytes] of [
    ['zstd', Buffer.from('garbage')],
    ['zstd', bomb],
    ['snappy', Buffer.from('garbage')],
    ['snappy', snappyBomb],
  ] as const) {
    await assert.rejects(decodeBlock({ codec, bytes, rawLength: 0 }), { code: 'undecodable' });
  }
});
