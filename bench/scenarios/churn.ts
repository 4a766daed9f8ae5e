import { ruleFile } from '../rules/index.ts';
import { relayWork, standardWork } from './relay-work.ts';

/** No series comes twice: nothing that was decided for a series is ever of use again. */
export const churn = relayWork(
  'every series new, 12 typical relabeling rules, one URL, snappy',
  {
    ...standardWork,
    workload: { series: 2_000_000, seriesPerRequest: 2_000, scrapes: 1 },
    warmUpSamples: 200_000,
    samples: 1_800_000,
    flags: ['-remoteWrite.forcePromProto', `-remoteWrite.relabelConfig=${ruleFile('typical')}`],
    arrives: 'shaped',
  },
  { samplesPerCpuSecondAtLeast: 0.5 },
);
