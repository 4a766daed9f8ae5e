import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DoneRecords } from '../../../src/queue/file/done.ts';

test('in whatever order records are done with, the first that is not is known', () => {
  fc.assert(
    fc.property(fc.nat(5), fc.array(fc.integer({ min: 1, max: 30 })), (skipped, seqs) => {
      const done = new DoneRecords();
      done.start(skipped + 1);
      const all = new Set(Array.from({ length: skipped }, (_, index) => index + 1));
      for (const seq of seqs) {
        done.add(seq);
        all.add(seq);
        let first = 1;
        while (all.has(first)) first++;
        assert.equal(done.before, first);
        for (let other = 1; other <= 31; other++) assert.equal(done.has(other), all.has(other));
      }
    }),
  );
});
