/** What the decision about a series depends on, of the whole configuration; `series/outlines.ts` uses it. */
import type { PlacementSpec } from '../route/placement.ts';
import type { Looked } from '../series/outlines.ts';
import { type Reads, readsOfRules, type ValueTest } from '../transform/relabel/reads.ts';
import type { ShapeConfig } from './shape.ts';

/**
 * Undefined when every series has to be looked at by itself: it is counted or aggregated, or placed by all its labels, or
 * rules may read any value.
 */
export function lookedAt(config: ShapeConfig): Looked | undefined {
  const { forms, labelLimits, placement } = config;
  const isCounted = config.maxHourlySeries !== 0 || config.maxDailySeries !== 0;
  const isTaken = config.stage !== undefined || forms.some(({ stage }) => stage !== undefined);
  // Names that are made compatible are written with their values.
  if (isCounted || isTaken || config.promNaming) return undefined;
  const placed = placement === undefined ? [] : readsOfPlacement(placement);
  const ruled = [config.rules, ...forms.map(({ rules }) => rules)].map(readsOfRules);
  if (placed === undefined || ruled.includes(undefined)) return undefined;
  const set = forms.map(({ labels }): Reads => ({ values: labels.map(([name]) => name) }));
  const reads = [...placed, ...set, ...(ruled as Reads[][]).flat()];
  return join(reads, labelLimits.valueBytesMax > 0 ? labelLimits.valueBytesMax : undefined);
}

function readsOfPlacement({ mode, labels, ignoreLabels }: PlacementSpec): Reads[] | undefined {
  // The ring goes by the name of the metric, whatever is chosen.
  const always = mode === 'ring' ? ['__name__'] : [];
  if (labels.length > 0) return [{ values: [...always, ...labels] }];
  if (ignoreLabels.length === 0) return undefined;
  return [{ values: always, matches: (name) => !ignoreLabels.includes(name) }];
}

function join(reads: readonly Reads[], valueBytesMax: number | undefined): Looked {
  const values = new Set(reads.flatMap((one) => one.values));
  const matches = reads.flatMap((one) => (one.matches === undefined ? [] : [one.matches]));
  const tests = Map.groupBy<string, ValueTest>(
    reads.flatMap((one) => one.tests ?? []),
    ({ label }) => label,
  );
  return {
    kindOf: (name) => {
      if (values.has(name) || matches.some((match) => match(name))) return 'read';
      return tests.has(name) ? 'tested' : 'passed';
    },
    classOf: (name, value) =>
      tests
        .get(name)!
        .map(({ test }) => Number(test(value)))
        .join(''),
    valueBytesMax,
  };
}
