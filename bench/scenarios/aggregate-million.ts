import { totalWork } from './aggregate-total.ts';
import { relayWork } from './relay-work.ts';

export const aggregateMillion = relayWork(
  'a million active series aggregated: total and sum_samples without instance and pod every 5s, one URL, snappy',
  {
    ...totalWork,
    workload: { ...totalWork.workload, series: 1_000_000 },
    warmUpSamples: 1_000_000,
    samples: 10_000_000,
  },
  { peakRssAtMost: 0.7 },
);
