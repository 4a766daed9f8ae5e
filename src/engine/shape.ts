/** What happens to series between parse and blocks, as plain data: it is made on the main thread and sent to the engine. */
import type { PlacementSpec } from '../route/placement.ts';
import type { LabelLimits } from '../transform/limit/labels.ts';
import type { RuleSpec } from '../transform/relabel/rule.ts';
import type { Rounding } from '../transform/round.ts';
import type { StageConfig } from './aggregation-stage.ts';

/** What one destination, or several that are configured alike, sees of a series. */
export interface FormConfig {
  readonly rules: readonly RuleSpec[];
  /** Set on every series, over a label of that name. */
  readonly labels: readonly (readonly [name: string, value: string])[];
  readonly rounding: Rounding;
  /** Aggregation and deduplication behind the rules; absent for none. */
  readonly stage?: StageConfig | undefined;
}

export interface ShapeConfig {
  readonly rules: readonly RuleSpec[];
  readonly promNaming: boolean;
  readonly sortLabels: boolean;
  readonly labelLimits: LabelLimits;
  readonly maxHourlySeries: number;
  readonly maxDailySeries: number;
  readonly forms: readonly FormConfig[];
  /** Aggregation and deduplication ahead of all destinations; absent for none. */
  readonly stage?: StageConfig | undefined;
  /** Absent: every destination gets every series. */
  readonly placement?: PlacementSpec;
  /** By shard: whether it takes new series; absent when all do. */
  readonly available?: readonly boolean[];
}

/** Whether a series can come out differently from how it came in, or not at all. */
export function isShaping(shape: ShapeConfig): boolean {
  const { labelsMax, nameBytesMax, valueBytesMax } = shape.labelLimits;
  return (
    hasGlobalRules(shape) ||
    shape.sortLabels ||
    [labelsMax, nameBytesMax, valueBytesMax, shape.maxHourlySeries, shape.maxDailySeries].some(
      (limit) => limit !== 0,
    ) ||
    shape.placement !== undefined ||
    shape.stage !== undefined ||
    shape.forms.some(
      ({ rules, labels, rounding, stage }) =>
        rules.length > 0 || labels.length > 0 || isRounding(rounding) || stage !== undefined,
    )
  );
}

export function hasGlobalRules({ rules, promNaming }: ShapeConfig): boolean {
  return rules.length > 0 || promNaming;
}

function isRounding({ significantFigures, roundDigits }: Rounding): boolean {
  return significantFigures !== 0 || roundDigits !== 100;
}
