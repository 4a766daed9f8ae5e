import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAggregationRules, ruleIdentity } from '../../../src/transform/aggregate/rule.ts';
import { specsOf } from '../support/harness.ts';

const minimal = '- interval: 1m\n  outputs: [total]\n';

test('a rule that says little has the defaults', () => {
  assert.deepEqual(specsOf(minimal), [
    {
      where: 'rules.yaml:1:3',
      name: '',
      match: [],
      intervalText: '1m',
      intervalMs: 60_000,
      outputs: [{ name: 'total', args: [] }],
      by: [],
      without: [],
      stalenessMs: 60_000,
      ignoreFirstSampleMs: 60_000,
      dedupIntervalMs: 0,
      dropInputLabels: [],
      inputRelabel: [],
      outputRelabel: [],
      keepMetricNames: false,
      alignFlush: true,
      flushOnShutdown: false,
      ignoreOldSamples: false,
      ignoreFirstIntervals: 0,
      enableWindows: false,
    },
  ]);
});

test('defaults of flags yield to what the rule says', () => {
  const defaults = {
    dedupIntervalMs: 20_000,
    dropInputLabels: ['replica', 'pod'],
    ignoreOldSamples: true,
    ignoreFirstIntervals: 3,
    enableWindows: true,
    keepInput: false,
  };
  const parse = (text: string) => parseAggregationRules(text, 'f', defaults).rules[0]!;
  const silent = parse(minimal);
  assert.equal(silent.dedupIntervalMs, 20_000);
  assert.deepEqual(silent.dropInputLabels, ['pod', 'replica']);
  assert.equal(silent.ignoreOldSamples, true);
  assert.equal(silent.ignoreFirstIntervals, 3);
  assert.equal(silent.enableWindows, true);
  const loud = parse(
    `${minimal}  dedup_interval: 0s\n  drop_input_labels: []\n  ignore_old_samples: false\n  ignore_first_intervals: 0\n  enable_windows: false`,
  );
  assert.equal(loud.dedupIntervalMs, 0);
  assert.deepEqual(loud.dropInputLabels, []);
  assert.equal(loud.ignoreOldSamples, false);
  assert.equal(loud.ignoreFirstIntervals, 0);
  assert.equal(loud.enableWindows, false);
});

test('no rules are no problem', () => {
  for (const text of ['', '# nothing\n', '[]', 'null']) {
    assert.deepEqual(parseAggregationRules(text, 'f'), { rules: [], problems: [] });
  }
});

test('what is no list of rules is told once', () => {
  const problemsOf = (text: string) =>
    parseAggregationRules(text, 'f.yaml').problems.map(({ where }) => where);
  assert.deepEqual(problemsOf('interval: 1m'), ['f.yaml:1:1']);
  assert.deepEqual(problemsOf('- 5'), ['f.yaml:1:3']);
  assert.deepEqual(problemsOf('- a: [1\n'), ['f.yaml:2:1']);
  assert.deepEqual(problemsOf('- {interval: 1m, outputs: [total]}\n---\n- 1').length, 1);
});

test('specs cross threads as they are', () => {
  const specs = specsOf(
    `${minimal}  output_relabel_configs: [{action: drop, source_labels: [a], regex: "x.*"}]`,
  );
  assert.deepEqual(structuredClone(specs), specs);
});

test('rules are known by what they say, not by where they stand', () => {
  const identity = (text: string) => ruleIdentity(specsOf(text)[0]!);
  assert.equal(identity(minimal), identity(`# moved\n\n${minimal}`));
  assert.equal(identity(minimal), identity(`${minimal}  flush_on_shutdown: false`));
  assert.notEqual(identity(minimal), identity(`${minimal}  flush_on_shutdown: true`));
  assert.notEqual(identity(minimal), identity(minimal.replace('1m', '60s')), 'the text is a part of names');
});
