import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Memo } from '../../../src/transform/relabel/cache.ts';

test('a text is computed once while it is in use, and what is no longer asked for goes', () => {
  const computed: string[] = [];
  const memo = new Memo((text) => {
    computed.push(text);
    return text === 'no' ? null : `${text}!`;
  });
  for (let round = 0; round < 30_000; round++) {
    assert.equal(memo.get('hot'), 'hot!');
    assert.equal(memo.get('no'), null);
    memo.get(`n${round}`);
  }
  assert.equal(computed.filter((text) => text === 'hot' || text === 'no').length, 2);
  assert.ok(memo.size <= 2 * 4_096, String(memo.size));
  memo.get('n1');
  assert.equal(computed.filter((text) => text === 'n1').length, 2);
});

test('false is an answer too', () => {
  let computed = 0;
  const memo = new Memo(() => {
    computed++;
    return false;
  });
  memo.get('a');
  assert.equal(memo.get('a'), false);
  assert.equal(computed, 1);
});

test('long texts and long results do not fill the memory', () => {
  const memo = new Memo((text) => (text.startsWith('big') ? 'x'.repeat(100_000) : 'small'));
  for (let index = 0; index < 1_000; index++) {
    assert.equal(memo.get(`big${index}`).length, 100_000);
    assert.equal(memo.get('y'.repeat(5_000) + index), 'small');
  }
  assert.ok(memo.size <= 6, String(memo.size));
});

test('answers are those of the function, in any order', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 2 })), (texts) => {
      const memo = new Memo((text) => text.length > 1);
      for (const text of texts) assert.equal(memo.get(text), text.length > 1);
    }),
  );
});
