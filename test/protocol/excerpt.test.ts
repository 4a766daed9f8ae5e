import assert from 'node:assert/strict';
import { test } from 'node:test';
import { excerpt } from '../../src/protocol/excerpt.ts';

test('an excerpt is quoted, escaped and cut', () => {
  const bytes = new TextEncoder().encode(`bad\u0000"${'x'.repeat(1_000)}`);
  assert.equal(excerpt(bytes, 0, 3), '"bad"');
  assert.equal(excerpt(bytes, 1, 5), '"ad\\u0000\\""');
  assert.equal(excerpt(bytes, 0, bytes.byteLength), `"bad\\u0000\\"${'x'.repeat(115)}"…`);
});
