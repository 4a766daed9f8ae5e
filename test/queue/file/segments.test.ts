import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Segments } from '../../../src/queue/file/segments.ts';

const segment = (firstSeq: number, path = `/q/${firstSeq}.seg`) => ({
  firstSeq,
  path,
  size: 100,
  syncedSize: 64,
});

test('a record is in the last segment that begins before it, and a segment ends where the next one begins', () => {
  const [one, five, nine] = [segment(1), segment(5), segment(9)];
  const segments = new Segments([one, five]);
  segments.add(nine);
  assert.equal(segments.bytes, 300);
  assert.deepEqual(
    [1, 4, 5, 8, 9, 99].map((seq) => segments.with(seq)?.firstSeq),
    [1, 1, 5, 5, 9, 9],
  );
  assert.deepEqual(
    [one, five, nine].map((each) => segments.endOf(each, 12)),
    [5, 9, 12],
  );
  segments.remove(one);
  assert.equal(segments.with(1), five, 'what is lost is passed over');
  segments.add(segment(9));
  assert.equal(segments.all.length, 2);
  assert.equal(new Segments().with(1), undefined);
});
