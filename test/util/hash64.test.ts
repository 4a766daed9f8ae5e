import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import xxhash from 'xxhash-wasm';
import { loadHash64 } from '../../src/util/hash64.ts';

const hash64 = await loadHash64();
const hex = (hash: bigint) => hash.toString(16).padStart(16, '0');

/** Seen on vmagent. */
const vectors: readonly (readonly [string, string])[] = [
  ['', 'ef46db3751d8e999'],
  ['1:http://127.0.0.1:29101/w', 'ace1e42817368704'],
  ['2:http://127.0.0.1:29102/w?a=b', '12253f63cb177c47'],
  ['3:http://127.0.0.1:29103/w', 'd0f5c783b4c8fd88'],
  ['__name__mbx1ay', 'd190ece94da10e97'],
  ['__name__mbx2ay', '3ab83667dbe0dacf'],
  ['__name__mbx3ay', '581e77516772bf50'],
];

test('hashes are those of vmagent, for texts and for bytes', () => {
  for (const [text, expected] of vectors) {
    assert.equal(hex(hash64(text)), expected, text);
    assert.equal(hex(hash64(Buffer.from(text))), expected, text);
  }
});

test('a text hashes as its UTF-8 bytes, and what goes through in pieces as if it went at once', async () => {
  const { h64Raw } = await xxhash();
  const check = (text: string) => {
    const bytes = Buffer.from(text);
    assert.equal(hash64(text), h64Raw(bytes));
    assert.equal(hash64(bytes), h64Raw(bytes));
  };
  fc.assert(fc.property(fc.string({ unit: 'binary' }), check));
  for (const length of [21_845, 21_846, 65_535, 65_536, 65_537, 200_001])
    for (const char of ['a', 'é', '漢']) check(char.repeat(length));
});

test('it is loaded once a thread', async () => {
  assert.equal(await loadHash64(), hash64);
  const module = new URL('../../src/util/hash64.ts', import.meta.url);
  const code = `
    const { parentPort } = require('node:worker_threads');
    import(${JSON.stringify(module.href)}).then(async ({ loadHash64 }) => {
      parentPort.postMessage((await loadHash64())('__name__mbx1ay'));
    });`;
  const worker = new Worker(code, { eval: true });
  const [hash] = await once(worker, 'message');
  assert.equal(hex(hash), 'd190ece94da10e97');
  await worker.terminate();
});
