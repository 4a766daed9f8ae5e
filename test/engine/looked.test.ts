/** Series of one outline share a plan: it must be the one that each of them would get when it is decided by itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import snappy from 'snappyjs';
import type { GroupConfig } from '../../src/engine/messages.ts';
import { Pipeline } from '../../src/engine/pipeline.ts';
import type { ShapeConfig } from '../../src/engine/shape.ts';
import { compileKernel, Kernel } from '../../src/kernel/kernel.ts';
import { type PlacementMode, placementModes } from '../../src/route/placement.ts';
import { actions } from '../../src/transform/relabel/actions/index.ts';
import { parseRules } from '../../src/transform/relabel/rule.ts';
import { type Content, decodeBlock, encodeRequest, type TestSeries } from './support/messages.ts';

const module = compileKernel();
const ROUNDING = { significantFigures: 0, roundDigits: 100 };
const group: GroupConfig = { codec: 'snappy', level: 0, metadata: true, parallel: 1 };

const names = ['a', 'b', 'ab', '__name__', '__c', 'd-e', 'é', ''];
const values = ['', 'x', 'y', 'xy', 'x-1', 'X', 'long '.repeat(30), 'é'];
const name = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a', 'b') },
  fc.constantFrom(...names.slice(0, 6)),
);
const regex = fc.constantFrom(
  '.*',
  '.*',
  'x|',
  'x',
  'x.*',
  '(x)(.*)',
  '.*y',
  '[xy]',
  'a|b',
  '(a).*',
  '.*',
  '',
  'x-\\d+',
);
const replacement = fc.constantFrom('x', 'x', 'x', 'a', 'b', '$1', 'new_$1', '', '{{a}}-$1', '$0');
const sources = fc.array(name, { minLength: 1, maxLength: 2 });
const target = fc.oneof({ weight: 12, arbitrary: name }, fc.constantFrom('new', 'n$1', '{{a}}'));
const condition = fc.constantFrom('x', '{a="x"}', '{a!="",b=~"x.*"}', '{a=~"x|y" or __name__="x"}', '{b=""}');

/** Rules that drop leave little to compare. */
const changing = ['replace', 'replace', 'labelmap', 'hashmod', 'replace_all', 'uppercase', 'labelmap_all'];
const action = fc.oneof(fc.constantFrom(...changing), fc.constantFrom(...actions.keys()));

/** With the fields that the action means: others would only make values count that need not. */
const rule = action
  .chain((of) => {
    const isByName = of.startsWith('label');
    const field = <T>(arbitrary: fc.Arbitrary<T>, isMeant: boolean): fc.Arbitrary<T | undefined> =>
      isMeant ? arbitrary : fc.constant(undefined);
    return fc.record({
      action: fc.constant(of),
      if: fc.option(condition, { nil: undefined, freq: 2 }),
      source_labels: field(sources, !isByName && !of.endsWith('_metrics') && of !== 'graphite'),
      target_label: field(target, /replace|hash|case|contains|equal$/.test(of) && !/_if_equal$/.test(of)),
      regex: field(regex, /replace|label|keep|drop/.test(of) && !/contains|equal/.test(of)),
      replacement: field(replacement, /replace|labelmap/.test(of)),
      modulus: field(fc.constantFrom(1, 2, 7), of === 'hashmod'),
      match: field(fc.constantFrom('x*', '*-*', 'x'), of === 'graphite'),
      labels: field(fc.constant({ b: '$1', new: 'g' }), of === 'graphite'),
    });
  })
  .filter((one) => isRule(one));

function isRule(one: object): boolean {
  try {
    parseRules(JSON.stringify([one]), 'one');
    return true;
  } catch {
    return false;
  }
}

/** Bodies of series that have one of two sets of label names, and few values: many of them are of one outline. */
const bodiesOf = fc
  .array(fc.array(fc.oneof(name, fc.constantFrom(...names)), { minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: 2,
  })
  .chain((sets) => {
    const one = fc.constantFrom(...sets).chain((own) =>
      fc.tuple(...own.map(() => fc.constantFrom('x', 'x', 'y', '', ...values))).map(
        (texts): TestSeries => ({
          labels: own.map((of, nth) => ({ name: of, value: texts[nth]! })),
          points: [{ bits: 1n, timestamp: 1 }],
          exemplars: 0,
        }),
      ),
    );
    return fc.array(fc.array(one, { minLength: 2, maxLength: 10 }), { minLength: 1, maxLength: 2 });
  });

interface Sample {
  readonly rules: readonly object[];
  readonly second: readonly object[];
  readonly set: readonly (readonly [name: string, value: string])[];
  readonly sortLabels: boolean;
  readonly valueBytesMax: number;
  readonly labels: readonly string[];
  readonly ignoreLabels: readonly string[];
  readonly mode: PlacementMode;
  readonly isPlaced: boolean;
}

const sample: fc.Arbitrary<Sample> = fc.record({
  rules: fc.array(rule, { maxLength: 3 }),
  second: fc.array(rule, { maxLength: 2 }),
  set: fc.constantFrom<Sample['set']>([], [], [['ab', 'x']]),
  sortLabels: fc.boolean(),
  valueBytesMax: fc.constantFrom(0, 0, 1, 20),
  labels: fc.constantFrom<string[]>([], ['a'], ['b', 'new']),
  ignoreLabels: fc.constantFrom(['b', 'ab'], ['__name__', 'b']),
  mode: fc.constantFrom(...placementModes),
  isPlaced: fc.constantFrom(false, false, false, true),
});

function shapeOf(
  { rules, second, set, sortLabels, valueBytesMax, labels, ignoreLabels, mode, isPlaced }: Sample,
  maxHourlySeries: number,
): ShapeConfig {
  const rulesOf = (of: readonly object[]) => parseRules(JSON.stringify(of), 'rules').rules;
  return {
    rules: rulesOf(rules),
    promNaming: false,
    sortLabels,
    labelLimits: { labelsMax: 0, nameBytesMax: 0, valueBytesMax },
    maxHourlySeries,
    maxDailySeries: 0,
    forms: [
      { rules: [], labels: set, rounding: ROUNDING },
      { rules: rulesOf(second), labels: [], rounding: ROUNDING },
    ],
    ...(isPlaced && {
      placement: {
        mode,
        destinations: ['one', 'two'].map((own) => ({ name: own, url: `http://${own}/` })),
        replicas: 1,
        virtualNodes: 16,
        labels,
        ignoreLabels: labels.length === 0 ? ignoreLabels : [],
      },
    }),
  };
}

const plain: Sample = {
  rules: [],
  second: [],
  set: [],
  sortLabels: false,
  valueBytesMax: 0,
  labels: [],
  ignoreLabels: [],
  mode: 'rendezvous',
  isPlaced: false,
};

/** What two destinations get, and what is said about drops. */
function outcome(
  config: ShapeConfig,
  bodies: readonly (readonly TestSeries[])[],
  tenant: string,
  alter: (raw: Uint8Array) => Uint8Array = (raw) => raw,
): unknown {
  const groups = [0, 1].map((form) => ({ ...group, form, ...(config.placement && { shard: form }) }));
  const pipeline = new Pipeline(new Kernel(module), {
    groups,
    shape: config,
    maxRowsPerBlock: 10_000,
    maxBlockBytes: 1024 * 1024,
    maxMetadataPerBlock: 5_000,
    flushIntervalMs: 1_000,
    bodyBytesMax: 4 * 1024 * 1024,
  });
  for (const [id, series] of bodies.entries()) {
    const raw = encodeRequest({ series, metadata: [] });
    const wire = new Uint8Array(snappy.compress(alter(raw)));
    const extraLabels = tenant === '' ? [] : [{ name: 'a', value: tenant }];
    const ref = { id: id + 1, slab: 0, offset: 0, length: wire.byteLength, protocol: 'promremotewrite' };
    assert.ok(!('error' in pipeline.accept({ ...ref, encoding: 'snappy-or-zstd', extraLabels }, wire, 0)));
  }
  pipeline.flush();
  const contents = [new Map(), new Map()] as Content[];
  for (const block of pipeline.takeBlocks()) {
    const bytes = new Uint8Array(block.memory, block.offset, block.length);
    decodeBlock({ codec: block.codec, rawLength: block.rawLength, bytes }, contents[block.group]!);
  }
  const { dropped, examples } = pipeline.takeNews();
  return { contents, dropped, examples };
}

test('rules that read little decide as rules that read everything', () => {
  fc.assert(
    fc.property(sample, bodiesOf, fc.constantFrom('', '', 'x', 'tenant'), (config, bodies, tenant) => {
      // A limit that nothing reaches has every series decided by itself.
      const alone = outcome(shapeOf(config, 1e9), bodies, tenant);
      assert.deepEqual(outcome(shapeOf(config, 0), bodies, tenant), alone);
    }),
    { numRuns: 400 },
  );
});

test('a value that a rule happens to leave as it was counts all the same', () => {
  const bodyOf = (...pairs: readonly (readonly [a: string, b: string])[]) =>
    pairs.map(
      ([a, b]): TestSeries => ({
        labels: [
          { name: 'a', value: a },
          { name: 'b', value: b },
        ],
        points: [{ bits: 1n, timestamp: 1 }],
        exemplars: 0,
      }),
    );
  const cases = [
    [{ target_label: 'a', replacement: 'x' }, bodyOf(['x', 'b'], ['y', 'b'])],
    [{ source_labels: ['b'], target_label: 'a' }, bodyOf(['x', 'x'], ['y', 'x'])],
    [{ action: 'labelmap', regex: 'b', replacement: 'a' }, bodyOf(['x', 'x'], ['y', 'x'], ['x', 'y'])],
    [{ action: 'uppercase', source_labels: ['b'], target_label: 'a' }, bodyOf(['X', 'x'], ['Y', 'x'])],
    [
      { action: 'replace_all', source_labels: ['b'], target_label: 'a', regex: 'z', replacement: 'x' },
      bodyOf(['x', 'z'], ['y', 'z']),
    ],
    [
      { action: 'hashmod', source_labels: ['b'], target_label: 'a', modulus: 1 },
      bodyOf(['0', 'x'], ['y', 'x']),
    ],
    [{ action: 'graphite', match: '*', labels: { a: 'x' } }, bodyOf(['x', 'b'], ['y', 'b'])],
    [{ if: 'x', target_label: 'c', replacement: 'c' }, bodyOf(['x', 'b'], ['y', 'b'])],
  ] as const;
  for (const [one, body] of cases) {
    const config = { ...plain, rules: [one] };
    assert.deepEqual(outcome(shapeOf(config, 0), [body], ''), outcome(shapeOf(config, 1e9), [body], ''));
  }
  const set = { ...plain, rules: [], set: [['a', 'x']] as const };
  const body = bodyOf(['x', 'b'], ['y', 'b']);
  assert.deepEqual(outcome(shapeOf(set, 0), [body], ''), outcome(shapeOf(set, 1e9), [body], ''));
});

test('labels that no plan can copy are not those of another series', () => {
  const config = { ...plain, rules: [{ target_label: 'a', replacement: 'x' }] };
  for (const count of [1_024, 1_025, 1_100]) {
    const body = ['x', 'y'].map(
      (last): TestSeries => ({
        labels: Array.from({ length: count }, (_, nth) => ({
          name: `n${nth}`,
          value: nth === count - 1 ? last : 'c',
        })),
        points: [{ bits: 1n, timestamp: 1 }],
        exemplars: 0,
      }),
    );
    assert.deepEqual(outcome(shapeOf(config, 0), [body], ''), outcome(shapeOf(config, 1e9), [body], ''));
  }
});

test('the ring goes by the name of the metric even where it is ignored', () => {
  const body = Array.from(
    { length: 20 },
    (_, nth): TestSeries => ({
      labels: [{ name: '__name__', value: `m${nth}` }],
      points: [{ bits: 1n, timestamp: 1 }],
      exemplars: 0,
    }),
  );
  for (const mode of placementModes) {
    const config: Sample = { ...plain, mode, ignoreLabels: ['__name__'], isPlaced: true };
    assert.deepEqual(outcome(shapeOf(config, 0), [body], ''), outcome(shapeOf(config, 1e9), [body], ''));
  }
});

test('a value that is no UTF-8 is as long as the text that is made of it', () => {
  const config: Sample = { ...plain, valueBytesMax: 10 };
  const bodyOf = (...own: readonly string[]) =>
    own.map(
      (value): TestSeries => ({
        labels: [{ name: 'a', value }],
        points: [{ bits: 1n, timestamp: 1 }],
        exemplars: 0,
      }),
    );
  const alter = (raw: Uint8Array) => raw.map((byte) => (byte === 0x7e ? 0xff : byte));
  for (const body of [bodyOf('~~~~~', 'short'), bodyOf('short', '~~~~~'), bodyOf('ééééé', 'éééééé', 'abc')]) {
    const alone = outcome(shapeOf(config, 1e9), [body], '', alter);
    assert.deepEqual(outcome(shapeOf(config, 0), [body], '', alter), alone);
  }
});
