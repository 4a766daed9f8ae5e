import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockLimitsOf, tableOptionsOf } from '../../src/engine/bounds.ts';
import type { EngineConfig } from '../../src/engine/messages.ts';
import type { ShapeConfig } from '../../src/engine/shape.ts';
import { parseRules } from '../../src/transform/relabel/rule.ts';

const shape: ShapeConfig = {
  rules: parseRules('- {target_label: x, replacement: "1"}', 'rules').rules,
  promNaming: false,
  sortLabels: false,
  labelLimits: { labelsMax: 0, nameBytesMax: 0, valueBytesMax: 0 },
  maxHourlySeries: 0,
  maxDailySeries: 0,
  forms: [{ rules: [], labels: [], rounding: { significantFigures: 0, roundDigits: 100 } }],
};

const placementBy = (labels: readonly string[], ignoreLabels: readonly string[]) => ({
  mode: 'rendezvous' as const,
  destinations: ['a', 'b'].map((name) => ({ name, url: `http://${name}/` })),
  replicas: 1,
  virtualNodes: 1,
  labels,
  ignoreLabels,
});

const group = { codec: 'snappy', level: 0, metadata: true, parallel: 1 } as const;
const sizes = {
  maxRowsPerBlock: 10_000,
  maxBlockBytes: 1024 * 1024,
  maxMetadataPerBlock: 5_000,
  flushIntervalMs: 1_000,
  bodyBytesMax: 4 * 1024 * 1024,
};

/** The capacity of the table, and bytes of the stencils of a group. */
function boundsOf(over: Partial<EngineConfig>): [number, number] {
  const config: EngineConfig = { groups: [group], ...sizes, ...over };
  return [tableOptionsOf(config).capacity!, blockLimitsOf(config).stencilBytesMax!];
}

const MEBIBYTE = 1024 * 1024;
const ALL = boundsOf({});

test('where unknown series cost little, a small part of the memory is enough: 100,000 series fit', () => {
  for (const cheap of [undefined, shape, { ...shape, placement: placementBy(['job'], []) }]) {
    const [capacity, stencilBytes] = boundsOf({ sparesSeriesMemory: true, shape: cheap });
    assert.ok(capacity > 150_000 && capacity < 250_000, `${capacity}`);
    assert.ok(Math.abs(stencilBytes - 6 * MEBIBYTE) < 1);
  }
});

test('where each of them has to be looked at, it is all that is of use', () => {
  for (const dear of [
    { ...shape, maxHourlySeries: 10 },
    { ...shape, promNaming: true },
    { ...shape, placement: placementBy([], []) },
    { ...shape, placement: placementBy([], ['le']) },
  ]) {
    assert.deepEqual(boundsOf({ sparesSeriesMemory: true, shape: dear }), ALL);
  }
});

test('what is asked for counts, whatever is done with series, and groups share what is for stencils', () => {
  const seriesBytesMax = 100 * MEBIBYTE;
  const [capacity, stencilBytes] = boundsOf({ seriesBytesMax, shape });
  assert.ok(capacity > 1_000_000 && capacity < ALL[0]);
  assert.ok(Math.abs(stencilBytes - (100 / 3) * MEBIBYTE) < 1);
  const shared = boundsOf({ seriesBytesMax, shape, groups: [group, group, group] })[1];
  assert.ok(Math.abs(shared - stencilBytes / 3) < 1);
  const tight = boundsOf({ seriesBytesMax: MEBIBYTE, sparesSeriesMemory: true, shape });
  assert.deepEqual(
    tight,
    boundsOf({ seriesBytesMax: MEBIBYTE, shape }),
    'the limit of the machine counts first',
  );
});
