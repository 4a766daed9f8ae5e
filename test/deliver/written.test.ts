import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPartial, isTaken, lostOf, partsOf } from '../../src/deliver/written.ts';

const counts = { series: 9, samples: 5, histograms: 3, exemplars: 2, metadata: 1 };

test('what a destination does not say it took is lost, where it says anything', () => {
  assert.equal(lostOf(counts, undefined), undefined);
  assert.equal(lostOf(counts, { samples: 5, histograms: 3, exemplars: 2 }), undefined);
  assert.equal(
    lostOf(counts, { samples: 6, histograms: 3, exemplars: 9 }),
    undefined,
    'more is nothing lost',
  );
  const lost = { series: 0, samples: 1, histograms: 3, exemplars: 0, metadata: 0 };
  assert.deepEqual(lostOf(counts, { samples: 4, histograms: 0, exemplars: 2 }), lost);
});

test('a refusal that took something is partial', () => {
  assert.equal(isPartial(undefined), false);
  assert.equal(isPartial({ samples: 0, histograms: 0, exemplars: 0 }), false);
  assert.equal(isPartial({ samples: 0, histograms: 1, exemplars: 0 }), true);
});

test('2xx is taken', () => {
  assert.deepEqual([199, 200, 204, 299, 300].map(isTaken), [false, true, true, true, false]);
  const part = { kind: 'rejected', counts } as const;
  assert.deepEqual(partsOf(part), { kind: 'parts', parts: [part] });
});
