import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createExplainer, type ExplainerSource, explainerSource } from '../src/explainer.ts';
import { parseRules } from '../src/transform/relabel/rule.ts';

const rounding = { significantFigures: 0, roundDigits: 100 };
const dropX = parseRules('- {action: drop, source_labels: [job], regex: x}', 'rules').rules;

function sourceOf(
  over: Partial<Omit<ExplainerSource, 'shape'>> & { readonly shape?: Partial<ExplainerSource['shape']> } = {},
): ExplainerSource {
  const { shape, ...rest } = over;
  return {
    routing: 'replicate',
    destinations: [
      { name: 'all', form: 0, shard: undefined },
      { name: 'some', form: 1, shard: undefined },
    ],
    ...rest,
    shape: {
      rules: [],
      promNaming: false,
      sortLabels: false,
      labelLimits: { labelsMax: 2, nameBytesMax: 0, valueBytesMax: 0 },
      maxHourlySeries: 0,
      maxDailySeries: 0,
      forms: [
        { rules: [], labels: [], rounding },
        { rules: dropX, labels: [], rounding },
      ],
      ...shape,
    },
  };
}

function why(text: string, source: ExplainerSource) {
  const explained = createExplainer(source)(text);
  assert.ok(typeof explained !== 'string', String(explained));
  return explained.destinations.map(({ name, why: reason, form }) => [
    name,
    reason,
    form?.labels?.toString(),
  ]);
}

test('each destination says what it gets and why', () => {
  assert.deepEqual(why('up{job="x"}', sourceOf()), [
    ['all', 'it gets every series', 'up{job="x"}'],
    ['some', 'its own rules drop it', undefined],
  ]);
  assert.deepEqual(why('up{a="b",c="d"}', sourceOf()), [
    ['all', 'dropped before: too many labels', undefined],
    ['some', 'dropped before: too many labels', undefined],
  ]);
  assert.match(why('up', sourceOf({ routing: 'spread' }))[0]![1]!, /any destination may get its block/);
});

test('shards say who owns a series, and who is left out', () => {
  const placement = {
    mode: 'ring' as const,
    destinations: ['a', 'b', 'c'].map((name) => ({ name, url: '' })),
    ...{ replicas: 2, labels: [], ignoreLabels: [], virtualNodes: 10 },
  };
  const destinations = ['a', 'b', 'c'].map((name, shard) => ({ name, form: 0, shard }));
  const reasons = why('up', sourceOf({ routing: 'shard', destinations, shape: { placement } }));
  assert.deepEqual(reasons.map(([, reason]) => reason).toSorted(), [
    'other shards own it',
    'owner 1 of 2 by ring',
    'owner 2 of 2 by ring',
  ]);
  const owner = reasons.findIndex(([, reason]) => reason === 'owner 1 of 2 by ring');
  const available = [0, 1, 2].map((index) => index !== owner);
  const without = why('up', sourceOf({ routing: 'shard', destinations, shape: { placement, available } }));
  assert.equal(without[owner]![1], 'left out while it is down');
});

test('the source is the rules, the shards and the destinations of the moment', () => {
  const config = sourceOf().shape;
  const needs = { codec: 'zstd', level: 3, metadata: true, parallel: 1 } as const;
  const members = [
    { name: 'one', needs: { ...needs, form: 1, shard: 0 } },
    { name: 'two', needs },
  ];
  const shards = { placesForm: true };
  const source = explainerSource({ shape: { config, formOf: [1] } }, { kind: 'shard', shards }, members);
  assert.equal(source.shape.placesForm, true);
  assert.equal(source.routing, 'shard');
  assert.deepEqual(source.destinations, [
    { name: 'one', form: 1, shard: 0 },
    { name: 'two', form: 0, shard: undefined },
  ]);
});

test('a text that is no series says what is wrong with it', () => {
  const explained = createExplainer(sourceOf())('up{job=x}');
  assert.match(String(explained), /at character 4 label="value" is expected/);
});
