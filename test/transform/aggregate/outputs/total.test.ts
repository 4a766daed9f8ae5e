import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Harness, START_MS } from '../../support/harness.ts';
import {
  assertOutputs,
  counterSteps,
  flushOf,
  type History,
  type Reference,
  type ReferenceRule,
  sumOf,
  windowOf,
} from '../../support/model.ts';

/** What each accepted sample adds. */
function additions(history: History, rule: ReferenceRule, countsFirsts: boolean) {
  return counterSteps(history).map(({ event, increase }) => {
    const isCounted = countsFirsts && event.nowMs >= rule.startMs + rule.ignoreFirstSampleMs;
    return { window: event.window, added: increase ?? (isCounted ? event.value : 0) };
  });
}

const total =
  (countsFirsts: boolean): Reference =>
  (history, rule) => {
    const { window } = flushOf(history);
    const all = additions(history, rule, countsFirsts).filter((one) => one.window <= window);
    return { '': sumOf(all.map(({ added }) => added)) };
  };

const increase =
  (countsFirsts: boolean): Reference =>
  (history, rule): Record<string, number> => {
    if (windowOf(history).length === 0) return {};
    const { window } = flushOf(history);
    const own = additions(history, rule, countsFirsts).filter((one) => one.window === window);
    return { '': sumOf(own.map(({ added }) => added)) };
  };

test('totals and increases are what counters grew by', () => {
  const references = {
    total: total(true),
    total_prometheus: total(false),
    increase: increase(true),
    increase_prometheus: increase(false),
  };
  assertOutputs(references, 600);
});

test('resets are counted', () => {
  const harness = new Harness('- {interval: 1m, outputs: [total]}');
  harness.push({
    a: [
      [START_MS, 5],
      [START_MS + 1, 3],
      [START_MS + 2, 4],
      [START_MS + 3, 0],
    ],
  });
  assert.equal(harness.aggregators.stats()[0]!.counterResets, 2);
});
