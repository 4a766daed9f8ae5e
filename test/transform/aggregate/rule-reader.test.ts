import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NO_DEFAULTS, parseAggregationRules } from '../../../src/transform/aggregate/rule.ts';
import { specsOf } from '../support/harness.ts';

/** The problems of one rule of a minute: `line:col message; hint`. */
function problemsOf(lines: string, head = 'interval: 1m\noutputs: [total]'): string[] {
  const text = `- ${`${head}\n${lines}`.trim().replaceAll('\n', '\n  ')}`;
  const { rules, problems } = parseAggregationRules(text, 'f');
  assert.equal(rules.length, problems.length === 0 ? 1 : 0);
  return problems.map(({ where, message, hint }) => `${where.slice(2)} ${message}; ${hint}`);
}

test('everything that a rule can say', () => {
  const [rule] = specsOf(`
- name: everything
  match: ['{job="app"}', up]
  interval: 1m30s
  outputs: [" quantiles( 0.5 , 1e-2,1 ) ", zscore(60)]
  by: [job, instance, job]
  staleness_interval: 5m
  ignore_first_sample_interval: 10s
  dedup_interval: 30s
  drop_input_labels: [replica]
  input_relabel_configs: [{action: labeldrop, regex: pod}]
  output_relabel_configs:
    - {target_label: a, replacement: b}
  no_align_flush_to_interval: true
  flush_on_shutdown: true
  ignore_old_samples: true
  ignore_first_intervals: 2
  enable_windows: true
  without:
`);
  assert.deepEqual(rule, {
    where: 'rules.yaml:2:3',
    name: 'everything',
    match: ['{job="app"}', 'up'],
    intervalText: '1m30s',
    intervalMs: 90_000,
    outputs: [
      { name: 'quantiles', args: [0.5, 0.01, 1] },
      { name: 'zscore', args: [60] },
    ],
    by: ['instance', 'job'],
    without: [],
    stalenessMs: 300_000,
    ignoreFirstSampleMs: 10_000,
    dedupIntervalMs: 30_000,
    dropInputLabels: ['replica'],
    inputRelabel: [{ action: 'labeldrop', regex: 'pod' }],
    outputRelabel: [{ target_label: 'a', replacement: 'b' }],
    keepMetricNames: false,
    alignFlush: false,
    flushOnShutdown: true,
    ignoreOldSamples: true,
    ignoreFirstIntervals: 2,
    enableWindows: true,
  });
});

test('aliases stand for what they name', () => {
  const [, second] = specsOf(`
- {interval: 1m, outputs: &o [total], by: &b [job], input_relabel_configs: [&r {action: drop}]}
- {interval: 1m, outputs: *o, by: *b, output_relabel_configs: [*r]}
`);
  assert.deepEqual(second!.outputs, [{ name: 'total', args: [] }]);
  assert.deepEqual(second!.by, ['job']);
  assert.deepEqual(second!.outputRelabel, [{ action: 'drop' }]);
});

test('what is wrong is told with its place and a way out', () => {
  const cases: [lines: string, told: string[], head?: string][] = [
    ['intervall: 1m', ['3:3 intervall is no key of a rule; did you mean interval?']],
    ['by: [a]\nby: [b]', ['4:3 by is given twice; keep one']],
    ['by: [a]\nwithout: [b]', ['4:12 by and without are given both; keep one of them']],
    ['by: job', ['3:7 by is no list; write by: [job, instance]']],
    ['by: [{a: b}]', ['3:8 by takes names of labels; write a name']],
    [
      'dedup_interval: 35s',
      ['3:19 the dedup interval does not divide the interval; write one that divides it, or 0s for none'],
    ],
    ['dedup_interval: 2m', ['3:19 the dedup interval is longer than the interval; make it shorter']],
    [
      'staleness_interval: 30s',
      [
        '3:23 the staleness interval is shorter than the interval; write the interval or more: what is stale sooner would never be told',
      ],
    ],
    ['staleness_interval: 1d', ['3:23 1d is no duration; write days in hours: 24h']],
    ['staleness_interval: soon', ['3:23 soon is no duration; write for example 30s, 5m or 1h30m']],
    [
      'staleness_interval: -5m',
      ['3:23 -5m is no duration of whole milliseconds; write 0s or more, in whole milliseconds'],
    ],
    ['enable_windows: 1', ['3:19 enable_windows is neither true nor false; write true or false']],
    [
      'ignore_first_intervals: -1',
      ['3:27 ignore_first_intervals is no number of intervals; write 0 or more'],
    ],
    ['match: [{a: b}]', [`3:11 match takes selectors; write a selector such as '{job="app"}'`]],
    [
      'input_relabel_configs: {a: b}',
      ['3:26 input_relabel_configs is no list; write "- action: …" for each rule'],
    ],
    ['input_relabel_configs: [a]', ['3:27 this relabeling rule is no mapping; write action: …']],
    ['name: [a]', ['3:9 name takes one value; write one value']],
    [
      '',
      ['1:3 the rule has no interval; write how often results are told, for example interval: 1m'],
      'outputs: [total]',
    ],
    ['', ['1:13 an interval of 500ms is too short; write 1s or more'], 'interval: 500ms\noutputs: [total]'],
  ];
  for (const [lines, told, head] of cases) assert.deepEqual(problemsOf(lines, head), told, lines);
});

test('what is wrong with outputs', () => {
  const told = (outputs: string) =>
    problemsOf('', `interval: 1m\noutputs: ${outputs}`).map((problem) => problem.replace(/^\S+ /, ''));
  assert.match(told('[]')[0]!, /^the rule has no outputs; write a list of avg, /);
  assert.match(told('total')[0]!, /^the rule has no outputs/);
  assert.deepEqual(told('[totl]'), ['there is no output totl; did you mean total?']);
  assert.deepEqual(told('[total, avg, total]'), ['the output total is there twice; keep one']);
  assert.deepEqual(told('["quantiles(0.5)", "quantiles(0.9)"]'), [
    'the output quantiles is there twice; put all numbers into one, or make two rules',
  ]);
  assert.deepEqual(told('["quantiles(0.5, 1.5)"]'), [
    'quantiles(0.5, 1.5): a quantile is not between 0 and 1; write for example quantiles(0.5, 0.99)',
  ]);
  for (const nothing of ['quantiles', '"quantiles()"']) {
    assert.match(
      told(`[${nothing}]`)[0]!,
      /there is no quantile; write for example quantiles\(0\.5, 0\.99\)$/,
    );
  }
  assert.match(told('["quantiles(a)"]')[0]!, /there is something that is no number/);
  assert.deepEqual(told('["total(5)"]'), ['the output total takes no numbers; write total']);
  assert.match(told('["zscore(2.5)"]')[0]!, /not between 4 and 1000; write for example zscore\(60\)$/);
  assert.match(told('["mad(5, 6)"]')[0]!, /it takes one number/);
});

test('names that are kept must tell one thing apart', () => {
  const told = (outputs: string, defaults = NO_DEFAULTS) =>
    parseAggregationRules(`- {interval: 1m, keep_metric_names: true, outputs: ${outputs}}`, 'f', defaults)
      .problems.length;
  assert.equal(told('[last]'), 0);
  assert.equal(told('["quantiles(0.5)"]'), 0);
  assert.equal(told('[last, avg]'), 1);
  assert.equal(told('[histogram_bucket]'), 1);
  assert.equal(told('["quantiles(0.5, 0.9)"]'), 1);
  assert.equal(told('[last]', { ...NO_DEFAULTS, keepInput: true }), 1);
});

test('a dedup interval of the flag must fit too', () => {
  const defaults = { ...NO_DEFAULTS, dedupIntervalMs: 45_000 };
  const { problems } = parseAggregationRules('- {interval: 1m, outputs: [total]}', 'f', defaults);
  assert.deepEqual(
    problems.map(({ message }) => message),
    ['the dedup interval of the flag does not divide the interval'],
  );
});

test('all problems of all rules are told at once, and those of selectors and relabeling too', () => {
  const text = `
- {interval: 1m, outputs: [nothing], match: '{'}
- {interval: 1m, outputs: [avg]}
- {interval: 1m, outputs: [avg], output_relabel_configs: [{action: replace}], frobnicate: 1}
`;
  const { rules, problems } = parseAggregationRules(text, 'f', NO_DEFAULTS, {
    selector: (selector) => (selector === '{' ? { message: 'no selector', hint: 'close it' } : undefined),
    relabel: () => [{ message: 'no target', hint: 'give one' }],
  });
  assert.equal(rules.length, 1);
  assert.deepEqual(
    problems.map(({ where, message }) => `${where} ${message}`).sort(),
    [
      'f:2:28 there is no output nothing',
      'f:2:45 no selector',
      'f:4:59 no target',
      'f:4:79 frobnicate is no key of a rule',
    ].sort(),
  );
});

test('an alias bomb is a problem', () => {
  const lines = [
    '- interval: 1m',
    '  outputs: [total]',
    '  input_relabel_configs:',
    '    - a: &a [x, x, x, x, x, x, x, x, x]',
  ];
  for (let step = 0; step < 8; step++) {
    const from = String.fromCharCode(97 + step);
    const to = String.fromCharCode(98 + step);
    lines.push(`      ${to}: &${to} [${Array.from({ length: 9 }, () => `*${from}`).join(', ')}]`);
  }
  const { problems } = parseAggregationRules(lines.join('\n'), 'f');
  assert.ok(problems.some(({ message }) => message === 'there are too many aliases in here'));
});

test('any text gives rules or problems', () => {
  const piece = fc.constantFrom(
    '- ',
    'interval: 1m',
    'outputs: [total]',
    '\n',
    '  ',
    'by: ',
    '[a]',
    '{',
    '}',
    '*a',
    '&a ',
    '!!b ',
    '"',
    ': ',
    'x',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece, { maxLength: 30 }).map((all) => all.join('')),
      ),
      (text) => {
        const { rules, problems } = parseAggregationRules(text, 'f');
        assert.ok(Array.isArray(rules));
        for (const { where, message, hint } of problems) assert.ok(where.startsWith('f:') && message && hint);
      },
    ),
    { numRuns: 2000 },
  );
});
