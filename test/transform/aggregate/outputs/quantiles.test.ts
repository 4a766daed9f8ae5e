import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Harness, START_MS } from '../../support/harness.ts';
import { assertOutputs, type Reference, windowOf } from '../../support/model.ts';

const PHIS = [0, 0.25, 0.5, 0.99, 1];

const reference: Reference = (history) => {
  const sorted = windowOf(history)
    .map(({ value }) => value)
    .sort((a, b) => a - b);
  if (sorted.length === 0) return {};
  const at = (phi: number) => sorted[Math.floor(phi * (sorted.length - 1) + 0.5)]!;
  return Object.fromEntries(PHIS.map((phi) => [`quantile="${phi}"`, at(phi)]));
};

test('quantiles are values of the window', () => {
  assertOutputs({ [`quantiles(${PHIS.join(', ')})`]: reference });
});

/** Algorithm R as upstream's library has it, with numbers of any size. */
function reservoir(values: readonly number[]): number[] {
  const kept: number[] = [];
  let random = 1n;
  const word = 0xffff_ffffn;
  for (const [index, value] of values.entries()) {
    if (kept.length < 1000) {
      kept.push(value);
      continue;
    }
    random = (random ^ (random << 13n)) & word;
    random ^= random >> 17n;
    random = (random ^ (random << 5n)) & word;
    const at = Number((random * BigInt(index + 1)) >> 32n);
    if (at < 1000) kept[at] = value;
  }
  return kept.sort((a, b) => a - b);
}

test('of many values a thousand are kept, the same as upstream keeps', () => {
  const values = Array.from({ length: 7000 }, (_, index) => (index * 7919) % 10_007);
  const harness = new Harness('- {interval: 1m, outputs: ["quantiles(0, 0.5, 0.9, 1)"]}');
  harness.push({ a: values.map((value) => [START_MS, value] as const) });
  harness.advance(60_000);
  const kept = reservoir(values);
  const expected = [Math.min(...values), kept[500]!, kept[Math.floor(0.9 * 999 + 0.5)]!, Math.max(...values)];
  assert.deepEqual(
    harness.told.map(({ value }) => value),
    expected,
  );
});

test('labels are in the shortest form', () => {
  const harness = new Harness('- {interval: 1m, outputs: ["quantiles(0.50, 1e-5, .9, 1.0)"]}');
  harness.pushNow({ a: 1 });
  harness.advance(60_000);
  assert.deepEqual(
    harness.told.map(({ series }) => series),
    ['0.5', '1e-05', '0.9', '1'].map((phi) => `a:1m_quantiles{quantile="${phi}"}`),
  );
});
