/** The order in which things happen to a series, and that what is explained is what is decided. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Decider } from '../../src/engine/decider.ts';
import { isShaping, type ShapeConfig } from '../../src/engine/shape.ts';
import { drops } from '../../src/model/drops.ts';
import { Labels } from '../../src/model/labels.ts';
import type { Decision } from '../../src/series/plans.ts';
import { parseRules } from '../../src/transform/relabel/rule.ts';

const NO_ROUNDING = { significantFigures: 0, roundDigits: 100 };

function shapeOf(over: Partial<ShapeConfig> = {}): ShapeConfig {
  return {
    rules: [],
    promNaming: false,
    sortLabels: false,
    labelLimits: { labelsMax: 0, nameBytesMax: 0, valueBytesMax: 0 },
    maxHourlySeries: 0,
    maxDailySeries: 0,
    forms: [{ rules: [], labels: [], rounding: NO_ROUNDING }],
    ...over,
  };
}

function rulesOf(text: string) {
  const { rules, problems } = parseRules(text, 'rules');
  assert.deepEqual(problems, []);
  return rules;
}

const placementOf = (replicas: number) => ({
  mode: 'rendezvous' as const,
  destinations: ['a', 'b', 'c'].map((name) => ({ name, url: '' })),
  ...{ replicas, labels: [], ignoreLabels: [], virtualNodes: 150 },
});

function decide(config: ShapeConfig, pairs: readonly (readonly [string, string])[]) {
  const decision: Decision = { verdict: 0, heldBack: 0, owners: [], forms: [], fates: [] };
  const verdict = new Decider(config).decide(Labels.of(pairs), decision);
  assert.equal(drops[decision.verdict], verdict);
  return { verdict, owners: decision.owners, forms: decision.forms.map((form) => form.toString()) };
}

const series = [
  ['__name__', 'a.b'],
  ['z', '1'],
  ['job', 'x'],
] as const;

test('without a configuration nothing is shaped, and a series goes on as it came', () => {
  assert.equal(isShaping(shapeOf()), false);
  assert.deepEqual(decide(shapeOf(), series), { verdict: 'none', owners: [], forms: ['as-it-came'] });
  const shaping: Partial<ShapeConfig>[] = [
    { sortLabels: true },
    { promNaming: true },
    { maxHourlySeries: -1 },
    { labelLimits: { labelsMax: 0, nameBytesMax: 0, valueBytesMax: 1 } },
    { forms: [{ rules: [], labels: [['a', 'b']], rounding: NO_ROUNDING }] },
    { forms: [{ rules: [], labels: [], rounding: { significantFigures: 3, roundDigits: 100 } }] },
  ];
  for (const over of shaping) assert.equal(isShaping(shapeOf(over)), true, JSON.stringify(over));
});

test('rules come first, then naming, limits, sorting, and at last what each destination has of its own', () => {
  const config = shapeOf({
    rules: rulesOf('- {source_labels: [job], target_label: long.name, replacement: "value of $1"}'),
    promNaming: true,
    sortLabels: true,
    forms: [
      { rules: [], labels: [], rounding: NO_ROUNDING },
      {
        rules: rulesOf('- {action: labeldrop, regex: long_name}'),
        labels: [['job', 'mine']],
        rounding: NO_ROUNDING,
      },
      { rules: rulesOf('- {action: drop, source_labels: [job]}'), labels: [], rounding: NO_ROUNDING },
    ],
  });
  assert.deepEqual(decide(config, series).forms, [
    'a_b{job="x",long_name="value of x",z="1"}',
    'a_b{job="mine",z="1"}',
    'none',
  ]);
  const limited = { ...config, labelLimits: { labelsMax: 0, nameBytesMax: 0, valueBytesMax: 9 } };
  assert.equal(decide(limited, series).verdict, 'too_long_label_value', 'limits see what rules made');
});

test('shards are chosen by what global rules made, or by what destinations make of it', () => {
  const placement = placementOf(2);
  const own = { rules: rulesOf('- {action: labeldrop, regex: pod}'), labels: [], rounding: NO_ROUNDING };
  const config = shapeOf({ placement, forms: [own] });
  const pods = Array.from({ length: 50 }, (_, nth) => `${nth}`);
  const owners = (pod: string, over: Partial<ShapeConfig> = {}) =>
    decide({ ...config, ...over }, [...series, ['pod', pod]]).owners.join();
  const seen = new Set(pods.map((pod) => owners(pod)));
  assert.ok(seen.size > 2, 'a label that destinations drop counts');
  const available = [true, false, true];
  assert.equal(
    new Set(pods.map((pod) => owners(pod, { placesForm: true }))).size,
    1,
    'if they are placed by it',
  );
  const rerouted = decide({ ...config, available }, series).owners;
  assert.deepEqual(rerouted.toSorted(), [0, 2]);
});

test('what is explained is what is decided', () => {
  const name = fc.constantFrom('__name__', 'job', 'pod', '__tmp', 'x');
  const value = fc.constantFrom('', 'a', 'b', 'long value');
  const rule = fc.constantFrom(
    '- {action: drop, source_labels: [job], regex: b}',
    '- {action: labeldrop, regex: pod}',
    '- {target_label: x, replacement: y}',
    '- {action: keep, source_labels: [__name__], regex: .+}',
  );
  const rules = fc.array(rule, { maxLength: 3 }).map((lines) => rulesOf(lines.join('\n')));
  const pairs = fc.uniqueArray(fc.tuple(name, value), { selector: ([one]) => one, minLength: 1 });
  fc.assert(
    fc.property(
      rules,
      rules,
      fc.boolean(),
      fc.boolean(),
      pairs,
      (global, own, sortLabels, placesForm, labels) => {
        const config = shapeOf({
          placement: placementOf(1),
          placesForm,
          rules: global,
          sortLabels,
          labelLimits: { labelsMax: 3, nameBytesMax: 0, valueBytesMax: 0 },
          forms: [{ rules: own, labels: [['job', 'set']], rounding: NO_ROUNDING }],
        });
        const decided = decide(config, labels);
        const explained = new Decider(config).explain(Labels.of(labels));
        assert.equal(explained.verdict, decided.verdict);
        if (decided.verdict !== 'none') return;
        assert.deepEqual(explained.owners, decided.owners);
        const [form] = explained.forms;
        const expected = decided.forms[0] === 'none' ? undefined : decided.forms[0];
        const got = form!.labels?.toString();
        assert.equal(got, expected === 'as-it-came' ? Labels.of(labels).toString() : expected);
      },
    ),
  );
});
