import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { outputOf, outputs } from '../../../../src/transform/aggregate/outputs/index.ts';
import { Harness, START_MS } from '../../support/harness.ts';
import { assertOutputs, sumOf, windowOf } from '../../support/model.ts';

test('every output is registered under its name, and says what it tells', () => {
  for (const [name, definition] of Object.entries(outputs)) {
    assert.equal(definition.name, name);
    assert.ok(definition.summary.length > 10);
    assert.equal(outputOf(name), definition);
  }
  assert.equal(outputOf('constructor'), undefined);
});

/** Names with arguments where they are needed. */
const all = Object.values(outputs).map(({ name, args }) => args?.example ?? name);

test('the docs have a row for every output', () => {
  const rows = readFileSync(new URL('../../../../docs/aggregation.md', import.meta.url), 'utf8').match(
    /^\| `.*$/gm,
  )!;
  for (const name of Object.keys(outputs)) {
    const isIn = ([, cell]: string[]) => [...cell!.matchAll(/`(\w+)/g)].some(([, one]) => one === name);
    assert.ok(
      rows.some((row) => isIn(row.split('|'))),
      name,
    );
  }
});

test('every output stands the strangest values', () => {
  const strange = [
    0,
    -0,
    5e-324,
    -1,
    1e308,
    -1e308,
    2 ** 53,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ];
  for (const [index, output] of all.entries()) {
    const name = Object.keys(outputs)[index]!;
    const harness = new Harness(`- {interval: 1m, by: [g], outputs: ["${output}"], staleness_interval: 5m}`);
    for (const timestampMs of [START_MS, -1, 2 ** 53, -(2 ** 62), 2 ** 62]) {
      harness.push({
        'a{x="1"}': strange.map((value) => [timestampMs, value] as const),
        'a{x="2"}': [[0, 1]],
      });
      harness.restart();
    }
    harness.advance(600_000);
    const prefix = `a:1m_by_g_${name}`;
    assert.ok(harness.told.every(({ series }) => series.startsWith(prefix)));
  }
});

test('the comparison with references catches what is wrong', () => {
  const wrong = () => ({ '': 1 });
  assert.throws(() => assertOutputs({ sum_samples: wrong }, 50));
  const forgetful = (history: Parameters<typeof windowOf>[0]) => ({
    '': sumOf(
      windowOf(history)
        .slice(1)
        .map(({ value }) => value),
    ),
  });
  assert.throws(() => assertOutputs({ sum_samples: forgetful }, 50));
});
