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
  /** Samples that are later than now by more than this, in milliseconds, are counted; absent: not looked at. */
  readonly future?: { readonly afterMs: number; readonly drop: boolean };
  readonly forms: readonly FormConfig[];
  /** Aggregation and deduplication ahead of all destinations; absent for none. */
  readonly stage?: StageConfig | undefined;
  /** Absent: every destination gets every series. */
  readonly placement?: PlacementSpec;
  /** Series are placed by the labels that destinations see, in their one form; otherwise by those before the forms. */
  readonly placesForm?: boolean;
  /** By shard: whether it takes new series; absent when all do. */
  readonly available?: readonly boolean[];
}

const AS_IT_CAME: FormConfig = {
  rules: [],
  labels: [],
  rounding: { significantFigures: 0, roundDigits: 100 },
};

/** For series that were shaped and aggregated before: they are placed, and nothing else. Their plans have the same layout. */
export function placingOnly({ future: _, stage: __, ...shape }: ShapeConfig): ShapeConfig {
  return {
    ...shape,
    rules: [],
    promNaming: false,
    sortLabels: false,
    labelLimits: { labelsMax: 0, nameBytesMax: 0, valueBytesMax: 0 },
    maxHourlySeries: 0,
    maxDailySeries: 0,
    forms: shape.forms.map(() => AS_IT_CAME),
  };
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
    shape.future !== undefined ||
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
