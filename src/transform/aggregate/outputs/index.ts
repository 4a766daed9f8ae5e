/** The registry of outputs: one file, one line, one test each. The keys are the names in rule files. */
import { mad, zscore } from './anomaly.ts';
import { avg } from './avg.ts';
import { countSamples } from './count-samples.ts';
import { countSeries } from './count-series.ts';
import { stddev, stdvar } from './deviation.ts';
import { histogramBucket } from './histogram-bucket.ts';
import { last } from './last.ts';
import { max } from './max.ts';
import { min } from './min.ts';
import type { OutputDefinition } from './output.ts';
import { quantiles } from './quantiles.ts';
import { rateAvg, rateSum } from './rate.ts';
import { sumSamples } from './sum-samples.ts';
import { sumSamplesTotal } from './sum-samples-total.ts';
import { increase, increasePrometheus, total, totalPrometheus } from './total.ts';
import { uniqueSamples } from './unique-samples.ts';

export const outputs = {
  avg,
  count_samples: countSamples,
  count_series: countSeries,
  histogram_bucket: histogramBucket,
  increase,
  increase_prometheus: increasePrometheus,
  last,
  mad,
  max,
  min,
  quantiles,
  rate_avg: rateAvg,
  rate_sum: rateSum,
  stddev,
  stdvar,
  sum_samples: sumSamples,
  sum_samples_total: sumSamplesTotal,
  total,
  total_prometheus: totalPrometheus,
  unique_samples: uniqueSamples,
  zscore,
} satisfies Record<string, OutputDefinition>;

export type OutputName = keyof typeof outputs;

export function outputOf(name: string): OutputDefinition | undefined {
  return Object.hasOwn(outputs, name) ? outputs[name as OutputName] : undefined;
}
