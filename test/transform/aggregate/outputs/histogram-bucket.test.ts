import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Harness, START_MS } from '../../support/harness.ts';
import { assertOutputs, flushOf, type Reference } from '../../support/model.ts';

/** By comparing with every bound, which are 10^(i/18) and inside below. */
function rangeOf(value: number): string {
  const bounds = Array.from({ length: 487 }, (_, index) => 10 ** (index / 18 - 9));
  const text = (bound: number) => bound.toExponential(3).replace(/e([+-])(\d)$/, 'e$10$2');
  if (value < bounds[0]!) return `0...${text(bounds[0]!)}`;
  if (value > bounds[486]!) return `${text(bounds[486]!)}...+Inf`;
  const upper = bounds.findIndex((bound, index) => index > 0 && value <= bound * (1 + 1e-12));
  return `${text(bounds[upper - 1]!)}...${text(bounds[upper]!)}`;
}

const reference: Reference = (history) => {
  const counts: Record<string, number> = {};
  const { window } = flushOf(history);
  for (const event of history) {
    if (event.kind === 'flush' || event.window > window || event.value < 0) continue;
    const label = `vmrange="${rangeOf(event.value)}"`;
    counts[label] = (counts[label] ?? 0) + 1;
  }
  return counts;
};

test('histogram_bucket counts by bucket since the group began', () => {
  assertOutputs({ histogram_bucket: reference });
});

test('a group that begins anew has empty buckets, and takes places that others left', () => {
  const harness = new Harness('- {interval: 1m, outputs: [histogram_bucket]}');
  for (let round = 0; round < 5; round++) {
    harness.push({
      a: [[START_MS, 10 ** round * 1.1]],
      b: [
        [START_MS, 0],
        [START_MS, 1e20],
      ],
    });
    harness.advance(120_000);
    const told = harness.take();
    assert.equal(told.length, 3);
    assert.ok(told.every((text) => text.endsWith(' 1')));
  }
});
