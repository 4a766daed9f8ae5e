import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { escapeText, Redactor } from '../../src/deliver/redact.ts';

test('any text becomes one line of at most 4 KiB', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 6000, size: 'max' }), (text) => {
      const clean = escapeText(text);
      assert.ok(Buffer.byteLength(clean) <= 4096);
      assert.doesNotMatch(clean, /\p{Cc}/u);
    }),
  );
  assert.equal(escapeText('ä'.repeat(3000)), 'ä'.repeat(2048));
});

test('a secret that contains another one goes as a whole, and a replaced one is forgotten', () => {
  const redactor = new Redactor();
  redactor.set('a', 'inner');
  redactor.set('b', 'outer-inner-outer');
  redactor.set('c', 'abc');
  assert.equal(redactor.clean('x outer-inner-outer inner abc'), 'x secret secret abc');
  redactor.set('a', 'other');
  assert.equal(redactor.clean('inner other'), 'inner secret');
});
